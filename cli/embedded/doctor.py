"""What could keep an embedded cloud from starting, running or staying private, one finding a check. Changes nothing."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cli.embedded import daemon, process_tree, state
from cli.embedded.state import RunningCloud
from cli.errors import CommandError
from local_cloud import credentials
from local_cloud.containers import folder

OK, WARN, FAIL = "ok", "warn", "fail"
_PYTHONS = ((3, 11), (3, 13))
_LITTLE_BYTES, _TOO_LITTLE_BYTES = 2 * 2**30, 200 * 2**20
_INSPECTION_LIMIT_S = 60
_PROC = Path("/proc")


@dataclass(frozen=True)
class Finding:
    """The outcome of one check; `next` is the command that mends it."""

    check: str
    status: str
    detail: str
    next: str | None = None

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def examine(state_dir: Path, port: int | None = None) -> list[Finding]:
    """Every check of a state directory, and of the port that a cloud there has or shall have."""
    cloud, stale = _cloud(state_dir)
    return [
        _python(sys.version_info[:2]),
        *_moto(),
        _directory(state_dir),
        _lock(state_dir, cloud),
        stale or _running(cloud, state_dir),
        _port(cloud, port),
        _credentials(state_dir),
        _disk(state_dir, shutil.disk_usage),
        _clock(state_dir, time.time()),
        _containers(state_dir),
        _leftovers(state_dir, cloud),
    ]


def _suffix(state_dir: Path) -> str:
    return "" if state_dir == state.DEFAULT_STATE_DIR else f" --state-dir {state_dir}"


def _cloud(state_dir: Path) -> tuple[RunningCloud | None, Finding | None]:
    """The cloud of the state file, and a finding if that cannot be read."""
    try:
        return state.read(state_dir), None
    except CommandError as error:
        return None, Finding("cloud", FAIL, error.cause, error.next_step)


def _python(version: tuple[int, ...]) -> Finding:
    told = ".".join(map(str, version))
    if _PYTHONS[0] <= version <= _PYTHONS[1]:
        return Finding("python", OK, told)
    return Finding("python", FAIL, f"{told}, but Turbine needs 3.11 to 3.13", "make setup PYTHON=python3.13")


def _moto() -> Iterator[Finding]:
    """moto's version against the pinned one, and its symbols against those that are replaced."""
    try:
        done = subprocess.run(
            [sys.executable, "-m", "local_cloud.inspection"],
            cwd=daemon.PROJECT_DIR,
            env={**os.environ, "PYTHONPATH": str(daemon.PROJECT_DIR)},
            capture_output=True,
            text=True,
            timeout=_INSPECTION_LIMIT_S,
            check=True,
        )
        found = json.loads(done.stdout)
    except (subprocess.SubprocessError, ValueError) as error:
        told = (getattr(error, "stderr", "") or str(error)).strip().splitlines()[-1:]
        yield Finding("moto", FAIL, f"the embedded cloud cannot be imported: {' '.join(told)}", "make setup")
        return
    pinned = _pinned("moto")
    if found["moto"] == pinned:
        yield Finding("moto", OK, f"{pinned}, as requirements.lock pins it")
    else:
        detail = f"{found['moto']} is installed, requirements.lock pins {pinned}"
        yield Finding("moto", WARN, detail, "make clean setup")
    if found["missing"]:
        yield Finding("replacements", FAIL, f"moto does not have {', '.join(found['missing'])}", "make clean setup")
    else:
        yield Finding("replacements", OK, f"moto has all {found['replaced']} symbols that are replaced")


def _pinned(package: str) -> str | None:
    lock = (daemon.PROJECT_DIR / "requirements.lock").read_text()
    match = re.search(rf"^{package}==(\S+)", lock, re.MULTILINE)
    return match[1] if match else None


def _directory(state_dir: Path) -> Finding:
    name = "state directory"
    if not state_dir.exists():
        parent = next(one for one in (state_dir.absolute(), *state_dir.absolute().parents) if one.exists())
        if parent.is_dir() and os.access(parent, os.W_OK | os.X_OK):
            return Finding(name, OK, f"{state_dir} is not there yet, and can be made")
        return Finding(name, FAIL, f"{state_dir} cannot be made in {parent}", "name another with --state-dir")
    if not state_dir.is_dir() or not os.access(state_dir, os.R_OK | os.W_OK | os.X_OK):
        return Finding(name, FAIL, f"{state_dir} is no folder that you may write to", "name another with --state-dir")
    found = state_dir.stat()
    if found.st_uid != os.geteuid():
        return Finding(name, FAIL, f"{state_dir} is another user's", "name another with --state-dir")
    if stat.S_IMODE(found.st_mode) & 0o077:
        return Finding(name, WARN, f"other users may look into {state_dir}", f"chmod 700 {state_dir}")
    return Finding(name, OK, f"{state_dir} is yours alone and writable")


def _lock(state_dir: Path, cloud: RunningCloud | None) -> Finding:
    """A lock that is held without a cloud that answers is one that is starting, stopping or stuck."""
    try:
        with (state_dir / "lock").open() as lock:
            holder = lock.read().strip()
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return Finding("lock", OK, "nobody holds the state directory")
    except BlockingIOError:
        if cloud is not None and cloud.answers():
            return Finding("lock", OK, f"held by the running cloud (process {holder})")
        detail = f"held by process {holder}, which does not answer: it is starting, stopping or stuck"
        return Finding("lock", FAIL, detail, f"wait a minute, then `kill {holder}`")
    except OSError as error:
        return Finding("lock", FAIL, f"cannot be read: {error.strerror}", "name another with --state-dir")
    return Finding("lock", OK, "nobody holds the state directory")


