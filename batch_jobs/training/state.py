"""Everything the next step depends on: what a checkpoint holds, and what a resumed run takes from it.

Weights, the optimizer's moments, the place in the data's order, early stopping, the losses of the epoch so far,
and for each worker the states of its random generators. The learning rate is a function of the step alone, the
order of rows one of seed and epoch: neither needs to be kept.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from training.early_stopping import Patience
from training.errors import BadConfigurationError
from training.optimizer import AdamW
from training.telemetry import no_number
from training.world import World


@dataclass
class TrainingState:
    """`epoch` counts from 1; `batch` is how many of its batches are done, `step` how many of all epochs.

    `summed_loss` () float64 is this worker's part of the epoch so far. `epochs` are the finished ones, as
    metrics.json tells them. `elapsed_s` is what earlier attempts took. `order_of_rows` is TrainingData's.
    """

    model: nn.Module
    optimizer: AdamW
    patience: Patience
    summed_loss: Tensor
    epoch: int = 1
    batch: int = 0
    step: int = 0
    elapsed_s: float = 0.0
    epochs: list[dict[str, Any]] = field(default_factory=list)
    order_of_rows: str = ""

    def advance(self, batch_loss: Tensor) -> None:
        """One step is done. Shapes: `batch_loss` (), the sum over this worker's rows."""
        self.summed_loss += batch_loss
        self.batch += 1
        self.step += 1

    def next_epoch(self) -> None:
        self.summed_loss.zero_()
        self.epoch += 1
        self.batch = 0

    def seed_generators(self, seed: int, world: World) -> None:
        """Dropout: a stream of its own for each worker, and for each place at which a run was resumed anew."""
        torch.manual_seed(seed + world.rank + 1_000_003 * self.step)

    def capture(self, world: World) -> dict[str, Tensor]:
        """Every tensor of a checkpoint by name: the live ones, and a row of each worker's own.

        All workers must call it. Shapes: `workers/…` (world size, …).

        Raises: BadConfigurationError when a weight is no finite number: from there no attempt could go on.
        """
        if not _all_finite(self.model.parameters()):
            raise no_number(f"step {self.step}", "a weight is")
        return self._common() | {f"workers/{name}": world.stack(mine) for name, mine in self._mine(world).items()}

    def facts(self, world: World, elapsed_s: float) -> dict[str, Any]:
        """What a checkpoint says besides its tensors, as JSON. `elapsed_s` is what this attempt took."""
        return {
            "epoch": self.epoch,
            "batch": self.batch,
            "step": self.step,
            "world_size": world.size,
            "device": world.device.type,
            "order_of_rows": self.order_of_rows,
            "elapsed_s": self.elapsed_s + elapsed_s,
            "best_loss": self.patience.best_loss.hex(),
            "epochs_without_gain": self.patience.epochs_without_gain,
            "has_best_weights": bool(self.patience.best_weights),
            "epochs": self.epochs,
        }

    def resume(
        self, tensors: Mapping[str, Tensor] | None, facts: Mapping[str, Any] | None, seed: int, world: World
    ) -> bool:
        """Take over the checkpoint that the main worker holds; False if it holds none. All workers must call it.

        With as many workers as it was taken with, each goes on exactly as it would have. With another number they
        share weights, moments and place in the data, but draw new random numbers; where the order of rows depends on
        the number of workers, as it does for streamed ones, there is no such place.

        Raises: BadConfigurationError when the checkpoint saw the rows in another order.
        """
        facts = world.json_from_main(facts)
        if facts is None:
            return False
        self._require_same_order(facts)
        self._take_facts(facts)
        for name, tensor in self._common().items():
            if tensors is not None:
                _copy(tensors[name], into=tensor)
            world.copy_from_main(tensor)
        if facts["world_size"] == world.size and facts["device"] == world.device.type:
            self._take_mine(tensors, world)
        else:
            self.seed_generators(seed, world)
            if tensors is not None:
                self.summed_loss.copy_(tensors["workers/summed_loss"].sum())
        return True

    def _require_same_order(self, facts: Mapping[str, Any]) -> None:
        if facts["order_of_rows"] == self.order_of_rows:
            return
        raise BadConfigurationError(
            f"the checkpoint of step {facts['step']} was taken with rows {facts['order_of_rows']}, now they are "
            f"{self.order_of_rows}: its place in an epoch means other rows",
            "give the job its former number of workers (compute.nodes, compute.processes_per_node), or delete the "
            "run's checkpoints/ to begin it again",
        )

    def _take_facts(self, facts: Mapping[str, Any]) -> None:
        self.epoch, self.batch, self.step = facts["epoch"], facts["batch"], facts["step"]
        self.elapsed_s = facts["elapsed_s"]
        self.epochs = list(facts["epochs"])
        self.patience.best_loss = float.fromhex(facts["best_loss"])
        self.patience.epochs_without_gain = facts["epochs_without_gain"]
        if facts["has_best_weights"]:
            self.patience.best_weights = {name: tensor.clone() for name, tensor in self.model.state_dict().items()}

    def _take_mine(self, tensors: Mapping[str, Tensor] | None, world: World) -> None:
        """Each worker its own row of what `_mine` gave."""
        taken = {}
        for name, mine in self._mine(world).items():
            everyones = tensors[f"workers/{name}"] if tensors else mine.new_empty((world.size, *mine.shape))
            world.copy_from_main(everyones)
            # A copy: a generator takes its state from the start of the storage, whatever row it is given.
            taken[name] = everyones[world.rank].clone()
        torch.set_rng_state(taken["cpu_generator"].cpu())
        if world.device.type == "cuda":
            torch.cuda.set_rng_state(taken["gpu_generator"].cpu(), world.device)
        self.summed_loss.copy_(taken["summed_loss"])

    def _common(self) -> dict[str, Tensor]:
        """What is the same on all workers."""
        return {
            **{f"model/{name}": tensor for name, tensor in self.model.state_dict().items()},
            **{f"optimizer/{name}": tensor for name, tensor in self.optimizer.tensors().items()},
            **{f"best/{name}": tensor for name, tensor in self.patience.best_weights.items()},
        }

    def _mine(self, world: World) -> dict[str, Tensor]:
        """What each worker has of its own."""
        mine = {"cpu_generator": torch.get_rng_state(), "summed_loss": self.summed_loss}
        if world.device.type == "cuda":
            mine["gpu_generator"] = torch.cuda.get_rng_state(world.device)
        return mine


@torch.no_grad()
def _all_finite(parameters: Iterable[nn.Parameter]) -> bool:
    largest = torch._foreach_norm([parameter for parameter in parameters if parameter.numel()], math.inf)
    return bool(torch.stack(largest).isfinite().all())


@torch.no_grad()
def _copy(source: Tensor, into: Tensor) -> None:
    if source.shape != into.shape or source.dtype != into.dtype:
        raise ValueError(f"a checkpoint holds {source.dtype} {tuple(source.shape)}, the model has {tuple(into.shape)}")
    into.copy_(source)
