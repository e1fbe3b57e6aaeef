from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from cli.embedded import process_tree
from cli.embedded.process_tree import Process

# A child in a session of its own, as the embedded cloud starts its jobs; it tells its id and waits for ever.
PARENT = (
    "import subprocess, sys\n"
    "child = subprocess.Popen([sys.executable, '-c', 'input()'], stdin=subprocess.PIPE, start_new_session=True)\n"
    "print(child.pid, flush=True)\n"
    "input()\n"
)


@pytest.fixture
def parent() -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen([sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with process:
        yield process
        process.kill()


def test_children_in_other_sessions_are_found_and_killed(parent: subprocess.Popen[str]) -> None:
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    below = process_tree.descendants(parent.pid)
    assert child in {process.pid for process in below}

    process_tree.kill_left(below)
    parent.communicate("")  # the parent goes on, ends, and with it the zombie of its child
    assert not process_tree.lives(child)


def test_a_pid_that_another_process_took_is_left_alone(parent: subprocess.Popen[str]) -> None:
    process_tree.kill_left({Process(parent.pid, "another start time")})
    assert parent.poll() is None


def test_a_zombie_does_not_live() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert not process_tree.lives(process.pid)
    process.wait()


def test_this_process_lives() -> None:
    assert process_tree.lives(os.getpid())
