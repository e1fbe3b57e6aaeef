"""The training loop.

Deterministic: the order of rows depends on seed and epoch alone, so every world size sees the same global
batches, and a later start at epoch e sees the order an uninterrupted run saw there.
"""

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from training.errors import BadConfigurationError
from training.optimizer import AdamW
from training.predictor import outputs_of
from training.recipe import TrainingConfig
from training.world import World

Loss = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Rows:
    """Shapes: `features` (n, f) float32, scaled; `targets` (n,), as the loss wants them."""

    features: Tensor
    targets: Tensor


@dataclass(frozen=True)
class Epoch:
    """Losses are means over rows; `validation_outputs` (n, k) are the model's raw outputs."""

    number: int
    train_loss: float
    validation_loss: float
    validation_outputs: Tensor


def train(
    model: nn.Module,
    loss: Loss,
    train_rows: Rows,
    validation_rows: Rows,
    config: TrainingConfig,
    seed: int,
    world: World,
) -> Iterator[Epoch]:
    """Train `model` in place, yielding after each epoch; when exhausted the weights are the final ones.

    Raises: BadConfigurationError when the loss stops being a finite number.
    """
    replica = world.share(model)
    optimizer = AdamW(model.parameters(), config.weight_decay)
    patience = Patience(config.early_stopping_patience)
    torch.manual_seed(seed + world.rank)  # dropout: a stream of its own for each worker
    for number in range(1, config.epochs + 1):
        train_loss = _train_epoch(replica, loss, train_rows, optimizer, number, config, seed, world)
        outputs = outputs_of(model, validation_rows.features)
        validation_loss = float(loss(outputs, validation_rows.targets)) / len(outputs)
        if not math.isfinite(train_loss + validation_loss):
            raise BadConfigurationError(
                f"the loss is no longer a number in epoch {number}", "lower the hyperparameter learning_rate"
            )
        yield Epoch(number, train_loss, validation_loss, outputs)
        if world.any(patience.exhausted_by(validation_loss, model)):
            break
    patience.restore_best(model)


def _train_epoch(
    model: nn.Module,
    loss: Loss,
    rows: Rows,
    optimizer: AdamW,
    epoch: int,
    config: TrainingConfig,
    seed: int,
    world: World,
) -> float:
    """One pass over the rows; the mean loss a row had when it was used."""
    model.train()
    order = np.random.default_rng([seed, epoch]).permutation(len(rows.targets))
    batches = torch.from_numpy(order).to(world.device).split(config.batch_size)
    summed_loss = torch.zeros((), dtype=torch.float64, device=world.device)
    for index, batch in enumerate(batches):
        progress = (epoch - 1 + index / len(batches)) / config.epochs
        mine = batch[world.rank :: world.size]
        batch_loss = loss(model(rows.features[mine]), rows.targets[mine])
        optimizer.zero_grad()
        # Workers' gradients are averaged: times size over the global batch, they are its mean's gradient.
        (batch_loss * (world.size / len(batch))).backward()
        optimizer.step(learning_rate_at(progress, config))
        summed_loss += batch_loss.detach()
    return world.sum(float(summed_loss)) / len(rows.targets)


def learning_rate_at(progress: float, config: TrainingConfig) -> float:
    """`progress` is the share of all steps that is done, in [0, 1)."""
    if config.learning_rate_schedule == "constant":
        return config.learning_rate
    return config.learning_rate * (1 + math.cos(math.pi * progress)) / 2


class Patience:
    """Early stopping: counts epochs without a better validation loss, and keeps the best weights.

    With `limit` None it never stops and keeps nothing.
    """

    def __init__(self, limit: int | None) -> None:
        self._limit = limit
        self._best_loss = math.inf
        self._best_weights: dict[str, Tensor] | None = None
        self._epochs_without_gain = 0

    def exhausted_by(self, validation_loss: float, model: nn.Module) -> bool:
        if self._limit is None:
            return False
        if validation_loss < self._best_loss:
            self._best_loss = validation_loss
            self._best_weights = copy.deepcopy(model.state_dict())
            self._epochs_without_gain = 0
        else:
            self._epochs_without_gain += 1
        return self._epochs_without_gain >= self._limit

    def restore_best(self, model: nn.Module) -> None:
        if self._best_weights is not None:
            model.load_state_dict(self._best_weights)
