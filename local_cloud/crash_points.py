"""Named points at which this process can be made to die, for tests of what a crash there leaves.

`TURBINE_LOCAL_CRASH_AT` says `<point>:<n>`: SIGKILL at the n-th arrival at that point. Or it says `@<file>`, which
holds that text from the moment on at which a test wants it, and arrivals count from then.
"""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter
from pathlib import Path

VARIABLE = "TURBINE_LOCAL_CRASH_AT"

POINTS = {
    "before-commit": "changes are noted and not written",
    "after-commit": "changes are written, and nobody has been told",
    "task-called": "a Task's call is answered, and the answer is in no history",
    "event-delivered": "a target has an event that still stands in the outbox",
    "resource-made": "a stack's resource exists, and the stack does not know it",
    "resource-deleted": "a stack's resource is gone, and the stack still has it",
    "container-recorded": "a container is in the state, and has no folder",
    "container-made": "a container has its folder, and nobody was asked to run it",
    "shim-asked-for": "a shim is being made, and has not been told to go",
    "shim-told": "a shim may run its container, and nobody knows whether it does",
    "container-started": "a container runs, and the state does not say so",
    "attempt-ended": "a container has ended, and its attempt has not",
    "end-written": "an attempt's end is written, and its container's folder is there",
    "starting": "an earlier cloud's state is being read, and what it left is being taken up",
}

_lock = threading.Lock()
_passed: Counter[str] = Counter()


def arrive(point: str) -> None:
    """Die here if that is wanted. Nothing, and next to no time, without the variable."""
    wanted = os.environ.get(VARIABLE, "")
    if not wanted:
        return
    name, _, number = _in_file(wanted).partition(":")
    if name != point:
        return
    with _lock:
        _passed[point] += 1
        if _passed[point] == int(number):
            os.kill(os.getpid(), signal.SIGKILL)


def _in_file(wanted: str) -> str:
    if not wanted.startswith("@"):
        return wanted
    try:
        return Path(wanted[1:]).read_text()
    except FileNotFoundError:
        return ""
