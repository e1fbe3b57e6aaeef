"""evaluateOnExit: the first rule that matches decides, and no match means another try."""

from __future__ import annotations

from typing import Any

import pytest

from local_cloud.batch.retries import TIMED_OUT, AttemptEnd, Next, check, next_after, tries_again

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


@pytest.mark.parametrize("code", [0, 75, 137])
def test_an_attempt_that_took_too_long_is_the_last_whatever_its_code(code: int) -> None:
    assert tries_again(TEMPLATE, 1, AttemptEnd(75, TIMED_OUT))
    assert next_after(TEMPLATE, 1, AttemptEnd(code, TIMED_OUT)) is Next.FAILED


@pytest.mark.parametrize(
    ("end", "following"),
    [
        (AttemptEnd(0, EXITED), Next.SUCCEEDED),
        (AttemptEnd(75, EXITED), Next.ANOTHER_ATTEMPT),
        (AttemptEnd(65, EXITED), Next.FAILED),
        (AttemptEnd(None, "Host EC2 (instance i-1) terminated."), Next.ANOTHER_ATTEMPT),
        (AttemptEnd(137, EXITED, "OutOfMemoryError: Container killed due to memory usage"), Next.FAILED),
    ],
)
def test_what_follows_an_attempt(end: AttemptEnd, following: Next) -> None:
    assert next_after(TEMPLATE, 1, end) is following


def test_an_end_that_is_the_last_is_not_tried_again() -> None:
    assert next_after({"attempts": 5}, 1, AttemptEnd(None, "a defect of this cloud", is_last=True)) is Next.FAILED


@pytest.mark.parametrize(
    "strategy",
    [
        {"attempts": 0},
        {"attempts": 11},
        {"attempts": 2, "evaluateOnExit": [{"action": "EXIT", "onExitCode": "1"}] * 6},
        {"evaluateOnExit": [{"action": "EXIT", "onExitCode": "1"}]},
        {"attempts": 2, "evaluateOnExit": [{"action": "EXIT"}]},
        {"attempts": 2, "evaluateOnExit": [{"action": "PANIC", "onExitCode": "1"}]},
        {"attempts": 2, "evaluateOnExit": [{"action": "EXIT", "onExitCode": "x*"}]},
        {"attempts": 2, "evaluateOnExit": [{"action": "EXIT", "onReason": "a*b"}]},
        {"attempts": 2, "evaluateOnExit": [{"action": "EXIT", "onReason": "a" * 513}]},
    ],
)
def test_what_aws_does_not_take_is_refused(strategy: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"retryStrategy|evaluateOnExit"):
        check(strategy)


@pytest.mark.parametrize("strategy", [None, {}, {"attempts": 10}, TEMPLATE])
def test_what_aws_takes_is_taken(strategy: dict[str, Any] | None) -> None:
    check(strategy)
