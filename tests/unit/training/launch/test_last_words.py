"""What a worker leaves to its launcher, and what goes from node to node."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from training.launch.last_words import VARIABLE, LastWords, find, leave, most_telling_words
from training.launch.peers import LONGEST_LINE

WORDS = LastWords("ValueError", "the cause", "mend it", exit_code=70, rank=3, follows=False, at=12.5)


def test_what_is_left_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "3.json"))
    assert find(tmp_path / "3.json") is None
    leave(WORDS)
    assert find(tmp_path / "3.json") == WORDS


def test_a_place_that_cannot_be_written_is_no_other_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "gone" / "3.json"))
    leave(WORDS)


def test_the_longest_fit_a_line_between_nodes() -> None:
    longest = replace(WORDS, message="\N{GRINNING FACE}" * 10**5, mend="\N{GRINNING FACE}" * 10**5)
    assert len(json.dumps({"ended": 70, "reason": "", "words": longest.as_json()})) < LONGEST_LINE


def test_the_first_that_does_not_follow_from_another_is_the_cause() -> None:
    broken = [replace(WORDS, rank=rank, follows=True, at=float(rank)) for rank in range(3)]
    later = replace(WORDS, rank=4, at=99.0)
    assert most_telling_words([*broken, later, WORDS]) == WORDS
    assert most_telling_words(broken[::-1]) == broken[0]
    assert most_telling_words([]) is None
