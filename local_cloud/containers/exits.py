"""Says when a container has ended, without looking: one thread sleeps on the lines to all shims.

The line to a shim reports an error once nobody can read it any more, which is when the shim is gone. Where the system
cannot wait for many of them (macOS), a thread a container waits for its lock.

Source: https://man7.org/linux/man-pages/man2/poll.2.html (POLLERR: the reading end of a pipe has been closed)
"""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Callable
from typing import Any

_CAN_WAIT_FOR_MANY = hasattr(select, "epoll")


class Exits:
    """Calls back, once each and in a thread of its own, when containers have ended. A callback must be short."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._watched: dict[int, tuple[Callable[[], None], Callable[[], None]]] = {}
        self._poll: Any = None

    def watch(self, line: int, await_end: Callable[[], None], ended: Callable[[], None]) -> None:
        """Have `ended` called when the shim that reads `line` is gone.

        `await_end` returns when it is gone, and takes no time from when the line says so.
        """
        if not _CAN_WAIT_FOR_MANY:
            threading.Thread(target=_wait, args=(await_end, ended), daemon=True, name="exit").start()
            return
        line = os.dup(line)  # open until then, whatever its owner does
        with self._lock:
            self._watched[line] = (await_end, ended)
            if self._poll is None:
                self._poll = select.epoll()
                threading.Thread(target=self._look, daemon=True, name="exits").start()
            self._poll.register(line, 0)  # errors are always told

    def _look(self) -> None:
        while True:
            for line, _ in self._poll.poll():
                with self._lock:
                    self._poll.unregister(line)
                    await_end, ended = self._watched.pop(line)
                os.close(line)
                _wait(await_end, ended)


def _wait(await_end: Callable[[], None], ended: Callable[[], None]) -> None:
    await_end()
    ended()


EXITS = Exits()
