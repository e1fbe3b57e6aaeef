"""The loop on one worker, with rows made here; several workers are in test_world.py."""

import math
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from training.data.rows import Batch, ValidationBatch
from training.early_stopping import Patience
from training.errors import BadConfigurationError
from training.interruption import Interruption
from training.optimizer import AdamW
from training.pulse import Pulse
from training.recipe import TrainingConfig
from training.recipes import find_recipe
from training.schedule import learning_rate_at
from training.state import TrainingState
from training.tasks import Classification
from training.trainer import Epoch, train
from training.world import World

ALONE = World(rank=0, size=1, device=torch.device("cpu"))
RECIPE = find_recipe("tabular_classifier")
TASK = Classification([0, 1])


class Points:
    """Two easy classes; `worker` of `workers` takes every so manieth row of each batch of ten."""

    batch_size, order = 10, "made here"

    def __init__(self, count: int = 90, worker: int = 0, workers: int = 1) -> None:
        self.train_rows = count
        self.worker, self.workers = worker, workers

    def steps_per_epoch(self) -> int:
        return math.ceil(self.train_rows / self.batch_size)

    def blank(self) -> Batch:
        rows = len(range(self.worker, self.batch_size, self.workers))
        return Batch(torch.zeros(rows, 3), torch.zeros(rows, dtype=torch.int64), self.batch_size)

    def batches(self, epoch: int, first: int = 0) -> Iterator[Batch]:
        features, targets = points(self.train_rows, 1)
        order = torch.randperm(self.train_rows, generator=torch.Generator().manual_seed(epoch))
        for batch in order.split(self.batch_size)[first:]:
            mine = batch[self.worker :: self.workers]
            yield Batch(features[mine], targets[mine], len(batch))

    def validation(self) -> Iterator[ValidationBatch]:
        features, targets = points(20, 2)
        mine = slice(self.worker, None, self.workers)
        yield ValidationBatch(features[mine], targets[mine], 20, targets[mine].numpy())


def points(count: int, seed: int) -> tuple[Tensor, Tensor]:
    targets = torch.arange(count) % 2
    noise = torch.randn(count, 3, generator=torch.Generator().manual_seed(seed))
    return noise + 2 * targets[:, None], targets


def fresh_state(config: TrainingConfig, seed: int = 7) -> TrainingState:
    torch.manual_seed(seed)
    model = RECIPE.model(config, 3, 2)
    optimizer = AdamW(model.parameters(), config.weight_decay)
    patience = Patience(config.early_stopping_patience)
    state = TrainingState(model, optimizer, patience, torch.zeros((), dtype=torch.float64))
    state.seed_generators(seed, ALONE)
    return state


def config_with(**hyperparameters: Any) -> TrainingConfig:
    return RECIPE.parse_config({"epochs": 4, "learning_rate": 0.01, "dropout": 0.2} | hyperparameters)


def trained(seed: int = 7, data: Any = None, **hyperparameters: Any) -> tuple[nn.Module, list[Epoch]]:
    config = config_with(**hyperparameters)
    state = fresh_state(config, seed)
    pulse = Pulse(ALONE, Interruption(), None)
    epochs = list(train(state, data or Points(), 90, partial(RECIPE.loss, config), TASK, config, ALONE, pulse))
    return state.model, epochs


def weights(model: nn.Module) -> Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


def test_learns() -> None:
    _, epochs = trained()
    assert epochs[-1].validation.loss < 0.7 * epochs[0].validation.loss
    assert [epoch.is_last for epoch in epochs] == [False, False, False, True]


def test_the_same_seed_gives_the_same_bits_and_another_does_not() -> None:
    first, second, other = trained()[0], trained()[0], trained(seed=8)[0]
    assert torch.equal(weights(first), weights(second))
    assert not torch.equal(weights(first), weights(other))


