"""Lines in, lines out: request bodies as feature rows, and predictions as response bodies.

One answer line for each input line, in order. A line that is no complete row of numbers refuses the whole
request, naming the line: half an answer would shift every line after it when Batch Transform joins them.
"""

import csv
import io
import json
import math
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from training.tasks import Predictions

JSON_LINES = "application/jsonlines"
CSV = "text/csv"
FLOAT32_MAX = float(np.finfo(np.float32).max)

MEDIA_TYPES = {JSON_LINES: JSON_LINES, "application/jsonl": JSON_LINES, CSV: CSV}


class BadLineError(Exception):
    """A line that cannot be predicted. `line` is 1-based; `field` may be None."""

    def __init__(self, line: int, field: str | None, problem: str, mend: str) -> None:
        super().__init__(f"line {line}: {problem}")
        self.document = {"line": line, "field": field, "problem": problem, "mend": mend}


def parse_rows(body: bytes, media_type: str, features: list[str]) -> np.ndarray:
    """Feature rows of a request body. Shapes: (n, f) float64, within float32's range, as training has them.

    Raises: BadLineError.
    """
    lines = _lines(body)
    rows = [_PARSERS[media_type](line, number, features) for number, line in enumerate(lines, start=1)]
    numbers = np.array(rows, dtype=np.float64).reshape(len(rows), len(features))
    _require_in_range(numbers, features)
    return numbers


def require_finite_features(scaled: np.ndarray, features: list[str]) -> None:
    """Shapes: `scaled` (n, f) float32. Raises: BadLineError: in units of what was trained on, float32 overflows."""
    if (place := _first(~np.isfinite(scaled))) is not None:
        row, column = place
        problem = "is too far from what the model was trained on: scaled, it is no finite float32"
        mend = f"give {features[column]} in the unit and range of the training data"
        raise BadLineError(row + 1, features[column], problem, mend)


def require_finite_outputs(outputs: np.ndarray) -> None:
    """Shapes: `outputs` (n, k). Raises: BadLineError: a NaN would be no JSON, and no prediction."""
    if (place := _first(~np.isfinite(outputs))) is not None:
        problem = "is too far from what the model was trained on: its answer is no finite number"
        raise BadLineError(place[0] + 1, None, problem, "give features in the unit and range of the training data")


def render(predictions: Predictions, classes: list[Any] | None, media_type: str) -> bytes:
    """The response body."""
    return "".join(f"{line}\n" for line in _RENDERERS[media_type](predictions, classes)).encode()


def _lines(body: bytes) -> list[str]:
    try:
        # Not splitlines(): a JSON string may hold U+2028, and Batch Transform splits at \n alone.
        lines = body.decode("utf-8").split("\n")
    except UnicodeDecodeError as error:
        line = body.count(b"\n", 0, error.start) + 1
        raise BadLineError(line, None, "is not UTF-8", "encode the input as UTF-8") from error
    return lines if lines[-1] else lines[:-1]


def _json_row(line: str, number: int, features: list[str]) -> list[float]:
    try:
        record = json.loads(line, object_pairs_hook=_without_repetition)
    except RecursionError as error:
        raise BadLineError(number, None, "is nested too deep", "write one flat JSON object a line") from error
    except ValueError as error:
        raise BadLineError(number, None, f"is not JSON: {error}", "write one JSON object a line") from error
    if not isinstance(record, dict):
        raise BadLineError(number, None, "is not a JSON object", "write one JSON object a line")
    record = _with_lists_spread(record)
    return [_json_number(record, feature, number) for feature in features]


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Which of two values of one key counts is anyone's guess: neither does."""
    record = dict(pairs)
    if len(record) < len(pairs):
        repeated = next(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
        raise ValueError(f"key {repeated[:40]!r} is there twice")
    return record


def _with_lists_spread(record: dict[str, Any]) -> dict[str, Any]:
    """`{"pixels": [a, b]}` also as `pixels_0`, `pixels_1`: what training made of a list column."""
    lists = {name: field for name, field in record.items() if isinstance(field, list)}
    if not lists:
        return record
    spread = {f"{name}_{place}": item for name, field in lists.items() for place, item in enumerate(field)}
    return spread | record


def _json_number(record: dict[str, Any], feature: str, number: int) -> float:
    if feature not in record:
        raise BadLineError(number, feature, "is missing", f"give {feature} as a number")
    value = record[feature]
    # bool is a number to Python, and a column of them is one to training as well.
    if not isinstance(value, int | float):
        raise BadLineError(number, feature, f"is {_shown(value)}", f"give {feature} as a number")
    try:
        return float(value)
    except OverflowError:  # an integer of more than 308 digits
        return math.inf


def _shown(value: Any) -> str:
    if isinstance(value, dict | list):  # not written out: it may be as deep as the parser allows
        return "an object" if isinstance(value, dict) else "a list"
    return json.dumps(value)[:40]


def _csv_row(line: str, number: int, features: list[str]) -> list[float]:
    try:
        fields = next(csv.reader([line]), [])
    except csv.Error as error:  # a field of more than 128 KiB, a bare carriage return
        raise BadLineError(number, None, f"is not CSV: {error}", f"give {len(features)} numbers a line") from error
    if len(fields) != len(features):
        problem = f"has {len(fields)} fields, not {len(features)}"
        raise BadLineError(number, None, problem, f"give, without a header: {', '.join(features)}")
    return [_csv_number(text, feature, number) for text, feature in zip(fields, features, strict=True)]


def _csv_number(text: str, feature: str, number: int) -> float:
    try:
        if "_" in text:  # Python's own 1_0, which nobody else reads as 10
            raise ValueError(text)
        return float(text)
    except ValueError as error:
        mend = f"give {feature} as a number"
        raise BadLineError(number, feature, f"is {text[:40]!r}", mend) from error


def _require_in_range(numbers: np.ndarray, features: list[str]) -> None:
    if (place := _first(~(np.abs(numbers) <= FLOAT32_MAX))) is not None:  # NaN compares False
        row, column = place
        problem = f"is {numbers[row, column]}, no finite float32"
        raise BadLineError(row + 1, features[column], problem, f"give {features[column]} as a finite number")


def _first(bad: np.ndarray) -> tuple[int, int] | None:
    """Row and column of the first True."""
    return divmod(int(bad.argmax()), bad.shape[1]) if bad.any() else None


def _json_lines(predictions: Predictions, classes: list[Any] | None) -> Iterable[str]:
    values = predictions.values.tolist()
    if predictions.probabilities is None or classes is None:
        return (json.dumps({"prediction": value}, allow_nan=False) for value in values)
    names = [_word(name) for name in classes]
    return (
        json.dumps({"prediction": value, "probabilities": dict(zip(names, row, strict=True))}, allow_nan=False)
        for value, row in zip(values, predictions.probabilities.tolist(), strict=True)
    )


def _csv_lines(predictions: Predictions, _classes: list[Any] | None) -> Iterable[str]:
    return (_csv_field(value) for value in predictions.values.tolist())


def _csv_field(value: Any) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow([_word(value)])
    return text.getvalue()


def _word(value: Any) -> str:
    """A class or number as text, in JSON's words: `true`, not `True`."""
    return value if isinstance(value, str) else json.dumps(value, allow_nan=False)


_PARSERS: dict[str, Callable[[str, int, list[str]], list[float]]] = {JSON_LINES: _json_row, CSV: _csv_row}
_RENDERERS: dict[str, Callable[[Predictions, list[Any] | None], Iterable[str]]] = {
    JSON_LINES: _json_lines,
    CSV: _csv_lines,
}
