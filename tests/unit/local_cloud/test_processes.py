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
import os, signal, threading, time
from pathlib import Path
from local_cloud import processes

processes.guard()
def start(command):
    environment = {**processes.base_environment(), "HOSTNAME": "marked-by-this-test"}
    return processes.start(
        command, cwd=Path.cwd(), env=environment, stdout=None, mark="HOSTNAME=marked-by-this-test"
    )

ended = start(["true"])
ended.wait()
processes.forget(ended)
# From a thread that is gone by then, and with a child of its own, and one that leads a session of its own.
command = "sleep 30 & setsid sh -c 'touch started; exec sleep 30' & sleep 30"
thread = threading.Thread(target=start, args=(["sh", "-c", command],))
thread.start()
thread.join()
while not Path("started").exists():
    time.sleep(0.01)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_cloud_leaves_no_process(tmp_path: Path) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
    )
    assert parent.wait(timeout=30) == -signal.SIGKILL
    # What it started has inherited its output, which ends when the last of them has.
    parent.communicate(timeout=LIMIT_S)
