"""Rows of a data set that is larger than memory: read from disk while training, in an order that is nearly random.

Shards are shuffled for each epoch, the units of a few neighbouring shards among each other, and rows within
windows of WINDOW_BYTES. Each worker reads one stretch of that order, as long as its share of all global batches,
so every train row is used once an epoch, whatever the number of workers, and at most two units are read twice.

In memory are two windows, one in use and one being filled, and one block on its way into them.
"""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from threading import Event

import numpy as np
import torch
from torch import Tensor

from training.data.background import WorkAhead
from training.data.profile import Profile
from training.data.rows import Batch, Shares, ValidationBatch
from training.data.source import Unit
from training.split import TRAIN, VALIDATION
from training.tasks import Task

# Scaled features of one window. A constant, not a share of what memory there is: the order of rows depends on it.
WINDOW_BYTES = 64 * 1024 * 1024
FLOAT32_BYTES = 4
# Units of so many shards are mixed, so that a shard of one class or one day does not fill a window alone.
SHARDS_MIXED = 4
WINDOWS_AHEAD = 1


class StreamedRows:
    """TrainingData of a profile that does not fit in memory."""

    def __init__(
        self, profile: Profile, task: Task, batch_size: int, seed: int, rank: int, size: int, device: torch.device
    ) -> None:
        self._profile = profile
        self._task = task
        self._seed = seed
        self._device = device
        self._shares = Shares(profile.row_counts["train"], batch_size, rank, size)
        self._window_rows = max(1, WINDOW_BYTES // (FLOAT32_BYTES * len(profile.feature_names)))

    @property
    def order(self) -> str:
        return f"streamed to {self._shares.size} workers in windows of {self._window_rows} rows"

    def steps_per_epoch(self) -> int:
        return self._shares.steps

    def blank(self) -> Batch:
        rows = self._shares.mine(0)
        features, targets = self._no_rows()
        return Batch(
            features.new_zeros((rows, features.shape[1])), targets.new_zeros(rows), self._shares.global_rows(0)
        )

    def batches(self, epoch: int, first: int = 0) -> Iterator[Batch]:
        shares = self._shares
        window, into_window = divmod(shares.mine_before(first), self._window_rows)
        with WorkAhead(partial(self._windows, epoch, window), WINDOWS_AHEAD, "windows") as windows:
            rows = _Rows(windows, self._no_rows())
            rows.take(into_window)
            for step in range(first, shares.steps):
                features, targets = rows.take(shares.mine(step))
                yield Batch(features, targets, shares.global_rows(step))

    def validation(self) -> Iterator[ValidationBatch]:
        rows = self._profile.row_counts["validation"]
        shares = self._shares
        mine = range(rows * shares.rank // shares.size, rows * (shares.rank + 1) // shares.size)
        stretch = _Stretch.of(self._profile, self._profile.source.units, VALIDATION, mine)
        with WorkAhead(partial(self._validation, stretch), WINDOWS_AHEAD, "validation") as batches:
            yield from batches

    def _validation(self, stretch: "_Stretch", stop: Event) -> Generator[ValidationBatch, None, None]:
        rows = self._profile.row_counts["validation"]
        if not stretch.units:
            yield ValidationBatch(*self._no_rows(), rows, np.empty(0))
        for block in self._profile.source.read(stretch.units, stretch.wanted, stop):
            features = torch.from_numpy(self._profile.normalisation.apply(block.features))
            targets = torch.from_numpy(self._task.encode(block.labels))
            yield ValidationBatch(features.to(self._device), targets.to(self._device), rows, block.labels)

    def _windows(self, epoch: int, first: int, stop: Event) -> Generator["_Window", None, None]:
        """This worker's rows of an epoch, from window number `first` on."""
        mine = self._shares.all_mine()[first * self._window_rows :]
        units = _shuffled(self._profile.source.units, np.random.default_rng([self._seed, epoch]))
        stretch = _Stretch.of(self._profile, units, TRAIN, mine)
        for number, (features, targets) in enumerate(self._filled(stretch, len(mine), stop), start=first):
            random = np.random.default_rng([self._seed, epoch, self._shares.rank, number])
            order = torch.from_numpy(random.permutation(len(targets)))
            yield _Window(features.to(self._device), targets.to(self._device), order.to(self._device))

    def _filled(self, stretch: "_Stretch", row_count: int, stop: Event) -> Iterator[tuple[Tensor, Tensor]]:
        """Windows in the order of reading; all are full but the last."""
        left, used = row_count, 0
        features, targets = self._room(left)
        for block in self._profile.source.read(stretch.units, stretch.wanted, stop):
            scaled = torch.from_numpy(self._profile.normalisation.apply(block.features))
            encoded = torch.from_numpy(self._task.encode(block.labels))
            while len(encoded):
                fits = min(len(encoded), len(targets) - used)
                features[used : used + fits] = scaled[:fits]
                targets[used : used + fits] = encoded[:fits]
                scaled, encoded, used = scaled[fits:], encoded[fits:], used + fits
                if used == len(targets):
                    yield features, targets
                    left -= used
                    used = 0
                    features, targets = self._room(left)

    def _room(self, rows_left: int) -> tuple[Tensor, Tensor]:
        rows = min(rows_left, self._window_rows)
        features, targets = self._no_rows(torch.device("cpu"))
        return features.new_empty((rows, features.shape[1])), targets.new_empty(rows)

    def _no_rows(self, device: torch.device | None = None) -> tuple[Tensor, Tensor]:
        device = device or self._device
        kind = torch.float32 if self._task.classes is None else torch.int64
        features = torch.empty((0, len(self._profile.feature_names)), dtype=torch.float32, device=device)
        return features, torch.empty(0, dtype=kind, device=device)


@dataclass(frozen=True)
class _Window:
    """Shapes: `features` (w, f), `targets` (w,), `order` (w,) a permutation of them."""

    features: Tensor
    targets: Tensor
    order: Tensor


class _Rows:
    """A stream of windows, taken a number of rows at a time."""

    def __init__(self, windows: Iterator[_Window], no_rows: tuple[Tensor, Tensor]) -> None:
        self._windows = windows
        self._no_rows = no_rows
        self._window: _Window | None = None
        self._order = torch.empty(0, dtype=torch.int64)

    def take(self, count: int) -> tuple[Tensor, Tensor]:
        """Shapes: (count, f), (count,)."""
        pieces = []
        while count:
            if not len(self._order):
                self._window = None  # let go of it before another is waited for
                self._window = next(self._windows)
                self._order = self._window.order
            rows, self._order = self._order[:count], self._order[count:]
            assert self._window is not None
            pieces.append((self._window.features.index_select(0, rows), self._window.targets.index_select(0, rows)))
            count -= len(rows)
        if len(pieces) == 1:
            return pieces[0]
        if not pieces:
            return self._no_rows
        return torch.cat([features for features, _ in pieces]), torch.cat([targets for _, targets in pieces])


@dataclass(frozen=True)
class _Stretch:
    """Consecutive rows of one part in the order of `units`; `first` and `last` are the row numbers at its ends."""

    units: list[Unit]
    first: int
    last: int
    parts: np.ndarray
    part: np.uint8

    @classmethod
    def of(cls, profile: Profile, units: Sequence[Unit], part: np.uint8, positions: range) -> "_Stretch":
        """Rows number `positions` among those of `part`, counted through `units`."""
        counts = [int(np.count_nonzero(profile.parts[unit.rows] == part)) for unit in units]
        ends = np.cumsum(counts)
        if not len(positions):
            return cls([], 0, 0, profile.parts, part)
        low = int(np.searchsorted(ends, positions.start, side="right"))
        high = int(np.searchsorted(ends, positions.stop - 1, side="right"))

        def row_number(unit: int, position: int) -> int:
            members = np.flatnonzero(profile.parts[units[unit].rows] == part)
            return units[unit].row_ids.start + int(members[position - (ends[unit] - counts[unit])])

        first, last = row_number(low, positions.start), row_number(high, positions.stop - 1)
        return cls(list(units[low : high + 1]), first, last, profile.parts, part)

    def wanted(self, unit: Unit) -> np.ndarray:
        wanted: np.ndarray = self.parts[unit.rows] == self.part
        if unit == self.units[0]:
            wanted[: self.first - unit.row_ids.start] = False
        if unit == self.units[-1]:
            wanted[self.last + 1 - unit.row_ids.start :] = False
        return wanted


def _shuffled(units: list[Unit], random: np.random.Generator) -> list[Unit]:
    """Shards in random order, and units in random order among SHARDS_MIXED shards."""
    by_shard: dict[int, list[Unit]] = {}
    for unit in units:
        by_shard.setdefault(unit.shard, []).append(unit)
    shards = [by_shard[number] for number in random.permutation(list(by_shard)).tolist()]
    shuffled: list[Unit] = []
    for start in range(0, len(shards), SHARDS_MIXED):
        mixed = [unit for shard in shards[start : start + SHARDS_MIXED] for unit in shard]
        shuffled += [mixed[index] for index in random.permutation(len(mixed)).tolist()]
    return shuffled
