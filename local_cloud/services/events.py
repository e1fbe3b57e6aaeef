"""EventBridge: events really reach their targets; patterns and targets that cannot be served are refused."""

from __future__ import annotations

import datetime
import json
import uuid
from collections.abc import Callable
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.events.exceptions import InvalidEventPatternException, ValidationException
from moto.events.models import EventBus, EventsBackend, Rule, events_backends

from local_cloud.durability import commits
from local_cloud.eventbridge import buses, delivery, inputs, outbox, pattern_syntax, patterns, senders, targets
from local_cloud.eventbridge.expressions import InvalidScheduleError, parse
from local_cloud.eventbridge.failures import DeliveryError
from local_cloud.eventbridge.inputs import InvalidInputError
from local_cloud.eventbridge.outbox import OUTBOX, Pending
from local_cloud.eventbridge.retries import InvalidRetryPolicyError
from local_cloud.eventbridge.targets import UnsupportedTargetError
from local_cloud.replacements import Replacement
from local_cloud.settings import CloudSettings

MOST_ENTRIES = 10
LARGEST_REQUEST_BYTES = 256 * 1024
MOST_TARGETS = 5
_ENVELOPE = ("id", "account", "source", "time", "region", "resources", "detail-type")
_TIME_BYTES = 14


def start(_: CloudSettings) -> None:
    """Deliver what is accepted, and first what an earlier process left undelivered."""
    delivery.start()


def stop() -> None:
    """Deliver no more; what is on its way stays in the outbox."""
    delivery.stop()


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
    _dispatch(event, events_backends[account][region].describe_event_bus(bus), 0)
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
        "time": timestamp(delivery.now()),
        "region": region,
        "resources": resources,
        "detail": detail,
    }


def send_to_targets(rule: Rule, event: dict[str, Any], hops: int = 0) -> None:
    """Deliver an event to every target of a rule."""
    now = delivery.now()
    for target in list(rule.targets):
        payload, failure = _input(target, event, rule.arn, timestamp(now))
        is_event = not any(target.get(name) for name in inputs.FIELDS)
        delivery.deliver(
            Pending(
                source_arn=rule.arn,
                target=target,
                payload=payload,
                account=rule.account_id,
                region=rule.region_name,
                event_id=event["id"],
                accepted_at=now,
                due_at=now,
                original=None if is_event else json.dumps(event),
                failure=failure,
                hops=hops,
            )
        )


