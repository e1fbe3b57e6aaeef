from __future__ import annotations

import pytest

from turbine.domain import document, names
from turbine.domain.rejection import ManifestFaultyError


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b'{"a": NaN}', "NaN"),
        (b'{"a": 1e999}', "1e999"),
        (b'{"a": -1e999}', "1e999"),
        (b'{"a": "\\ud800"}', "surrogate"),
        (b'{"\\ud800": 1, "\\ud800": 2}', "surrogate"),
        (b'{"a": 1, "a": 2}', "twice"),
        (b"[" * 13 + b"]" * 13, "deep"),
        (b"\xff", "UTF-8"),
        (b"{", "not JSON"),
    ],
)
def test_what_is_no_plain_json_is_refused_by_name(body: bytes, problem: str) -> None:
    with pytest.raises(ManifestFaultyError) as refusal:
        document.read_json(body)
    assert problem in refusal.value.faults[0].problem


def test_a_whole_pair_and_ordinary_numbers_are_read() -> None:
    assert document.read_json(b'{"a": "\\ud83d\\ude00", "b": 1e-3}') == {"a": "\U0001f600", "b": 0.001}


@pytest.mark.parametrize("name", ["vision\n", "Vision", "v", "v" * 21, "1vision", "vi-sion", "visión"])
def test_a_team_is_called_by_small_letters_and_digits_only(name: str) -> None:
    assert not names.is_team(name)
    assert names.is_team("vision2")
