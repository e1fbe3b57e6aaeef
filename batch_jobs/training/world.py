"""The processes that train one model together: who this one is, and what it asks of the others.

Elastic launch sets RANK, WORLD_SIZE and LOCAL_RANK; without them the process trains alone.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import nn


@dataclass(frozen=True)
class World:
    """`rank` 0 is the main process: it alone logs epochs and writes the results."""

    rank: int
    size: int
    device: torch.device

    @property
    def is_main(self) -> bool:
        return self.rank == 0

    def share(self, model: nn.Module) -> nn.Module:
        """The model with gradients averaged over all processes, starting from the main one's weights."""
        model = model.to(self.device)
        if self.size == 1:
            return model
        return nn.parallel.DistributedDataParallel(model)

    def sum(self, value: float) -> float:
        """The sum of every process's `value`; all must call it."""
        if self.size == 1:
            return value
        total = torch.tensor(value, dtype=torch.float64, device=self.device)
        dist.all_reduce(total)
        return float(total)

    def any(self, flag: bool) -> bool:
        """Whether any process says so; all must call it."""
        return self.sum(float(flag)) > 0


def find_world() -> World:
    rank, size = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    if torch.cuda.is_available():
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        torch.cuda.set_device(device)
    else:
        device = torch.device("cpu")
    return World(rank, size, device)


@contextmanager
def connected(world: World) -> Iterator[None]:
    """The process group while the body runs: NCCL on GPUs, gloo on CPUs, none when alone."""
    if world.size == 1:
        yield
        return
    dist.init_process_group("nccl" if world.device.type == "cuda" else "gloo")
    try:
        yield
    finally:
        dist.destroy_process_group()
