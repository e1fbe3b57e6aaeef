"""Real workers, two or three, connected by gloo on loopback."""

import hashlib
import multiprocessing
import os
import socket
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
import torch

from tests.unit.training.test_trainer import RECIPE, TASK, Points, config_with, fresh_state, trained, weights
from training import pulse as pulse_module
from training.data.rows import ValidationBatch
from training.errors import BadConfigurationError, RunInterruptedError
from training.pulse import MainWorkersDuties, Pulse
from training.trainer import train
from training.world import World, connected, find_world

SETTINGS: dict[str, Any] = {"epochs": 2, "dropout": 0.0, "early_stopping_patience": 5}


class Told:
    reason: str | None = None


class Saves:
    """The main worker's checkpoints, in memory."""

    last_stall_s = last_commit_s = 0.0
    committed_step: int | None = None
    newest: tuple[dict[str, torch.Tensor], dict[str, Any]] | None = None

    def save(self, step: int, tensors: Any, facts: Any) -> bool:
        self.newest = {name: tensor.clone() for name, tensor in tensors.items()}, dict(facts)
        self.committed_step = step
        return True

    def wait(self, timeout_s: float) -> bool:
        return True


class Never:
    def due(self, step: int, now_s: float) -> bool:
        return False

    def steps_to_go(self, step: int) -> int | None:
        return 1

    def after_step(self, report: Any) -> None:
        pass


def on_workers(count: int, work: Callable[[World], Any]) -> list[Any]:
    """What `work` returns on each; forked, so that torch is not imported again."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    context = multiprocessing.get_context("fork")
    answers = [context.SimpleQueue() for _ in range(count)]

    def worker(rank: int) -> None:
        os.environ |= {"RANK": str(rank), "WORLD_SIZE": str(count)}
        os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
        world = World(rank, count, torch.device("cpu"))
        with connected(world):
            answers[rank].put(work(world))
            world.sum(0.0)

    workers = [context.Process(target=worker, args=(rank,)) for rank in range(count)]
    for process in workers:
        process.start()
    for process in workers:
        process.join(60)
    assert [process.exitcode for process in workers] == [0] * count
    return [answer.get() for answer in answers]


on_two_workers = partial(on_workers, 2)


def test_what_workers_tell_each_other() -> None:
    def work(world: World) -> Any:
        copied = torch.tensor([world.rank], dtype=torch.uint8)
        world.copy_from_main(copied)
        return (
            world.sum(world.rank + 0.5),
            world.highest([world.rank, 5 - world.rank]),
            world.stack(torch.tensor(world.rank)).tolist(),
            world.json_from_main({"a": [1.5]} if world.is_main else None),
            world.json_from_main(None),
            copied.tolist(),
        )

    first, second = on_two_workers(work)
    assert first == second == (2.0, [1, 5], [0, 1], {"a": [1.5]}, None, [0])


def trains(
    world: World,
    told: Told | None = None,
    saves: Saves | None = None,
    settings: dict[str, Any] = SETTINGS,
    data: Any = None,
) -> list[float]:
    config = config_with(**settings)
    state = fresh_state(config)
    duties = MainWorkersDuties(saves or Saves(), Never(), Never()) if world.is_main else None  # type: ignore[arg-type]
    pulse = Pulse(world, told or Told(), duties)  # type: ignore[arg-type]
    tensors, facts = saves.newest if saves and saves.newest else (None, None)
    state.resume(tensors, facts, 7, world)
    data = data or Points(worker=world.rank, workers=world.size)
    for _ in train(state, data, 90, partial(RECIPE.loss, config), TASK, config, world, pulse):
        pass
    return weights(state.model).tolist()


def test_two_workers_train_the_model_that_one_does() -> None:
    alone = weights(trained(**SETTINGS)[0])
    first, second = on_two_workers(trains)
    assert first == second
    assert torch.tensor(first) == pytest.approx(alone, rel=1e-4, abs=1e-6)


def test_one_is_told_to_stop_and_both_leave_after_the_same_step_and_resume_exactly() -> None:
    class AtStep:
        """Told after the fifth look."""

        looks = 0

        @property
        def reason(self) -> str | None:
            self.looks += 1
            return "SIGTERM" if self.looks > 5 else None

    def interrupted(world: World) -> Any:
        saves = Saves()
        with pytest.raises(RunInterruptedError):
            trains(world, AtStep() if world.rank == 1 else Told(), saves)  # type: ignore[arg-type]
        if saves.newest is not None:
            tensors, facts = saves.newest
            return {name: tensor.numpy() for name, tensor in tensors.items()}, facts
        return None

    def resumed(world: World) -> list[float]:
        return trains(world, saves=saves if world.is_main else None)

    from_main, from_other = on_two_workers(interrupted)
    assert from_other is None
    saves = Saves()
    saves.newest = {name: torch.from_numpy(array) for name, array in from_main[0].items()}, from_main[1]
    assert from_main[1]["step"] == 6
    first, second = on_two_workers(resumed)
    assert first == second == on_two_workers(trains)[0]


class AfterLooks:
    """Told to stop after a number of looks."""

    def __init__(self, looks: int) -> None:
        self._left = looks

    @property
    def reason(self) -> str | None:
        self._left -= 1
        return "SIGTERM" if self._left < 0 else None


def test_three_workers_resume_exactly() -> None:
    """With more gradients than fit the first bucket, and dropout; the sum of three depends on its order."""
    settings: dict[str, Any] = {"epochs": 1, "hidden": [512, 512], "dropout": 0.2, "micro_batch_size": 3}

    def whole_and_resumed(world: World) -> list[str]:
        saves = Saves()
        with pytest.raises(RunInterruptedError):
            trains(world, AfterLooks(4) if world.rank == 1 else Told(), saves, settings)  # type: ignore[arg-type]
        models = trains(world, settings=settings), trains(world, saves=saves, settings=settings)
        return [hashlib.sha256(repr(model).encode()).hexdigest() for model in models]

    answers = on_workers(3, whole_and_resumed)
    whole, resumed = answers[0]
    assert resumed == whole
    assert answers == [answers[0]] * 3


def test_passes_that_count_for_nothing_leave_no_trace() -> None:
    """Three workers without dropout train the model that one does, as two do."""
    alone = weights(trained(**SETTINGS)[0])
    assert torch.tensor(on_workers(3, trains)[0]) == pytest.approx(alone, rel=1e-4, abs=1e-6)


class ByRows(Points):
    """Validation rows one at a time, far more of them on the main worker than on the other."""

    def validation(self) -> Iterator[ValidationBatch]:
        (whole,) = super().validation()
        count = len(whole.targets) if self.worker == 0 else 1
        for start in range(count):
            some = slice(start, start + 1 if start < count - 1 else None)
            yield ValidationBatch(whole.features[some], whole.targets[some], whole.global_rows, whole.labels[some])


def test_an_order_during_validation_stops_both_and_they_validate_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both look after each piece; one has far fewer pieces, and looks on."""
    monkeypatch.setattr(pulse_module, "LOOK_EVERY_S", 0.0)
    steps_an_epoch = 9

    def interrupted_and_resumed(world: World) -> Any:
        saves = Saves()
        told = AfterLooks(steps_an_epoch + 4) if world.rank == 1 else Told()
        with pytest.raises(RunInterruptedError):
            trains(world, told, saves, data=ByRows(worker=world.rank, workers=2))  # type: ignore[arg-type]
        return saves.committed_step, trains(world, saves=saves, data=ByRows(worker=world.rank, workers=2))

    (main_step, first), (_, second) = on_two_workers(interrupted_and_resumed)
    assert main_step == steps_an_epoch
    assert first == second == on_two_workers(trains)[0]


