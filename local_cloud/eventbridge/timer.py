"""One thread that calls functions when their time has come: retries, schedules, alarms. Each must be quick."""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable

_LOG = logging.getLogger("local_cloud.timer")


class Timer:
    """A clock that others set. `now` gives seconds since 1970."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self.now = now
        self._calls: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._stopping = False

    def call_at(self, moment: float, function: Callable[[], None]) -> None:
        """Call once, at or after `moment`; calls for the same moment keep their order."""
        with self._changed:
            heapq.heappush(self._calls, (moment, next(self._numbers), function))
            self._changed.notify()

    def call_every(self, period_s: float, function: Callable[[], None]) -> None:
        """Call again and again, `period_s` after the last call ended."""

        def again() -> None:
            try:
                function()
            finally:
                self.call_at(self.now() + period_s, again)

        self.call_at(self.now() + period_s, again)

    def start(self) -> None:
        """Start the thread, unless it runs."""
        with self._changed:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, daemon=True, name="timer")
                self._thread.start()

    def stop(self) -> None:
        """Let the thread end after the call it is in."""
        with self._changed:
            self._stopping = True
            self._changed.notify()

    def run_due(self) -> None:
        """Call what is due now, in order."""
        while (function := self._take()) is not None:
            try:
                function()
            except Exception:  # noqa: BLE001
                # One bad call must not end the clock of all others; the log says which.
                _LOG.exception("a timed call failed: %s", function)

    def _take(self) -> Callable[[], None] | None:
        with self._changed:
            if self._stopping or not self._calls or self._calls[0][0] > self.now():
                return None
            return heapq.heappop(self._calls)[2]

    def _run(self) -> None:
        while True:
            self.run_due()
            with self._changed:
                if self._stopping:
                    return
                wait_s = max(0.0, self._calls[0][0] - self.now()) if self._calls else None
                if wait_s != 0.0:
                    self._changed.wait(wait_s)


TIMER = Timer()
"""The timer of this process; started with the first service that needs it."""
