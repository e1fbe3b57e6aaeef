"""The train split in memory, on the device: a batch is one gather.

The order of rows depends on seed and epoch alone, so every world size sees the same global batches.
"""

from collections.abc import Iterator
from threading import Thread

import numpy as np
import torch

from training.data.profile import Profile
from training.data.rows import Batch, Shares, ValidationBatch
from training.split import Part
from training.tasks import Task

RESIDENT = "resident"
# Rows of a validation batch: the model's own passes are smaller where it is wide.
VALIDATION_ROWS = 4096
FLOAT32_BYTES = 4
TARGET_BYTES = INDEX_BYTES = 8
# From here on an epoch's order takes milliseconds to make: meanwhile the epoch before can go on.
ROWS_WORTH_A_THREAD = 50_000


class ResidentRows:
    """TrainingData of a profile that fits in memory."""

    def __init__(
        self, profile: Profile, task: Task, batch_size: int, seed: int, rank: int, size: int, device: torch.device
    ) -> None:
        self._device = device
        self._shares = Shares(profile.row_counts["train"], batch_size, rank, size)
        self._orders = _Orders(seed, self._shares.rows)
        self._features, self._targets, _ = _scaled(profile, task, "train", device)
        features, targets, labels = _scaled(profile, task, "validation", device)
        count = len(labels)
        mine = slice(count * rank // size, count * (rank + 1) // size)
        self._validation = ValidationBatch(features[mine].clone(), targets[mine].clone(), count, labels[mine])

    @property
    def order(self) -> str:
        return RESIDENT

    def steps_per_epoch(self) -> int:
        return self._shares.steps

    def blank(self) -> Batch:
        rows = self._shares.mine(0)
        return Batch(
            self._features.new_zeros((rows, self._features.shape[1])),
            self._targets.new_zeros(rows),
            self._shares.global_rows(0),
        )

    def batches(self, epoch: int, first: int = 0) -> Iterator[Batch]:
        shares = self._shares
        mine = torch.from_numpy(shares.of_order(self._orders.take(epoch), first)).to(self._device)
        for step, rows in enumerate(mine.split(shares.sizes(first)), start=first):
            yield Batch(
                self._features.index_select(0, rows), self._targets.index_select(0, rows), shares.global_rows(step)
            )

    def validation(self) -> Iterator[ValidationBatch]:
        whole = self._validation
        for start in range(0, max(1, len(whole.targets)), VALIDATION_ROWS):
            some = slice(start, start + VALIDATION_ROWS)
            yield ValidationBatch(whole.features[some], whole.targets[some], whole.global_rows, whole.labels[some])


def resident_bytes(profile: Profile) -> int:
    """About what one worker holds: features, targets, and an epoch's order twice. The validation rows, too, lie there
    twice while a worker cuts out its share."""
    rows = profile.row_counts["train"] + 2 * profile.row_counts["validation"]
    return rows * (FLOAT32_BYTES * len(profile.feature_names) + TARGET_BYTES + 2 * INDEX_BYTES)


def _scaled(
    profile: Profile, task: Task, part: Part, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor, np.ndarray]:
    """A part's (features, targets, labels). Shapes: (n, f) float32, (n,), (n,)."""
    count = profile.row_counts[part]
    features = torch.empty((count, len(profile.feature_names)), dtype=torch.float32, device=device)
    targets, labels, start = [], [], 0
    for block in profile.held_out(part):
        stop = start + len(block.labels)
        features[start:stop] = torch.from_numpy(profile.normalisation.apply(block.features))
        targets.append(task.encode(block.labels))
        labels.append(block.labels)
        start = stop
    encoded = torch.from_numpy(np.concatenate(targets))
    return features, encoded.to(device), np.concatenate(labels)


class _Orders:
    """The order of rows in each epoch; where it takes long to make, the next one is made during an epoch."""

    def __init__(self, seed: int, rows: int) -> None:
        self._seed = seed
        self._rows = rows
        self._made: dict[int, np.ndarray] = {}
        self._maker: Thread | None = None

    def take(self, epoch: int) -> np.ndarray:
        """Shapes: (n,) int64."""
        if self._maker is not None:
            self._maker.join()
        if epoch not in self._made:
            self._make(epoch)
        order = self._made.pop(epoch)
        self._made.clear()
        if self._rows >= ROWS_WORTH_A_THREAD:
            self._maker = Thread(target=self._make, args=(epoch + 1,), name="order")
            self._maker.start()
        return order

    def _make(self, epoch: int) -> None:
        self._made[epoch] = np.random.default_rng([self._seed, epoch]).permutation(self._rows)
