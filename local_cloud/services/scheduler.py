"""EventBridge Scheduler, and rules with a schedule: what is due is fired by the one timer.

Groups and client tokens are as on AWS. AWS's scheduler is never down, so it has no rule for what was due meanwhile.
Here a one-time schedule fires late, as long as an event of that age would still be delivered; a recurring one, and a
rule, skip what they missed, as disabled ones do.
"""

from __future__ import annotations

import datetime
import json
import logging
import uuid
from collections.abc import Callable, Iterator
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.events.models import events_backends
from moto.scheduler.exceptions import ValidationException
from moto.scheduler.models import EventBridgeSchedulerBackend, Schedule, ScheduleGroup, scheduler_backends

from local_cloud.durability import commits
from local_cloud.durability.tracked import changes
from local_cloud.eventbridge import delivery, occurrences, retries, targets
from local_cloud.eventbridge.delivery import deliver
from local_cloud.eventbridge.expressions import InvalidScheduleError, parse
from local_cloud.eventbridge.occurrences import InvalidScheduleParameterError
from local_cloud.eventbridge.outbox import Pending
from local_cloud.eventbridge.retries import InvalidRetryPolicyError
from local_cloud.eventbridge.targets import UnsupportedTargetError
from local_cloud.eventbridge.timer import TIMER
from local_cloud.replacements import Replacement
from local_cloud.services.events import new_event, send_to_targets, timestamp
from local_cloud.settings import CloudSettings

TICK_S = 0.25
WINDOW_SEED = "turbine"
_LOG = logging.getLogger("local_cloud.scheduler")


def start(_: CloudSettings) -> None:
    """Start the clock."""
    last = [utc_now()]

    def on_time() -> None:
        now = utc_now()
        if now > last[0]:  # a clock that was set back must not bring what was due once more
            after, last[0] = last[0], now
            _tick_and_keep(after, now)

    TIMER.call_every(TICK_S, on_time)
    TIMER.start()


def stop() -> None:
    """Stop the clock."""
    TIMER.stop()


def _tick_and_keep(after: datetime.datetime, until: datetime.datetime) -> None:
    """What fires is sent once it is written, together with what became of its schedule."""
    with delivery.held() as fired, commits.together():
        tick(after, until)
        if fired:
            commits.keep({"scheduler", "events"})


def utc_now() -> datetime.datetime:
    """Now, as the timer has it."""
    return occurrences.utc(TIMER.now())


def tick(after: datetime.datetime, until: datetime.datetime) -> None:
    """Fire everything that is due in `(after, until]`, both UTC; one that fails does not keep the others from it."""
    for account, region, schedule in _schedules():
        try:
            _tick_schedule(schedule, account, region, after, until)
        except Exception:  # noqa: BLE001
            # Nobody waits for a schedule: the log is the only place that can say why it did not fire.
            _LOG.exception("schedule %s failed between %s and %s", schedule.arn, after, until)
    for rule in _scheduled_rules():
        try:
            _tick_rule(rule, after, until)
        except Exception:  # noqa: BLE001
            _LOG.exception("rule %s failed between %s and %s", rule.arn, after, until)


def _tick_schedule(
    schedule: Schedule, account: str, region: str, after: datetime.datetime, until: datetime.datetime
) -> None:
    is_one_time = occurrences.is_one_time(schedule)
    if is_one_time:
        after = until - datetime.timedelta(seconds=retries.oldest_s(schedule.target.get("RetryPolicy")))
    due = occurrences.due_at(schedule, after, until)
    if is_one_time and due == schedule.__dict__.get("fired_for"):
        return  # also when nothing is due
    is_done = occurrences.is_over(schedule, until) or (due is not None and is_one_time)
    with commits.together():
        if due is not None:
            _fire(schedule, due, account, region)
        if is_one_time:
            schedule.__dict__["fired_for"] = due
            changes.note_service("scheduler")
        if is_done and schedule.action_after_completion == "DELETE":
            scheduler_backends[account][region].delete_schedule(schedule.group_name, schedule.name)
            changes.note_service("scheduler")


def _tick_rule(rule: Any, after: datetime.datetime, until: datetime.datetime) -> None:
    """Rules count in UTC, and a rate from when the rule was put, the first time one period later."""
    anchor = occurrences.utc(rule.__dict__.setdefault("scheduled_since", until.timestamp()))
    due = parse(rule.scheduled_expression, "UTC", anchor).due_at(max(after, anchor), until)
    if due is not None and str(rule.state).startswith("ENABLED"):
        event = new_event("aws.events", "Scheduled Event", {}, [rule.arn], rule.account_id, rule.region_name)
        send_to_targets(rule, event | {"time": timestamp(due.timestamp())})


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


