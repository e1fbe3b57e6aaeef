"""Output of containers, line by line into CloudWatch Logs while they run, a few times a second.

Source: https://docs.docker.com/engine/logging/drivers/awslogs/
"""

from __future__ import annotations

import threading
import time
from typing import IO, Any

from moto.logs.models import logs_backends

FLUSH_S = 0.2
_LONGEST_LINE_BYTES = 262_144 - 26


class LogStream:
    """One stream of one group. Lines are kept for at most FLUSH_S seconds."""

    def __init__(self, account: str, region: str, group: str, stream: str) -> None:
        self.group, self.stream = group, stream
        self._backend: Any = logs_backends[account][region]
        self._lines: list[dict[str, Any]] = []
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._backend.ensure_log_group(group)
        self._backend.ensure_log_stream(group, stream)
        self._flusher = threading.Thread(target=self._flush_often, daemon=True, name=f"logs-{stream}")
        self._flusher.start()

    def write(self, line: str) -> None:
        """Add one line, with the time it came at."""
        if line:
            with self._lock:
                self._lines.append({"timestamp": int(time.time() * 1000), "message": line})

    def follow(self, output: IO[bytes]) -> threading.Thread:
        """Copy a process's output until it ends; join the thread returned to have all of it."""
        thread = threading.Thread(target=self._copy, args=(output,), daemon=True, name=f"output-{self.stream}")
        thread.start()
        return thread

    def close(self) -> None:
        """Put what is left into the log."""
        self._closed.set()
        self._flusher.join()
        self._flush()

    def _copy(self, output: IO[bytes]) -> None:
        for raw in iter(lambda: output.readline(_LONGEST_LINE_BYTES), b""):
            self.write(raw.decode("utf-8", "replace").rstrip("\r\n"))

    def _flush_often(self) -> None:
        while not self._closed.wait(FLUSH_S):
            self._flush()

    def _flush(self) -> None:
        with self._lock:
            lines, self._lines = self._lines, []
        if lines:
            self._backend.put_log_events(self.group, self.stream, lines)
