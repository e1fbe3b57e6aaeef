"""The processes of one container, by an environment variable that they share, those in other sessions too.

Linux only: elsewhere none is found. Standard library only: shims and the watchdog use it too.

Source: https://man7.org/linux/man-pages/man5/proc_pid_environ.5.html
"""

from __future__ import annotations

import contextlib
import os
import signal

_ROUNDS = 20
"""A process may start another between a look and its end; each round finds those of the round before."""


def marked(mark: str) -> set[int]:
    """The live processes that were started with the environment variable `mark`, as NAME=value. Linux only."""
    wanted, found = mark.encode(), set()
    for name in os.listdir("/proc") if os.path.isdir("/proc/self") else ():  # noqa: PTH112, PTH208  often
        if name.isdigit() and has_mark(int(name), wanted):
            found.add(int(name))
    return found


def has_mark(pid: int, mark: bytes) -> bool:
    """Whether a process has the variable. One that ended, or is another user's, has not."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/environ", "rb") as environment:  # noqa: PTH123
        return mark in environment.read().split(b"\0")
    return False


def kill_marked(mark: str) -> None:
    """SIGKILL to every process of a container, until there is none."""
    for _ in range(_ROUNDS):
        left = marked(mark)
        if not left:
            return
        for pid in left:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
