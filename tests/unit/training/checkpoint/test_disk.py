"""A local file is either whole, durable and marked, or not there."""

import errno
import fcntl
import hashlib
import mmap
import os
from pathlib import Path
from typing import Any

import pytest

from training.checkpoint.disk import Disk, verify
from training.checkpoint.file_format import PAGE_BYTES
from training.checkpoint.marker import CheckpointId, Marker, UnusableError

CHECKPOINT = CheckpointId(1, 10)


def page_aligned(size: int) -> memoryview:
    memory = memoryview(mmap.mmap(-1, max(size, 1)))[:size]
    memory[:] = os.urandom(size)
    return memory


def marker_of(body: memoryview) -> Marker:
    return Marker(1, 10, {}, hashlib.sha256(body).hexdigest(), len(body))


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    return Disk(tmp_path / "checkpoints")


@pytest.mark.parametrize("size", [0, 1, PAGE_BYTES - 1, PAGE_BYTES, 5 * PAGE_BYTES, 5 * PAGE_BYTES + 17, 2**24 + 5])
def test_all_bytes_are_written_and_hashed(disk: Disk, size: int) -> None:
    body = page_aligned(size)
    assert disk.write_state(CHECKPOINT, body) == hashlib.sha256(body).hexdigest()
    assert disk.state(CHECKPOINT).read_bytes() == body


def test_memory_that_no_page_holds_is_written_as_well(disk: Disk) -> None:
    body = page_aligned(3 * PAGE_BYTES)[7:]
    disk.write_state(CHECKPOINT, body)
    assert disk.state(CHECKPOINT).read_bytes() == body


def test_a_file_system_that_needs_its_cache(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write

    def cached_only(file: int, body: Any) -> int:
        if fcntl.fcntl(file, fcntl.F_GETFL) & getattr(os, "O_DIRECT", 0):
            raise OSError(errno.EINVAL, "Invalid argument")
        return write(file, body)

    monkeypatch.setattr(os, "write", cached_only)
    body = page_aligned(5 * PAGE_BYTES + 17)
    disk.write_state(CHECKPOINT, body)
    assert disk.state(CHECKPOINT).read_bytes() == body


def test_everything_is_synced_before_the_marker_appears(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    sync, events = os.fsync, []
    replace = Path.replace

    def noted_sync(file: int) -> None:
        events.append(Path(f"/proc/self/fd/{file}").readlink().name)
        sync(file)

    def noted_replace(path: Path, target: Path) -> Path:
        events.append(f"-> {target.name}")
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", noted_sync)
    monkeypatch.setattr(Path, "replace", noted_replace)
    body = page_aligned(10)
    disk.write_state(CHECKPOINT, body)
    assert disk.found() == {CHECKPOINT: False}
    disk.complete(CHECKPOINT, marker_of(body))
    assert disk.found() == {CHECKPOINT: True}
    assert events == ["state.safetensors", "_COMPLETE.partial", "-> _COMPLETE", CHECKPOINT.name, "checkpoints"]


@pytest.mark.parametrize("room", [0, PAGE_BYTES, 3 * PAGE_BYTES])
def test_a_full_disk_leaves_nothing(disk: Disk, monkeypatch: pytest.MonkeyPatch, room: int) -> None:
    write, left = os.write, [room]

    def until_full(file: int, body: Any) -> int:
        if left[0] == 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        left[0] -= (written := write(file, body[: left[0]]))
        return written

    monkeypatch.setattr(os, "write", until_full)
    with pytest.raises(OSError, match="No space left"):
        disk.write_state(CHECKPOINT, page_aligned(5 * PAGE_BYTES))
    assert disk.found() == {}
    assert not disk.state(CHECKPOINT).exists()


def test_a_rewritten_checkpoint_is_not_complete_and_its_readers_keep_theirs(disk: Disk) -> None:
    old = page_aligned(PAGE_BYTES)
    disk.write_state(CHECKPOINT, old)
    disk.complete(CHECKPOINT, marker_of(old))
    with disk.state(CHECKPOINT).open("rb") as reader:
        disk.write_state(CHECKPOINT, page_aligned(PAGE_BYTES))
        assert disk.found() == {CHECKPOINT: False}
        assert reader.read() == old


def test_verify_tells_truncated_from_corrupt(tmp_path: Path) -> None:
    body = page_aligned(100)
    path = tmp_path / "state"
    path.write_bytes(body)
    verify(path, marker_of(body))
    path.write_bytes(body[:99])
    with pytest.raises(UnusableError, match="truncated: 99 bytes, of 100"):
        verify(path, marker_of(body))
    path.write_bytes(bytes(100))
    with pytest.raises(UnusableError, match="corrupt"):
        verify(path, marker_of(body))


def test_other_things_in_the_folder_are_none_of_ours(disk: Disk, tmp_path: Path) -> None:
    assert disk.found() == {}
    (tmp_path / "checkpoints" / "lost+found").mkdir(parents=True)
    assert disk.found() == {}
