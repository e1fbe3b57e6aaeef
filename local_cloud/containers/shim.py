"""The process beside a container: it starts the container's first process, and lives a moment longer than that.

It keeps what the cloud would lose by dying: the output, line by line with the time at which each came; the time limit;
the end. It knows nothing of the cloud, and hears from it through a FIFO.

- `stop SECONDS`: SIGTERM to the first process, SIGKILL to all of the container when the seconds are over.
- `lose`: SIGKILL to all of it, and no word about its end, as of a host that is gone. SIGTERM means the same.

When the first process ends, so does the rest of the container, in whatever session: its processes are known by a mark.

Source: https://docs.docker.com/reference/cli/docker/container/stop/ and
https://github.com/containerd/containerd/blob/main/core/runtime/v2/README.md
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import select
import signal
import time
import traceback
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from local_cloud import marks
from local_cloud.containers.folder import Exit, Folder

LONGEST_LINE_BYTES = 262_144 - 26
_CHUNK_BYTES = 64 * 1024
_KILL_AGAIN_S = 1.0
"""A killed process may take its time to go; meanwhile another of the container may have been born."""
_LAST_OUTPUT_S = 5.0
"""How long output is awaited from a container that has ended. Only where marks are not known can any be left."""


@dataclass(frozen=True)
class Spec:
    """What to run. `cores` empty: all of them. `stop_timeout_s` is between SIGTERM and SIGKILL when time is up."""

    folder: str
    command: list[str]
    cwd: str
    environment: dict[str, str]
    cores: list[int]
    timeout_s: float | None
    stop_timeout_s: float

    def encoded(self) -> bytes:
        return json.dumps(asdict(self)).encode()


def run(body: bytes, report: int) -> None:
    """Run a container to its end. `report` is closed as soon as it has begun or has not; the folder says which.

    A body that is not whole comes of a cloud that died over it, and starts nothing.
    """
    try:
        spec = Spec(**json.loads(body))
    except ValueError:
        return
    folder = Folder(Path(spec.folder))
    try:
        control = folder.open_control()
    except FileNotFoundError:
        return  # it was forbidden
    if not folder.claim():
        return
    try:
        Shim(folder, spec, control).run(report)
    except BaseException:
        with contextlib.suppress(OSError):
            folder.error.write_text(traceback.format_exc())
        marks.kill_marked(folder.mark)
        raise


class Lines:
    """Bytes of output as whole lines, each with the time at which it came, in milliseconds; never an earlier one."""

    def __init__(self) -> None:
        self._rest = b""
        self._last_ms = 0

    def feed(self, data: bytes, now_ms: int) -> bytes:
        """The records that `data` completes."""
        whole, end, rest = (self._rest + data).rpartition(b"\n")
        if len(rest) > LONGEST_LINE_BYTES:
            whole, end, rest = whole + end + rest, b"\n", b""
        self._rest = rest
        return self._records(whole, now_ms) if end else b""

    def finish(self, now_ms: int) -> bytes:
        """What came after the last line's end."""
        rest, self._rest = self._rest, b""
        return self._records(rest, now_ms)

    def _records(self, whole: bytes, now_ms: int) -> bytes:
        self._last_ms = max(self._last_ms, now_ms)
        return b"".join(
            b"%d %b\n" % (self._last_ms, line[at : at + LONGEST_LINE_BYTES])
            for raw in whole.split(b"\n")
            if (line := raw.rstrip(b"\r"))
            for at in range(0, len(line), LONGEST_LINE_BYTES)
        )


