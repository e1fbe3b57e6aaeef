"""A wait for a task token ends with its answer, and with its execution."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import pytest

from local_cloud import changes
from local_cloud.stepfunctions import tokens, waiting

LIMIT_S = 10.0


class Wait:
    """A wait in a thread, for an answer or a heartbeat."""

    def __init__(self, *, heartbeat: bool) -> None:
        self.env = SimpleNamespace()
        self.answer = SimpleNamespace(_notify_event=threading.Event())
        self.heartbeat = SimpleNamespace(_next_heartbeat_event=threading.Event()) if heartbeat else None
        self.waits = threading.Event()
        self.thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        wait: Any = tokens._wait_for_token(self._original)
        wait(None, self.env, 600, self.answer, self.heartbeat)

    def _original(self, _: Any, __: Any, timeout_s: float, answer: Any, heartbeat: Any) -> None:
        self.waits.set()
        event = answer._notify_event if heartbeat is None else heartbeat._next_heartbeat_event
        event.wait(timeout_s)

    def interrupt(self) -> None:
        waiting.interrupted(self.env).set()
        changes.announce(waiting.interrupted(self.env))


@pytest.mark.parametrize("heartbeat", [False, True])
@pytest.mark.parametrize("early", [False, True])
def test_the_end_of_the_execution_ends_the_wait(heartbeat: bool, early: bool) -> None:
    wait = Wait(heartbeat=heartbeat)
    if early:
        wait.interrupt()
    wait.thread.start()
    assert wait.waits.wait(LIMIT_S)
    if not early:
        wait.interrupt()
    wait.thread.join(LIMIT_S)
    assert not wait.thread.is_alive()


def test_an_answer_that_came_before_the_wait_is_not_lost() -> None:
    wait = Wait(heartbeat=False)
    wait.answer._notify_event.set()
    wait.thread.start()
    wait.thread.join(LIMIT_S)
    assert not wait.thread.is_alive()
