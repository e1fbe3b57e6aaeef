"""Who is killed for too much memory: the largest process of the container that has it, and nobody else."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local_cloud.batch.memory import Limit, Watch

pytestmark = pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="needs Linux's /proc")
MEBIBYTE = 2**20
Start = Callable[[str, int], subprocess.Popen[str]]


@pytest.fixture
def start() -> Iterator[Start]:
    """`start(container, mebibytes)`: a process with that much memory, once it has it."""
    started: list[subprocess.Popen[str]] = []

    def begin(container: str, mebibytes: int) -> subprocess.Popen[str]:
        program = (
            f"import sys; held = bytearray({mebibytes * MEBIBYTE}); held[::4096] = b'x' * len(held[::4096]); "
            "print('held', flush=True); sys.stdin.read()"
        )
        process = subprocess.Popen(
            [sys.executable, "-S", "-c", program],
            env={**os.environ, "HOSTNAME": container},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        return process

    yield begin
    for process in started:
        process.kill()
        process.communicate()


def test_the_largest_process_of_the_container_over_its_limit_dies(start: Start) -> None:
    small, large, other = start("h6-one", 20), start("h6-one", 120), start("h6-two", 120)
    limits = [Limit("HOSTNAME=h6-one", 100), Limit("HOSTNAME=h6-two", 200)]
    Watch().look(limits)
    assert large.wait(5) == -9
    assert (small.poll(), other.poll()) == (None, None)
    assert [limit.exceeded.is_set() for limit in limits] == [True, False]


def test_pages_that_processes_share_count_once(start: Start, tmp_path: Path) -> None:
    """Two views of one file: 120 MiB resident in each, 120 MiB together."""
    shared = tmp_path / "shared"
    with shared.open("wb") as file:
        file.truncate(120 * MEBIBYTE)
    program = (
        f"import mmap, sys; f = open({str(shared)!r}, 'r+b'); m = mmap.mmap(f.fileno(), 0); "
        "m[::4096] = b'x' * len(m[::4096]); print('held', flush=True); sys.stdin.read()"
    )
    processes = [
        subprocess.Popen([sys.executable, "-S", "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for _ in range(2)
    ]
    try:
        for process in processes:
            assert process.stdout is not None
            process.stdout.readline()
        limit = Limit("HOSTNAME=h6-three", 180)
        limit.hold(process.pid for process in processes)
        assert not limit.exceeded.is_set()
        assert [process.poll() for process in processes] == [None, None]
    finally:
        for process in processes:
            process.communicate()