def test_fewer_validation_rows_than_workers() -> None:
    class OneRow(Points):
        def validation(self) -> Iterator[ValidationBatch]:
            (whole,) = super().validation()
            rows = slice(0, 1 - self.worker)
            yield ValidationBatch(whole.features[rows], whole.targets[rows], 1, whole.labels[rows])

    first, second = on_two_workers(lambda world: trains(world, data=OneRow(worker=world.rank, workers=2)))
    assert first == second


def test_all_stop_early_by_the_validation_loss_of_all_rows() -> None:
    """Where one worker's share tells another tale than the whole."""
    settings = SETTINGS | {"epochs": 6, "early_stopping_patience": 1}

    def work(world: World) -> Any:
        config = config_with(**settings)

        def loss(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
            summed = RECIPE.loss(config, outputs, targets)
            if torch.is_grad_enabled():
                return summed
            # In validation the second worker sees it rise from the first epoch on, the main one fall twice as fast.
            epochs.append(1.0)
            return summed + (len(epochs) if world.rank else -2 * len(epochs))

        epochs: list[float] = []
        state = fresh_state(config)
        pulse = Pulse(world, Told(), None if world.rank else MainWorkersDuties(Saves(), Never(), Never()))  # type: ignore[arg-type]
        data = Points(worker=world.rank, workers=2)
        return [epoch.validation.loss for epoch in train(state, data, 90, loss, TASK, config, world, pulse)]

    first, second = on_two_workers(work)
    assert first == second
    assert len(first) == 6


def test_more_processes_than_gpus_are_bad_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "3")
    with pytest.raises(BadConfigurationError, match="processes_per_node is 3, the node has 2 GPUs"):
        find_world()
