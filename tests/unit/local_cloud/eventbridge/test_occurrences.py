"""When schedules of Scheduler are due."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from moto.scheduler.models import Schedule

from local_cloud.eventbridge import occurrences
from local_cloud.eventbridge.occurrences import InvalidScheduleParameterError

MADE = datetime.datetime(2026, 11, 23, 10, 0, 30, tzinfo=datetime.UTC)
MINUTE = datetime.timedelta(minutes=1)
OFF = {"Mode": "OFF"}


def schedule(expression: str, **changes: Any) -> Schedule:
    given: dict[str, Any] = {
        "region": "us-east-1",
        "account_id": "123456789012",
        "group_name": "default",
        "name": "s",
        "description": None,
        "schedule_expression": expression,
        "schedule_expression_timezone": "UTC",
        "flexible_time_window": OFF,
        "target": {"Arn": "arn:aws:sqs:us-east-1:123456789012:q"},
        "state": "ENABLED",
        "kms_key_arn": None,
        "start_date": None,
        "end_date": None,
        "action_after_completion": None,
    }
    made = Schedule(**{**given, **changes})
    made.creation_date = made.last_modified_date = MADE.timestamp()
    return made


def due(made: Schedule, minutes: float) -> bool:
    """Whether a schedule is due in the second that ends so many minutes after it was made."""
    until = MADE + minutes * MINUTE
    return occurrences.due_at(made, until - datetime.timedelta(seconds=1), until) is not None


def test_a_rate_without_a_start_is_due_at_once_and_then_every_period() -> None:
    made = schedule("rate(5 minutes)")
    assert [due(made, minutes) for minutes in (0, 1, 5, 10)] == [True, False, True, True]


def test_a_rate_with_a_start_is_due_at_its_start() -> None:
    made = schedule("rate(5 minutes)", start_date=(MADE + 2 * MINUTE).timestamp())
    assert [due(made, minutes) for minutes in (0, 2, 5, 7)] == [False, True, False, True]


def test_a_change_does_not_fire_and_keeps_the_beat() -> None:
    made = schedule("rate(5 minutes)")
    made.last_modified_date = (MADE + 7 * MINUTE).timestamp()
    assert [due(made, minutes) for minutes in (5, 7, 10)] == [False, False, True]


def test_start_and_end_bound_a_cron_and_are_ignored_for_one_time() -> None:
    bounds = {"start_date": (MADE + 3 * MINUTE).timestamp(), "end_date": (MADE + 6 * MINUTE).timestamp()}
    made = schedule("cron(0/1 10 23 11 ? 2026)", **bounds)
    assert [due(made, minutes - 0.5) for minutes in (3, 4, 6, 7)] == [False, True, True, False]
    assert not occurrences.is_over(made, MADE + 6 * MINUTE)
    assert occurrences.is_over(made, MADE + 7 * MINUTE)
    once = schedule("at(2026-11-23T10:01:30)", **bounds)
    assert due(once, 1)
    assert not occurrences.is_over(once, MADE + 7 * MINUTE)


def test_a_disabled_schedule_is_never_due() -> None:
    assert not due(schedule("rate(5 minutes)", state="DISABLED"), 5)


def test_what_was_due_before_it_was_made_is_not_due() -> None:
    made = schedule("cron(0 10 * * ? *)")
    assert occurrences.due_at(made, MADE - 10 * MINUTE, MADE + MINUTE) is None


def test_a_flexible_window_puts_it_off_by_the_same_time_for_the_same_seed() -> None:
    made = schedule("rate(1 hour)", flexible_time_window={"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 15})
    offsets = [occurrences.window_offset_s(made, MADE + n * MINUTE, "seed") for n in range(50)]
    assert all(0 <= offset <= 900 for offset in offsets)
    assert max(offsets) - min(offsets) > 300
    assert occurrences.window_offset_s(made, MADE, "seed") == offsets[0] != occurrences.window_offset_s(made, MADE, "x")
    assert occurrences.window_offset_s(schedule("rate(1 hour)"), MADE, "seed") == 0


def test_context_attributes_are_put_in_and_the_attempt_is_left_for_later() -> None:
    text = "<aws.scheduler.schedule-arn> <aws.scheduler.scheduled-time> <aws.scheduler.execution-id> "
    filled = occurrences.fill(text + "<aws.scheduler.attempt-number>", "arn", "time", "id")
    assert filled == "arn time id <aws.scheduler.attempt-number>"


def test_an_input_may_hold_context_attributes_outside_of_quotes() -> None:
    target = {"Arn": "arn:aws:states:us-east-1:123456789012:stateMachine:m"}
    occurrences.check(OFF, None, None, target | {"Input": '{"n": <aws.scheduler.attempt-number>}'})
    with pytest.raises(InvalidScheduleParameterError, match="not JSON"):
        occurrences.check(OFF, None, None, target | {"Input": "text"})
    occurrences.check(OFF, None, None, {"Arn": "arn:aws:sqs:us-east-1:123456789012:q", "Input": "text"})
