"""The process: it ends with its parent and leaves nothing behind, and its log is its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from local_cloud import server, settings, state_directory

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
    (tmp_path / "cloud.log").write_text("of an earlier cloud\n")
    with (tmp_path / "cloud.log").open("ab") as log:
        cloud = subprocess.Popen(
            [*command, "--parent-pid", str(parent.pid)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=log,
            stderr=log,
        )
    ready = tmp_path / "cloud.json"
    wait_for(ready, there=True)
    with (tmp_path / "cloud.log").open("ab") as log:
        second = subprocess.run(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, stderr=log)
    assert second.returncode == 1
    written = (tmp_path / "cloud.log").read_text()
    assert f"held by a running embedded cloud (process {cloud.pid})" in written
    assert "ready on" in written, "the second one left the first one's log alone"
    assert "earlier" not in written
    said = json.loads(ready.read_text())
    assert said["pid"] == cloud.pid
    assert said["endpoint"] == f"http://127.0.0.1:{said['port']}"
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert cloud.wait(timeout=LIMIT_S) == 0
    assert not ready.exists()


def test_nobody_is_served_before_what_was_under_way_goes_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    done: list[str] = []
    served = threading.Event()
    services: Any = [
        SimpleNamespace(start=lambda _: done.append("start"), resume=lambda: done.append("resume")),
        SimpleNamespace(resume=lambda: done.append("resume"), settle=lambda: done.append("settle")),
    ]
    monkeypatch.setattr(server, "SERVICES", services)
    monkeypatch.setattr(server.commits, "start", lambda: done.append("commit"))

    def serve_forever() -> None:
        done.append("serve")
        served.set()

    port: Any = SimpleNamespace(serve_forever=serve_forever)
    server._begin(settings.CloudSettings(state_dir=tmp_path, project_dir=tmp_path, port=1), port)
    assert served.wait(LIMIT_S)
    assert done == ["start", "commit", "resume", "resume", "serve", "settle"]


@pytest.mark.parametrize("written", ["", "half a line"])
def test_a_port_that_was_not_written_whole_is_any(tmp_path: Path, written: str) -> None:
    (tmp_path / state_directory.PORT_FILE).write_text(written)
    assert state_directory.earlier_port(tmp_path) == 0
