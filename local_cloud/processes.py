"""Every subprocess the embedded cloud starts, each in its own process group, so that a stop leaves none.

A stop that this process cannot see (SIGKILL) is the watchdog's: see `guard`.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

_LOG = logging.getLogger(__name__)
_live: set[subprocess.Popen[Any]] = set()
_lock = threading.Lock()
_closed = False
_watchdog: subprocess.Popen[bytes] | None = None


def guard() -> None:
    """Have every process that is started from now on killed when this one ends, even by SIGKILL."""
    global _watchdog
    program = Path(__file__).with_name("watchdog.py")
    _watchdog = subprocess.Popen(
        [sys.executable, "-I", "-S", str(program)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        bufsize=0,
    )


def _tell_watchdog(line: str) -> None:
    if _watchdog is None or _watchdog.stdin is None:
        return
    try:
        _watchdog.stdin.write(line.encode())
    except BrokenPipeError:
        _LOG.warning("the watchdog is gone: if this cloud is killed now, its processes live on")


class CloudStoppingError(RuntimeError):
    """A process was asked for while the cloud is stopping."""


def start(
    command: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    stdin: int | IO[Any] | None = subprocess.DEVNULL,
    stdout: int | IO[Any] | None = subprocess.PIPE,
    stderr: int | IO[Any] | None = subprocess.STDOUT,
    pass_fds: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """Start `command` as the leader of its own process group and remember it until `forget`.

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
        _live.add(process)
        _tell_watchdog(f"+{process.pid}\n")
    return process


def forget(process: subprocess.Popen[bytes]) -> None:
    """Drop a process that has ended, after killing what it left in its group."""
    signal_group(process, signal.SIGKILL)
    with _lock:
        _live.discard(process)
        _tell_watchdog(f"-{process.pid}\n")


def signal_group(process: subprocess.Popen[bytes], number: int) -> None:
    """Send a signal to a process and all its children; nothing if they are gone."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def stop_all() -> None:
    """Kill every live process group and refuse new ones."""
    global _closed
    with _lock:
        _closed = True
        processes = list(_live)
    for process in processes:
        signal_group(process, signal.SIGKILL)


def base_environment() -> dict[str, str]:
    """What a container would have of its own: a PATH with this interpreter first and a locale. No more."""
    return {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}/usr/local/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
    }
