"""Holds containers to their memory as the kernel's OOM killer would: the largest process of one that has too much dies.

One thread looks a few times a second at all containers that have a limit. Shared pages count once: only where the sum
of resident sizes is over the limit are proportional sizes read, which cost more. Without /proc nothing is limited.

Source: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_definition_parameters.html (memory) and
https://www.kernel.org/doc/html/latest/filesystems/proc.html (smaps_rollup)
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from local_cloud.batch.instances import Signal
from local_cloud.marks import has_mark

LOOK_EVERY_S = 0.2
OUT_OF_MEMORY = "OutOfMemoryError: Container killed due to memory usage"
_SETTLED_LOOKS = 10
"""A process between fork and exec still shows its parent's environment: only later is what it has not believed."""

_PROC = Path("/proc")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class Limit:
    """One container's limit. `exceeded` is set before a process of it is killed."""

    def __init__(self, mark: str, limit_mib: int) -> None:
        self.mark = mark.encode()
        self.limit_bytes = limit_mib * 2**20
        self.exceeded = Signal()

    def hold(self, pids: Iterable[int]) -> None:
        """Kill the largest of these processes if they are over the limit together."""
        pids = list(pids)
        if sum(map(_resident_bytes, pids)) <= self.limit_bytes:
            return
        sizes = {pid: _proportional_bytes(pid) for pid in pids}
        if sum(sizes.values()) > self.limit_bytes:
            self.exceeded.set()
            with contextlib.suppress(ProcessLookupError):
                os.kill(max(sizes, key=lambda pid: sizes[pid]), signal.SIGKILL)


class Watch:
    """All limits of this machine, and the thread that holds them while there are any."""

    def __init__(self) -> None:
        self._limits: list[Limit] = []
        self._owners: dict[int, Limit] = {}
        self._strangers: dict[int, int] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    @contextlib.contextmanager
    def holding(self, limits: Mapping[str, int]) -> Iterator[list[Limit]]:
        """Hold containers, by mark, to so many MiB while the block runs."""
        held = [Limit(mark, limit_mib) for mark, limit_mib in limits.items()]
        with self._lock:
            self._limits += held
            self._strangers.clear()
            if self._thread is None and (_PROC / "self").exists():
                self._thread = threading.Thread(target=self._look_often, daemon=True, name="memory")
                self._thread.start()
        try:
            yield held
        finally:
            with self._lock:
                self._limits = [limit for limit in self._limits if limit not in held]

    def _look_often(self) -> None:
        pause = threading.Event()
        while not pause.wait(LOOK_EVERY_S):
            with self._lock:
                if not self._limits:
                    self._thread = None
                    return
                limits = list(self._limits)
            self.look(limits)

    def look(self, limits: Iterable[Limit]) -> None:
        """Find whose processes there are now, and hold each container to its limit."""
        live = {int(name) for name in os.listdir(_PROC) if name.isdigit()}  # noqa: PTH208  five times a second
        self._owners = {pid: limit for pid, limit in self._owners.items() if pid in live}
        self._strangers = {pid: looks for pid, looks in self._strangers.items() if pid in live}
        limits = list(limits)
        for pid in live - self._owners.keys():
            if self._strangers.get(pid, 0) < _SETTLED_LOOKS:
                self._meet(pid, limits)
        for limit in limits:
            limit.hold(pid for pid, owner in self._owners.items() if owner is limit)

    def _meet(self, pid: int, limits: Iterable[Limit]) -> None:
        for limit in limits:
            if has_mark(pid, limit.mark):
                self._owners[pid] = limit
                return
        self._strangers[pid] = self._strangers.get(pid, 0) + 1


WATCH = Watch()


def _resident_bytes(pid: int) -> int:
    with contextlib.suppress(OSError):
        return int((_PROC / str(pid) / "statm").read_text().split()[1]) * _PAGE_BYTES
    return 0


def _proportional_bytes(pid: int) -> int:
    """Its own pages, and its share of those it has in common with others."""
    with contextlib.suppress(OSError):
        for line in (_PROC / str(pid) / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0
