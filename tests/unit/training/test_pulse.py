"""Between two steps, on one worker; the agreement of several is in test_world.py."""

import math
from typing import Any

import pytest
import torch

from tests.unit.training.test_trainer import ALONE, config_with, fresh_state
from training import pulse as pulse_module
from training.checkpoint import Cadence
from training.checkpoint.refusal import CheckpointsRefusedError
from training.errors import BadConfigurationError, RunInterruptedError
from training.pulse import MainWorkersDuties, Pulse
from training.state import TrainingState
from training.telemetry import StepReport


class Told:
    reason: str | None = None


class Saves:
    """Checkpoints in memory; `is_busy` as if the last one were still on its way."""

    last_stall_s, last_commit_s = 0.1, 0.4

    def __init__(self) -> None:
        self.saved: list[int] = []
        self.is_busy = False
        self.committed_step: int | None = None

    def save(self, step: int, tensors: Any, facts: Any) -> bool:
        if self.is_busy:
            return False
        assert facts["step"] == step
        assert "model/0.weight" in tensors
        self.saved.append(step)
        return True

    def wait(self, timeout_s: float) -> bool:
        self.is_busy = False
        self.committed_step = self.saved[-1] if self.saved else None
        return True


class EveryThird:
    def __init__(self) -> None:
        self.told: list[tuple[float, float]] = []

    def due(self, step: int, now_s: float) -> bool:
        return step % 3 == 0

    def saved(self, now_s: float, stall_s: float, commit_s: float) -> None:
        self.told.append((stall_s, commit_s))


class Silent:
    def after_step(self, report: StepReport) -> None:
        pass


@pytest.fixture
def state() -> TrainingState:
    return fresh_state(config_with())


def beat(pulse: Pulse, state: TrainingState) -> None:
    loss = torch.tensor(1.0)
    state.advance(loss)
    pulse.beat(state, StepReport(state.step, loss, 10, 10, 0.1))


def with_duties() -> tuple[Pulse, Told, Saves, EveryThird]:
    told, saves, cadence = Told(), Saves(), EveryThird()
    duties = MainWorkersDuties(saves, cadence, Silent())  # type: ignore[arg-type]
    return Pulse(ALONE, told, duties), told, saves, cadence  # type: ignore[arg-type]


def test_saves_when_it_is_due_and_says_what_that_cost(state: TrainingState) -> None:
    pulse, _, saves, cadence = with_duties()
    for _ in range(7):
        beat(pulse, state)
    assert saves.saved == [3, 6]
    assert cadence.told == [(0.1, 0.4), (0.1, 0.4)]


def test_a_save_that_could_not_start_is_not_counted(state: TrainingState) -> None:
    pulse, _, saves, cadence = with_duties()
    saves.is_busy = True
    for _ in range(3):
        beat(pulse, state)
    assert cadence.told == []


def test_told_to_stop_it_commits_this_very_step_and_leaves(state: TrainingState) -> None:
    pulse, told, saves, _ = with_duties()
    beat(pulse, state)
    told.reason, saves.is_busy = "SIGTERM", True
    with pytest.raises(RunInterruptedError, match="SIGTERM"):
        beat(pulse, state)
    assert saves.committed_step == 2


def test_a_worker_without_duties_only_leaves(state: TrainingState) -> None:
    told = Told()
    pulse = Pulse(ALONE, told, None)  # type: ignore[arg-type]
    beat(pulse, state)
    told.reason = "SIGTERM"
    with pytest.raises(RunInterruptedError):
        beat(pulse, state)


class Clock:
    """In place of the module `time`: it stands still until a test says otherwise."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


class Together:
    """This worker's world, where the others say nothing."""

    size, device = 2, torch.device("cpu")

    def __init__(self) -> None:
        self.looks: list[list[int]] = []

    def highest(self, values: list[int]) -> list[int]:
        self.looks.append(values)
        return values

    def sum(self, value: float) -> float:
        return value

    def stack(self, mine: torch.Tensor) -> torch.Tensor:
        return torch.stack([mine, mine])


@pytest.mark.parametrize("resumed_at", [0, 20_000])
def test_workers_look_by_the_clock_from_their_first_step_on(
    state: TrainingState, resumed_at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Steps of half a second: all look after each, however many an earlier attempt has done."""
    clock, world, told, saves = Clock(), Together(), Told(), Saves()
    monkeypatch.setattr(pulse_module, "time", clock)
    duties = MainWorkersDuties(saves, Cadence(every_s=1.0), Silent())  # type: ignore[arg-type]
    state.step = resumed_at
    pulse = Pulse(world, told, duties)  # type: ignore[arg-type]
    for _ in range(4):
        clock.now += 0.5
        beat(pulse, state)
    assert len(world.looks) == 4
    assert saves.saved == [resumed_at + 3]  # a second after the first look
    told.reason = "SIGTERM"
    with pytest.raises(RunInterruptedError):
        beat(pulse, state)
    assert saves.committed_step == resumed_at + 5


def test_workers_whose_steps_are_short_look_rarely(state: TrainingState, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, world = Clock(), Together()
    monkeypatch.setattr(pulse_module, "time", clock)
    duties = MainWorkersDuties(Saves(), Cadence(every_s=1e9), Silent())  # type: ignore[arg-type]
    pulse = Pulse(world, Told(), duties)  # type: ignore[arg-type]
    for _ in range(202):
        clock.now += 0.01
        beat(pulse, state)
    assert 8 <= len(world.looks) <= 12


def test_told_to_stop_between_pieces_of_other_work_it_commits_and_leaves(state: TrainingState) -> None:
    pulse, told, saves, _ = with_duties()
    beat(pulse, state)
    done = []
    with pytest.raises(RunInterruptedError, match="SIGTERM"):
        for piece in pulse.between_beats(state, range(10)):
            done.append(piece)
            told.reason = "SIGTERM" if piece == 4 else None
    assert done == [0, 1, 2, 3, 4]
    assert saves.committed_step == 1


def test_all_pieces_are_done_when_nobody_is_told_to_stop(state: TrainingState) -> None:
    assert list(with_duties()[0].between_beats(state, range(10))) == list(range(10))
    assert list(with_duties()[0].between_beats(state, range(0))) == []


def test_what_is_finished_is_committed_once(state: TrainingState) -> None:
    pulse, _, saves, _ = with_duties()
    for _ in range(4):
        beat(pulse, state)
    pulse.finish(state)
    pulse.finish(state)
    assert saves.saved == [3, 4]


def test_a_checkpoint_that_is_refused_in_the_end_is_no_error(state: TrainingState) -> None:
    class Refuses(Saves):
        def save(self, step: int, tensors: Any, facts: Any) -> bool:
            raise CheckpointsRefusedError("no room", "make room", 75)

    duties = MainWorkersDuties(Refuses(), EveryThird(), Silent())  # type: ignore[arg-type]
    Pulse(ALONE, Told(), duties).finish(state)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_weights_that_are_no_numbers_are_never_saved(state: TrainingState, value: float) -> None:
    pulse, told, saves, _ = with_duties()
    with torch.no_grad():
        next(state.model.parameters()).view(-1)[0] = value
    told.reason = "SIGTERM"
    with pytest.raises(BadConfigurationError, match="a weight is no longer a number in step 1"):
        beat(pulse, state)
    assert saves.saved == []