def _fire(schedule: Schedule, due: datetime.datetime, account: str, region: str) -> None:
    execution_id, scheduled_time = str(uuid.uuid4()), timestamp(due.timestamp())
    text = schedule.target.get("Input")
    if text is None:
        text = json.dumps(_event_without_input(schedule, scheduled_time, execution_id, account, region))
    moment = max(TIMER.now(), due.timestamp() + occurrences.window_offset_s(schedule, due, WINDOW_SEED))
    deliver(
        Pending(
            source_arn=schedule.arn,
            target=dict(schedule.target),
            payload=occurrences.fill(text, schedule.arn, scheduled_time, execution_id),
            account=account,
            region=region,
            event_id=execution_id,
            accepted_at=moment,
            due_at=moment,
            about={"EXECUTION_ID": execution_id, "SCHEDULED_TIME": scheduled_time},
        )
    )


def _event_without_input(
    schedule: Schedule, scheduled_time: str, execution_id: str, account: str, region: str
) -> dict[str, Any]:
    """What a target without Input gets.

    Source: https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-targets-templated.html
    """
    event = new_event("aws.scheduler", "Scheduled Event", {}, [schedule.arn], account, region)
    return event | {"id": execution_id, "time": scheduled_time, "detail": "{}"}


def _checked(original: Callable[..., Schedule]) -> Callable[..., Schedule]:
    """Refuse what could never fire, when the schedule is made or changed."""

    def operation(self: EventBridgeSchedulerBackend, **kwargs: Any) -> Schedule:
        self.get_schedule_group(kwargs["group_name"])
        try:
            zone = kwargs.get("schedule_expression_timezone") or "UTC"
            parse(kwargs["schedule_expression"], zone, utc_now())
            targets.check_schedule_target(kwargs["target"])
            occurrences.check(
                kwargs["flexible_time_window"], kwargs.get("start_date"), kwargs.get("end_date"), kwargs["target"]
            )
        except (
            InvalidScheduleError,
            InvalidScheduleParameterError,
            InvalidRetryPolicyError,
            UnsupportedTargetError,
        ) as error:
            raise ValidationException(message=str(error)) from error
        kwargs["state"] = kwargs.get("state") or "ENABLED"
        return original(self, **kwargs)

    return operation


def _create_schedule(original: Callable[[Any], str]) -> Callable[[Any], str]:
    """A create that is sent again with its client token is answered as the first one."""

    def create_schedule(self: Any) -> str:
        token, backend = self._get_param("ClientToken"), self.scheduler_backend
        group, name = self._get_param("GroupName"), self.uri.split("?")[0].split("/")[-1]
        try:
            known = backend.get_schedule(group, name)
        except JsonRESTError:
            known = None
        if known is not None and token and known.__dict__.get("client_token") == token:
            return json.dumps({"ScheduleArn": known.arn})
        reply = original(self)
        backend.get_schedule(group, name).__dict__["client_token"] = token
        return reply

    return create_schedule


def _update_schedule(original: Callable[[Any], str]) -> Callable[[Any], str]:
    """An update replaces everything, what happens after completion too."""

    def update_schedule(self: Any) -> str:
        reply = original(self)
        name = self.uri.split("?")[0].split("/")[-1]
        schedule = self.scheduler_backend.get_schedule(self._get_param("GroupName"), name)
        schedule.action_after_completion = self._get_param("ActionAfterCompletion") or "NONE"
        return reply

    return update_schedule


def _create_group(original: Callable[..., ScheduleGroup]) -> Callable[..., ScheduleGroup]:
    def create_schedule_group(self: EventBridgeSchedulerBackend, name: str, tags: Any) -> ScheduleGroup:
        if name in self.schedule_groups:
            raise JsonRESTError("ConflictException", f"Schedule group {name} already exists.")
        return original(self, name=name, tags=tags)

    return create_schedule_group


def _delete_group(original: Callable[..., None]) -> Callable[..., None]:
    """A group goes with its schedules; the default one stays."""

    def delete_schedule_group(self: EventBridgeSchedulerBackend, name: str | None) -> None:
        if (name or "default") == "default":
            raise ValidationException(message="The default schedule group cannot be deleted.")
        self.get_schedule_group(name)
        original(self, name)

    return delete_schedule_group


_BACKEND = "moto.scheduler.models:EventBridgeSchedulerBackend"
_RESPONSE = "moto.scheduler.responses:EventBridgeSchedulerResponse"

REPLACEMENTS: list[Replacement] = [
    *(
        Replacement(
            target=f"{_BACKEND}.{operation}",
            build=_checked,
            why="moto takes any expression, time zone, window, group and target, and never fires",
        )
        for operation in ("create_schedule", "update_schedule")
    ),
    Replacement(
        target=f"{_RESPONSE}.create_schedule",
        build=_create_schedule,
        why="moto ignores ClientToken, so that a retry of a create that worked is refused",
    ),
    Replacement(
        target=f"{_RESPONSE}.update_schedule",
        build=_update_schedule,
        why="moto keeps the old ActionAfterCompletion on an update",
    ),
    Replacement(
        target=f"{_BACKEND}.create_schedule_group",
        build=_create_group,
        why="moto makes a group anew, and loses its schedules",
    ),
    Replacement(
        target=f"{_BACKEND}.delete_schedule_group",
        build=_delete_group,
        why="moto fails with a KeyError on an unknown group, and lets the default one go",
    ),
]