class Shim:
    """One container from its start to its end."""

    def __init__(self, folder: Folder, spec: Spec, control: int) -> None:
        self._folder, self._spec, self._control = folder, spec, control
        self._file = os.open(folder.output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._lines = Lines()
        self._commands = b""
        self._ends_at: float | None = None
        self._kill_at: float | None = None
        self._timed_out = self._is_lost = False

    def run(self, report: int) -> None:
        """Start, follow, note the end."""
        self._wake = _woken_by(signal.SIGCHLD, signal.SIGTERM, self._told_to_end)
        self._output, writes = os.pipe()
        try:
            self._pid = _start(self._folder, self._spec, writes)
        except OSError as error:
            self._folder.write_exit(Exit(None, problem=str(error)))
            return
        finally:
            os.close(writes)
            os.close(report)
        os.set_blocking(self._output, False)
        if self._spec.timeout_s is not None:
            self._ends_at = time.monotonic() + self._spec.timeout_s
        code = self._follow()
        self._kill()  # the first process is gone, and with it the container: what it started dies too
        self._read_to_the_end()
        if not self._is_lost:
            self._folder.write_exit(Exit(code, self._timed_out))

    def _follow(self) -> int:
        poll = select.poll()
        for handle in (self._output, self._control, self._wake):
            poll.register(handle, select.POLLIN)
        while True:
            for handle, _ in poll.poll(self._pause_ms()):
                if handle == self._output:
                    if not self._read():
                        poll.unregister(self._output)
                elif handle == self._control:
                    self._listen()
                else:
                    os.read(self._wake, 100)
            self._heed_time()
            pid, status = os.waitpid(self._pid, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status)

    def _pause_ms(self) -> float | None:
        due = [at for at in (self._ends_at, self._kill_at) if at is not None]
        return max(0.0, min(due) - time.monotonic()) * 1000 + 1 if due else None

    def _heed_time(self) -> None:
        now = time.monotonic()
        if self._ends_at is not None and now >= self._ends_at:
            self._ends_at, self._timed_out = None, True
            self._stop(self._spec.stop_timeout_s)
        if self._kill_at is not None and now >= self._kill_at:
            self._kill()
            self._kill_at = now + _KILL_AGAIN_S

    def _listen(self) -> None:
        *commands, self._commands = (self._commands + os.read(self._control, 4096)).split(b"\n")
        for command in commands:
            word, _, seconds = command.partition(b" ")
            if word == b"lose":
                self._told_to_end()
            elif word == b"stop":
                self._stop(float(seconds))

    def _stop(self, grace_s: float) -> None:
        """The first stop counts, as for `docker stop`."""
        if self._kill_at is None:
            self._kill_at = time.monotonic() + grace_s
            os.kill(self._pid, signal.SIGTERM)  # it is this process's child, and was not waited for yet

    def _told_to_end(self, *_: Any) -> None:
        self._is_lost = True
        self._kill_at = 0.0

    def _kill(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._pid, signal.SIGKILL)
        marks.kill_marked(self._folder.mark)

    def _read(self) -> bool:
        """Take what there is. False at the end of the output."""
        try:
            data = os.read(self._output, _CHUNK_BYTES)
        except BlockingIOError:
            return True
        if data:
            self._write(self._lines.feed(data, _now_ms()))
        return bool(data)

    def _read_to_the_end(self) -> None:
        deadline = time.monotonic() + _LAST_OUTPUT_S
        while (left_s := deadline - time.monotonic()) > 0:
            if not select.select([self._output], [], [], left_s)[0] or not self._read():
                break
        self._write(self._lines.finish(_now_ms()))

    def _write(self, records: bytes) -> None:
        """A full disk costs lines: the container must not stand still for its log."""
        left = memoryview(records)
        with contextlib.suppress(OSError):
            while left:
                left = left[os.write(self._file, left) :]


def _now_ms() -> int:
    return int(time.time() * 1000)


def _woken_by(child: signal.Signals, asked: signal.Signals, told_to_end: Any) -> int:
    """A pipe that can be read from whenever one of the signals came."""
    reads, writes = os.pipe()
    for handle in (reads, writes):
        os.set_blocking(handle, False)
    signal.set_wakeup_fd(writes, warn_on_full_buffer=False)
    signal.signal(child, lambda *_: None)
    signal.signal(asked, told_to_end)
    return reads


def _start(folder: Folder, spec: Spec, output: int) -> int:
    """The container's first process, in a session of its own. It runs nothing before its id is written.

    Raises: OSError as the kernel gave it to the child.
    """
    goes_on, go_on = os.pipe()
    told, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(go_on)
        os.close(told)
        _become(spec, output, goes_on, tell)
    os.close(goes_on)
    os.close(tell)
    with contextlib.closing(_Handle(go_on)), contextlib.closing(_Handle(told)):
        folder.write_pid(pid)
        os.write(go_on, b"!")
        failure = b"".join(iter(lambda: os.read(told, 4096), b""))
    if failure:
        os.waitpid(pid, 0)
        number, _, name = failure.partition(b" ")
        raise OSError(int(number), os.strerror(int(number)), os.fsdecode(name))
    return pid


@dataclass
class _Handle:
    number: int

    def close(self) -> None:
        os.close(self.number)


def _become(spec: Spec, output: int, goes_on: int, tell: int) -> None:
    """In the child: what the container's process is. Does not return."""
    place = spec.cwd
    try:
        os.setsid()
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGTERM, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for source, target in ((nothing, 0), (output, 1), (output, 2)):
            os.dup2(source, target)
        if spec.cores and hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, spec.cores)
        os.chdir(spec.cwd)
        place = spec.command[0]
        if os.read(goes_on, 1):  # nothing: the shim died, and nobody would know of this process
            os.execvpe(place, spec.command, spec.environment)  # noqa: S606  no shell is the point
    except OSError as error:
        os.write(tell, b"%d %b" % (error.errno or errno.EIO, os.fsencode(place)))
    except ValueError:  # a NUL in it
        os.write(tell, b"%d %b" % (errno.EINVAL, place.encode("utf-8", "replace")))
    finally:
        os._exit(127)
