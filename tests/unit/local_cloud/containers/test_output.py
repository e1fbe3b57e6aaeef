"""A container's output is in its log once, however often it is delivered and whoever does it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from local_cloud.containers.output import Deliveries, Output, lines


class Log:
    """Takes lines, and what comes with them, or nothing."""

    stream = "stream"

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.is_broken = False

    def put(self, more: Sequence[tuple[int, str]], keep: Callable[[], None]) -> None:
        if self.is_broken:
            raise OSError("no such group")
        self.lines += [text for _, text in more]
        keep()


@pytest.fixture
def log() -> Any:
    return Log()


def test_another_cloud_reads_on_where_the_first_has_kept_it_was(tmp_path: Path, log: Any) -> None:
    path, kept = tmp_path / "output", [0]
    path.write_bytes(b"1 a\n2 b\n3 half")
    Output(path, log, 0, lambda offset: kept.append(offset)).deliver()
    with path.open("ab") as file:
        file.write(b" a line\n")
    another = Output(path, log, kept[-1], lambda offset: kept.append(offset))
    another.deliver()
    another.deliver()
    assert log.lines == ["a", "b", "half a line"]
    assert kept == [0, 8, path.stat().st_size]


def test_the_last_words_of_a_killed_shim_are_delivered_as_they_are(tmp_path: Path, log: Any) -> None:
    path = tmp_path / "output"
    path.write_bytes(b"1 a\n2 b")
    Output(path, log, 0, lambda _: None).deliver(is_over=True)
    assert log.lines == ["a", "b"]


def test_what_the_log_did_not_take_it_gets_again(tmp_path: Path, log: Any) -> None:
    path, kept = tmp_path / "output", [0]
    path.write_bytes(b"1 a\n")
    output = Output(path, log, 0, lambda offset: kept.append(offset))
    log.is_broken = True
    output.deliver()
    assert kept == [0]
    log.is_broken = False
    output.deliver()
    assert (log.lines, kept) == (["a"], [0, 4])


def test_what_is_left_is_delivered_when_it_is_not_followed_any_more(tmp_path: Path, log: Any) -> None:
    path = tmp_path / "output"
    with Deliveries().following(Output(path, log, 0, lambda _: None)):
        path.write_bytes(b"1 a\n")
    assert log.lines == ["a"]


def test_torn_records_are_read_as_far_as_they_go() -> None:
    assert lines(b"17 caf\xc3\xa9 \xff\n18") == [(17, "caf\u00e9 \ufffd")]
