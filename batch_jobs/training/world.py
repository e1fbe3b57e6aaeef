"""The processes that train one model together: who this one is, and what it asks of the others.

Elastic launch sets RANK, WORLD_SIZE and LOCAL_RANK; without them the process trains alone. Everything here that
speaks to the others must be called by all of them.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from training.errors import BadConfigurationError

# How long a process waits for another one in a collective. A worker may take long between two of them (it loads
# shards, writes a checkpoint); nodes that are gone are found much earlier, by the launchers that watch each other.
COLLECTIVE_TIMEOUT = timedelta(minutes=30)


@dataclass(frozen=True)
class World:
    """`rank` 0 is the main process: it alone logs, checkpoints and writes the results."""

    rank: int
    size: int
    device: torch.device

    @property
    def is_main(self) -> bool:
        return self.rank == 0

    def share(self, model: nn.Module) -> nn.Module:
        """The model with gradients averaged over all processes, starting from the main one's weights."""
        if self.size == 1:
            return model
        return nn.parallel.DistributedDataParallel(model, gradient_as_bucket_view=True)

    def sum(self, value: float) -> float:
        """The sum of every process's `value`."""
        if self.size == 1:
            return value
        total = torch.tensor(value, dtype=torch.float64, device=self.device)
        dist.all_reduce(total)
        return float(total)

    def highest(self, values: list[int]) -> list[int]:
        """Each place's highest value among all processes."""
        if self.size == 1:
            return values
        highest = torch.tensor(values, dtype=torch.int64, device=self.device)
        dist.all_reduce(highest, dist.ReduceOp.MAX)
        return highest.tolist()

    def stack(self, mine: Tensor) -> Tensor:
        """Every process's tensor, all of one shape, in the order of ranks. Shapes: (…) to (size, …)."""
        if self.size == 1:
            return mine.unsqueeze(0)
        on_device = mine.to(self.device)
        everyones = [torch.empty_like(on_device) for _ in range(self.size)]
        dist.all_gather(everyones, on_device)
        return torch.stack(everyones).to(mine.device)

    def copy_from_main(self, tensor: Tensor) -> None:
        """Overwrite `tensor` with the main process's."""
        if self.size == 1:
            return
        on_device = tensor.to(self.device)
        dist.broadcast(on_device, src=0)
        if on_device is not tensor:
            tensor.copy_(on_device)

    def json_from_main(self, document: Any) -> Any:
        """The main process's `document`; the others' argument is ignored."""
        if self.size == 1:
            return document
        body = json.dumps(document).encode() if self.is_main else b""
        (length,) = self.highest([len(body)])
        letters = torch.zeros(length, dtype=torch.uint8)
        if self.is_main:
            letters = torch.frombuffer(bytearray(body), dtype=torch.uint8)
        self.copy_from_main(letters)
        return json.loads(bytes(letters.tolist()))


def find_world() -> World:
    """Who this process is, from the environment.

    Raises: BadConfigurationError when the node has more processes than GPUs.
    """
    rank, size = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    if torch.cuda.is_available():
        processes, gpus = int(os.environ.get("LOCAL_WORLD_SIZE", "1")), torch.cuda.device_count()
        if processes > gpus:
            raise BadConfigurationError(
                f"compute.processes_per_node is {processes}, the node has {gpus} GPUs",
                f"set it to {gpus} at most, or leave it out to have one process a GPU",
            )
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
    on_gpu = world.device.type == "cuda"
    dist.init_process_group(
        "nccl" if on_gpu else "gloo",
        timeout=COLLECTIVE_TIMEOUT,
        device_id=world.device if on_gpu else None,
    )
    try:
        yield
    finally:
        dist.destroy_process_group()
