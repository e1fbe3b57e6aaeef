"""EventBridge Scheduler, and rules with a schedule: one clock thread that fires what is due."""

from __future__ import annotations

import datetime
import json
import logging
import threading
import uuid
from collections.abc import Callable, Iterator
from typing import Any

from moto.events.models import events_backends
from moto.scheduler.exceptions import ValidationException
from moto.scheduler.models import EventBridgeSchedulerBackend, Schedule, scheduler_backends

from local_cloud.eventbridge.delivery import Delivery, UnsupportedTargetError, check_target, deliver
from local_cloud.eventbridge.expressions import InvalidScheduleError, parse
from local_cloud.replacements import Replacement
from local_cloud.services.events import new_event, send_to_targets
from local_cloud.settings import CloudSettings

_LOG = logging.getLogger("local_cloud.scheduler")
_TICK_S = 0.25
_stopping = threading.Event()
_made: dict[str, datetime.datetime] = {}
"""When this clock first saw a schedule: rates count from there, and nothing earlier is made up for."""


def start(_: CloudSettings) -> None:
    """Start the clock."""
    threading.Thread(target=_run, daemon=True, name="clock").start()


def stop() -> None:
    """Stop the clock."""
    _stopping.set()


def _run() -> None:
    last = datetime.datetime.now(datetime.UTC)
    while not _stopping.wait(_TICK_S):
        now = datetime.datetime.now(datetime.UTC)
        try:
            tick(last, now)
        except Exception:  # noqa: BLE001
            # The clock must not end with one bad schedule; the log says which.
            _LOG.exception("the clock failed between %s and %s", last, now)
        last = now


def tick(after: datetime.datetime, until: datetime.datetime) -> None:
    """Fire everything that is due in `(after, until]`, both UTC."""
    for account, region, schedule in _schedules():
        due = _due(schedule, after, until)
        if due is not None:
            _fire(schedule, due, account, region)
            _after_completion(schedule, account, region)
    for rule in _scheduled_rules():
        anchor = _made.setdefault(f"{rule.arn} {rule.scheduled_expression}", until)
        due = parse(rule.scheduled_expression, "UTC", anchor).due_at(max(after, anchor), until)
        if due is not None and rule.state == "ENABLED":
            event = new_event("aws.events", "Scheduled Event", {}, [rule.arn], rule.account_id, rule.region_name)
            send_to_targets(rule, event | {"time": _iso(due)})


def _schedules() -> Iterator[tuple[str, str, Schedule]]:
    for account, regions in list(scheduler_backends.items()):
        for region, backend in list(regions.items()):
            for group in list(backend.schedule_groups.values()):
                for schedule in list(group.schedules.values()):
                    yield account, region, schedule


def _scheduled_rules() -> Iterator[Any]:
    for regions in list(events_backends.values()):
        for backend in list(regions.values()):
            for bus in list(backend.event_buses.values()):
                yield from [rule for rule in list(bus.rules.values()) if rule.scheduled_expression]


def _due(schedule: Schedule, after: datetime.datetime, until: datetime.datetime) -> datetime.datetime | None:
    if schedule.state != "ENABLED":
        return None
    made = _aware(schedule.last_modified_date)
    anchor = _aware(schedule.start_date) if schedule.start_date else made
    end = _aware(schedule.end_date) if schedule.end_date else None
    due = parse(schedule.schedule_expression, schedule.schedule_expression_timezone, anchor).due_at(after, until)
    if due is None or due < anchor or (end is not None and due > end):
        return None
    return due


def _fire(schedule: Schedule, due: datetime.datetime, account: str, region: str) -> None:
    execution_id = str(uuid.uuid4())

    def payload(attempt: int) -> str:
        known = {
            "schedule-arn": schedule.arn,
            "scheduled-time": _iso(due),
            "execution-id": execution_id,
            "attempt-number": str(attempt),
        }
        text = schedule.target.get("Input")
        if text is None:
            return json.dumps(_event_without_input(schedule, due, execution_id, account, region))
        for name, value in known.items():
            text = text.replace(f"<aws.scheduler.{name}>", value)
        return str(text)

    deliver(Delivery(schedule.arn, dict(schedule.target), payload, account, region, execution_id))


def _event_without_input(
    schedule: Schedule, due: datetime.datetime, execution_id: str, account: str, region: str
) -> dict[str, Any]:
    """What a target without Input gets.

    Source: https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-targets-templated.html
    """
    event = new_event("aws.scheduler", "Scheduled Event", {}, [schedule.arn], account, region)
    return event | {"id": execution_id, "time": _iso(due), "detail": "{}"}


def _after_completion(schedule: Schedule, account: str, region: str) -> None:
    """A one-time schedule is deleted after it fired, if it asked for that."""
    if schedule.action_after_completion == "DELETE" and schedule.schedule_expression.startswith("at("):
        scheduler_backends[account][region].delete_schedule(schedule.group_name, schedule.name)


def _iso(moment: datetime.datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _aware(timestamp: Any) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(float(timestamp), datetime.UTC)


def _checked(original: Callable[..., Schedule]) -> Callable[..., Schedule]:
    """Refuse expressions and targets that could never fire, when the schedule is made or changed."""

    def operation(self: EventBridgeSchedulerBackend, **kwargs: Any) -> Schedule:
        try:
            zone = kwargs.get("schedule_expression_timezone") or "UTC"
            parse(kwargs["schedule_expression"], zone, datetime.datetime.now(datetime.UTC))
            check_target(kwargs["target"])
        except (InvalidScheduleError, UnsupportedTargetError) as error:
            raise ValidationException(message=str(error)) from error
        window = kwargs["flexible_time_window"]
        if window.get("Mode", "OFF") != "OFF":
            _LOG.info("schedule %s: the flexible time window is not used, it fires on time", kwargs["name"])
        kwargs["state"] = kwargs.get("state") or "ENABLED"
        return original(self, **kwargs)

    return operation


REPLACEMENTS: list[Replacement] = [
    Replacement(
        target=f"moto.scheduler.models:EventBridgeSchedulerBackend.{operation}",
        build=_checked,
        why="moto takes any expression, time zone and target, and never fires",
    )
    for operation in ("create_schedule", "update_schedule")
]
