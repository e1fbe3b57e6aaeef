from __future__ import annotations

from typing import Any

import pytest

from cli import exit_codes
from cli.commands.drop import exit_code
from cli.observe.follow import Ended
from cli.observe.records import RunItems


def _ended(status: str, decision: str | None, inference: dict[str, Any] | None = None) -> Ended:
    outcome = {"status": status, **({"decision": decision} if decision else {})}
    return Ended("vision", "r", RunItems("r", record={"pk": "p"}, outcome=outcome), inference)


PROMOTED = _ended("SUCCEEDED", "promoted", {"status": "SUCCEEDED"})
REFUSED = Ended("vision", None, rejections=({"field": "team"},))


@pytest.mark.parametrize(
    ("ended", "code"),
    [
        ([PROMOTED, _ended("SUCCEEDED", "held")], exit_codes.OK),
        ([PROMOTED, _ended("FAILED", None)], exit_codes.FAILED),
        ([_ended("FAILED", "promoted")], exit_codes.FAILED),
        ([_ended("SUCCEEDED", None)], exit_codes.FAILED),
        ([_ended("SUCCEEDED", "promoted", {"status": "FAILED"})], exit_codes.FAILED),
        ([PROMOTED, _ended("FAILED", None), REFUSED], exit_codes.REFUSED),
    ],
)
def test_the_exit_code_is_that_of_the_worst_run(ended: list[Ended], code: int) -> None:
    assert exit_code(ended) == code
