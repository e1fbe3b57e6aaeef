"""Calls at their time, in their order, whatever one of them does."""

from __future__ import annotations

import threading

from local_cloud.eventbridge.timer import Timer


def test_calls_come_when_due_and_in_order() -> None:
    now, called = [0.0], list[str]()
    timer = Timer(lambda: now[0])
    for moment, name in ((2.0, "later"), (1.0, "first"), (1.0, "second")):
        timer.call_at(moment, lambda name=name: called.append(name))  # type: ignore[misc]
    timer.run_due()
    assert called == []
    now[0] = 1.5
    timer.run_due()
    assert called == ["first", "second"]
    now[0] = 2.0
    timer.run_due()
    assert called == ["first", "second", "later"]


def test_a_call_that_fails_does_not_keep_others_or_its_own_next_turn() -> None:
    now, called = [0.0], list[float]()
    timer = Timer(lambda: now[0])

    def fail() -> None:
        called.append(now[0])
        raise RuntimeError("no")

    timer.call_every(1.0, fail)
    timer.call_at(1.0, lambda: called.append(-1.0))
    for moment in (1.0, 2.0):
        now[0] = moment
        timer.run_due()
    assert sorted(called) == [-1.0, 1.0, 2.0]


def test_the_thread_calls_what_is_due_and_ends() -> None:
    timer, done = Timer(), threading.Event()
    timer.start()
    timer.call_at(0.0, done.set)
    assert done.wait(5)
    timer.stop()
    assert timer._thread is not None
    timer._thread.join(5)
    assert not timer._thread.is_alive()
