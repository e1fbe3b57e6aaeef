"""Whoever presses Ctrl-C gets the machine back as it was."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.scenarios.conftest import ROOT
from tests.scenarios.live_cloud import wait_for

pytestmark = pytest.mark.xdist_group("interrupt")


def _of_demo(state_dir: Path, mark: str = "") -> list[psutil.Process]:
    """Every process that works in the demo's folder: the daemon, functions, jobs; only those with `mark` in what
    they were started with."""
    found = []
    for process in psutil.process_iter():
        try:
            seen = f"{process.cmdline()} {process.cwd()} {process.environ()}"
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
        if str(state_dir) in seen and mark in seen and process.pid != os.getpid():
            found.append(process)
    return found


@pytest.mark.parametrize(("number", "exit_code"), [(signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)])
def test_a_demo_that_is_interrupted_while_jobs_train_leaves_no_process(
    tmp_path: Path, number: signal.Signals, exit_code: int
) -> None:
    state_dir = tmp_path / "state"
    demo = subprocess.Popen(
        [sys.executable, "-m", "cli", "demo", "--json", "--state-dir", str(state_dir), "--report", str(tmp_path / "r")],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'layers/core'}"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(lambda: _of_demo(state_dir, "TURBINE_RUN_SPEC") or None, "a training job", 150)
        demo.send_signal(number)
        assert demo.wait(30) == exit_code
        wait_for(lambda: True if not _of_demo(state_dir) else None, "the end of all its processes", 30)
    finally:
        for process in [demo, *_of_demo(state_dir)]:
            process.kill()
        demo.wait()
