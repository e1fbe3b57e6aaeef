"""An event has room for 248 KiB of input and output."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from local_cloud.stepfunctions.status_events import MOST_BYTES, detail

STARTED = dt.datetime(2026, 11, 26, tzinfo=dt.UTC)
HALF = "x" * (MOST_BYTES // 2)
WHOLE = "x" * MOST_BYTES


def shown(given: str, output: str | None = None) -> dict[str, Any]:
    found: dict[str, Any] = {"startDate": STARTED, "input": given, "inputDetails": {"included": True}}
    return found if output is None else found | {"output": output, "outputDetails": {"included": True}}


def test_moments_are_milliseconds_and_what_is_not_known_is_null() -> None:
    told = detail(shown("{}"))
    assert told["startDate"] == STARTED.timestamp() * 1000
    assert (told["input"], told["inputDetails"]) == ("{}", {"included": True})
    assert told["output"] is told["outputDetails"] is told["error"] is told["stopDate"] is None


@pytest.mark.parametrize(
    ("given", "output", "has_input", "has_output"),
    [
        (HALF, "{}", True, True),
        (HALF, HALF, False, True),
        ("{}", WHOLE, False, False),
        (WHOLE, "{}", False, True),
        # Half as long, but each letter is escaped.
        ('"' * (MOST_BYTES // 2), "{}", False, True),
    ],
)
def test_what_does_not_fit_is_left_out_the_input_first(
    given: str, output: str, has_input: bool, has_output: bool
) -> None:
    told = detail(shown(given, output))
    assert (told["input"] is not None, told["output"] is not None) == (has_input, has_output)
    assert (told["inputDetails"], told["outputDetails"]) == ({"included": has_input}, {"included": has_output})
