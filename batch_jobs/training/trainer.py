"""The training loop.

Deterministic: every batch depends on seed, epoch and its number alone, so a resumed run sees what an uninterrupted
one saw, and each world size sees the same global batches. Workers add their gradients up in an order that is settled
before the first step.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from training.data.rows import Batch, TrainingData
from training.measurement import rows_at_once
from training.optimizer import clip_gradients
from training.pulse import Pulse
from training.recipe import TrainingConfig
from training.schedule import learning_rate_at
from training.state import TrainingState
from training.tasks import Task
from training.telemetry import StepReport, no_number
from training.validation import Tally, Validation
from training.world import World

Loss = Callable[[Tensor, Tensor], Tensor]

# DistributedDataParallel notes in one backward pass in which order gradients come, and heeds it before the next.
PASSES_UNTIL_SETTLED = 2


@dataclass(frozen=True)
class Epoch:
    """`train_loss` is the mean over the train rows, each as it was when its batch came."""

    number: int
    is_last: bool
    train_loss: float
    validation: Validation


def train(
    state: TrainingState,
    data: TrainingData,
    train_rows: int,
    loss: Loss,
    task: Task,
    config: TrainingConfig,
    world: World,
    pulse: Pulse,
) -> Iterator[Epoch]:
    """Train `state.model` in place, yielding after each epoch; when exhausted the weights are the final ones.

    `train_rows` are those of all workers.

    Raises: BadConfigurationError when the loss stops being a finite number; RunInterruptedError.
    """
    if config.compile:
        state.model.compile()
    replica = world.share(state.model)
    # Of two numbers there is but one sum.
    if world.size > 2:
        _settle_exchange(replica, state, data, loss, config, world)
    total_steps = config.epochs * data.steps_per_epoch()
    while state.epoch <= config.epochs and not state.patience.is_exhausted:
        replica.train()
        for batch in data.batches(state.epoch, first=state.batch):
            learning_rate = learning_rate_at(state.step, total_steps, config)
            batch_loss = _accumulate_gradients(replica, loss, batch, config, world)
            if config.max_gradient_norm is not None:
                clip_gradients(state.model.parameters(), config.max_gradient_norm)
            state.optimizer.step(learning_rate)
            state.optimizer.zero_grad()
            state.advance(batch_loss)
            pulse.beat(state, StepReport(state.step, batch_loss, len(batch.targets), batch.global_rows, learning_rate))
        yield _finish_epoch(state, data, train_rows, loss, task, config, world, pulse)
        state.next_epoch()
    state.patience.restore_best(state.model)


def _settle_exchange(
    replica: nn.Module, state: TrainingState, data: TrainingData, loss: Loss, config: TrainingConfig, world: World
) -> None:
    """Make DistributedDataParallel lay out its buckets now, by passes whose gradients are dropped.

    It does so once, after its first backward pass, and the order in which a ring of workers adds up a gradient depends
    on where in a bucket it lies. Left to itself it would exchange the first gradients of every attempt in another
    layout than all others, and a resumed run would end with other bits. (`find_unused_parameters` keeps the first
    layout for good, but walks the graph and exchanges a map of the parameters at every step.)
    """
    replica.train()
    with _untouched(state.model, world):
        for _ in range(PASSES_UNTIL_SETTLED):
            _accumulate_gradients(replica, loss, data.blank(), config, world)
            state.optimizer.zero_grad()


@contextmanager
def _untouched(model: nn.Module, world: World) -> Iterator[None]:
    """Passes in the body draw no random numbers that count and leave no trace in the model's buffers."""
    buffers = [buffer.clone() for buffer in model.buffers()]
    with torch.random.fork_rng([world.device] if world.device.type == "cuda" else []):
        yield
    for buffer, before in zip(model.buffers(), buffers, strict=True):
        buffer.copy_(before)


def _accumulate_gradients(replica: nn.Module, loss: Loss, batch: Batch, config: TrainingConfig, world: World) -> Tensor:
    """Leave the gradient of the global batch's mean loss in the parameters; returns this worker's summed loss, ().

    The batch goes through the model in pieces of `micro_batch_size` rows; workers exchange gradients after the
    last one only.
    """
    pieces = _pieces(batch, config.micro_batch_size)
    # Workers' gradients are averaged: times their number over the global batch, they are its mean's gradient.
    scale = world.size / batch.global_rows if len(batch.targets) else 0.0
    losses = []
    for number, (features, targets) in enumerate(pieces, start=1):
        with _exchange(replica, world, number == len(pieces)):
            with autocast(config, world):
                piece_loss = loss(replica(features), targets)
            (piece_loss * scale).backward()
        losses.append(piece_loss.detach())
    if not len(batch.targets):
        return torch.zeros((), device=world.device)
    return losses[0] if len(losses) == 1 else torch.stack(losses).sum()


def _exchange(replica: nn.Module, world: World, wanted: bool) -> AbstractContextManager[None]:
    if world.size > 1 and not wanted:
        without: AbstractContextManager[None] = replica.no_sync()  # type: ignore[operator]
        return without
    return nullcontext()


def _pieces(batch: Batch, most_rows: int | None) -> list[tuple[Tensor, Tensor]]:
    """A worker without rows takes part with a row of zeros that counts for nothing: the others wait for it."""
    if not len(batch.targets):
        return [(batch.features.new_zeros(1, batch.features.shape[1]), batch.targets.new_zeros(1))]
    if most_rows is None:
        return [(batch.features, batch.targets)]
    return list(zip(batch.features.split(most_rows), batch.targets.split(most_rows), strict=True))


def autocast(config: TrainingConfig, world: World) -> AbstractContextManager[None]:
    """bfloat16 for what bears it, if the config says so."""
    kind = world.device.type
    if config.precision == "bfloat16" or (config.precision == "auto" and kind == "cuda"):
        return torch.autocast(kind, torch.bfloat16)
    return nullcontext()


def _finish_epoch(
    state: TrainingState,
    data: TrainingData,
    train_rows: int,
    loss: Loss,
    task: Task,
    config: TrainingConfig,
    world: World,
    pulse: Pulse,
) -> Epoch:
    """Measure the epoch that has ended."""
    validation = _validate(state, data, loss, task, config, world, pulse)
    train_loss = world.sum(float(state.summed_loss)) / train_rows
    if not math.isfinite(train_loss + validation.loss):
        raise no_number(f"epoch {state.epoch}")
    state.patience.watch(validation.loss, state.model)
    is_last = state.epoch == config.epochs or state.patience.is_exhausted
    return Epoch(state.epoch, is_last, train_loss, validation)


@torch.inference_mode()
def _validate(
    state: TrainingState,
    data: TrainingData,
    loss: Loss,
    task: Task,
    config: TrainingConfig,
    world: World,
    pulse: Pulse,
) -> Validation:
    """How good the model is on the validation rows, each worker looking at its share.

    Nothing of the state changes: a run that is interrupted here validates again when it is resumed.
    """
    model, tally, most_rows = state.model.eval(), Tally(task), rows_at_once(task.output_width)
    for batch in pulse.between_beats(state, data.validation()):
        for start in range(0, len(batch.targets), most_rows):
            some = slice(start, start + most_rows)
            with autocast(config, world):
                outputs = model(batch.features[some])
            outputs = outputs.float()
            tally.add(batch.labels[some], outputs, loss(outputs, batch.targets[some]))
    return tally.of_all(world)
