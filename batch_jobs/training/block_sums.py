"""Sums of what metrics are made of, over blocks of the test split's rows: what a paired bootstrap draws from.

A comparison must not need the rows themselves, of which there may be millions. Rows fall into BLOCKS by their ids, so
that two models measured on one split have the same rows in the same block. Blocks of independent rows are independent.

Source: B. Efron, R. Tibshirani, An Introduction to the Bootstrap (1993), ch. 8; block ids are splitmix64's
(https://prng.di.unimi.it/splitmix64.c).
"""

import json
from pathlib import Path

import numpy as np

from training.metrics import SMALLEST_PROBABILITY
from training.tasks import Predictions, Task

BLOCKS = 512
MOST_CLASSES_APART = 32
"""With more classes those metrics that look at each class cannot be compared in this way: the file would be large."""


class BlockSums:
    """Columns of BLOCKS sums each. `rows` is one of them; the others depend on the task."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._columns: dict[str, np.ndarray] = {"rows": np.zeros(BLOCKS)}
        self._origin: float | None = None

    def add(self, row_ids: np.ndarray, labels: np.ndarray, predictions: Predictions) -> None:
        """Shapes: `row_ids` and `labels` (m,), m at least 1."""
        blocks = blocks_of(row_ids)
        self._add("rows", blocks, np.ones(len(blocks)))
        if self._task.classes is None:
            self._add_numbers(blocks, labels, predictions.values)
        else:
            self._add_classes(blocks, labels, predictions)

    def write(self, path: Path) -> None:
        """As JSON: `columns` by name, each a list of BLOCKS numbers; `classes` where they are told apart."""
        columns = {name: [_short(number) for number in column.tolist()] for name, column in self._columns.items()}
        told_apart = self._task.classes is not None and self._task.output_width <= MOST_CLASSES_APART
        document = {"schema_version": 1, "classes": self._task.classes if told_apart else None, "columns": columns}
        path.write_text(json.dumps(document, allow_nan=False) + "\n")

    def _add_classes(self, blocks: np.ndarray, labels: np.ndarray, predictions: Predictions) -> None:
        assert predictions.probabilities is not None
        actual, predicted = self._task.encode(labels), self._task.encode(predictions.values)
        hits = actual == predicted
        chosen = predictions.probabilities[np.arange(len(labels)), actual].astype(np.float64)
        self._add("hits", blocks, hits)
        self._add("log_loss", blocks, -np.log(np.maximum(chosen, SMALLEST_PROBABILITY)))
        if self._task.output_width <= MOST_CLASSES_APART:
            for number in range(self._task.output_width):
                self._add(f"actual/{number}", blocks, actual == number)
                self._add(f"predicted/{number}", blocks, predicted == number)
                self._add(f"hits/{number}", blocks, hits & (actual == number))

    def _add_numbers(self, blocks: np.ndarray, labels: np.ndarray, predictions: np.ndarray) -> None:
        if self._origin is None:
            self._origin = float(labels[0])  # squares of numbers like 1.7e9 would leave the spread no digits
        shifted = labels.astype(np.float64) - self._origin
        self._add("squared_error", blocks, np.square(labels - predictions))
        self._add("absolute_error", blocks, np.abs(labels - predictions))
        self._add("label", blocks, shifted)
        self._add("squared_label", blocks, np.square(shifted))

    def _add(self, name: str, blocks: np.ndarray, values: np.ndarray) -> None:
        column = self._columns.setdefault(name, np.zeros(BLOCKS))
        column += np.bincount(blocks, weights=values, minlength=BLOCKS)


def blocks_of(row_ids: np.ndarray) -> np.ndarray:
    """The block of each row. Shapes: (m,) int64 to (m,) int64."""
    mixed = row_ids.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    return (mixed % np.uint64(BLOCKS)).astype(np.int64)


def _short(number: float) -> float:
    """Counts as integers: a third of the characters."""
    return int(number) if number.is_integer() else number
