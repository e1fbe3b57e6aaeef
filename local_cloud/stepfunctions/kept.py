"""What is written of executions: their records one by one, without what a process has of them while they run."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration.itemprocessor.map_run_record import (
    MapRunRecordPoolManager,
)
from moto.stepfunctions.parser.asl.eval.callback.callback import CallbackPoolManager
from moto.stepfunctions.parser.models import stepfunctions_parser_backends

from local_cloud.durability.tracked import TrackedList, changes
from local_cloud.replacements import Replacement
from local_cloud.stepfunctions.frames import Frames

_TRANSIENT = {"exec_worker", "_cloud_watch_logging_session", "_recorded"}


class NoWorker:
    """In the place of a worker before an execution begins and after it has ended: it counts as none.

    moto looks through the callbacks and Map Runs of every execution.
    """

    def __init__(self, worker: Any = None) -> None:
        env = worker.env if worker else None
        self.env = SimpleNamespace(
            callback_pool_manager=CallbackPoolManager(activity_store={}),
            map_run_record_pool_manager=env.map_run_record_pool_manager if env else MapRunRecordPoolManager(),
        )

    def __bool__(self) -> bool:
        return False


class Executions(TrackedList):
    """A machine's executions, also by name. Each knows its place, so that it can say that it has changed."""

    def __init__(self, items: Iterable[Any] = (), space: str = "") -> None:
        super().__init__(items, space)
        self._by_name: dict[str, Any] = {}

    def named(self, name: str) -> Any | None:
        """The execution of this name; looking through ten thousand for it would take a millisecond a call."""
        return self._by_name.get(name)

    def append(self, execution: Any) -> None:
        execution.frames = Frames()
        execution.exec_worker = NoWorker()
        super().append(execution)
        self._place(execution, len(self) - 1)

    def fill(self, index: Any, execution: Any) -> None:
        super().fill(index, execution)
        self._place(execution, len(self) - 1)

    def _place(self, execution: Any, index: int) -> None:
        _places[id(execution)] = (execution, self, index)
        self._by_name[execution.name] = execution


_places: dict[int, tuple[Any, Executions, int]] = {}


def changed(execution: Any) -> None:
    """Note that an execution has changed."""
    if (place := _places.get(id(execution))) is not None:
        changes.note(place[1], place[2])


def frames_of(execution: Any) -> Frames:
    frames: Frames = execution.__dict__.setdefault("frames", Frames())
    return frames


def state_of_execution(self: Any) -> dict[str, Any]:
    """What is written of an execution: all but what a process has of it."""
    return {name: value for name, value in vars(self).items() if name not in _TRANSIENT}


def restore_execution(self: Any, state: dict[str, Any]) -> None:
    # Each has the machine as it was at its start: the same text, for most, which is in memory once.
    state["state_machine"].definition = sys.intern(state["state_machine"].definition)
    vars(self).update(state, exec_worker=NoWorker(), _cloud_watch_logging_session=None)


def everyone() -> list[Any]:
    """Every execution of every account."""
    backends = [backend for _, _, backend in stepfunctions_parser_backends.iter_backends()]
    return [execution for backend in backends for machine in backend.state_machines for execution in machine.executions]


def _reduce(self: Any, _protocol: Any) -> Any:
    return _revive, (type(self),), state_of_execution(self), None, None, restore_execution


def _revive(kind: type) -> Any:
    return object.__new__(kind)


def _tracked_executions(original: Callable[..., None]) -> Callable[..., None]:
    def initialise(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        self.executions = Executions()

    return initialise


REPLACEMENTS: list[Replacement] = [
    Replacement(
        target="moto.stepfunctions.models:StateMachineInstance.__init__",
        build=_tracked_executions,
        why="executions are written one by one",
    ),
    Replacement(
        target="moto.stepfunctions.parser.backend.execution:Execution.__reduce_ex__",
        build=lambda _: _reduce,
        why="holds the threads and locks of the process that runs it",
    ),
]
