"""By which values of a column the evaluation is summed apart, for guardrails on each of them.

Values are counted on the test rows alone, which are the same for every model that is measured on a split: champion and
challenger get the same slices in the same order. The commonest MOST_VALUES stand alone, and the others are folded into
one, so that what is summed stays small. Rows without a value are a slice of their own, which is never folded.
"""

from dataclasses import dataclass

import numpy as np

from training.data.blocks import SliceCodes
from training.errors import BadDataError

MOST_VALUES = 32
MOST_DISTINCT = 100_000
"""With more a column names rows, not groups of them, and counting it would take the memory that a model needs."""


@dataclass(frozen=True)
class SlicedColumn:
    """`folded`: how many values have no slice of their own; they share the last one, beyond `values`.

    Shapes: `places` (t,) uint8, the slice of each test row.
    """

    name: str
    values: list[str | None]
    folded: int
    places: np.ndarray

    @property
    def width(self) -> int:
        return len(self.values) + bool(self.folded)


@dataclass(frozen=True)
class Slices:
    """Shapes: `row_ids` (t,) int64, ascending, those of the test rows."""

    row_ids: np.ndarray
    columns: tuple[SlicedColumn, ...]

    def places(self, row_ids: np.ndarray) -> list[np.ndarray]:
        """The slices of some test rows by each column. Shapes: `row_ids` (m,), to (m,) uint8 each."""
        at = np.searchsorted(self.row_ids, row_ids)
        return [column.places[at] for column in self.columns]


NO_SLICES = Slices(np.empty(0, np.int64), ())


class SliceSurvey:
    """Counts the test rows by their values, as they come."""

    def __init__(self, columns: tuple[str, ...]) -> None:
        self._columns = columns
        self._numbers: list[dict[str | None, int]] = [{} for _ in columns]
        self._codes: list[list[np.ndarray]] = [[] for _ in columns]
        self._row_ids: list[np.ndarray] = []

    def add(self, row_ids: np.ndarray, slices: tuple[SliceCodes, ...], is_test: np.ndarray) -> None:
        """Shapes: `row_ids` (m,), `is_test` (m,) bool. Raises: BadDataError for a column with MOST_DISTINCT values."""
        if not self._columns:
            return
        self._row_ids.append(row_ids[is_test])
        for name, numbers, codes, given in zip(self._columns, self._numbers, self._codes, slices, strict=True):
            known = np.array([numbers.setdefault(value, len(numbers)) for value in given.values], np.int32)
            if len(numbers) > MOST_DISTINCT:
                raise BadDataError(
                    f"slice column {name!r} has more than {MOST_DISTINCT} values: they name rows, not groups of rows",
                    "name a column with fewer values in the team file's rule.slice_guardrails",
                )
            codes.append(known[given.codes[is_test]])

    def slices(self) -> Slices:
        """Of all rows so far."""
        if not self._columns:
            return NO_SLICES
        columns = (
            _column(name, list(numbers), np.concatenate(codes))
            for name, numbers, codes in zip(self._columns, self._numbers, self._codes, strict=True)
        )
        return Slices(np.concatenate(self._row_ids), tuple(columns))


def _column(name: str, values: list[str | None], codes: np.ndarray) -> SlicedColumn:
    counts = np.bincount(codes, minlength=len(values)).tolist()
    there = [number for number, count in enumerate(counts) if count]
    # Equal counts are settled by the values' names, so that no order of the rows decides who is folded.
    there.sort(key=lambda number: (values[number] is not None, -counts[number], values[number] or ""))
    kept = there[:MOST_VALUES]
    places = np.full(len(values), len(kept), np.uint8)
    places[kept] = np.arange(len(kept))
    return SlicedColumn(name, [values[number] for number in kept], len(there) - len(kept), places[codes])
