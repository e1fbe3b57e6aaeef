"""A `.sync` looks again when what it waits for ends or its execution does; what ends elsewhere causes no look."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from moto.stepfunctions.parser.asl.eval.program_state import ProgramRunning, ProgramStopped

from local_cloud import changes
from local_cloud.stepfunctions import waiting

LIMIT_S = 10.0


class Environment(SimpleNamespace):
    """A running environment, as far as a `.sync` knows it."""

    def is_running(self) -> bool:
        return not waiting.interrupted(self).is_set()

    def program_state(self) -> None:
        return None


class Sync:
    """A `.sync` in a thread, its looks counted."""

    def __init__(self, waits_for: str | None = "mine") -> None:
        self.env = Environment(event_history_context=SimpleNamespace(abandoned=False), _program_state="running")
        self.looks, self.over, self.cancelled = 0, False, False
        self.looked = threading.Semaphore(0)
        resolver: Any = self._look
        self._resolver = Resolver(resolver, self._cancel, waits_for)
        self.thread = threading.Thread(target=self._run)
        self.thread.start()
        assert self.looked.acquire(timeout=LIMIT_S)

    def _run(self) -> None:
        task = SimpleNamespace(resource=SimpleNamespace(resource_arn="arn"))
        waiting._evaluate_sync(task, self.env, self._resolver, None, None, None)

    def _look(self) -> bool:
        self.looks += 1
        self.looked.release()
        return self.over

    def _cancel(self) -> None:
        self.cancelled = True


class Resolver:
    """What asks whether the job is over."""

    def __init__(self, look: Callable[[], bool], cancel: Callable[[], None], waits_for: str | None) -> None:
        self._look, self.cancel, self.waits_for = look, cancel, waits_for

    def __call__(self) -> bool:
        return self._look()


@pytest.fixture(autouse=True)
def only_announcements(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "_LOOK_AGAIN_S", LIMIT_S)


def test_only_the_end_of_its_own_job_causes_a_look() -> None:
    started = time.monotonic()
    sync = Sync()
    for _ in range(100):
        changes.announce("another")
    sync.over = True
    changes.announce("mine")
    sync.thread.join()
    assert sync.looks == 2
    assert time.monotonic() - started < LIMIT_S


def test_the_end_of_its_execution_ends_it_at_once_and_cancels_the_job() -> None:
    started = time.monotonic()
    sync = Sync()
    waiting._interrupting(lambda _: None)(sync.env)
    sync.thread.join()
    assert sync.cancelled
    assert time.monotonic() - started < LIMIT_S


def test_what_nobody_announces_is_looked_for_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "_POLL_S", 0.001)
    sync = Sync(waits_for=None)
    assert sync.looked.acquire(timeout=LIMIT_S)
    sync.over = True
    sync.thread.join()
    assert sync.looks > 2


def test_a_stop_that_comes_before_the_program_begins_ends_no_wait_of_it() -> None:
    class Program(SimpleNamespace):
        def is_running(self) -> bool:
            return isinstance(self._program_state, ProgramRunning)

        def stop(self) -> None:
            if self.is_running():
                self._program_state = ProgramStopped(stop_date="", cause=None, error=None)

    program = Program(_program_state=None)
    stop = waiting._interrupting(Program.stop)
    stop(program)
    assert not waiting.interrupted(program).is_set()
    program._program_state = ProgramRunning()
    stop(program)
    assert waiting.interrupted(program).is_set()
