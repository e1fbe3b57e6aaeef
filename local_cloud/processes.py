"""Every subprocess the embedded cloud starts, each in its own process group, so that a stop leaves none.

A container's processes may leave that group (torch's workers lead sessions of their own): they are known by a mark in
their environment. A stop that this process cannot see (SIGKILL) is the watchdog's: see `guard`.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from local_cloud import marks

_LOG = logging.getLogger(__name__)
_live: dict[subprocess.Popen[Any], str] = {}
_lock = threading.Lock()
_closed = False
_starting = 0
_none_starts = threading.Condition(_lock)
_watchdog: subprocess.Popen[bytes] | None = None
_LONGEST_START_S = 10.0


def guard(containers_in: Path | None = None) -> None:
    """Have every process that is started from now on killed when this one ends, even by SIGKILL.

    `containers_in`: a state directory whose containers are to end then too.
    """
    global _watchdog
    _watchdog = subprocess.Popen(
        small_program("watchdog", "*sys.argv[2:]", *([str(containers_in)] if containers_in else [])),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        bufsize=0,
    )


def small_program(module: str, call: str, *arguments: str) -> list[str]:
    """The command that calls `main` of a module of this package with the standard library only: quick to start."""
    program = f"import sys; sys.path.insert(0, sys.argv[1]); import local_cloud.{module} as it; it.main({call})"
    return [sys.executable, "-I", "-S", "-c", program, str(Path(__file__).parents[1]), *arguments]


def _tell_watchdog(line: str) -> None:
    if _watchdog is None or _watchdog.stdin is None:
        return
    try:
        _watchdog.stdin.write(line.encode())
    except BrokenPipeError:
        _LOG.warning("the watchdog is gone: if this cloud is killed now, its processes live on")


class CloudStoppingError(RuntimeError):
    """A process was asked for while the cloud is stopping."""


@contextlib.contextmanager
def starting() -> Iterator[None]:
    """While a process is started by other means: `stop_all` waits for the block, and lets none begin after it.

    Raises: CloudStoppingError once `stop_all` ran.
    """
    global _starting
    with _lock:
        if _closed:
            raise CloudStoppingError("the embedded cloud is stopping")
        _starting += 1
    try:
        yield
    finally:
        with _lock:
            _starting -= 1
            _none_starts.notify_all()


def start(
    command: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    stdin: int | IO[Any] | None = subprocess.DEVNULL,
    stdout: int | IO[Any] | None = subprocess.PIPE,
    stderr: int | IO[Any] | None = subprocess.STDOUT,
    pass_fds: Sequence[int] = (),
    mark: str = "",
) -> subprocess.Popen[bytes]:
    """Start `command` as the leader of its own process group and remember it until `forget`.

    `mark` is a variable of `env`, as NAME=value, that no other container's processes have: they all end with it.
    Raises: CloudStoppingError once `stop_all` ran; OSError as subprocess does.
    """
    with _lock:
        if _closed:
            raise CloudStoppingError("the embedded cloud is stopping")
        process = subprocess.Popen(
            list(command),
            cwd=cwd,
            env=dict(env),
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            pass_fds=tuple(pass_fds),
            start_new_session=True,
        )
        _live[process] = mark
        _tell_watchdog(f"+{process.pid} {mark}\n")
    return process


def forget(process: subprocess.Popen[bytes]) -> None:
    """Drop a process that has ended, after killing what it left behind."""
    kill(process)
    with _lock:
        _live.pop(process, None)
        _tell_watchdog(f"-{process.pid}\n")


def signal_group(process: subprocess.Popen[bytes], number: int) -> None:
    """Send a signal to a process and all its children; nothing if they are gone."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def kill(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL to a process, its group, and all that has its mark."""
    signal_group(process, signal.SIGKILL)
    if mark := _live.get(process):
        marks.kill_marked(mark)


def stop_all() -> None:
    """Kill every live process with its group and mark, and refuse new ones."""
    global _closed
    with _lock:
        _closed = True
        _none_starts.wait_for(lambda: _starting == 0, _LONGEST_START_S)
        processes = list(_live)
    for process in processes:
        kill(process)


def base_environment() -> dict[str, str]:
    """What a container would have of its own: a PATH with this interpreter first and a locale. No more."""
    return {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}/usr/local/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
    }
