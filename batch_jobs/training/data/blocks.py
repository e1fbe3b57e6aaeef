"""Rows as they are read: a piece of the data set small enough to be in memory, in the order of its row numbers."""

from dataclasses import dataclass

import numpy as np

# What the decoded features of one block may take. Small enough to be beside a data set, large enough that the
# work for a block is in numpy's loops.
BLOCK_BYTES = 16 * 1024 * 1024
FLOAT64_BYTES = 8


@dataclass(frozen=True)
class SliceCodes:
    """The values of a column by which the evaluation is sliced: those of row i are `values[codes[i]]`.

    None stands for a missing value. Shapes: `codes` (m,) int.
    """

    values: list[str | None]
    codes: np.ndarray


@dataclass(frozen=True)
class Block:
    """Some rows of the data set, unscaled; `slices` are there in a survey alone.

    Shapes: `row_ids` (m,) int64, ascending; `features` (m, f) float64, within float32's range, so that they may
    be centred before they lose digits (1700000000 and 1700000060 are one float32); `labels` (m,) int64, bool,
    float64 or str.
    """

    row_ids: np.ndarray
    features: np.ndarray
    labels: np.ndarray
    slices: tuple[SliceCodes, ...] = ()

    def where(self, wanted: np.ndarray) -> "Block":
        """The rows where `wanted` (m,) bool is set, without `slices`."""
        return Block(self.row_ids[wanted], self.features[wanted], self.labels[wanted])

    @property
    def size_bytes(self) -> int:
        return self.row_ids.nbytes + self.features.nbytes + self.labels.nbytes


def rows_per_block(feature_count: int) -> int:
    return max(1, BLOCK_BYTES // (FLOAT64_BYTES * feature_count))
