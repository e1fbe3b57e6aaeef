"""A run that is interrupted while it waits for a gain stops where, and with what, it would have stopped."""

from typing import Any

import pytest
import torch

from tests.unit.training.test_state import run
from tests.unit.training.test_trainer import ALONE, config_with, fresh_state, weights
from training.state import TrainingState

PATIENCE, STEPS_AN_EPOCH = 3, 9
# Learns so fast that it is soon over its best.
SETTINGS: dict[str, Any] = {
    "epochs": 60,
    "learning_rate": 0.3,
    "hidden": [64],
    "early_stopping_patience": PATIENCE,
    "dropout": 0.0,
}


@pytest.fixture(scope="module")
def whole() -> TrainingState:
    config = config_with(**SETTINGS)
    state = fresh_state(config)
    run(state, config, None)
    return state


@pytest.mark.parametrize("epochs_before_the_end", [1, 2, 3])
def test_an_interruption_does_not_reset_patience_or_lose_the_best(
    whole: TrainingState, epochs_before_the_end: int
) -> None:
    epochs = len(whole.epochs)
    assert PATIENCE < epochs < 60
    config = config_with(**SETTINGS)
    saved = run(fresh_state(config), config, (epochs - epochs_before_the_end) * STEPS_AN_EPOCH + 4)
    assert saved is not None
    assert saved[1]["epochs_without_gain"] == PATIENCE - epochs_before_the_end
    state = fresh_state(config)
    assert state.resume(*saved, 7, ALONE)
    run(state, config, None)
    assert state.epochs == whole.epochs
    assert torch.equal(weights(state.model), weights(whole.model))
