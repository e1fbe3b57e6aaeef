import math
from functools import partial
from typing import Any

import pytest
import torch
from torch import nn

from training.errors import BadConfigurationError
from training.recipes import find_recipe
from training.trainer import Patience, Rows, learning_rate_at, train
from training.world import World

ALONE = World(rank=0, size=1, device=torch.device("cpu"))
RECIPE = find_recipe("tabular_classifier")


def rows(count: int, seed: int) -> Rows:
    generator = torch.Generator().manual_seed(seed)
    targets = torch.arange(count) % 2
    return Rows(torch.randn(count, 3, generator=generator) + 2 * targets[:, None], targets)


def trained(seed: int = 7, **hyperparameters: Any) -> tuple[nn.Module, list[float]]:
    """The model and its validation loss after each epoch."""
    config = RECIPE.parse_config({"epochs": 4, "learning_rate": 0.01, "dropout": 0.2} | hyperparameters)
    torch.manual_seed(seed)
    model = RECIPE.model(config, 3, 2)
    epochs = train(model, partial(RECIPE.loss, config), rows(90, 1), rows(20, 2), config, seed, ALONE)
    return model, [epoch.validation_loss for epoch in epochs]


def weights(model: nn.Module) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


def test_learns() -> None:
    _, losses = trained()
    assert losses[-1] < 0.7 * losses[0]


def test_the_same_seed_gives_the_same_bits_and_another_does_not() -> None:
    first, second, other = trained()[0], trained()[0], trained(seed=8)[0]
    assert torch.equal(weights(first), weights(second))
    assert not torch.equal(weights(first), weights(other))


def test_early_stopping_ends_early_with_the_best_weights() -> None:
    settings: dict[str, Any] = {"epochs": 60, "learning_rate": 0.3, "hidden": [64], "early_stopping_patience": 3}
    model, losses = trained(**settings)
    assert len(losses) < 60
    assert losses[-1] > min(losses)
    model.eval().requires_grad_(False)
    validation = rows(20, 2)
    loss = RECIPE.loss(RECIPE.parse_config(settings), model(validation.features), validation.targets) / 20
    assert float(loss) == pytest.approx(min(losses))


def test_without_patience_nothing_stops() -> None:
    patience = Patience(None)
    assert not any(patience.exhausted_by(loss, nn.Linear(1, 1)) for loss in (1.0, 2.0, 3.0))


def test_a_loss_that_explodes_is_bad_configuration() -> None:
    config = find_recipe("tabular_regressor").parse_config({"learning_rate": 0.01})
    numbers = Rows(torch.full((8, 3), math.inf), torch.zeros(8))
    model = find_recipe("tabular_regressor").model(config, 3, 1)
    loss = partial(find_recipe("tabular_regressor").loss, config)
    with pytest.raises(BadConfigurationError, match="no longer a number in epoch 1"):
        list(train(model, loss, numbers, numbers, config, 7, ALONE))


def test_the_cosine_falls_from_the_peak_to_zero() -> None:
    config = RECIPE.parse_config({"learning_rate": 0.5})
    assert learning_rate_at(0.0, config) == 0.5
    assert learning_rate_at(0.5, config) == pytest.approx(0.25)
    assert learning_rate_at(1.0, config) == pytest.approx(0.0)


def test_a_constant_rate_stays() -> None:
    config = RECIPE.parse_config({"learning_rate": 0.5, "learning_rate_schedule": "constant"})
    assert learning_rate_at(0.9, config) == 0.5
