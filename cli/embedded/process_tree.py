"""The processes below a process: the last resort when the embedded cloud does not stop by itself."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_POLL_S = 0.02


@dataclass(frozen=True)
class Process:
    """A process and when it started, so that a pid taken again by another is not mistaken for it."""

    pid: int
    started: str


def lives(pid: int) -> bool:
    """Whether a process with this id exists and is no zombie (which still answers to signal 0)."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return pid in _table()


def descendants(pid: int) -> set[Process]:
    """Every process below `pid`, children of children included."""
    table = _table()
    found: set[Process] = set()
    frontier = {pid}
    while frontier:
        below = {child for child, (parent, _) in table.items() if parent in frontier}
        frontier = below - {process.pid for process in found}
        found |= {Process(child, table[child][1]) for child in frontier}
    return found


def kill_left(processes: set[Process], timeout_s: float = 5.0) -> None:
    """Kill those of `processes` that still live under the same start time, and wait until they are gone."""
    deadline = time.monotonic() + timeout_s
    while (left := _living(processes)) and time.monotonic() < deadline:
        for process in left:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(process.pid, signal.SIGKILL)
        time.sleep(_POLL_S)


def _living(processes: set[Process]) -> set[Process]:
    table = _table() if processes else {}
    return {one for one in processes if one.pid in table and table[one.pid][1] == one.started}


def _table() -> dict[int, tuple[int, str]]:
    """pid -> (parent's pid, start time)."""
    return _table_from_proc() if _PROC.is_dir() else _table_from_ps()


def _table_from_proc() -> dict[int, tuple[int, str]]:
    """Source: proc(5), /proc/PID/stat: field 3 state, 4 ppid, 22 starttime; zombies are left out."""
    table = {}
    for entry in _PROC.iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                # The second field is the name in parentheses and may hold spaces: cut after the last ")".
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                if fields[0] != "Z":
                    table[int(entry.name)] = (int(fields[1]), fields[19])
    return table


def _table_from_ps() -> dict[int, tuple[int, str]]:
    """macOS and the BSDs have no /proc; `lstart` is a date of five words."""
    listing = subprocess.run(["ps", "-axo", "pid=,ppid=,lstart="], capture_output=True, text=True, check=True)
    rows = (line.split(maxsplit=2) for line in listing.stdout.splitlines())
    return {int(row[0]): (int(row[1]), row[2]) for row in rows}
