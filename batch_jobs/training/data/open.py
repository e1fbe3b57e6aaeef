"""Which way the rows come to the training loop."""

import torch

from training.data.profile import Profile
from training.data.resident import ResidentRows
from training.data.rows import TrainingData
from training.data.streamed import StreamedRows
from training.tasks import Task


def open_training_data(
    profile: Profile,
    task: Task,
    batch_size: int,
    seed: int,
    rank: int,
    size: int,
    device: torch.device,
    resident: bool,
) -> TrainingData:
    """`resident` is what training.data.residence has settled: the same for all workers."""
    if resident:
        return ResidentRows(profile, task, batch_size, seed, rank, size, device)
    return StreamedRows(profile, task, batch_size, seed, rank, size, device)
