"""A container's output into CloudWatch Logs, a few times a second, each line once, whatever dies in between.

The shim has the output in a file. What is read of it goes into the log together with how far was read, in one commit:
another cloud reads on from there.

Source: https://docs.docker.com/engine/logging/drivers/awslogs/
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from local_cloud.container_logs import FLUSH_S, LogStream

_LOG = logging.getLogger(__name__)
_CHUNK_BYTES = 1024 * 1024


@dataclass
class Output:
    """The output of one container. `offset` is how many bytes of its file are in the log.

    `keep` is given the new offset, within the commit that has the lines.
    """

    path: Path
    log: LogStream
    offset: int
    keep: Callable[[int], None]
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _is_broken: bool = False

    def deliver(self, is_over: bool = False) -> None:
        """Put the lines that are whole into the log; when the container is over, also the last one.

        What the log does not take now (somebody deleted it) is tried again, and else stays away.
        """
        with self._lock:
            try:
                while data := self._next(is_over):
                    self._put(data)
            except Exception:  # noqa: BLE001  logged; a log that takes nothing must stop neither the job nor other logs
                if not self._is_broken:
                    _LOG.exception("the output of a container is not in its log %s", self.log.stream)
                self._is_broken = True

    def _put(self, data: bytes) -> None:
        offset = self.offset + len(data)

        def keep() -> None:
            self.keep(offset)
            self.offset = offset

        self.log.put(lines(data), keep)

    def _next(self, is_over: bool) -> bytes:
        try:
            with self.path.open("rb") as file:
                file.seek(self.offset)
                data = file.read(_CHUNK_BYTES)
        except FileNotFoundError:
            return b""
        return data[: data.rfind(b"\n") + 1] or (data if is_over else b"")


def lines(data: bytes) -> list[tuple[int, str]]:
    """Time in milliseconds and text of each record of an output file."""
    records = (record.partition(b" ") for record in data.split(b"\n"))
    return [(int(time_ms), line.decode("utf-8", "replace")) for time_ms, _, line in records if line]


class Deliveries:
    """All outputs of this cloud, and the thread that delivers them while there are any."""

    def __init__(self) -> None:
        self._outputs: list[Output] = []
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    @contextlib.contextmanager
    def following(self, output: Output) -> Iterator[None]:
        """Deliver what comes while the block runs; at its end, what is left."""
        with self._lock:
            self._outputs.append(output)
            if self._thread is None:
                self._thread = threading.Thread(target=self._deliver_often, daemon=True, name="output")
                self._thread.start()
        try:
            yield
        finally:
            with self._lock:
                self._outputs.remove(output)
            output.deliver(is_over=True)

    def _deliver_often(self) -> None:
        pause = threading.Event()
        while not pause.wait(FLUSH_S):
            with self._lock:
                if not self._outputs:
                    self._thread = None
                    return
                outputs = list(self._outputs)
            for output in outputs:
                output.deliver()


DELIVERIES = Deliveries()
