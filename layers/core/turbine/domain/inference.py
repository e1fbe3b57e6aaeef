"""What Batch Transform is asked for, and what its answers are worth where the truth is known."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

from turbine.domain.manifest import InferenceInput
from turbine.domain.run import Record

CONTENT_TYPES: Mapping[str, str] = {"jsonl": "application/jsonlines", "csv": "text/csv"}

# Predictions of an object lie under its name behind `predictions/<team>/<version>/<attempt>/`, in a key of 1,024 bytes.
INPUT_KEY_MAX_BYTES = 800


class PreparedInference(Record):
    """What `prepare_inference` answers when there is something to predict."""

    skip: Literal[False] = False
    inference_id: str
    team: str
    run_id: str
    champion_version: int
    model_version: int
    model_name: str
    input_uri: str
    content_type: str
    split_type: Literal["Line"] = "Line"
    output_prefix_uri: str
    label_key: str | None
    # Transform jobs are named `<transform_name>-r<redrive>-t<try>`; their names are unique for ever.
    transform_name: str
    fencing: int


class ClaimedModel(Record):
    """What an inference's claim pins of the model it runs."""

    team: str
    run_id: str
    model_version: int
    model_data_uri: str
    champion_version: int


class PromotedModel(ClaimedModel):
    """The detail of `ModelPromoted`, as the prediction side keeps it."""

    model_package_arn: str
    promotion_id: str
    inference: InferenceInput | None


def execution_key(execution_arn: str) -> tuple[str, str]:
    """The item that says which inference an execution may own; its end is reported by its ARN only."""
    return f"EXECUTION#{execution_arn}", "INFERENCE"


class Evaluation:
    """Counts over prediction and label, one pair at a time: accuracy for classes, errors for numbers."""

    def __init__(self) -> None:
        self.records = 0
        self._right = 0
        self._absolute = 0.0
        self._squared = 0.0
        self._classes = False

    def add(self, answer: Mapping[str, Any], label: Any) -> None:
        """Take one answer and its label; an answer with probabilities, or of text, is a class."""
        prediction = answer["prediction"]
        self.records += 1
        # A class travels as text or as a number, depending on who wrote the line.
        self._right += str(prediction) == str(label)
        self._classes = self._classes or bool(answer.get("probabilities")) or isinstance(prediction, str)
        if not self._classes:
            error = float(prediction) - float(label)
            self._absolute += abs(error)
            self._squared += error * error

    def result(self) -> dict[str, float | int]:
        """The evaluation. Raises: ZeroDivisionError when nothing was added."""
        if self._classes:
            return {"records": self.records, "accuracy": self._right / self.records}
        return {
            "records": self.records,
            "rmse": math.sqrt(self._squared / self.records),
            "mae": self._absolute / self.records,
        }


def lines_of(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The non-empty lines of a stream, whatever its chunks; the last line needs no newline."""
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        yield from (line for line in whole if line.strip())
    if rest.strip():
        yield rest
