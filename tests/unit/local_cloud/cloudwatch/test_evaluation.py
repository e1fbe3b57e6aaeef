"""Alarms' states, by the tables of the user guide: 0 is within the threshold, X breaches, - is missing."""

from __future__ import annotations

import pytest

from local_cloud.cloudwatch.evaluation import state

KEPT = None
STATES = {"O": "OK", "A": "ALARM", "I": "INSUFFICIENT_DATA", "K": KEPT}


def points(text: str) -> list[bool | None]:
    return [{"0": False, "X": True, "-": None}[one] for one in text.split()]


@pytest.mark.parametrize(
    ("shown", "to_alarm", "expected"),
    [
        # missing, ignore, breaching, notBreaching; first the table for three of three, then for two of three
        ("0 - X - X", 3, "OOOO"),
        ("- - - - 0", 3, "OOOO"),
        ("- - - - -", 3, "IKAO"),
        ("0 X X - X", 3, "AAAA"),
        ("- - X - -", 3, "AKAO"),
        ("0 - X - X", 2, "AAAA"),
        ("0 0 X 0 X", 2, "AAAA"),
        ("0 - X - -", 2, "OOAO"),
        ("- - - - 0", 2, "OOAO"),
        ("- - - X -", 2, "AKAO"),
        # a first breach of three is no alarm yet
        ("- - - - X", 3, "OOAO"),
        ("X X X X 0", 3, "OOOO"),
    ],
)
def test_missing_data_is_treated_as_the_user_guide_says(shown: str, to_alarm: int, expected: str) -> None:
    treatments = ("missing", "ignore", "breaching", "notBreaching")
    found = [state(points(shown), 3, to_alarm, treatment) for treatment in treatments]
    assert found == [STATES[letter] for letter in expected]


def test_one_of_one() -> None:
    assert state(points("- - X"), 1, 1, "missing") == "ALARM"
    assert state(points("X X 0"), 1, 1, "missing") == "OK"
    # Two datapoints beyond the one period are looked at: a breach just before a gap still counts.
    assert state(points("- X -"), 1, 1, "missing") == "ALARM"
    assert state(points("- - -"), 1, 1, "missing") == "INSUFFICIENT_DATA"
