"""Job state time limits: which are taken, and when they are due."""

from __future__ import annotations

from typing import Any

import pytest

from local_cloud.batch import limits

LIMIT = {
    "reason": "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT",
    "state": "RUNNABLE",
    "maxTimeSeconds": 600,
    "action": "CANCEL",
}


def test_the_first_limit_whose_reason_it_is_decides() -> None:
    actions = [{**LIMIT, "maxTimeSeconds": 900}, LIMIT, {**LIMIT, "reason": limits.REASONS[1], "maxTimeSeconds": 601}]
    assert limits.due_at(actions, f"{LIMIT['reason']} - too large", 1_000) == (601_000, LIMIT["reason"])
    assert limits.due_at(actions, "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY", 1_000) is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"reason": "BECAUSE"},
        {"state": "RUNNING"},
        {"action": "TERMINATE"},
        {"maxTimeSeconds": 599},
        {"maxTimeSeconds": 86_401},
    ],
)
def test_what_aws_does_not_take_is_refused(wrong: dict[str, Any]) -> None:
    limits.check([LIMIT, {**LIMIT, "maxTimeSeconds": 86_400}])
    with pytest.raises(ValueError, match=f"jobStateTimeLimitActions {next(iter(wrong))}"):
        limits.check([{**LIMIT, **wrong}])
