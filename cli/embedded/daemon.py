"""The embedded cloud's process: started detached, waited for, and stopped with all it started."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cli import exit_codes, interrupts
from cli.embedded import process_tree, state
from cli.embedded.state import RunningCloud
from cli.errors import CommandError
from local_cloud.containers import folder

PROJECT_DIR = Path(__file__).resolve().parents[2]
LOCK_FILE = "lock"
READY_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 15.0
_POLL_S = 0.05
_LOG_TAIL_LINES = 20
_PROXY_VARIABLES = {"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"}


def require_free(port: int) -> None:
    """Raises: CommandError if the port cannot be bound."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError as error:
            raise CommandError(
                f"port {port} is taken ({error.strerror})",
                place="127.0.0.1",
                next_step="choose another with --port, or leave --port out to take a free one",
                exit_code=exit_codes.NO_CLOUD,
            ) from error


def start(
    state_dir: Path,
    port: int,
    *,
    parent_pid: int | None = None,
    fresh: bool = False,
    chaos: str | None = None,
    strict: bool = False,
    vcpus: int | None = None,
    project_dir: Path = PROJECT_DIR,
) -> subprocess.Popen[bytes]:
    """Start the daemon in a session of its own, writing to a file, so that a captured `up` returns.

    `port` 0 is that of the last cloud here, or any. `parent_pid`: the cloud stops by itself when this process is gone.
    `fresh`: what an earlier cloud of the directory knew is removed. `chaos`: the faults to inject. `strict`: IAM
    decides what roles may do. `vcpus`: what jobs may use together, if not all of the machine.
    """
    state.make_folder(state_dir)
    command = [
        sys.executable,
        "-m",
        "local_cloud",
        "--state-dir",
        str(state_dir.resolve()),
        "--port",
        str(port),
    ]
    command += ["--project-dir", str(project_dir)]
    if parent_pid is not None:
        command += ["--parent-pid", str(parent_pid)]
    if fresh:
        command.append("--fresh")
    if chaos is not None:
        command += ["--chaos", chaos]
    if strict:
        command.append("--strict")
    if vcpus is not None:
        command += ["--vcpus", str(vcpus)]
    # Appended: the directory may be held by a running cloud, whose log this is. One that gets it empties the log.
    with (state_dir / state.LOG_FILE).open("ab") as log:
        return subprocess.Popen(
            command,
            cwd=project_dir,
            env=_daemon_environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def start_ready(
    state_dir: Path,
    port: int,
    *,
    parent_pid: int | None,
    fresh: bool = False,
    chaos: str | None = None,
    strict: bool = False,
    vcpus: int | None = None,
) -> tuple[subprocess.Popen[bytes], RunningCloud]:
    """Start the daemon and wait until it is ready; interrupted or failed before that, no daemon stays.

    Raises: CommandError if it does not start.
    """
    process = None
    try:
        with interrupts.held():  # an interrupt between the fork and the assignment would lose the process
            process = start(
                state_dir, port, parent_pid=parent_pid, fresh=fresh, chaos=chaos, strict=strict, vcpus=vcpus
            )
        return process, wait_ready(process, state_dir)
    except BaseException:
        if process is not None:
            end_child(process)
        raise


def end_child(process: subprocess.Popen[bytes]) -> None:
    """End a daemon that this process started."""
    end(process.pid, lambda: process.poll() is not None)


def wait_ready(process: subprocess.Popen[bytes], state_dir: Path, timeout_s: float = READY_TIMEOUT_S) -> RunningCloud:
    """Wait for the state file of this very process.

    Raises: CommandError with the log's last lines if it ended or was not ready in time.
    """
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        code = process.poll()
        if code is not None:
            raise _not_started(f"the embedded cloud ended with code {code} before it was ready", state_dir)
        cloud = state.read(state_dir)
        if cloud is not None and cloud.pid == process.pid:
            return cloud
        time.sleep(_POLL_S)
    end_child(process)
    raise _not_started(f"the embedded cloud was not ready after {timeout_s:.0f} s", state_dir)


@contextmanager
def death_told(cloud: RunningCloud) -> Iterator[None]:
    """An error in the block, when the cloud's process is gone, is told as the cloud's death.

    Raises: CommandError with the last lines of the cloud's log.
    """
    try:
        yield
    except Exception as error:
        if process_tree.lives(cloud.pid):
            raise
        tail = log_tail(cloud.state_dir)
        raise CommandError(
            f"the embedded cloud died (process {cloud.pid}); its last words:\n{tail or '(it wrote nothing)'}",
            place=str(cloud.state_dir / state.LOG_FILE),
            next_step="mend what the log names, then start again; a killed process says nothing (memory?)",
            exit_code=exit_codes.NO_CLOUD,
        ) from error


def stop(cloud: RunningCloud) -> None:
    """Stop a running cloud and every process below it, and remove the state file if it is left."""
    end(cloud.pid, lambda: not process_tree.lives(cloud.pid))
    end_containers(cloud.state_dir)
    (cloud.state_dir / state.STATE_FILE).unlink(missing_ok=True)


def end(pid: int, ended: Callable[[], bool], timeout_s: float = STOP_TIMEOUT_S) -> None:
    """Ask a daemon to stop; when it does not in time, kill it and what it started.

    The processes below it are noted before: once it is gone they cannot be found any more.
    """
    below = process_tree.descendants(pid)
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + timeout_s
    while not ended() and time.monotonic() < deadline:
        time.sleep(_POLL_S)
    if not ended():
        below |= process_tree.descendants(pid)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process_tree.kill_left(below)


def end_containers(state_dir: Path) -> list[str]:
    """End the containers that a dead cloud has left, as if their hosts were gone; their ids.

    Not below a cloud that lives, or starts: what runs there is its own.
    """
    try:
        with (state_dir / LOCK_FILE).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return folder.end_all(state_dir)
    except (FileNotFoundError, BlockingIOError):
        return []


def log_tail(state_dir: Path, lines: int = _LOG_TAIL_LINES) -> str:
    """The last lines that the daemon wrote, or "" without a log."""
    try:
        text = (state_dir / state.LOG_FILE).read_text(errors="replace")
    except FileNotFoundError:
        return ""
    return "\n".join(text.splitlines()[-lines:])


def _not_started(cause: str, state_dir: Path) -> CommandError:
    tail = log_tail(state_dir)
    return CommandError(
        f"{cause}; its last words:\n{tail}" if tail else f"{cause}; it wrote nothing",
        place=str(state_dir / state.LOG_FILE),
        next_step="mend what the log names, then start again",
        exit_code=exit_codes.NO_CLOUD,
    )


def _daemon_environment() -> dict[str, str]:
    """The caller's environment without its AWS variables, its proxies and Python's switches.

    The cloud's own processes must neither find the caller's account, nor send what is for 127.0.0.1 to a proxy,
    nor miss their `.pyc` files.
    """
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AWS_", "PYTHON")) and name.upper() not in _PROXY_VARIABLES
    }
