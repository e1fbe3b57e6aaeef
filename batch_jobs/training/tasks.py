"""What a model is asked for: a class with probabilities, or a number.

A task turns labels into targets and raw model outputs into predictions, and says how both are measured.
It is fitted once, stored in config.json, and rebuilt from there at inference.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from training import metrics
from training.errors import BadDataError
from training.normalisation import is_constant


@dataclass(frozen=True)
class Predictions:
    """Shapes: `values` (n,), in the labels' own type; `probabilities` (n, k) float32, or None."""

    values: np.ndarray
    probabilities: np.ndarray | None = None


class Task(Protocol):
    """One of the two tasks below."""

    @property
    def output_width(self) -> int:
        """How many numbers the model puts out for a row."""

    @property
    def classes(self) -> list[Any] | None: ...

    def encode(self, labels: np.ndarray) -> np.ndarray:
        """Labels as the loss wants them, (n,)."""

    def decode(self, outputs: np.ndarray) -> Predictions:
        """Raw outputs (n, output_width) float32 as predictions."""

    def measure(self, labels: np.ndarray, predictions: Predictions) -> dict[str, float]: ...

    def baseline(self, train_labels: np.ndarray, row_count: int) -> Predictions:
        """What one would answer for `row_count` rows without looking at them."""

    def to_json(self) -> dict[str, Any]: ...


@dataclass(frozen=True)
class Classification:
    """One of `classes`; outputs are logits in their order."""

    classes: list[Any]

    @classmethod
    def fit(cls, labels: np.ndarray, target: str) -> "Classification":
        """From all labels, so that a class that only the test split holds has its place too.

        Raises: BadDataError when the labels are no classes, or only one.
        """
        if labels.dtype.kind == "f":
            raise BadDataError(
                f"target column {target!r} holds fractions, not classes",
                "store classes as integers or strings, or use a regressor",
            )
        classes = np.unique(labels).tolist()
        if len(classes) < 2:
            raise BadDataError(f"target column {target!r} has one value only: {classes[0]!r}", "add other classes")
        return cls(classes)

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> "Classification":
        return cls(document["classes"])

    def to_json(self) -> dict[str, Any]:
        return {"classes": self.classes}

    @property
    def output_width(self) -> int:
        return len(self.classes)

    def encode(self, labels: np.ndarray) -> np.ndarray:
        return np.searchsorted(np.array(self.classes), labels).astype(np.int64)

    def decode(self, outputs: np.ndarray) -> Predictions:
        wide = outputs.astype(np.float64)
        exponentials = np.exp(wide - wide.max(axis=1, keepdims=True))
        probabilities = (exponentials / exponentials.sum(axis=1, keepdims=True)).astype(np.float32)
        return Predictions(np.array(self.classes)[outputs.argmax(axis=1)], probabilities)

    def measure(self, labels: np.ndarray, predictions: Predictions) -> dict[str, float]:
        assert predictions.probabilities is not None
        return {
            "accuracy": metrics.accuracy(labels, predictions.values),
            "balanced_accuracy": metrics.balanced_accuracy(labels, predictions.values),
            "macro_f1": metrics.macro_f1(labels, predictions.values),
            "log_loss": metrics.log_loss(self.encode(labels), predictions.probabilities),
        }

    def baseline(self, train_labels: np.ndarray, row_count: int) -> Predictions:
        """The commonest class, with each class's share of the train split as its probability."""
        shares = np.bincount(self.encode(train_labels), minlength=len(self.classes)) / len(train_labels)
        commonest = np.array(self.classes)[shares.argmax()]
        return Predictions(np.full(row_count, commonest), np.tile(shares.astype(np.float32), (row_count, 1)))


@dataclass(frozen=True)
class Regression:
    """A number. The model learns the target in units of its spread on the train split."""

    target_mean: float
    target_scale: float
    classes: None = None

    @classmethod
    def fit(cls, labels: np.ndarray, target: str) -> "Regression":
        """From the train split's labels. Raises: BadDataError when they are text or all the same."""
        if labels.dtype.kind not in "fi":
            raise BadDataError(f"target column {target!r} does not hold numbers", "use a classifier for it")
        if is_constant(labels):
            raise BadDataError(
                f"target column {target!r} has no spread: it is {labels[0]} in every row, or nearly so",
                "choose another target",
            )
        return cls(float(labels.mean()), float(labels.std()))

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> "Regression":
        return cls(document["target_mean"], document["target_scale"])

    def to_json(self) -> dict[str, Any]:
        return {"target_mean": self.target_mean, "target_scale": self.target_scale}

    @property
    def output_width(self) -> int:
        return 1

    def encode(self, labels: np.ndarray) -> np.ndarray:
        return ((labels - self.target_mean) / self.target_scale).astype(np.float32)

    def decode(self, outputs: np.ndarray) -> Predictions:
        return Predictions(outputs[:, 0].astype(np.float64) * self.target_scale + self.target_mean)

    def measure(self, labels: np.ndarray, predictions: Predictions) -> dict[str, float]:
        return {
            "rmse": metrics.rmse(labels, predictions.values),
            "mae": metrics.mae(labels, predictions.values),
            "r2": metrics.r2(labels, predictions.values),
        }

    def baseline(self, train_labels: np.ndarray, row_count: int) -> Predictions:
        """The train split's mean."""
        return Predictions(np.full(row_count, float(train_labels.mean())))
