"""The SQLite file. Cells are bytes under a space and a key; contents are large values, kept once under their hash.

One transaction a commit, in write-ahead mode: what was committed survives the death of this process at any moment,
whole. (A power cut may lose the last moments; it tears nothing.)

Source: https://www.sqlite.org/wal.html and https://www.sqlite.org/pragma.html#pragma_synchronous
"""

from __future__ import annotations

import os
import sqlite3
import stat
import threading
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

SCHEMA = 2
PIECE_BYTES = 8 * 1024 * 1024
"""SQLite's values have a limit of 1 GB; contents are cut into pieces."""
LONGEST_WAIT_S = 2.0
"""How long the file may be held by another process."""

_TABLES = """
create table if not exists facts (name text primary key, value text not null) without rowid;
create table if not exists cells (space text not null, key text not null, value blob not null);
create unique index if not exists cells_by_key on cells (space, key);
create table if not exists contents (sha256 text not null, piece integer not null, value blob not null);
create unique index if not exists contents_by_hash on contents (sha256, piece);
"""
_FORWARDS = "select key, value from cells where space = ? order by key limit ? offset ?"
_BACKWARDS = "select key, value from cells where space = ? order by key desc limit ? offset ?"

Cell = tuple[str, str]


class StateRefusedError(RuntimeError):
    """A state file that this cloud must not, or cannot, read."""


class Store:
    """The open file. Used from any thread, one at a time.

    `facts` say what wrote the state (the versions of moto and of this package's classes). Raises: StateRefusedError
    when the file was written by another, or can be written by another user.
    """

    def __init__(self, path: Path, facts: Mapping[str, str]) -> None:
        self.path = path
        self._lock = threading.RLock()
        _require_private(path)
        try:
            self._open({"schema": str(SCHEMA), **facts})
        except sqlite3.Error as error:
            raise StateRefusedError(
                f"{path} cannot be used ({error}): make room in {path.parent} if it is full, end what else holds the "
                "file (fuser names it), or move it away to begin anew"
            ) from error

    def _open(self, facts: Mapping[str, str]) -> None:
        self._database = sqlite3.connect(
            self.path, timeout=LONGEST_WAIT_S, check_same_thread=False, isolation_level=None
        )
        self.path.chmod(0o600)
        self._database.execute("pragma journal_mode = wal")
        self._database.execute("pragma synchronous = normal")
        self._database.executescript(_TABLES)
        self._require(facts)
        self._contents = {row[0] for row in self._database.execute("select sha256 from contents where piece = 0")}

    def commit(
        self,
        puts: Mapping[Cell, bytes],
        removals: Iterable[Cell] = (),
        contents: Mapping[str, bytes] | None = None,
        emptied: Iterable[str] = (),
        unused: Iterable[str] = (),
    ) -> None:
        """All of it, or nothing; `emptied` spaces before what is put. `unused` contents go.

        Raises: sqlite3.Error when the disk is full or broken.
        """
        new = {sha256: body for sha256, body in (contents or {}).items() if sha256 not in self._contents}
        with self._lock:
            self._database.execute("begin immediate")
            try:
                self._database.executemany("delete from cells where space = ?", ((space,) for space in emptied))
                self._database.executemany("delete from cells where space = ? and key = ?", removals)
                self._database.executemany(
                    "insert into cells values (?, ?, ?) on conflict (space, key) do update set value = excluded.value",
                    ((space, key, value) for (space, key), value in puts.items()),
                )
                for sha256, body in new.items():
                    self._database.executemany("insert into contents values (?, ?, ?)", _pieces(sha256, body))
                self._database.executemany("delete from contents where sha256 = ?", ((sha256,) for sha256 in unused))
                self._database.execute("commit")
            except BaseException:
                if self._database.in_transaction:
                    self._database.execute("rollback")
                raise
            self._contents.update(new)
            self._contents.difference_update(unused)

    def cells(self, space: str, first: int = 0, most: int = -1, backwards: bool = False) -> list[tuple[str, bytes]]:
        """Keys and values of a space in the order of its keys."""
        with self._lock:
            return self._database.execute(_BACKWARDS if backwards else _FORWARDS, (space, most, first)).fetchall()

    def cell(self, space: str, key: str) -> bytes | None:
        with self._lock:
            row = self._database.execute("select value from cells where space = ? and key = ?", (space, key)).fetchone()
        return row[0] if row else None

    def count(self, space: str) -> int:
        with self._lock:
            return int(self._database.execute("select count(*) from cells where space = ?", (space,)).fetchone()[0])

    def content(self, sha256: str) -> bytes:
        """Raises: StateRefusedError when it is not there."""
        with self._lock:
            pieces = self._database.execute(
                "select value from contents where sha256 = ? order by piece", (sha256,)
            ).fetchall()
        if not pieces:
            raise StateRefusedError(f"{self.path}: the content {sha256} is missing: start with another --state-dir")
        return b"".join(piece for (piece,) in pieces)

    def keep_only(self, spaces: set[str], contents: set[str]) -> None:
        """Remove what nothing refers to any more: entries of collections that are gone, contents of objects."""
        with self._lock:
            there = {row[0] for row in self._database.execute("select distinct space from cells")}
            for space in there - spaces:
                self._database.execute("delete from cells where space = ?", (space,))
            for sha256 in self._contents - contents:
                self._database.execute("delete from contents where sha256 = ?", (sha256,))
            self._contents &= contents

    def close(self) -> None:
        with self._lock:
            self._database.close()

    def _require(self, facts: Mapping[str, str]) -> None:
        there = dict(self._database.execute("select name, value from facts"))
        for name, value in facts.items():
            if there and there.get(name) != value:
                raise StateRefusedError(
                    f"{self.path} was written with {name} {there.get(name)}, this is {name} {value}: "
                    f"start that version, or move the file away to begin anew"
                )
        self._database.executemany("insert or ignore into facts values (?, ?)", facts.items())


def _pieces(sha256: str, body: bytes) -> Iterator[tuple[str, int, memoryview]]:
    whole = memoryview(body)
    for number, begin in enumerate(range(0, len(body) or 1, PIECE_BYTES)):
        yield sha256, number, whole[begin : begin + PIECE_BYTES]


def _require_private(path: Path) -> None:
    """Reading the state runs code in it: only what this user alone could write is read.

    The folder too, as whoever may write into that may lay a write-ahead log beside the file, which SQLite reads.
    """
    for one, mode in ((path.parent, 700), (path, 600)):
        if not one.exists():
            continue
        found = one.stat()
        if found.st_uid != os.getuid() or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise StateRefusedError(
                f"{one} can be written by others than you: {path.name} is not read. chmod {mode} {one} if it is yours"
            )
