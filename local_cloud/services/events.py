"""EventBridge: events really reach their targets; patterns and targets that cannot be served are refused."""

from __future__ import annotations

import datetime
import json
import uuid
from collections.abc import Callable
from typing import Any

from moto.events.exceptions import InvalidEventPatternException, ValidationException
from moto.events.models import EventsBackend, Rule, events_backends

from local_cloud.eventbridge import patterns
from local_cloud.eventbridge.delivery import Delivery, UnsupportedTargetError, check_target, deliver
from local_cloud.eventbridge.expressions import InvalidScheduleError, parse
from local_cloud.eventbridge.inputs import target_input
from local_cloud.replacements import Replacement

_MANY_ENTRIES = 10
_INPUTS = ("Input", "InputPath", "InputTransformer")


def emit(
    source: str,
    detail_type: str,
    detail: dict[str, Any],
    resources: list[str],
    account: str,
    region: str,
    bus: str = "default",
) -> str:
    """Put an event of an AWS service on a bus, and return its id. Delivery goes on in the background."""
    event = new_event(source, detail_type, detail, resources, account, region)
    _dispatch(event, events_backends[account][region], bus)
    return str(event["id"])


def new_event(
    source: str, detail_type: str, detail: dict[str, Any], resources: list[str], account: str, region: str
) -> dict[str, Any]:
    """An event as EventBridge shows it to its targets.

    Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-events-structure.html
    """
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": detail_type,
        "source": source,
        "account": account,
        "time": _timestamp(datetime.datetime.now(datetime.UTC)),
        "region": region,
        "resources": resources,
        "detail": detail,
    }


def send_to_targets(rule: Rule, event: dict[str, Any]) -> None:
    """Deliver an event to every target of a rule."""
    for target in list(rule.targets):
        deliver(
            Delivery(
                source_arn=rule.arn,
                target=target,
                payload=lambda _, target=target: target_input(target, event, rule.arn),  # type: ignore[misc]
                account=rule.account_id,
                region=rule.region_name,
                event_id=event["id"],
            )
        )


def _dispatch(event: dict[str, Any], backend: EventsBackend, bus: str) -> None:
    event = json.loads(json.dumps(event))
    for rule in list(backend.describe_event_bus(bus).rules.values()):
        pattern = rule.event_pattern.get_pattern()
        # A rule that only has a schedule takes no event; moto lets it take every one.
        if rule.state == "ENABLED" and pattern and patterns.matches(pattern, event):
            send_to_targets(rule, event)


def _timestamp(moment: datetime.datetime) -> str:
    return moment.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _put_events(_: Callable[..., Any]) -> Callable[..., Any]:
    def put_events(self: EventsBackend, events: list[dict[str, Any]]) -> list[dict[str, Any]]:
        if not 1 <= len(events) <= _MANY_ENTRIES:
            raise ValidationException(
                "1 validation error detected: Value at 'entries' failed to satisfy constraint: "
                "Member must have length less than or equal to 10"
            )
        return [_put_entry(self, entry) for entry in events]

    return put_events


def _put_entry(backend: EventsBackend, entry: dict[str, Any]) -> dict[str, Any]:
    for name in ("Source", "DetailType", "Detail"):
        if not entry.get(name):
            reason = f"Parameter {name} is not valid. Reason: {name} is a required argument."
            return {"ErrorCode": "InvalidArgument", "ErrorMessage": reason}
    if entry["Source"].startswith("aws."):
        reason = "Parameter Source is not valid. Reason: Not authorized for the source."
        return {"ErrorCode": "NotAuthorizedForSourceException", "ErrorMessage": reason}
    try:
        detail = json.loads(entry["Detail"])
    except ValueError:
        return {"ErrorCode": "MalformedDetail", "ErrorMessage": "Detail is malformed."}
    if not isinstance(detail, dict):
        return {"ErrorCode": "MalformedDetail", "ErrorMessage": "Detail is malformed."}
    event = new_event(
        entry["Source"],
        entry["DetailType"],
        detail,
        entry.get("Resources") or [],
        backend.account_id,
        backend.region_name,
    )
    if "Time" in entry:
        event["time"] = _timestamp(datetime.datetime.fromtimestamp(float(entry["Time"]), datetime.UTC))
    _dispatch(event, backend, (entry.get("EventBusName") or "default").rsplit("/", 1)[-1])
    return {"EventId": event["id"]}


def _put_rule(original: Callable[..., Rule]) -> Callable[..., Rule]:
    def put_rule(self: EventsBackend, name: str, *args: Any, **kwargs: Any) -> Rule:
        pattern = kwargs.get("event_pattern")
        if pattern:
            try:
                patterns.validate(json.loads(pattern))
            except ValueError as error:
                raise InvalidEventPatternException(reason=str(error)) from error
        if expression := kwargs.get("scheduled_expression"):
            try:
                parse(expression, "UTC", datetime.datetime.now(datetime.UTC))
            except InvalidScheduleError as error:
                raise ValidationException("Parameter ScheduleExpression is not valid.") from error
        return original(self, name, *args, **kwargs)

    return put_rule


def _put_targets(original: Callable[..., None]) -> Callable[..., None]:
    def put_targets(self: EventsBackend, name: str, event_bus_arn: str | None, targets: list[dict[str, Any]]) -> None:
        for target in targets:
            if sum(key in target for key in _INPUTS) > 1:
                raise ValidationException(
                    f"Only one of Input, InputPath, or InputTransformer must be provided for target {target['Id']}."
                )
            try:
                check_target(target)
            except UnsupportedTargetError as error:
                raise ValidationException(str(error)) from error
        original(self, name, event_bus_arn, targets)

    return put_targets


REPLACEMENTS: list[Replacement] = [
    Replacement(
        target="moto.events.models:EventsBackend.put_events",
        build=_put_events,
        why="moto delivers to few targets, in the caller's thread, and gives up on the first failure",
    ),
    Replacement(
        target="moto.events.models:EventsBackend.put_rule",
        build=_put_rule,
        why="moto takes any pattern and lets unknown filters match nothing",
    ),
    Replacement(
        target="moto.events.models:EventsBackend.put_targets",
        build=_put_targets,
        why="moto takes any target and drops what it cannot deliver",
    ),
]
