"""A container's folder, named by the container's id: the one place where it is known whether it runs.

Whoever holds `lock` is the container's shim; a cloud that finds it free knows that none runs, and by removing it
forbids that one begins late. That is all there is to it: no process id is ever trusted without the lock.

    lock      held by the shim while it lives; its process id
    control   a FIFO that the shim reads: `stop SECONDS`, `lose`
    pid       the container's first process, written before that process may begin
    output    what the container wrote, a line as `MILLISECONDS LINE`
    noted-…   what the cloud has done to the container, so that another cloud knows
    exit      how the container ended; none when it went with its host
    error     what went wrong in the shim itself

Standard library only: shims and the watchdog use it too.

Source: https://man7.org/linux/man-pages/man2/flock.2.html and https://man7.org/linux/man-pages/man7/fifo.7.html
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import signal
import time
from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from local_cloud import marks

ROOT = "containers"
OUT_OF_MEMORY = "out-of-memory"
HOST_GONE = "host-gone"
_PATIENCE_S = 5.0
_LOOK_S = 0.005


class Found(Enum):
    """What another process than its shim can know of a container."""

    RUNS = "a shim runs it"
    ENDED = "it has ended, and how is known"
    LOST = "it began, and nobody knows how it ended"
    NEVER_BEGAN = "no process of it ran, and none will"


class NoShimError(RuntimeError):
    """Nobody runs this container."""


@dataclass(frozen=True)
class Exit:
    """How a container ended: its process's return code as `subprocess` has it, or why there was no process."""

    code: int | None
    timed_out: bool = False
    problem: str = ""


