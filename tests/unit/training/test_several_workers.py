"""What two workers do that one does not: unlike shares, saves as they go, and one that waits for the other's commit."""

import multiprocessing
from functools import partial
from typing import Any

import pytest
import torch

from tests.unit.training.test_trainer import ALONE, RECIPE, TASK, Points, config_with, fresh_state, weights
from tests.unit.training.test_world import on_two_workers
from training.errors import RunInterruptedError
from training.pulse import MainWorkersDuties, Pulse
from training.trainer import train
from training.world import World

STEPS = 18  # of two epochs
Saved = tuple[dict[str, Any], dict[str, Any]]


class Told:
    reason: str | None = None


class Saves:
    """Checkpoints in memory, by step."""

    last_stall_s = last_commit_s = 0.0
    committed_step: int | None = None

    def __init__(self) -> None:
        self.of: dict[int, Saved] = {}

    def save(self, step: int, tensors: Any, facts: Any) -> bool:
        self.of[step] = {name: tensor.numpy().copy() for name, tensor in tensors.items()}, dict(facts)
        self.committed_step = step
        return True

    def wait(self, timeout_s: float) -> bool:
        return True


class EveryFourth:
    def due(self, step: int, now_s: float) -> bool:
        return step % 4 == 0

    def steps_to_go(self, step: int) -> int | None:
        return 4 - step % 4

    def saved(self, now_s: float, stall_s: float, commit_s: float) -> None:
        pass


class Silent:
    def after_step(self, report: Any) -> None:
        pass


def trained(
    world: World, data: Any, told: Any = None, saves: Saves | None = None, resumed_from: Saved | None = None
) -> list[float]:
    config = config_with(epochs=2, dropout=0.0 if resumed_from is None and saves is None else 0.2)
    state = fresh_state(config)
    duties = MainWorkersDuties(saves or Saves(), EveryFourth(), Silent()) if world.is_main else None  # type: ignore[arg-type]
    if resumed_from is not None:
        tensors, facts = resumed_from
        held = {name: torch.from_numpy(array) for name, array in tensors.items()}
        state.resume(held if world.is_main else None, facts if world.is_main else None, 7, world)
    pulse = Pulse(world, told or Told(), duties)  # type: ignore[arg-type]
    for _ in train(state, data, data.train_rows, partial(RECIPE.loss, config), TASK, config, world, pulse):
        pass
    return weights(state.model).tolist()


class Threes(Points):
    """Of each batch one worker gets two rows, the other one."""

    batch_size = 3


def test_a_worker_counts_by_its_rows() -> None:
    """Not as a half of two, or a row would count more on the worker that has fewer."""
    alone = trained(ALONE, Threes())
    together, _ = on_two_workers(lambda world: trained(world, Threes(worker=world.rank, workers=2)))
    assert together == pytest.approx(alone, rel=1e-4, abs=1e-6)


def test_what_two_workers_save_as_they_go_is_where_either_goes_on() -> None:
    def saving(world: World) -> tuple[list[float], dict[int, Saved]]:
        saves = Saves()
        return trained(world, Points(worker=world.rank, workers=2), saves=saves), saves.of

    (whole, saved), (_, saved_by_other) = on_two_workers(saving)
    assert list(saved)[: STEPS // 4] == [4, 8, 12, 16]
    assert saved_by_other == {}
    tensors, facts = saved[12]
    assert (facts["step"], facts["world_size"]) == (12, 2)
    assert len(tensors["workers/cpu_generator"]) == 2

    def resumed(world: World) -> list[float]:
        return trained(world, Points(worker=world.rank, workers=2), resumed_from=saved[12])

    assert on_two_workers(resumed) == [whole, whole]


def test_nobody_leaves_while_the_main_worker_commits() -> None:
    """A process that ends takes the other one along."""
    has_left = multiprocessing.get_context("fork").Event()

    class Slow(Saves):
        left_early = False

        def wait(self, timeout_s: float) -> bool:
            if self.of:
                self.left_early |= has_left.wait(0.5)
            return True

    class AtOnce:
        reason = "SIGTERM"

    def interrupted(world: World) -> bool:
        saves = Slow()
        with pytest.raises(RunInterruptedError):
            trained(world, Points(worker=world.rank, workers=2), AtOnce(), saves)
        if not world.is_main:
            has_left.set()
        return saves.left_early

    assert on_two_workers(interrupted) == [False, False]
    assert has_left.is_set()
