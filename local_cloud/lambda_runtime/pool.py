"""Keeps execution environments warm: the next request for the same function version finds its imports done.

As on AWS, a module's globals outlive a request, one environment serves one request at a time, and a changed
function never meets an old environment.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Hashable
from dataclasses import dataclass

from local_cloud.lambda_runtime.environment import Environment

IDLE_LIMIT = 12
"""How many idle environments are kept in all: each holds the memory of its imports."""
IDLE_S = 300.0


@dataclass
class Warm:
    """An environment, the version it belongs to and the log stream it writes."""

    version: Hashable
    environment: Environment
    log_stream: str
    idle_since: float = 0.0


class Pool:
    """Idle environments of every function."""

    def __init__(self) -> None:
        self._idle: list[Warm] = []
        self._lock = threading.Lock()
        self._closed = False

    def take(self, version: Hashable) -> Warm | None:
        """The most recently used idle environment of a version, if there is one that lives."""
        with self._lock:
            found = [warm for warm in self._idle if warm.version == version]
            if not found:
                return None
            self._idle.remove(found[-1])
        if found[-1].environment.process.poll() is None:
            return found[-1]
        found[-1].environment.close()
        return self.take(version)

    def give_back(self, warm: Warm) -> None:
        """Keep an environment for later; the longest idle ones make room."""
        now = time.monotonic()
        warm.idle_since = now
        with self._lock:
            self._idle.append(warm)
            fresh = [] if self._closed else [w for w in self._idle if now - w.idle_since < IDLE_S][-IDLE_LIMIT:]
            stale = [w for w in self._idle if w not in fresh]
            self._idle = fresh
        for old in stale:
            old.environment.close()

    def drop_all(self) -> None:
        """Close every idle environment and keep none from now on."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for warm in idle:
            warm.environment.close()