@dataclass(frozen=True)
class Folder:
    """The files of one container. The cloud makes the folder; everything else may be asked of one that is not there."""

    path: Path

    @property
    def container_id(self) -> str:
        return self.path.name

    @property
    def mark(self) -> str:
        """The variable, as NAME=value, that all processes of the container have: its name, as Docker gives it."""
        return f"HOSTNAME={self.container_id}"

    @property
    def output(self) -> Path:
        return self.path / "output"

    @property
    def error(self) -> Path:
        return self.path / "error"

    def make(self) -> None:
        """For one shim to claim. Raises: FileExistsError when a container has had this id."""
        self.path.mkdir(parents=True)
        os.mkfifo(self.path / "control", 0o600)
        self._lock.touch(0o600)

    # The shim's side

    def open_control(self) -> int:
        """The reading end. Also opened for writing, else it would be at its end whenever nobody writes."""
        return os.open(self.path / "control", os.O_RDWR | os.O_NONBLOCK)

    def claim(self) -> bool:
        """Become the one shim of the container, until this process ends. False when there was one, or may be none."""
        try:
            lock = os.open(self._lock, os.O_RDWR)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            return False
        if not self._is_lock(lock):  # somebody removed it in between: the container is forbidden
            os.close(lock)
            return False
        os.write(lock, str(os.getpid()).encode())
        return True

    def write_pid(self, pid: int) -> None:
        _write(self.path / "pid", str(pid))

    def write_exit(self, end: Exit) -> None:
        """In one step: who finds the file finds all of it."""
        code = "" if end.code is None else str(end.code)
        _write(self.path / "exit", f"{code} {int(end.timed_out)} {end.problem}")

    # Everybody's

    def pid(self) -> int | None:
        """The container's first process; it may have ended."""
        with contextlib.suppress(OSError):
            return int((self.path / "pid").read_text())
        return None

    def exit(self) -> Exit | None:
        """How it ended; None while it runs, and for one that went with its host or with its shim."""
        try:
            code, timed_out, problem = (self.path / "exit").read_text().split(" ", 2)
        except OSError:
            return None
        return Exit(int(code) if code else None, timed_out == "1", problem)

    def note(self, what: str) -> None:
        """Before it is done to the container."""
        with contextlib.suppress(FileNotFoundError):
            (self.path / f"noted-{what}").touch()

    def has_noted(self, what: str) -> bool:
        return (self.path / f"noted-{what}").exists()

    def shim(self) -> int | None:
        """The process id of the shim that runs this container; None when none does."""
        with contextlib.suppress(OSError), self._lock.open() as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return int(lock.read() or 0)  # nothing yet: it holds the lock and writes
        return None

    def await_end(self) -> None:
        """Return once no shim runs this container."""
        with contextlib.suppress(FileNotFoundError), self._lock.open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH)

    def line(self) -> int:
        """The writing end of `control`. It reports an error to who polls it as soon as the shim is gone.

        Raises: NoShimError.
        """
        try:
            return os.open(self.path / "control", os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:
            if error.errno in (errno.ENXIO, errno.ENOENT):
                raise NoShimError(self.container_id) from error
            raise

    def lose(self) -> bool:
        """Ask the shim to end the container as if its host was gone. False when there is no shim to ask."""
        try:
            line = self.line()
        except NoShimError:
            return False
        try:
            os.write(line, b"lose\n")
        except OSError:  # it ended, or hangs with a full pipe
            return False
        finally:
            os.close(line)
        return True

    def look(self) -> Found:
        """What is known of the container. One that nobody runs and that has no end is ended for good: no shim begins
        late, and what a dead one left behind is killed."""
        try:
            lock = os.open(self._lock, os.O_RDWR)
        except FileNotFoundError:
            return self._without_shim()
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if self.exit() is None:
                self._lock.unlink()
                self.kill_rest()
            return self._without_shim()
        except BlockingIOError:
            return Found.RUNS
        finally:
            os.close(lock)

    def _without_shim(self) -> Found:
        if self.exit() is not None:
            return Found.ENDED
        return Found.LOST if self.pid() is not None else Found.NEVER_BEGAN

    def end(self, patience_s: float = _PATIENCE_S) -> None:
        """End the container as if its host was gone, by way of its shim or, if that hangs, without it.

        One that has ended by itself keeps its end.
        """
        deadline = time.monotonic() + patience_s
        self.lose()
        while self.look() is Found.RUNS:
            if time.monotonic() > deadline and (shim := self.shim()):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(shim, signal.SIGKILL)
            time.sleep(_LOOK_S)

    def remove(self) -> None:
        """End the container, and forget how it ended."""
        self.end()
        shutil.rmtree(self.path, ignore_errors=True)

    def kill_rest(self) -> None:
        """SIGKILL to what is left of the container when its shim did not end it: nothing, unless that was killed."""
        marks.kill_marked(self.mark)

    @property
    def _lock(self) -> Path:
        return self.path / "lock"

    def _is_lock(self, handle: int) -> bool:
        try:
            return os.path.samestat(os.fstat(handle), self._lock.stat())
        except FileNotFoundError:
            return False


def folder_of(state_dir: Path, container_id: str) -> Folder:
    """Where a container of a state directory is, or would be."""
    return Folder(state_dir / ROOT / container_id)


def all_of(state_dir: Path) -> list[Folder]:
    """Every container that a cloud of this state directory has left, or runs."""
    root = state_dir / ROOT
    return [Folder(path) for path in sorted(root.iterdir())] if root.is_dir() else []


def end_all(state_dir: Path) -> list[str]:
    """End all that run, or might begin to, at once; the ids of those that ran. Known ends are kept."""
    there = all_of(state_dir)
    ran = [folder for folder in there if folder.lose()]
    for folder in there:
        folder.end()
    return [folder.container_id for folder in ran]


def remove_others(state_dir: Path, kept: Collection[str]) -> None:
    """End and forget all but those with these ids."""
    others = [folder for folder in all_of(state_dir) if folder.container_id not in kept]
    for folder in others:
        folder.lose()
    for folder in others:
        folder.remove()


def _write(path: Path, text: str) -> None:
    draft = path.with_suffix(".draft")
    draft.write_text(text)
    draft.replace(path)
