"""What a model is asked for: a class with probabilities, or a number.

A task turns labels into targets and raw model outputs into predictions, and says how both are measured.
It is fitted once, stored in config.json, and rebuilt from there at inference.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from training.errors import BadDataError
from training.labels import MOST_CLASSES, LabelSummary
from training.metrics import ClassScores, NumberScores


@dataclass(frozen=True)
class Predictions:
    """Shapes: `values` (n,), in the labels' own type; `probabilities` (n, k) float32, or None."""

    values: np.ndarray
    probabilities: np.ndarray | None = None

    def first(self, rows: int) -> "Predictions":
        return Predictions(self.values[:rows], None if self.probabilities is None else self.probabilities[:rows])


class Scores(Protocol):
    """The metrics of rows that come a few at a time."""

    def add(self, labels: np.ndarray, predictions: Predictions) -> None:
        """Shapes: `labels` (m,), m at least 1."""

    def metrics(self) -> dict[str, float]:
        """Of all rows so far, by name."""

    def to_array(self) -> np.ndarray:
        """All that is known of the rows so far, for `merge`. Shapes: (s,) float64, of one s for a task."""

    def merge(self, counted: np.ndarray) -> None:
        """Add the rows of another one's `to_array`, none included."""


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

    def scores(self) -> Scores:
        """Of no rows yet."""

    def measure(self, labels: np.ndarray, predictions: Predictions) -> dict[str, float]:
        """The metrics of rows that are all at hand."""

    def baseline(self, labels: LabelSummary | np.ndarray, row_count: int) -> Predictions:
        """What one would answer for `row_count` rows without looking at them, knowing the train split's labels."""

    def to_json(self) -> dict[str, Any]: ...


@dataclass(frozen=True)
class Classification:
    """One of `classes`; outputs are logits in their order."""

    classes: list[Any]

    @classmethod
    def fit(cls, labels: LabelSummary | np.ndarray, target: str) -> "Classification":
        """From all labels, so that a class that only the test split holds has its place too.

        Raises: BadDataError when the labels are no classes, only one, or too many.
        """
        summary = _summary(labels)
        if summary.kind == "f":
            raise BadDataError(
                f"target column {target!r} holds fractions, not classes",
                "store classes as integers or strings, or use a regressor",
            )
        if summary.train_counts is None:
            raise BadDataError(
                f"target column {target!r} has more than {MOST_CLASSES} values: they are no classes",
                "choose another target, or use a regressor",
            )
        classes = sorted(summary.train_counts)
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
        places = np.searchsorted(self._named, labels, sorter=self._ascending)
        return self._ascending[places].astype(np.int64)

    def decode(self, outputs: np.ndarray) -> Predictions:
        wide = outputs.astype(np.float64)
        exponentials = np.exp(wide - wide.max(axis=1, keepdims=True))
        probabilities = (exponentials / exponentials.sum(axis=1, keepdims=True)).astype(np.float32)
        return Predictions(self._named[outputs.argmax(axis=1)], probabilities)

    def scores(self) -> "_ClassificationScores":
        return _ClassificationScores(self)

    def measure(self, labels: np.ndarray, predictions: Predictions) -> dict[str, float]:
        return _measure(self.scores(), labels, predictions)

    def baseline(self, labels: LabelSummary | np.ndarray, row_count: int) -> Predictions:
        """The commonest class, with each class's share of the train split as its probability."""
        train_counts = _summary(labels).train_counts
        assert train_counts is not None
        counts = np.array([train_counts.get(name, 0) for name in self.classes])
        shares = counts / counts.sum()
        commonest = self._named[shares.argmax()]
        # Views: however many rows, they take the memory of one.
        probabilities = np.broadcast_to(shares.astype(np.float32), (row_count, len(shares)))
        return Predictions(np.broadcast_to(commonest, row_count), probabilities)

    @cached_property
    def _named(self) -> np.ndarray:
        """The classes in their own type. Shapes: (k,)."""
        return np.array(self.classes)

    @cached_property
    def _ascending(self) -> np.ndarray:
        """The classes' places in ascending order: a team's own script may name them in another. Shapes: (k,)."""
        return np.argsort(self._named)


@dataclass(frozen=True)
class Regression:
    """A number. The model learns the target in units of its spread on the train split."""

    target_mean: float
    target_scale: float
    classes: None = None

    @classmethod
    def fit(cls, labels: LabelSummary | np.ndarray, target: str) -> "Regression":
        """From the train split's labels. Raises: BadDataError when they are text or all the same."""
        summary = _summary(labels)
        if summary.kind not in "fi":
            raise BadDataError(f"target column {target!r} does not hold numbers", "use a classifier for it")
        moments = summary.train_moments
        assert moments is not None
        if moments.is_constant[0]:
            raise BadDataError(
                f"target column {target!r} has no spread: it is {moments.mean[0]:g} in every row, or nearly so",
                "choose another target",
            )
        return cls(float(moments.mean[0]), float(moments.deviation[0]))

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

    def scores(self) -> "_RegressionScores":
        return _RegressionScores()

    def measure(self, labels: np.ndarray, predictions: Predictions) -> dict[str, float]:
        return _measure(self.scores(), labels, predictions)

    def baseline(self, labels: LabelSummary | np.ndarray, row_count: int) -> Predictions:
        """The train split's mean."""
        moments = _summary(labels).train_moments
        assert moments is not None
        return Predictions(np.broadcast_to(moments.mean[0], row_count))


class _ClassificationScores:
    def __init__(self, task: Classification) -> None:
        self._task = task
        self._counted = ClassScores(task.output_width)

    def add(self, labels: np.ndarray, predictions: Predictions) -> None:
        assert predictions.probabilities is not None
        encode = self._task.encode
        self._counted.add(encode(labels), encode(predictions.values), predictions.probabilities)

    def to_array(self) -> np.ndarray:
        return self._counted.to_array()

    def merge(self, counted: np.ndarray) -> None:
        self._counted.merge(counted)

    def metrics(self) -> dict[str, float]:
        counted = self._counted
        return {
            "accuracy": counted.accuracy,
            "balanced_accuracy": counted.balanced_accuracy,
            "macro_f1": counted.macro_f1,
            "log_loss": counted.log_loss,
        }


class _RegressionScores:
    def __init__(self) -> None:
        self._counted = NumberScores()

    def add(self, labels: np.ndarray, predictions: Predictions) -> None:
        self._counted.add(labels, predictions.values)

    def to_array(self) -> np.ndarray:
        return self._counted.to_array()

    def merge(self, counted: np.ndarray) -> None:
        self._counted.merge(counted)

    def metrics(self) -> dict[str, float]:
        return {"rmse": self._counted.rmse, "mae": self._counted.mae, "r2": self._counted.r2}


def _measure(scores: Scores, labels: np.ndarray, predictions: Predictions) -> dict[str, float]:
    scores.add(labels, predictions)
    return scores.metrics()


def _summary(labels: LabelSummary | np.ndarray) -> LabelSummary:
    return labels if isinstance(labels, LabelSummary) else LabelSummary.of(labels)