def _running(cloud: RunningCloud | None, state_dir: Path) -> Finding:
    up = f"turbine local up{_suffix(state_dir)}"
    if cloud is None:
        return Finding("cloud", OK, "not running", up)
    if cloud.answers():
        return Finding("cloud", OK, f"running on {cloud.endpoint} (process {cloud.pid})")
    return Finding("cloud", WARN, f"it died (process {cloud.pid}); {state.LOG_FILE} has its last words", up)


def _port(cloud: RunningCloud | None, wanted: int | None) -> Finding:
    if cloud is not None and cloud.answers() and wanted in (None, cloud.port):
        return Finding("port", OK, f"{cloud.port} is the cloud's")
    if wanted is None:
        return Finding("port", OK, "a free one will be taken")
    try:
        daemon.require_free(wanted)
    except CommandError as error:
        return Finding("port", FAIL, error.cause, error.next_step)
    return Finding("port", OK, f"{wanted} is free")


def _credentials(state_dir: Path) -> Finding:
    path = state_dir / credentials.FILE
    try:
        found = path.lstat()
    except OSError:
        return Finding("credentials", OK, "made at the first start")
    if found.st_uid != os.geteuid() or not stat.S_ISREG(found.st_mode):
        return Finding("credentials", FAIL, f"{path} is not a file of yours", f"rm {path}, then start again")
    for one in (path, state_dir / state.STATE_FILE):
        if one.exists() and stat.S_IMODE(one.stat().st_mode) & 0o077:
            mend = f"rm {path}, then start again: who read the keys can run code here"
            return Finding("credentials", FAIL, f"other users can read {one}", mend)
    try:
        credentials.read(state_dir)
    except (credentials.CredentialsError, OSError) as error:
        return Finding("credentials", FAIL, str(error), f"rm {path}, then start again")
    return Finding("credentials", OK, "only you can read them")


def _disk(state_dir: Path, usage: Callable[[Path], Any]) -> Finding:
    place = next(one for one in (state_dir.absolute(), *state_dir.absolute().parents) if one.exists())
    free = usage(place).free
    told = f"{free / 2**30:.1f} GiB free at {place}"
    if free >= _LITTLE_BYTES:
        return Finding("disk", OK, told)
    return Finding("disk", FAIL if free < _TOO_LITTLE_BYTES else WARN, told, f"du -sh {place}/* shows what fills it")


def _clock(state_dir: Path, now: float) -> Finding:
    """A clock that ran backwards makes signatures invalid and schedules fire twice."""
    times = [path.stat().st_mtime for path in state_dir.glob("*") if path.is_file()]
    ahead_s = max(times, default=now) - now
    if ahead_s > 60:
        detail = f"{ahead_s / 60:.0f} minutes behind a file in the state directory: it was set back"
        return Finding("clock", WARN, detail, "timedatectl shows whether it is synchronised")
    return Finding("clock", OK, "not behind what was written here")


def _containers(state_dir: Path) -> Finding:
    """Containers of jobs that go on without a cloud."""
    running = _running_alone(state_dir)
    if not running:
        return Finding("containers", OK, "none runs without a cloud")
    told = ", ".join(f"{one.container_id} (process {one.pid()}, shim {one.shim()})" for one in running)
    up, down = f"turbine local up{_suffix(state_dir)}", f"turbine local down{_suffix(state_dir)}"
    detail = f"jobs go on without a cloud: {told}"
    return Finding("containers", WARN, detail, f"{up} (follows them) or {down} (ends them)")


def _running_alone(state_dir: Path) -> list[folder.Folder]:
    """Not asked below a cloud that holds the directory: asking could come in the way of a container that begins."""
    try:
        with (state_dir / daemon.LOCK_FILE).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return [one for one in folder.all_of(state_dir) if one.shim() is not None]
    except (OSError, BlockingIOError):
        return []


def _leftovers(state_dir: Path, cloud: RunningCloud | None) -> Finding:
    """Processes that a dead cloud started. Each has its HOME in the state directory."""
    if not _PROC.is_dir():
        return Finding("processes", OK, "not looked for: this system has no /proc")
    if cloud is not None and process_tree.lives(cloud.pid):
        return Finding("processes", OK, "those below the running cloud are its own")
    of_jobs = {one.mark.encode() for one in _running_alone(state_dir)}
    pids = sorted(_with_home_in(state_dir.resolve(), of_jobs))
    if not pids:
        return Finding("processes", OK, "none is left of an earlier cloud")
    told = " ".join(map(str, pids))
    return Finding("processes", WARN, f"left of a dead cloud: {told}", f"kill -9 {told}")


def _with_home_in(place: Path, but: Collection[bytes]) -> set[int]:
    """Processes with their HOME below a place, without those that have one of these variables."""
    begin, found = f"HOME={place}/".encode(), set()
    for entry in _PROC.iterdir():
        if entry.name.isdigit():
            try:
                variables = (entry / "environ").read_bytes().split(b"\0")
            except OSError:  # it has ended, or is another user's
                continue
            if any(one.startswith(begin) for one in variables) and not any(one in but for one in variables):
                found.add(int(entry.name))
    return found
