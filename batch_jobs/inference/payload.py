"""Lines in, lines out: request bodies as feature rows, and predictions as response bodies.

One answer line for each input line, in order. A line that is no complete row of numbers refuses the whole
request, naming the line: half an answer would shift every line after it when Batch Transform joins them.
"""

import csv
import io
import json
import math
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
    """Feature rows of a request body. Shapes: (n, f) float32.

    Raises: BadLineError.
    """
    lines = _lines(body)
    rows = [_PARSERS[media_type](line, number, features) for number, line in enumerate(lines, start=1)]
    numbers = np.array(rows, dtype=np.float64).reshape(len(rows), len(features))
    _require_finite(numbers, features)
    return numbers.astype(np.float32)


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
        record = json.loads(line)
    except ValueError as error:
        raise BadLineError(number, None, f"is not JSON: {error}", "write one JSON object a line") from error
    if not isinstance(record, dict):
        raise BadLineError(number, None, "is not a JSON object", "write one JSON object a line")
    record = _with_lists_spread(record)
    return [_json_number(record, feature, number) for feature in features]


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
        raise BadLineError(number, feature, f"is {json.dumps(value)[:40]}", f"give {feature} as a number")
    try:
        return float(value)
    except OverflowError:  # an integer of more than 308 digits
        return math.inf


def _csv_row(line: str, number: int, features: list[str]) -> list[float]:
    fields = next(csv.reader([line]), [])
    if len(fields) != len(features):
        problem = f"has {len(fields)} fields, not {len(features)}"
        raise BadLineError(number, None, problem, f"give, without a header: {', '.join(features)}")
    return [_csv_number(text, feature, number) for text, feature in zip(fields, features, strict=True)]


def _csv_number(text: str, feature: str, number: int) -> float:
    try:
        return float(text)
    except ValueError as error:
        mend = f"give {feature} as a number"
        raise BadLineError(number, feature, f"is {text[:40]!r}", mend) from error


def _require_finite(numbers: np.ndarray, features: list[str]) -> None:
    bad = ~(np.abs(numbers) <= FLOAT32_MAX)  # NaN compares False
    if bad.any():
        row, column = (int(index) for index in np.argwhere(bad)[0])
        problem = f"is {numbers[row, column]}, no finite float32"
        raise BadLineError(row + 1, features[column], problem, f"give {features[column]} as a finite number")


def _json_lines(predictions: Predictions, classes: list[Any] | None) -> Iterable[str]:
    values = predictions.values.tolist()
    if predictions.probabilities is None or classes is None:
        return (json.dumps({"prediction": value}) for value in values)
    names = [str(name) for name in classes]
    return (
        json.dumps({"prediction": value, "probabilities": dict(zip(names, row, strict=True))})
        for value, row in zip(values, predictions.probabilities.tolist(), strict=True)
    )


def _csv_lines(predictions: Predictions, _classes: list[Any] | None) -> Iterable[str]:
    return (_csv_field(value) for value in predictions.values.tolist())


def _csv_field(value: Any) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow([value])
    return text.getvalue()


_PARSERS: dict[str, Callable[[str, int, list[str]], list[float]]] = {JSON_LINES: _json_row, CSV: _csv_row}
_RENDERERS: dict[str, Callable[[Predictions, list[Any] | None], Iterable[str]]] = {
    JSON_LINES: _json_lines,
    CSV: _csv_lines,
}
