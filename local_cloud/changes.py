"""Wakes whoever waits for a job, an execution or a transform to end, so that nothing has to poll.

One condition for all: an announcement says only that something changed, the waiter looks again for itself.
"""

from __future__ import annotations

import threading

_condition = threading.Condition()
_version = 0


def version() -> int:
    """The number of announcements so far. Read it before looking, then pass it to `wait`."""
    return _version


def announce() -> None:
    """Say that something may have ended."""
    global _version
    with _condition:
        _version += 1
        _condition.notify_all()


def wait(seen: int, timeout_s: float) -> None:
    """Return at the first announcement after version `seen`, or after `timeout_s` seconds."""
    with _condition:
        _condition.wait_for(lambda: _version != seen, timeout=timeout_s)
