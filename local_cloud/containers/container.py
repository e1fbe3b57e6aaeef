"""The cloud's end of a container: start one, find one that an earlier cloud started, stop it, learn how it ended."""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import socket
import subprocess
import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from local_cloud import crash_points, processes, settings
from local_cloud.containers import folder as folders
from local_cloud.containers.exits import EXITS
from local_cloud.containers.folder import HOST_GONE, OUT_OF_MEMORY, Exit, Folder, Found, NoShimError
from local_cloud.containers.shim import Spec

_LOG = logging.getLogger(__name__)


@dataclass
class Container:
    """One container that was started, and may have ended since. `line` leads to its shim, None once that is gone."""

    folder: Folder
    line: int | None

    @property
    def pid(self) -> int | None:
        """Its first process."""
        return self.folder.pid()

    def watch(self, ended: Callable[[], None]) -> None:
        """Have `ended` called, in another thread, once the container has ended; at once if it has."""
        if self.line is None:
            ended()
        else:
            EXITS.watch(self.line, self.folder.await_end, ended)

    def is_running(self) -> bool:
        return self.line is not None and self.folder.shim() is not None

    def stop(self, grace_s: float) -> None:
        """SIGTERM to its first process, and SIGKILL to all when the grace is over; the first call counts."""
        self._tell(f"stop {grace_s}\n")

    def lose(self) -> None:
        """End it as one whose host is gone: at once, and without an exit code."""
        self.folder.note(HOST_GONE)
        self._tell("lose\n")

    def exit(self) -> Exit | None:
        """How it ended; None when its shim was ended before it could say, and nothing of it runs any more."""
        end = self.folder.exit()
        if end is None:
            self.folder.kill_rest()
            if self.folder.error.exists():
                _LOG.error("the shim of container %s: %s", self.folder.container_id, self.folder.error.read_text())
        return end

    def note_out_of_memory(self) -> None:
        """Before a process of it is killed for too much memory."""
        self.folder.note(OUT_OF_MEMORY)

    def end(self) -> None:
        """Return once nothing of it runs: what still does goes as with its host. Its shim is not spoken to again."""
        self.folder.end()
        if self.line is not None:
            os.close(self.line)
            self.line = None

    def _tell(self, what: str) -> None:
        if self.line is not None:
            with contextlib.suppress(BrokenPipeError, BlockingIOError):  # it is gone; it hangs, and was told before
                os.write(self.line, what.encode())


class _ForkServer:
    """The process that makes shims; another one when it was killed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None

    def begin(self) -> None:
        with self._lock:
            self._begin()

    def ask(self, specification: int, report: int) -> None:
        """Have a shim made that reads one handle and reports by the other. Raises: OSError."""
        with self._lock:
            if self._process is None or self._process.poll() is not None:
                self._begin()
            assert self._socket is not None
            try:
                socket.send_fds(self._socket, [b"+"], [specification, report])
            except BrokenPipeError:
                self._begin()
                socket.send_fds(self._socket, [b"+"], [specification, report])

    def _begin(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self._socket, its = socket.socketpair()
        # It does nothing with the state directory: who looks at the processes sees whose its shims are.
        command = processes.small_program("containers.fork_server", "", str(settings.current().state_dir))
        self._process = subprocess.Popen(
            command,
            stdin=its.fileno(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,
        )
        its.close()

    def end(self) -> None:
        """It ends with its socket."""
        with self._lock:
            if self._socket is not None:
                self._socket.close()
            if self._process is not None:
                self._process.wait()
            self._socket = self._process = None


_FORK_SERVER = _ForkServer()
atexit.register(_FORK_SERVER.end)


def prepare() -> None:
    """Start what makes shims, so that the first container need not wait for it."""
    _FORK_SERVER.begin()


def start(container_id: str, command: list[str], cwd: Path, environment: dict[str, str], **more: object) -> Container:
    """Start a container whose id is recorded already: whatever ends this cloud from here on, it is found or never runs.

    `environment` names the container as HOSTNAME. `more` is the rest of a `Spec`.
    Raises: OSError when its process cannot be started; CloudStoppingError.
    """
    folder = _folder(container_id)
    if f"HOSTNAME={environment.get('HOSTNAME')}" != folder.mark:
        raise ValueError("a container's processes are known by its id as their HOSTNAME")
    with processes.starting():
        crash_points.arrive("container-recorded")
        folder.make()
        crash_points.arrive("container-made")
        spec = Spec(str(folder.path), command, str(cwd), environment, **more)  # type: ignore[arg-type]
        _make_shim(spec)
    crash_points.arrive("container-started")
    end = folder.exit()
    if end is not None and end.problem:
        folder.await_end()  # its shim has said so, and may have an instruction or two left
        raise OSError(end.problem)
    return _at(folder)


def look(container_id: str) -> Found:
    """What is known of a container that an earlier cloud recorded. One that is lost is ended for good."""
    return _folder(container_id).look()


def again(container_id: str) -> Container:
    """A container that was found, running or ended."""
    return _at(_folder(container_id))


def forget(container_id: str) -> None:
    """What became of it is recorded: its files may go."""
    _folder(container_id).remove()


def end_all() -> None:
    """End all that run, as with their hosts. Those whose end nobody has recorded yet keep it for the next cloud."""
    folders.end_all(settings.current().state_dir)


def remove_others(kept: Collection[str]) -> None:
    """End and forget all but those with these ids."""
    folders.remove_others(settings.current().state_dir, kept)


def _folder(container_id: str) -> Folder:
    return folders.folder_of(settings.current().state_dir, container_id)


def _at(folder: Folder) -> Container:
    try:
        return Container(folder, folder.line())
    except NoShimError:
        folder.await_end()
        return Container(folder, None)


def _make_shim(spec: Spec) -> None:
    """Return once the container has begun, or never will."""
    reads, gives = os.pipe()
    hears, reports = os.pipe()
    try:
        _FORK_SERVER.ask(reads, reports)
    except OSError:
        os.close(gives)
        os.close(hears)
        raise
    finally:
        os.close(reads)
        os.close(reports)
    crash_points.arrive("shim-asked-for")
    with open(hears, "rb") as heard:  # noqa: PTH123  a handle
        with contextlib.suppress(BrokenPipeError), open(gives, "wb") as given:  # noqa: PTH123
            given.write(spec.encoded())
        crash_points.arrive("shim-told")
        heard.read()
