"""A cloud with jobs that is killed and started again, and a job whose every step can be seen from outside of it."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from local_cloud.containers import folder
from tests.parity.conftest import client_maker, running_cloud
from tests.parity.jobs import probe_stack
from tests.parity.jobs.probe_stack import Jobs, until


class JobsCloud:
    """A cloud on one state directory. Nobody owns it: its containers stay when it is killed."""

    def __init__(self, state: Path, *arguments: str) -> None:
        self.state, self._arguments = state, arguments
        self.process: subprocess.Popen[bytes]
        self.written: dict[str, Any]
        self.start()
        probe_stack.deploy(self.client("cloudformation"))

    def start(self, variables: Mapping[str, str] | None = None, *, is_owned: bool = False) -> None:
        (self.state / "cloud.json").unlink(missing_ok=True)
        self._context = running_cloud(self.state, *self._arguments, variables=variables, is_owned=is_owned)
        self.process, self.written = self._context.__enter__()
        self.client = client_maker(self.written)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def restart(self) -> None:
        self.kill()
        self.start()

    def stop(self) -> None:
        """SIGTERM, as `turbine local down` sends it."""
        with contextlib.suppress(ProcessLookupError):
            self._context.__exit__(None, None, None)

    @property
    def jobs(self) -> Jobs:
        queues = [probe_stack.resource(self.client("cloudformation"), f"{kind}Queue") for kind in ("OnDemand", "Spot")]
        return Jobs(self.client("batch"), self.client("logs"), *queues)


class Counter:
    """What the probe's `count` does at `path`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def number(self) -> int:
        with contextlib.suppress(FileNotFoundError, ValueError):
            return int(self.path.read_text())
        return 0

    def goes_on(self, by: int = 20) -> None:
        """Return once it has counted further; TimeoutError if it does not."""
        wanted = self.number() + by
        until(lambda: self.number() >= wanted)

    def starts(self) -> list[int]:
        """Process ids."""
        with contextlib.suppress(FileNotFoundError):
            return [int(line) for line in Path(f"{self.path}.starts").read_text().split()]
        return []

    def alive(self) -> list[int]:
        return [pid for pid in self.starts() if lives(pid)]

    def stop(self, code: int = 0) -> None:
        draft = Path(f"{self.path}.draft")
        draft.write_text(str(code))
        draft.rename(f"{self.path}.stop")

    def lines(self) -> list[str]:
        """What its log must have."""
        return [str(number) for number in range(self.number())]


def lives(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    with contextlib.suppress(OSError):
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return False


def processes_of(state: Path) -> list[int]:
    """Every process of a state directory: the cloud, its helpers, shims, containers."""
    mark = os.fsencode(state)
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with contextlib.suppress(OSError):
                if mark in (entry / "cmdline").read_bytes() or mark in (entry / "environ").read_bytes():
                    found.append(int(entry.name))
    return found


@contextlib.contextmanager
def jobs_cloud(state: Path, *arguments: str) -> Iterator[JobsCloud]:
    cloud = JobsCloud(state, *arguments)
    try:
        yield cloud
    finally:
        cloud.stop()
        folder.end_all(state)