def test_early_stopping_ends_early_with_the_best_weights() -> None:
    model, epochs = trained(epochs=60, learning_rate=0.3, hidden=[64], early_stopping_patience=3)
    losses = [epoch.validation.loss for epoch in epochs]
    assert len(losses) < 60
    assert losses[-1] > min(losses)
    assert [epoch.is_last for epoch in epochs] == [*[False] * (len(epochs) - 1), True]
    model.eval().requires_grad_(False)
    features, targets = points(20, 2)
    assert float(RECIPE.loss(config_with(), model(features), targets)) / 20 == pytest.approx(min(losses))


def test_without_patience_nothing_stops() -> None:
    patience = Patience(None)
    for loss in (1.0, 2.0, 3.0):
        patience.watch(loss, nn.Linear(1, 1))
    assert not patience.is_exhausted


def test_small_pieces_add_up_to_the_same_model() -> None:
    """Without dropout, whose mask depends on how many rows pass at once."""
    whole, pieces = trained(dropout=0.0)[0], trained(dropout=0.0, micro_batch_size=3)[0]
    assert torch.allclose(weights(whole), weights(pieces), rtol=1e-4, atol=1e-6)


def test_clipping_bounds_what_a_wild_batch_does() -> None:
    class Wild(Points):
        def batches(self, epoch: int, first: int = 0) -> Iterator[Batch]:
            for share in super().batches(epoch, first):
                yield Batch(share.features * 1e4, share.targets, share.global_rows)

    losses = {}
    for norm in (None, 1e-6):
        losses[norm] = trained(data=Wild(), epochs=1, max_gradient_norm=norm)[1][0].train_loss
    # A step of Adam is all but independent of its gradient's length until that is as small as epsilon.
    assert losses[1e-6] != losses[None]


def test_a_worker_without_rows_leaves_the_gradients_alone() -> None:
    class WithAnEmptyBatch(Points):
        def batches(self, epoch: int, first: int = 0) -> Iterator[Batch]:
            yield from super().batches(epoch, first)
            yield Batch(torch.zeros(0, 3), torch.zeros(0, dtype=torch.int64), 5)

        def steps_per_epoch(self) -> int:
            return super().steps_per_epoch() + 1

    model, epochs = trained(data=WithAnEmptyBatch())
    assert torch.isfinite(weights(model)).all()
    assert math.isfinite(epochs[-1].train_loss)


def test_bfloat16_learns_too_and_is_not_the_same() -> None:
    exact, coarse = trained()[1], trained(precision="bfloat16")[1]
    assert coarse[-1].validation.loss < 0.7 * coarse[0].validation.loss
    assert coarse[-1].validation.loss != exact[-1].validation.loss


@pytest.mark.parametrize("value", [math.inf, math.nan])
def test_a_loss_that_is_no_number_is_bad_configuration(value: float) -> None:
    class Broken(Points):
        def batches(self, epoch: int, first: int = 0) -> Iterator[Batch]:
            for share in super().batches(epoch, first):
                yield Batch(torch.full_like(share.features, value), share.targets, share.global_rows)

    with pytest.raises(BadConfigurationError, match="no longer a number in epoch 1"):
        trained(data=Broken())


def test_the_cosine_falls_from_the_peak_to_zero() -> None:
    config = config_with(learning_rate=0.5)
    assert learning_rate_at(0, 10, config) == 0.5
    assert learning_rate_at(5, 10, config) == pytest.approx(0.25)
    assert learning_rate_at(10, 10, config) == pytest.approx(0.0)


def test_the_warm_up_rises_to_the_peak_and_the_cosine_begins_there() -> None:
    config = config_with(learning_rate=0.4, warmup_steps=4)
    assert [learning_rate_at(step, 14, config) for step in range(5)] == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.4])
    assert learning_rate_at(9, 14, config) == pytest.approx(0.2)


def test_a_constant_rate_stays() -> None:
    config = config_with(learning_rate=0.5, learning_rate_schedule="constant")
    assert {learning_rate_at(step, 10, config) for step in range(10)} == {0.5}
