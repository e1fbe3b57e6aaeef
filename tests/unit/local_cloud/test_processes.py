"""A killed cloud takes its processes with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
LIMIT_S = 3
PARENT = """
import os, signal, threading
from pathlib import Path
from local_cloud import processes

processes.guard()
def start(command):
    return processes.start(command, cwd=Path("/"), env=processes.base_environment(), stdout=None)

ended = start(["true"])
ended.wait()
processes.forget(ended)
# From a thread that is gone by then, and with a child of its own.
thread = threading.Thread(target=start, args=(["sh", "-c", "sleep 30 & sleep 30"],))
thread.start()
thread.join()
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_cloud_leaves_no_process() -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT], env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE
    )
    assert parent.wait(timeout=30) == -signal.SIGKILL
    # What it started has inherited its output, which ends when the last of them has.
    parent.communicate(timeout=LIMIT_S)
