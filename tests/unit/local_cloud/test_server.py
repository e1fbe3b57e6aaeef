"""The process: it ends with its parent and leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[3]
LIMIT_S = 60


def wait_for(path: Path, *, there: bool) -> None:
    deadline = time.monotonic() + LIMIT_S
    while path.exists() is not there:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_the_cloud_holds_its_directory_and_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    parent = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
    command = [sys.executable, "-m", "local_cloud", "--state-dir", str(tmp_path), "--project-dir", str(ROOT)]
    with (tmp_path / "cloud.log").open("wb") as log:
        cloud = subprocess.Popen(
            [*command, "--parent-pid", str(parent.pid)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=log,
            stderr=log,
        )
    ready = tmp_path / "cloud.json"
    wait_for(ready, there=True)
    second = subprocess.run(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True)
    assert second.returncode == 1
    assert f"held by a running embedded cloud (process {cloud.pid})" in second.stderr.decode()
    said = json.loads(ready.read_text())
    assert said["pid"] == cloud.pid
    assert said["endpoint"] == f"http://127.0.0.1:{said['port']}"
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert cloud.wait(timeout=LIMIT_S) == 0
    assert not ready.exists()
