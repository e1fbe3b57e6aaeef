"""Kills what the embedded cloud started when the cloud itself was killed. A program of its own, standard library only.

It reads `+<process group>` and `-<process group>` lines; the end of its input is the end of the cloud, however it
died. Not PR_SET_PDEATHSIG: that is tied to the thread that forked, reaches no grandchildren, and exists on Linux only.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys


def main() -> None:
    """Follow the lines, then kill every group that is left."""
    groups: set[int] = set()
    for line in sys.stdin:
        change = groups.add if line.startswith("+") else groups.discard
        change(int(line[1:]))
    for group in groups:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    main()
