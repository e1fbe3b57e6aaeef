"""The cache keeps whole, verified files within its bounds."""

import errno
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from training.data import cache as cache_module
from training.data.cache import ShardCache
from training.errors import BadConfigurationError

BODY = b"0123456789"


def accept(_sha256: str) -> None:
    pass


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def opened(folder: Path) -> Callable[..., ShardCache]:
    """A process's own view of the folder."""
    return lambda limit_bytes=1000: ShardCache(folder, limit_bytes)


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_a_file_is_found_again_by_another_process(opened: Any) -> None:
    added = opened().add("pin", 10, [BODY[:4], BODY[4:]], accept)
    found = opened().find("pin", 10)
    assert found == added
    assert found.read_bytes() == BODY
    assert opened().find("another pin", 10) is None


@pytest.mark.parametrize("change", [b"0123456780", b"012345678", b""])
def test_a_corrupted_file_is_removed_and_not_found(
    opened: Any, folder: Path, change: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    opened().add("pin", 10, [BODY], accept).write_bytes(change)
    assert opened().find("pin", 10) is None
    assert files_in(folder) == []
    assert "cached_shard_corrupt" in capsys.readouterr().out


def test_a_trusted_file_is_not_hashed_again(opened: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    opened().add("pin", 10, [BODY], accept)
    mine, hashed = opened(), []

    def count(*_: Any) -> Any:
        hashed.append(1)
        return hashlib.sha256(BODY)

    monkeypatch.setattr(cache_module.hashlib, "file_digest", count)
    for _ in range(3):
        assert mine.find("pin", 10)
    assert hashed == [1]


def test_a_refused_file_never_appears(opened: Any, folder: Path) -> None:
    def refuse(sha256: str) -> None:
        assert sha256 == hashlib.sha256(BODY).hexdigest()
        raise ValueError("not the pinned one")

    with pytest.raises(ValueError, match="not the pinned one"):
        opened().add("pin", 10, [BODY], refuse)
    assert files_in(folder) == []


def test_what_was_used_longest_ago_makes_room(opened: Any) -> None:
    cache = opened(limit_bytes=25)
    for age_s, pin in ((1, "oldest"), (2, "old")):
        os.utime(cache.add(pin, 10, [BODY], accept), (age_s, age_s))
    cache.find("oldest", 10)  # used now
    cache.add("new", 10, [BODY], accept)
    assert [bool(cache.find(pin, 10)) for pin in ("oldest", "old", "new")] == [True, False, True]


def test_a_full_disk_gives_way_to_the_new_file_if_others_can_go(
    opened: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = opened()
    cache.add("old", 10, [BODY], accept)
    write = os.write

    def until_full(descriptor: int, chunk: bytes) -> int:
        if cache.find("old", 10):
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(descriptor, chunk)

    monkeypatch.setattr(cache_module.os, "write", until_full)
    assert cache.add("new", 10, [BODY], accept).read_bytes() == BODY


def test_a_full_disk_is_said_and_leaves_nothing_torn(
    opened: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int, chunk: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(cache_module.os, "write", full)
    with pytest.raises(BadConfigurationError, match=f"the disk of the shard cache {folder} is full"):
        opened().add("pin", 10, [BODY], accept)
    assert files_in(folder) == []


def test_downloads_that_broke_off_are_removed_once_nobody_writes_them(opened: Any, folder: Path) -> None:
    for name, age_s in ((".incoming-old", 2 * 3600), (".incoming-now", 0)):
        (folder / name).write_bytes(BODY)
        status = (folder / name).stat()
        os.utime(folder / name, (status.st_atime, status.st_mtime - age_s))
    opened().add("pin", 10, [BODY], accept)
    assert files_in(folder) == [".incoming-now", hashlib.sha256(BODY).hexdigest()]


def test_the_environment_names_folder_and_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(cache_module.FOLDER_VARIABLE, str(tmp_path / "nvme" / "cache"))
    monkeypatch.setenv(cache_module.LIMIT_VARIABLE, "15")
    cache = ShardCache.from_environment()
    cache.add("first", 10, [BODY], accept)
    cache.add("second", 10, [BODY], accept)
    assert len(files_in(tmp_path / "nvme" / "cache")) == 1


@pytest.mark.parametrize(("folder_name", "limit"), [("/proc/no", "15"), ("", "much")])
def test_a_cache_that_cannot_be_is_bad_configuration(
    tmp_path: Path, folder_name: str, limit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(cache_module.FOLDER_VARIABLE, folder_name or str(tmp_path))
    monkeypatch.setenv(cache_module.LIMIT_VARIABLE, limit)
    with pytest.raises(BadConfigurationError, match="no shard cache in"):
        ShardCache.from_environment()
