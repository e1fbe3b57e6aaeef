"""EventBridge."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from turbine.aws.clients import client
from turbine.domain.errors import EventRefusedError, TryAgainError

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient

SOURCE = "turbine"

# Source: https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsResultEntry.html
BUSY = frozenset({"InternalFailure", "InternalException", "ThrottlingException"})


class EventBridgeBus:
    """Fulfils `ports.EventBus`."""

    def __init__(self, name: str) -> None:
        self._name = name

    def publish(self, detail_type: str, detail: Mapping[str, Any]) -> None:
        events: EventBridgeClient = client("events")
        entry = {"Source": SOURCE, "DetailType": detail_type, "Detail": json.dumps(detail)}
        answer = events.put_events(Entries=[{**entry, "EventBusName": self._name}])  # type: ignore[typeddict-item]
        if answer["FailedEntryCount"]:  # PutEvents answers 200 all the same
            refused = answer["Entries"][0]
            code = refused.get("ErrorCode")
            problem = f"{self._name} did not take {detail_type}: {code} {refused.get('ErrorMessage')}"
            raise TryAgainError(problem) if code in BUSY else EventRefusedError(problem)
