"""Sums of what metrics are made of, over blocks of the test split's rows: what a paired bootstrap draws from.

A comparison must not need the rows themselves, of which there may be millions. Rows fall into BLOCKS by their ids, so
that two models measured on one split have the same rows in the same block. Blocks of independent rows are independent.

Besides, the same sums over the rows of each slice: the guardrails on the values of a column look at them.

Source: B. Efron, R. Tibshirani, An Introduction to the Bootstrap (1993), ch. 8; block ids are splitmix64's
(https://prng.di.unimi.it/splitmix64.c).
"""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from training.data.slices import NO_SLICES, Slices
from training.metrics import SMALLEST_PROBABILITY
from training.tasks import Predictions, Task

BLOCKS = 512
MOST_CLASSES_APART = 32
"""With more classes those metrics that look at each class cannot be compared in this way: the file would be large."""


class BlockSums:
    """Columns of BLOCKS sums each, and of one for each slice. `rows` is one of them; the others depend on the task."""

    def __init__(self, task: Task, slices: Slices = NO_SLICES) -> None:
        self._task = task
        self._slices = slices
        self._by_block = _Sums(BLOCKS)
        self._by_slice = [_Sums(column.width) for column in slices.columns]
        self._origin: float | None = None

    def add(self, row_ids: np.ndarray, labels: np.ndarray, predictions: Predictions) -> None:
        """Shapes: `row_ids` and `labels` (m,), m at least 1."""
        places = [blocks_of(row_ids), *self._slices.places(row_ids)]
        for name, values in self._terms(labels, predictions):
            for sums, place in zip([self._by_block, *self._by_slice], places, strict=True):
                sums.add(name, place, values)

    def write(self, path: Path) -> None:
        """As JSON: `columns` by name, each a list of BLOCKS numbers; `classes` where they are told apart.

        `slices` by column: its `values`, and `columns` of a number for each of them, the last for all `folded` ones.
        """
        told_apart = self._task.classes is not None and self._task.output_width <= MOST_CLASSES_APART
        slices = {
            column.name: {"values": column.values, "folded": column.folded, "columns": sums.to_json()}
            for column, sums in zip(self._slices.columns, self._by_slice, strict=True)
        }
        document = {
            "schema_version": 1,
            "classes": self._task.classes if told_apart else None,
            "columns": self._by_block.to_json(),
            "slices": slices,
        }
        path.write_text(json.dumps(document, allow_nan=False) + "\n")

    def _terms(self, labels: np.ndarray, predictions: Predictions) -> Iterator[tuple[str, np.ndarray]]:
        """What is summed of each row, by the name of the column. Shapes: (m,) each."""
        yield "rows", np.ones(len(labels))
        if self._task.classes is None:
            yield from self._terms_of_numbers(labels, predictions.values)
        else:
            yield from self._terms_of_classes(labels, predictions)

    def _terms_of_classes(self, labels: np.ndarray, predictions: Predictions) -> Iterator[tuple[str, np.ndarray]]:
        assert predictions.probabilities is not None
        actual, predicted = self._task.encode(labels), self._task.encode(predictions.values)
        hits = actual == predicted
        chosen = predictions.probabilities[np.arange(len(labels)), actual].astype(np.float64)
        yield "hits", hits
        yield "log_loss", -np.log(np.maximum(chosen, SMALLEST_PROBABILITY))
        if self._task.output_width <= MOST_CLASSES_APART:
            for number in range(self._task.output_width):
                yield f"actual/{number}", actual == number
                yield f"predicted/{number}", predicted == number
                yield f"hits/{number}", hits & (actual == number)

    def _terms_of_numbers(self, labels: np.ndarray, predictions: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
        if self._origin is None:
            self._origin = float(labels[0])  # squares of numbers like 1.7e9 would leave the spread no digits
        shifted = labels.astype(np.float64) - self._origin
        yield "squared_error", np.square(labels - predictions)
        yield "absolute_error", np.abs(labels - predictions)
        yield "label", shifted
        yield "squared_label", np.square(shifted)


class _Sums:
    """Columns of so many sums."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._columns: dict[str, np.ndarray] = {}

    def add(self, name: str, places: np.ndarray, values: np.ndarray) -> None:
        """Shapes: `places` and `values` (m,)."""
        column = self._columns.setdefault(name, np.zeros(self._width))
        column += np.bincount(places, weights=values, minlength=self._width)

    def to_json(self) -> dict[str, list[float]]:
        return {name: [_short(number) for number in column.tolist()] for name, column in self._columns.items()}


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
