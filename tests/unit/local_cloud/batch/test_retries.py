"""evaluateOnExit: the first rule that matches decides, and no match means another try."""

from __future__ import annotations

from typing import Any

import pytest

from local_cloud.batch.retries import AttemptEnd, tries_again

TEMPLATE = {
    "attempts": 3,
    "evaluateOnExit": [
        {"action": "RETRY", "onStatusReason": "Host EC2*"},
        {"action": "RETRY", "onExitCode": "75"},
        {"action": "EXIT", "onExitCode": "*"},
        {"action": "EXIT", "onReason": "*"},
    ],
}
EXITED = "Essential container in task exited"


@pytest.mark.parametrize(
    ("end", "again"),
    [
        (AttemptEnd(75, EXITED), True),
        (AttemptEnd(65, EXITED), False),
        (AttemptEnd(137, "Host EC2 (instance i-1) terminated."), True),
        (AttemptEnd(None, "Task failed to start", "CannotPullContainerError: no"), False),
        (AttemptEnd(None, "Task failed to start"), True),
    ],
)
def test_rules_in_their_order(end: AttemptEnd, again: bool) -> None:
    assert tries_again(TEMPLATE, 1, end) is again


def test_the_last_attempt_is_the_last() -> None:
    assert tries_again(TEMPLATE, 2, AttemptEnd(75, EXITED))
    assert not tries_again(TEMPLATE, 3, AttemptEnd(75, EXITED))


def test_no_match_means_another_try() -> None:
    strategy = {"attempts": 2, "evaluateOnExit": [{"action": "exit", "onExitCode": "1"}]}
    assert tries_again(strategy, 1, AttemptEnd(2, EXITED))


@pytest.mark.parametrize("strategy", [None, {}, {"attempts": 1}])
def test_without_a_strategy_there_is_one_attempt(strategy: dict[str, Any] | None) -> None:
    assert not tries_again(strategy, 1, AttemptEnd(1, EXITED))


def test_all_conditions_of_a_rule_must_hold() -> None:
    rule = {"action": "EXIT", "onExitCode": "1", "onReason": "OutOfMemory*"}
    strategy = {"attempts": 2, "evaluateOnExit": [rule]}
    assert tries_again(strategy, 1, AttemptEnd(1, EXITED))
    assert not tries_again(strategy, 1, AttemptEnd(1, EXITED, "OutOfMemoryError: killed"))
