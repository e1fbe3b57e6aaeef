"""The clock fires what is due, once, and cleans up."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator
from typing import Any

import pytest
from moto.core.base_backend import BaseBackend
from moto.events.models import events_backends
from moto.scheduler.models import scheduler_backends

from local_cloud.durability.tracked import changes
from local_cloud.eventbridge.outbox import Pending
from local_cloud.services import events, scheduler

ACCOUNT, REGION = "123456789012", "us-east-1"
QUEUE = "arn:aws:sqs:us-east-1:123456789012:q"
MADE = datetime.datetime(2026, 11, 23, 10, 0, 30, tzinfo=datetime.UTC)
HOUR, MINUTE = datetime.timedelta(hours=1), datetime.timedelta(minutes=1)
TARGET = {"Arn": QUEUE, "Input": '{"at": "<aws.scheduler.scheduled-time>"}'}


@pytest.fixture
def delivered(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Pending]]:
    """What goes into the outbox, with backends that are empty before and after."""
    records: list[Pending] = []
    monkeypatch.setattr(scheduler, "deliver", records.append)
    monkeypatch.setattr(events.delivery, "deliver", records.append)
    backends: list[BaseBackend] = [scheduler_backends[ACCOUNT][REGION], events_backends[ACCOUNT][REGION]]
    for backend in backends:
        backend.reset()
    yield records
    for backend in backends:
        backend.reset()


def create(name: str, expression: str, **given_instead: Any) -> None:
    given: dict[str, Any] = {
        "description": None,
        "end_date": None,
        "flexible_time_window": {"Mode": "OFF"},
        "group_name": "default",
        "kms_key_arn": None,
        "name": name,
        "schedule_expression": expression,
        "schedule_expression_timezone": None,
        "start_date": None,
        "state": None,
        "target": TARGET,
        "action_after_completion": "DELETE",
    }
    made = scheduler_backends[ACCOUNT][REGION].create_schedule(**{**given, **given_instead})
    made.creation_date = made.last_modified_date = MADE.timestamp()


def names() -> set[str]:
    return set(scheduler_backends[ACCOUNT][REGION].schedule_groups["default"].schedules)


def test_what_is_due_fires_once_and_one_time_schedules_go(delivered: list[Pending]) -> None:
    create("once", "at(2026-11-23T11:00:00)")
    create("kept", "at(2026-11-23T11:00:00)", action_after_completion="NONE")
    create("daily", "cron(0 11 * * ? *)")
    changes.take()
    for minutes in range(0, 120, 7):
        after = MADE + datetime.timedelta(minutes=minutes)
        scheduler.tick(after, after + datetime.timedelta(minutes=7))
    assert [record.source_arn.rsplit("/", 1)[-1] for record in delivered] == ["once", "kept", "daily"]
    assert {record.payload for record in delivered} == {'{"at": "2026-11-23T11:00:00Z"}'}
    assert names() == {"kept", "daily"}
    assert "scheduler" in changes.take().services  # that one is gone is written with what it sent


def test_a_recurring_schedule_goes_when_its_end_has_passed(delivered: list[Pending]) -> None:
    create("hourly", "rate(1 hour)", end_date=(MADE + 2 * HOUR).timestamp())
    for number in range(4):
        scheduler.tick(MADE + (number - 1) * HOUR, MADE + number * HOUR)
    assert len(delivered) == 3
    assert names() == set()


def test_a_flexible_window_makes_the_record_due_later(delivered: list[Pending]) -> None:
    window = {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 1440}
    create("s", "at(2126-11-23T11:00:00)", flexible_time_window=window)
    due = datetime.datetime(2126, 11, 23, 11, tzinfo=datetime.UTC)
    scheduler.tick(due - HOUR, due)
    (record,) = delivered
    assert due.timestamp() < record.due_at <= due.timestamp() + 86_400
    assert record.accepted_at == record.due_at
    assert record.about["SCHEDULED_TIME"] == "2126-11-23T11:00:00Z"


def test_without_input_a_target_gets_the_scheduled_event(delivered: list[Pending]) -> None:
    create("s", "at(2026-11-23T11:00:00)", target={"Arn": QUEUE})
    scheduler.tick(MADE, MADE + HOUR)
    event = json.loads(delivered[0].payload)
    assert (event["source"], event["detail-type"], event["detail"]) == ("aws.scheduler", "Scheduled Event", "{}")
    assert event["id"] == delivered[0].event_id


def test_one_bad_schedule_does_not_keep_the_others_from_firing(
    delivered: list[Pending], caplog: pytest.LogCaptureFixture
) -> None:
    create("bad", "no expression at all")
    create("good", "at(2026-11-23T11:00:00)")
    scheduler.tick(MADE, MADE + HOUR)
    assert [record.source_arn.rsplit("/", 1)[-1] for record in delivered] == ["good"]
    assert "bad failed" in caplog.text


def test_a_rule_with_a_rate_fires_one_period_after_it_was_put_and_not_when_disabled(delivered: list[Pending]) -> None:
    backend = events_backends[ACCOUNT][REGION]
    for name, state in (("on", "ENABLED"), ("off", "DISABLED")):
        rule = backend.put_rule(name, scheduled_expression="rate(1 hour)", state=state)
        rule.put_targets([{"Id": "q", "Arn": QUEUE}])
        rule.__dict__["scheduled_since"] = MADE.timestamp()
    for minutes in range(0, 121, 30):
        until = MADE + datetime.timedelta(minutes=minutes)
        scheduler.tick(until - datetime.timedelta(minutes=30), until)
    assert [json.loads(record.payload)["time"] for record in delivered] == [
        "2026-11-23T11:00:30Z",
        "2026-11-23T12:00:30Z",
    ]


def test_what_was_due_while_no_cloud_ran_is_made_up_for_by_a_one_time_schedule(delivered: list[Pending]) -> None:
    create("once", "at(2026-11-23T11:00:00)", action_after_completion="NONE")
    create("soon", "at(2026-11-23T11:00:00)", target={**TARGET, "RetryPolicy": {"MaximumEventAgeInSeconds": 3600}})
    create("hourly", "rate(1 hour)")
    back = MADE + 4.5 * HOUR
    for number in range(3):
        scheduler.tick(back + number * MINUTE, back + (number + 1) * MINUTE)
    assert [record.source_arn.rsplit("/", 1)[-1] for record in delivered] == ["once"]


def test_a_one_time_schedule_with_a_new_time_fires_again(delivered: list[Pending]) -> None:
    create("kept", "at(2026-11-23T11:00:00)", action_after_completion="NONE")
    scheduler.tick(MADE, MADE + HOUR)
    (schedule,) = (schedule for _, _, schedule in scheduler._schedules())
    schedule.schedule_expression = "at(2026-11-23T12:00:00)"
    for number in (1, 2, 3):
        scheduler.tick(MADE + number * HOUR, MADE + (number + 1) * HOUR)
    assert len(delivered) == 2
