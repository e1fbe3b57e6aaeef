"""What the training loop asks of the data, whether they are in memory or not."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Batch:
    """A worker's share of a global batch of `global_rows` rows; it may be empty.

    Shapes: `features` (m, f) float32, scaled; `targets` (m,), as the loss wants them.
    """

    features: Tensor
    targets: Tensor
    global_rows: int


@dataclass(frozen=True, slots=True)
class ValidationBatch(Batch):
    """Some of a worker's share of the validation rows, which are `global_rows` in all.

    Shapes: `labels` (m,), in their own type.
    """

    labels: np.ndarray


class TrainingData(Protocol):
    """The train and validation split, as one worker sees them."""

    @property
    def order(self) -> str:
        """What the order of rows depends on, besides seed and epoch: equal for runs that see the same order."""

    def steps_per_epoch(self) -> int:
        """The same on every worker."""

    def blank(self) -> Batch:
        """Rows of zeros, as many as this worker takes of a full batch: for passes that count for nothing."""

    def batches(self, epoch: int, first: int = 0) -> Iterator[Batch]:
        """From global batch number `first` of an epoch on: what an uninterrupted epoch would give there.

        Raises: BadDataError when a shard can no longer be read.
        """

    def validation(self) -> Iterator[ValidationBatch]:
        """This worker's share of the validation rows: all workers' shares, one after the other, are in row order.

        At least one batch, an empty one where there are fewer rows than workers.
        """


@dataclass(frozen=True)
class Shares:
    """How `rows` are cut into global batches of `batch_size`, and these into the shares of `size` workers.

    Every worker knows every share, so none must ask another.
    """

    rows: int
    batch_size: int
    rank: int
    size: int

    @property
    def steps(self) -> int:
        return -(-self.rows // self.batch_size)

    def global_rows(self, step: int) -> int:
        """How many rows global batch `step` has: all are full but the last."""
        return min(self.batch_size, self.rows - step * self.batch_size)

    def mine(self, step: int) -> int:
        """How many of these this worker takes; shares differ by one row at most."""
        return self._share(self.rank, self.global_rows(step))

    def sizes(self, first: int) -> list[int]:
        """`mine` of every step from `first` on."""
        return [self._share(self.rank, self.batch_size)] * max(0, self.rows // self.batch_size - first) + [
            self.mine(step) for step in range(max(first, self.rows // self.batch_size), self.steps)
        ]

    def of_order(self, order: np.ndarray, first: int) -> np.ndarray:
        """This worker's rows, step after step from `first` on, where it takes every size-th of each global batch.

        Shapes: `order` (rows,) to (sum of sizes(first),).
        """
        full = self.rows // self.batch_size * self.batch_size
        batches = order[first * self.batch_size : full].reshape(-1, self.batch_size)
        last = order[max(full, first * self.batch_size) :]
        return np.concatenate([batches[:, self.rank :: self.size].ravel(), last[self.rank :: self.size]])

    def mine_before(self, step: int) -> int:
        """How many rows this worker takes before `step`."""
        return self._rows_before(self.rank, step)

    def all_mine(self) -> range:
        """Which rows of an epoch's order are this worker's, where workers take one stretch each."""
        counts = [self._rows_before(rank, self.steps) for rank in range(self.rank + 1)]
        return range(sum(counts[:-1]), sum(counts))

    def _rows_before(self, rank: int, step: int) -> int:
        full = min(step, self.rows // self.batch_size)
        rest = self._share(rank, self.rows % self.batch_size) if step > full else 0
        return full * self._share(rank, self.batch_size) + rest

    def _share(self, rank: int, rows: int) -> int:
        return len(range(rank, rows, self.size))
