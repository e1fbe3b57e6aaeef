"""Refusals travel through Step Functions: their texts are cut by the bytes that they take there."""

from __future__ import annotations

import json

import pytest

from turbine.domain import rejection


def _bytes(text: str) -> int:
    return len(json.dumps(text, ensure_ascii=False).encode()) - 2


def test_a_text_that_fits_stays_as_it_is() -> None:
    text = "a" * rejection.TEXT_MAX
    assert rejection.fault(text, text, text).problem == text


@pytest.mark.parametrize("character", ["a", '"', "\\", "\x01", "ä", "\U0001f600"])
def test_a_text_of_whatever_characters_takes_no_more_than_its_room(character: str) -> None:
    cut = rejection.fault("f", character * 10_000, "m").problem
    assert cut.endswith("…")
    assert rejection.TEXT_MAX - 6 <= _bytes(cut) <= rejection.TEXT_MAX
