"""From bus to bus, also of another account: the same event, if the bus lets the sender in.

Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-cross-account.html
"""

from __future__ import annotations

from typing import Any

from moto.events.models import EventBus, EventsBackend, events_backends
from moto.utilities.arns import parse_arn

from local_cloud.eventbridge.failures import DeliveryError

MOST_HOPS = 10
"""Of an event within one account. AWS has no such limit: there, rules that send in a circle cost money for ever."""


def find(name: str | None, backend: EventsBackend) -> tuple[EventsBackend, EventBus] | None:
    """The bus that a caller of `backend`'s account names, by name or ARN; None when there is none."""
    if name and name.startswith("arn:"):
        arn = parse_arn(name)
        backend = events_backends[arn.account][arn.region]
        name = arn.resource_id
    bus = backend.event_buses.get(name or "default")
    return (backend, bus) if bus is not None else None


def lets_in(bus: EventBus, account: str) -> bool:
    """Whether the bus takes events of an account: its own, or one that its policy names."""
    if bus.account_id == account:
        return True
    return any(_names(statement, account) for statement in bus._statements.values())


def _names(statement: Any, account: str) -> bool:
    if statement.effect != "Allow" or statement.condition:
        return False  # aws:PrincipalOrgID is the one condition there is, and this cloud has no organisation
    principal = statement.principal
    given = principal.get("AWS", []) if isinstance(principal, dict) else principal
    named = given if isinstance(given, list) else [given]
    return any(one in ("*", account, f"arn:aws:iam::{account}:root") for one in named)


def check_hop(event: dict[str, Any], sender: str, bus: EventBus, hops: int) -> None:
    """Refuse what a rule of `sender` may not pass on. Raises: DeliveryError."""
    if not {"source", "detail-type", "detail", "account"} <= event.keys():
        raise DeliveryError("INVALID_PARAMETER", "what the target's input gives is not an event")
    if not lets_in(bus, sender):
        raise DeliveryError("NO_PERMISSIONS", f"the policy of {bus.arn} does not name account {sender}")
    if event["account"] != sender != bus.account_id:
        raise DeliveryError("THIRD_ACCOUNT_HOP_DETECTED", f"the event of {event['account']} came to {sender} already")
    if hops >= MOST_HOPS:
        raise DeliveryError("INTERNAL_ERROR", f"the event passed {hops} buses: rules send it in a circle")
