"""A run that is interrupted at any step and resumed ends with the bits of one that was not."""

from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.unit.training.test_trainer import ALONE, RECIPE, TASK, Points, config_with, fresh_state, points, weights
from training.errors import BadConfigurationError, RunInterruptedError
from training.interruption import Interruption
from training.pulse import Pulse
from training.recipe import TrainingConfig
from training.state import TrainingState
from training.trainer import train

SETTINGS: dict[str, Any] = {"epochs": 4, "early_stopping_patience": 2, "max_gradient_norm": 1.0, "warmup_steps": 3}
Saved = tuple[dict[str, Tensor], dict[str, Any]]


class SavingPulse(Pulse):
    """Stops after a step, with a copy of all that a checkpoint would hold."""

    def __init__(self, step: int | None) -> None:
        super().__init__(ALONE, Interruption(), None)
        self._step = step
        self.saved: Saved | None = None

    def beat(self, state: TrainingState, report: Any) -> None:
        if state.step == self._step:
            tensors = {name: tensor.clone() for name, tensor in state.capture(ALONE).items()}
            self.saved = tensors, state.facts(ALONE, 0.0)
            raise RunInterruptedError


def run(state: TrainingState, config: TrainingConfig, stop_at: int | None) -> Saved | None:
    pulse = SavingPulse(stop_at)
    try:
        for epoch in train(state, Points(), 90, partial(RECIPE.loss, config), TASK, config, ALONE, pulse):
            state.epochs.append({"epoch": epoch.number, "loss": epoch.train_loss})
    except RunInterruptedError:
        pass
    return pulse.saved


def interrupted_and_resumed(step: int, without: tuple[str, ...] = ()) -> TrainingState:
    config = config_with(**SETTINGS)
    saved = run(fresh_state(config), config, step)
    assert saved is not None
    tensors, facts = saved
    state = fresh_state(config)
    torch.rand(5)  # whatever a new process draws before it resumes
    fresh = state.capture(ALONE)
    tensors = {name: fresh[name].clone() if name in without else tensor for name, tensor in tensors.items()}
    assert state.resume(tensors, facts, 7, ALONE)
    run(state, config, None)
    return state


def uninterrupted() -> TrainingState:
    config = config_with(**SETTINGS)
    state = fresh_state(config)
    run(state, config, None)
    return state


# In an epoch, after its last batch, in the first epoch, in a later one whose best weights are not the latest.
@pytest.mark.parametrize("step", [1, 4, 9, 10, 23, 35])
def test_resumes_exactly(step: int) -> None:
    whole, resumed = uninterrupted(), interrupted_and_resumed(step)
    assert torch.equal(weights(whole.model), weights(resumed.model))
    assert whole.epochs == resumed.epochs
    assert (whole.step, whole.epoch) == (resumed.step, resumed.epoch)


@pytest.mark.parametrize("lost", ["workers/cpu_generator", "optimizer/means.0", "optimizer/step"])
def test_nothing_of_a_checkpoint_is_superfluous(lost: str) -> None:
    """The control: without it the weights differ."""
    whole, resumed = uninterrupted(), interrupted_and_resumed(13, without=(lost,))
    assert not torch.equal(weights(whole.model), weights(resumed.model))


def test_without_a_checkpoint_nothing_is_resumed() -> None:
    assert not fresh_state(config_with()).resume(None, None, 7, ALONE)


def test_another_number_of_workers_goes_on_near_by() -> None:
    """Same weights, moments and place; the dropout masks are new. Stated tolerance: the validation loss within 10%."""
    config = config_with(**SETTINGS)
    saved = run(fresh_state(config), config, 13)
    assert saved is not None
    tensors, facts = saved
    tensors = {name: torch.cat([tensor, tensor]) if "workers" in name else tensor for name, tensor in tensors.items()}
    state = fresh_state(config)
    assert state.resume(tensors, facts | {"world_size": 2}, 7, ALONE)
    assert state.step == 13
    assert float(state.summed_loss) == 2 * float(saved[0]["workers/summed_loss"])
    run(state, config, None)
    features, targets = points(20, 2)
    models = (uninterrupted().model.eval(), state.model.eval())
    with torch.no_grad():
        losses = [float(RECIPE.loss(config, model(features), targets)) / 20 for model in models]
    assert losses[1] == pytest.approx(losses[0], rel=0.1)


def test_a_checkpoint_that_saw_the_rows_in_another_order_is_refused_by_name() -> None:
    """As that of a streamed data set is with another number of workers."""
    config = config_with(**SETTINGS)
    saved = run(fresh_state(config), config, 3)
    assert saved is not None
    state = fresh_state(config)
    state.order_of_rows = "streamed to 3 workers"
    with pytest.raises(BadConfigurationError, match="streamed to 2 workers, now they are streamed to 3") as caught:
        state.resume(saved[0], saved[1] | {"order_of_rows": "streamed to 2 workers"}, 7, ALONE)
    assert "number of workers" in caught.value.mend
    assert state.step == 0


def test_weights_of_another_shape_are_refused() -> None:
    config = config_with(**SETTINGS)
    saved = run(fresh_state(config), config, 3)
    assert saved is not None
    torch.manual_seed(1)
    wider = config_with(**SETTINGS, hidden=[64])
    with pytest.raises(ValueError, match="a checkpoint holds"):
        fresh_state(wider).resume(*saved, 7, ALONE)
