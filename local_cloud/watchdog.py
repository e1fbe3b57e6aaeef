"""Kills what the embedded cloud started when the cloud itself was killed. A program of its own, standard library only.

It reads `+<process group> [<mark>]` and `-<process group>` lines; the end of its input is the end of the cloud, however
it died. A mark is an environment variable that the processes of one container share, those in other groups too. Not
PR_SET_PDEATHSIG: that is tied to the thread that forked, reaches no grandchildren, and exists on Linux only.

Containers of jobs outlive a cloud that remembers. Of one that does not, or that somebody owns who may be gone as well,
the watchdog is told the state directory, and ends those too.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from pathlib import Path

from local_cloud import marks
from local_cloud.containers import folder


def main(state_dir: str = "") -> None:
    """Follow the lines, then kill every group and every mark that is left, and the containers of `state_dir`."""
    groups: dict[int, str] = {}
    for line in sys.stdin:
        group, _, mark = line[1:].strip().partition(" ")
        if line.startswith("+"):
            groups[int(group)] = mark
        else:
            groups.pop(int(group), None)
    for number, mark in groups.items():
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(number, signal.SIGKILL)
        if mark:
            marks.kill_marked(mark)
    if state_dir:
        folder.end_all(Path(state_dir))
