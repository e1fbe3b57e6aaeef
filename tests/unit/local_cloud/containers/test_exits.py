"""The end of a shim is told once, and without looking."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from local_cloud.containers import exits
from local_cloud.containers.exits import Exits
from local_cloud.containers.folder import Folder

SHIM = """
import sys
from pathlib import Path
from local_cloud.containers.folder import Folder
folder = Folder(Path(sys.argv[1]))
control = folder.open_control()
assert folder.claim()
print("claimed", flush=True)
input()
"""


@pytest.fixture(params=[True, False], ids=["one thread", "threads"])
def watcher(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Exits:
    monkeypatch.setattr(exits, "_CAN_WAIT_FOR_MANY", request.param and exits._CAN_WAIT_FOR_MANY)
    return Exits()


@pytest.fixture
def shims(tmp_path: Path) -> Iterator[list[tuple[Folder, subprocess.Popen[bytes], int]]]:
    """Three that have claimed a container each, and the lines to them."""
    made = []
    for name in ("a", "b", "c"):
        folder = Folder(tmp_path / name)
        folder.make()
        process = subprocess.Popen(
            [sys.executable, "-c", SHIM, str(folder.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        assert process.stdout.readline() == b"claimed\n"
        made.append((folder, process, folder.line()))
    yield made
    for _, process, line in made:
        process.kill()
        process.communicate()
        os.close(line)


def test_each_is_told_of_when_it_ends(watcher: Exits, shims: list[tuple[Folder, subprocess.Popen[bytes], int]]) -> None:
    told = [threading.Event() for _ in shims]
    for (folder, _, line), event in zip(shims, told, strict=True):
        watcher.watch(line, folder.await_end, event.set)
    for (folder, process, _), event in zip(shims, told, strict=True):
        assert not event.is_set()
        assert folder.shim() == process.pid
        process.kill()
        assert event.wait(5)
        assert folder.shim() is None


def test_one_that_has_ended_already_is_told_of_at_once(
    watcher: Exits, shims: list[tuple[Folder, subprocess.Popen[bytes], int]]
) -> None:
    (folder, process, line), told = shims[0], threading.Event()
    process.kill()
    process.wait()
    watcher.watch(line, folder.await_end, told.set)
    assert told.wait(5)
