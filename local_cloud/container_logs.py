"""Output of containers, line by line into CloudWatch Logs while they run, a few times a second.

Source: https://docs.docker.com/engine/logging/drivers/awslogs/
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from typing import IO, Any

from moto.logs.models import logs_backends

from local_cloud.durability import commits
from local_cloud.services import cloudwatch

FLUSH_S = 0.2
_LONGEST_LINE_BYTES = 262_144 - 26


class LogStream:
    """One stream of one group. Lines that are written are kept for at most FLUSH_S seconds.

    Those of who may not write it are lost.
    """

    def __init__(self, account: str, region: str, group: str, stream: str, *, may_write: bool = True) -> None:
        self.group, self.stream = group, stream
        self._backend: Any = logs_backends[account][region]
        self._lines: list[tuple[int, str]] = []
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._may_write = may_write
        if may_write:
            self._backend.ensure_log_group(group)
            self._backend.ensure_log_stream(group, stream)
        self._flusher: threading.Thread | None = None

    def put(self, lines: Sequence[tuple[int, str]], keep: Callable[[], None] = lambda: None) -> None:
        """Put lines, as time in milliseconds and text, into the log now. What `keep` changes is in the same commit."""
        events = [{"timestamp": time_ms, "message": text} for time_ms, text in lines]
        with cloudwatch.alarms_afterwards(), self._together():
            if events and self._may_write:
                self._backend.put_log_events(self.group, self.stream, events)
            keep()

    def _together(self) -> contextlib.AbstractContextManager[Any]:
        """One commit, unless moto would call a subscriber within it, whose own commit would wait for this one."""
        group = self._backend.groups.get(self.group)
        return contextlib.nullcontext() if group is not None and group.subscription_filters else commits.together()

    def write(self, line: str) -> None:
        """Add one line, with the time it came at."""
        if line:
            with self._lock:
                self._lines.append((int(time.time() * 1000), line))
                if self._flusher is None:
                    self._flusher = threading.Thread(target=self._flush_often, daemon=True, name=f"logs-{self.stream}")
                    self._flusher.start()

    def follow(self, output: IO[bytes]) -> threading.Thread:
        """Copy a process's output until it ends; join the thread returned to have all of it."""
        thread = threading.Thread(target=self._copy, args=(output,), daemon=True, name=f"output-{self.stream}")
        thread.start()
        return thread

    def close(self) -> None:
        """Put what is left into the log."""
        self._closed.set()
        if self._flusher is not None:
            self._flusher.join()
        self._flush()

    def _copy(self, output: IO[bytes]) -> None:
        with output:
            for raw in iter(lambda: output.readline(_LONGEST_LINE_BYTES), b""):
                self.write(raw.decode("utf-8", "replace").rstrip("\r\n"))

    def _flush_often(self) -> None:
        while not self._closed.wait(FLUSH_S):
            self._flush()

    def _flush(self) -> None:
        with self._lock:
            lines, self._lines = self._lines, []
        if lines:
            self.put(lines)
