"""How good predictions are, counted up a block of rows at a time: nothing is kept of a row that has been counted.

Plain numpy in float64, so that anyone can check a number by hand. What one process has counted goes to another as an
array (`to_array`), and is added to what that one has (`merge`).
"""

import numpy as np

from training.moments import Moments

# Keeps log_loss finite when a model is certain and wrong.
SMALLEST_PROBABILITY = 1e-15


class ClassScores:
    """Of `class_count` classes, which are named by their positions."""

    def __init__(self, class_count: int) -> None:
        self._actual, self._predicted, self._hit = np.zeros((3, class_count), np.int64)
        self._log_loss = 0.0

    def add(self, labels: np.ndarray, predictions: np.ndarray, probabilities: np.ndarray) -> None:
        """Shapes: `labels` and `predictions` (m,) int64; `probabilities` (m, k), rows summing to 1."""
        classes = len(self._actual)
        self._actual += np.bincount(labels, minlength=classes)
        self._predicted += np.bincount(predictions, minlength=classes)
        self._hit += np.bincount(labels[labels == predictions], minlength=classes)
        chosen = probabilities[np.arange(len(labels)), labels].astype(np.float64)
        self._log_loss -= float(np.log(np.maximum(chosen, SMALLEST_PROBABILITY)).sum())

    def to_array(self) -> np.ndarray:
        """Shapes: (3 k + 1,) float64, which holds every count below 2^53 exactly."""
        return np.concatenate([self._actual, self._predicted, self._hit, [self._log_loss]], dtype=np.float64)

    def merge(self, counted: np.ndarray) -> None:
        """Add other rows, counted elsewhere. Shapes: `counted` as `to_array` gives it."""
        actual, predicted, hit = counted[:-1].astype(np.int64).reshape(3, -1)
        self._actual += actual
        self._predicted += predicted
        self._hit += hit
        self._log_loss += float(counted[-1])

    @property
    def accuracy(self) -> float:
        return float(self._hit.sum() / self._actual.sum())

    @property
    def balanced_accuracy(self) -> float:
        """Mean recall over the classes that occur in the labels."""
        occur = self._actual > 0
        return float((self._hit[occur] / self._actual[occur]).mean())

    @property
    def macro_f1(self) -> float:
        """Mean F1 over the classes that occur in labels or predictions."""
        either = self._actual + self._predicted
        occur = either > 0
        return float((2 * self._hit[occur] / either[occur]).mean())

    @property
    def log_loss(self) -> float:
        """Mean negative log-likelihood, in nats."""
        return float(self._log_loss / self._actual.sum())


class NumberScores:
    """Of numbers."""

    def __init__(self) -> None:
        self._labels: Moments | None = None
        # Labels are counted from here: the means of blocks, rounded at 1.7e9, would cost the spread digits.
        self._origin = 0.0
        self._squared_error = self._absolute_error = 0.0

    def add(self, labels: np.ndarray, predictions: np.ndarray) -> None:
        """Shapes: both (m,), m at least 1."""
        if self._labels is None:
            self._origin = float(labels[0])
        moments = Moments.of(labels[:, None].astype(np.float64) - self._origin)
        self._labels = moments if self._labels is None else self._labels + moments
        self._squared_error += float(np.square(labels - predictions).sum())
        self._absolute_error += float(np.abs(labels - predictions).sum())

    def to_array(self) -> np.ndarray:
        """Shapes: (8,) float64, zeros where nothing was counted."""
        if self._labels is None:
            return np.zeros(8)
        columns = self._labels.mean, self._labels.squares, self._labels.lowest, self._labels.highest
        errors = self._squared_error, self._absolute_error
        return np.array([self._labels.count, self._origin, *(float(column[0]) for column in columns), *errors])

    def merge(self, counted: np.ndarray) -> None:
        """Add other rows, counted elsewhere. Shapes: `counted` as `to_array` gives it."""
        count, origin, mean, squares, lowest, highest, squared_error, absolute_error = counted.tolist()
        if not count:
            return
        if self._labels is None:
            self._origin = origin
        # From one origin to the other: a short way, which the numbers counted from there keep their digits on.
        way = origin - self._origin
        moments = Moments(
            int(count), np.array([mean + way]), np.array([squares]), np.array([lowest + way]), np.array([highest + way])
        )
        self._labels = moments if self._labels is None else self._labels + moments
        self._squared_error += squared_error
        self._absolute_error += absolute_error

    @property
    def rmse(self) -> float:
        return float(np.sqrt(self._squared_error / self._seen.count))

    @property
    def mae(self) -> float:
        return self._absolute_error / self._seen.count

    @property
    def r2(self) -> float:
        """Share of the variance explained; 0 when all labels are equal, where it is undefined."""
        return 0.0 if self._seen.is_constant[0] else 1.0 - self._squared_error / float(self._seen.squares[0])

    @property
    def _seen(self) -> Moments:
        assert self._labels is not None
        return self._labels