def timestamp(moment: float) -> str:
    """Seconds since 1970 as events write them."""
    return datetime.datetime.fromtimestamp(moment, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _input(
    target: dict[str, Any], event: dict[str, Any], rule_arn: str, ingested: str
) -> tuple[str, tuple[str, str] | None]:
    """The payload; the event itself and why, when the target's input cannot be made of it."""
    try:
        return inputs.target_input(target, event, rule_arn, ingested), None
    except InvalidInputError as error:
        return json.dumps(event), ("INVALID_JSON", str(error))


def _dispatch(event: dict[str, Any], bus: EventBus, hops: int) -> None:
    event = json.loads(json.dumps(event))
    for rule in list(bus.rules.values()):
        pattern = rule.event_pattern.get_pattern()
        # A rule that only has a schedule takes no event; moto lets it take every one.
        if str(rule.state).startswith("ENABLED") and pattern and patterns.matches(pattern, event):
            send_to_targets(rule, event, hops)


def _put_on_bus(original: targets.Sender) -> targets.Sender:
    """What a rule sends to a bus arrives as the same event: id, account and time stay."""

    def send(record: Pending, payload: str) -> None:
        if "EventBridgeParameters" in record.target:
            original(record, payload)
            return
        found = buses.find(record.arn, events_backends[record.account][record.region])
        if found is None:
            raise DeliveryError("NO_RESOURCE", f"Event bus {record.arn} does not exist.")
        event = json.loads(payload)
        senders.require_put_events(record)
        buses.check_hop(event, record.account, found[1], record.hops)
        with commits.together():  # here and no more on its way: else a crash between the two would let it arrive twice
            _dispatch(event, found[1], record.hops + 1)
            OUTBOX.done(record)

    return send


targets.SENDERS["events"] = _put_on_bus(targets.SENDERS["events"])


def _put_events(_: Callable[..., Any]) -> Callable[..., Any]:
    def put_events(self: EventsBackend, events: list[dict[str, Any]]) -> list[dict[str, Any]]:
        if not 1 <= len(events) <= MOST_ENTRIES:
            raise ValidationException(
                f"1 validation error detected: Value '{len(events)} entries' at 'entries' failed to satisfy "
                f"constraint: Member must have length less than or equal to {MOST_ENTRIES} and at least 1"
            )
        if sum(map(_size, events)) > LARGEST_REQUEST_BYTES:
            raise ValidationException("Total size of the entries in the request is over the limit.")
        return [_put_entry(self, entry) for entry in events]

    return put_events


def _size(entry: dict[str, Any]) -> int:
    """Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html"""
    texts = [entry.get(name) or "" for name in ("Source", "DetailType", "Detail")] + list(entry.get("Resources") or [])
    return sum(len(str(text).encode()) for text in texts) + (_TIME_BYTES if "Time" in entry else 0)


def _put_entry(backend: EventsBackend, entry: dict[str, Any]) -> dict[str, Any]:
    for name in ("Source", "DetailType", "Detail"):
        if not entry.get(name):
            return _failed("InvalidArgument", f"Parameter {name} is not valid. Reason: {name} is a required argument.")
    if entry["Source"].startswith("aws."):
        reason = "Parameter Source is not valid. Reason: Not authorized for the source."
        return _failed("NotAuthorizedForSourceException", reason)
    try:
        detail = json.loads(entry["Detail"])
    except ValueError:
        detail = None
    if not isinstance(detail, dict):
        return _failed("MalformedDetail", "Detail is malformed.")
    found = buses.find(entry.get("EventBusName"), backend)
    if found is None:
        return _failed("InvalidArgument", f"Event bus {entry['EventBusName']} does not exist.")
    if not buses.lets_in(found[1], backend.account_id):
        return _failed("AccessDeniedException", f"The policy of {found[1].arn} does not name {backend.account_id}.")
    event = new_event(
        entry["Source"], entry["DetailType"], detail, entry.get("Resources") or [], backend.account_id, found[1].region
    )
    if entry.get("Time") is not None:
        event["time"] = timestamp(float(entry["Time"]))
    _dispatch(event, found[1], 0)
    return {"EventId": event["id"]}


def _failed(code: str, message: str) -> dict[str, Any]:
    return {"ErrorCode": code, "ErrorMessage": message}


def _put_rule(original: Callable[..., Rule]) -> Callable[..., Rule]:
    def put_rule(self: EventsBackend, name: str, *args: Any, **kwargs: Any) -> Rule:
        if pattern := kwargs.get("event_pattern"):
            _parsed(pattern)
        if expression := kwargs.get("scheduled_expression"):
            try:
                parse(expression, "UTC", datetime.datetime.now(datetime.UTC))
            except InvalidScheduleError as error:
                raise ValidationException("Parameter ScheduleExpression is not valid.") from error
        rule = original(self, name, *args, **kwargs)
        # A rate counts from when the rule was put; kept at the rule, so that it lasts as long.
        rule.__dict__["scheduled_since"] = delivery.now()
        return rule

    return put_rule


def _parsed(pattern: str) -> dict[str, Any]:
    try:
        return pattern_syntax.parse(pattern)
    except pattern_syntax.InvalidPatternError as error:
        raise InvalidEventPatternException(reason=str(error)) from error


def _put_targets(original: Callable[..., None]) -> Callable[..., None]:
    def put_targets(self: EventsBackend, name: str, event_bus_arn: str | None, given: list[dict[str, Any]]) -> None:
        rule = self.describe_rule(name, event_bus_arn)
        for target in given:
            try:
                targets.check_rule_target(target, self.account_id)
                inputs.check(target)
            except (UnsupportedTargetError, InvalidInputError, InvalidRetryPolicyError) as error:
                raise ValidationException(str(error)) from error
        if len({target["Id"] for target in [*rule.targets, *given]}) > MOST_TARGETS:
            raise JsonRESTError(
                "LimitExceededException", f"The requested resource exceeds the maximum number allowed: {MOST_TARGETS}"
            )
        original(self, name, event_bus_arn, given)

    return put_targets


def _test_event_pattern(_: Callable[..., Any]) -> Callable[..., Any]:
    def test_event_pattern(self: Any) -> tuple[str, dict[str, Any]]:
        pattern = _parsed(self._get_param("EventPattern"))
        try:
            event = json.loads(self._get_param("Event"))
        except ValueError as error:
            raise ValidationException("Parameter Event is not valid. Reason: it is not JSON.") from error
        missing = [name for name in _ENVELOPE if not isinstance(event, dict) or name not in event]
        if missing:
            raise ValidationException(f"Parameter Event is not valid. Reason: it has no {', '.join(missing)}.")
        return json.dumps({"Result": patterns.matches(pattern, event)}), self.response_headers

    return test_event_pattern


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
    Replacement(
        target="moto.events.responses:EventsHandler.test_event_pattern",
        build=_test_event_pattern,
        why="moto answers TestEventPattern with nothing",
    ),
]

kept_spaces = outbox.answers
KEPT = {"outbox": (lambda: OUTBOX.records, outbox.restore)}
"""Where the outbox's records are."""
