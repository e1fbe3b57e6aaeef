"""The file: what was committed is there, whole, and nobody else's is read."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from local_cloud.durability import store as stores
from local_cloud.durability.store import PIECE_BYTES, StateRefusedError, Store

FACTS = {"moto": "5.2.5"}


def opened(folder: Path, **facts: str) -> Store:
    return Store(folder / "state.db", FACTS | facts)


def test_what_was_committed_is_read_by_another_process(tmp_path: Path) -> None:
    first = opened(tmp_path)
    first.commit({("jobs", "b"): b"2", ("jobs", "a"): b"1", ("other", "a"): b"9"})
    second = opened(tmp_path)  # while the first is open: as after its death, nothing was closed
    assert second.cells("jobs") == [("a", b"1"), ("b", b"2")]
    second.commit({("jobs", "a"): b"3"}, [("jobs", "b")])
    assert first.cells("jobs") == [("a", b"3")]
    assert (first.cell("jobs", "a"), first.cell("jobs", "b")) == (b"3", None)


def test_a_commit_that_fails_has_changed_nothing(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.commit({("jobs", "a"): b"1"}, contents={"x": b"content"})
    broken: dict[tuple[str, str], bytes] = {("jobs", "b"): b"2", ("jobs", "c"): object()}  # type: ignore[dict-item]
    with pytest.raises(sqlite3.Error):
        store.commit(broken, [("jobs", "a")], {"y": b"lost"})
    assert store.cells("jobs") == [("a", b"1")]
    with pytest.raises(StateRefusedError, match="content y is missing"):
        store.content("y")
    store.commit({("jobs", "d"): b"4"})
    assert store.count("jobs") == 2


def test_a_full_disk_fails_the_commit_and_the_next_one_is_whole(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.commit({("jobs", "a"): b"1"})
    pages = store._database.execute("pragma page_count").fetchone()[0]
    store._database.execute(f"pragma max_page_count = {pages + 4}")
    with pytest.raises(sqlite3.OperationalError, match="full"):
        store.commit({("jobs", "big"): bytes(1_000_000)})
    assert store.cells("jobs") == [("a", b"1")]
    store._database.execute(f"pragma max_page_count = {pages + 10_000}")
    store.commit({("jobs", "big"): bytes(1_000_000)})
    assert opened(tmp_path).count("jobs") == 2


def test_large_contents_are_kept_once_and_in_pieces(tmp_path: Path) -> None:
    store, body = opened(tmp_path), bytes(range(256)) * (PIECE_BYTES // 256) + b"end"
    store.commit({}, contents={"h": body})
    store.commit({}, contents={"h": b"not written again"})
    assert opened(tmp_path).content("h") == body
    assert store._database.execute("select count(*) from contents").fetchone() == (2,)


def test_pages_go_either_way(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.commit({("h", f"{number:03d}"): b"" for number in range(10)})
    assert [key for key, _ in store.cells("h", 2, 3)] == ["002", "003", "004"]
    assert [key for key, _ in store.cells("h", 2, 3, backwards=True)] == ["007", "006", "005"]


def test_what_nothing_refers_to_goes(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.commit({("kept", "a"): b"1", ("gone", "a"): b"1"}, contents={"kept": b"1", "gone": b"2"})
    store.keep_only({"kept"}, {"kept"})
    again = opened(tmp_path)
    assert (again.count("kept"), again.count("gone"), again.content("kept")) == (1, 0, b"1")
    with pytest.raises(StateRefusedError):
        again.content("gone")


def test_another_versions_state_is_refused_by_name(tmp_path: Path) -> None:
    opened(tmp_path).close()
    with pytest.raises(StateRefusedError, match=r"written with moto 5\.2\.5, this is moto 6\.0"):
        opened(tmp_path, moto="6.0")


@pytest.mark.parametrize("mode", [0o620, 0o602])
def test_a_file_that_others_can_write_is_not_read(tmp_path: Path, mode: int) -> None:
    opened(tmp_path).close()
    (tmp_path / "state.db").chmod(mode)
    with pytest.raises(StateRefusedError, match="can be written by others"):
        opened(tmp_path)


def test_nobody_else_may_read_it(tmp_path: Path) -> None:
    opened(tmp_path)
    assert os.stat(tmp_path / "state.db").st_mode & 0o077 == 0  # noqa: PTH116


def test_a_folder_that_others_can_write_holds_no_state(tmp_path: Path) -> None:
    opened(tmp_path).close()
    tmp_path.chmod(0o770)
    with pytest.raises(StateRefusedError, match=rf"{tmp_path} can be written by others .* chmod 700 {tmp_path}"):
        opened(tmp_path)


def test_a_file_that_is_no_state_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "state.db").write_bytes(b"no database" * 1_000)
    (tmp_path / "state.db").chmod(0o600)
    with pytest.raises(StateRefusedError, match=r"state\.db cannot be used \(file is not a database\): .*move it away"):
        opened(tmp_path)


def test_a_file_that_something_else_holds_is_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened(tmp_path).close()
    holder = sqlite3.connect(tmp_path / "state.db", isolation_level=None)
    holder.execute("pragma locking_mode = exclusive")
    holder.execute("begin exclusive")
    monkeypatch.setattr(stores, "LONGEST_WAIT_S", 0.05)
    with pytest.raises(StateRefusedError, match=r"state\.db cannot be used \(database is locked\): .*fuser names it"):
        opened(tmp_path)
    holder.close()
    assert opened(tmp_path).count("jobs") == 0


_OPEN_ON_A_FULL_DISK = """
import pathlib, resource, sys
from local_cloud.durability.store import StateRefusedError, Store

resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
try:
    Store(pathlib.Path(sys.argv[1]), {"moto": "5.2.5"})
except StateRefusedError as error:
    print(error)
"""


@pytest.mark.parametrize("room_bytes", [0, 4096, 12_288])
def test_a_full_disk_at_the_start_is_said_and_loses_nothing(tmp_path: Path, room_bytes: int) -> None:
    opened(tmp_path).commit({("jobs", "a"): b"1"})
    tried = subprocess.run(
        [sys.executable, "-c", _OPEN_ON_A_FULL_DISK, str(tmp_path / "fresh.db"), str(room_bytes)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "fresh.db cannot be used" in tried.stdout
    assert f"make room in {tmp_path}" in tried.stdout
    assert opened(tmp_path).cells("jobs") == [("a", b"1")]
