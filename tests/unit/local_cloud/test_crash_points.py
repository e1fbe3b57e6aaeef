"""The process dies where it is told to, and nowhere else."""

from __future__ import annotations

import os
import signal
from collections import Counter
from pathlib import Path

import pytest

from local_cloud import crash_points


@pytest.fixture
def killed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """What would have been killed with what, in the order of the kills."""
    kills: list[tuple[int, int]] = []
    monkeypatch.setattr(crash_points, "_passed", Counter())
    monkeypatch.setattr(crash_points.os, "kill", lambda pid, number: kills.append((pid, number)))
    return kills


def test_at_the_named_arrival(killed: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(crash_points.VARIABLE, "after-commit:2")
    crash_points.arrive("before-commit")
    crash_points.arrive("after-commit")
    assert not killed
    crash_points.arrive("after-commit")
    assert killed == [(os.getpid(), signal.SIGKILL)]


def test_counted_from_when_the_file_is_there(
    killed: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    armed = tmp_path / "crash-at"
    monkeypatch.setenv(crash_points.VARIABLE, f"@{armed}")
    crash_points.arrive("task-called")
    armed.write_text("task-called:1")
    assert not killed
    crash_points.arrive("task-called")
    assert len(killed) == 1


def test_nowhere_without_the_variable(killed: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(crash_points.VARIABLE, raising=False)
    for point in crash_points.POINTS:
        crash_points.arrive(point)
    assert not killed
