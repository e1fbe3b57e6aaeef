"""Universal targets of Scheduler: any API operation as `arn:aws:scheduler:::aws-sdk:<service>:<operation>`.

Source: https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-targets-universal.html
"""

from __future__ import annotations

import json
import re
from typing import Any

from botocore.exceptions import BotoCoreError

from local_cloud.aws_clients import service_model
from local_cloud.eventbridge import senders
from local_cloud.eventbridge.failures import DeliveryError
from local_cloud.eventbridge.outbox import Pending

_SDK_NAMES = {"sfn": "stepfunctions", "eventbridge": "events", "cloudwatchlogs": "logs"}
_READING = (
    *(
        "get",
        "describe",
        "list",
        "poll",
        "receive",
        "search",
        "scan",
        "query",
        "select",
        "read",
        "discover",
        "validate",
    ),
    *("batchget", "batchdescribe", "batchread", "transactget", "adminget", "adminlist"),
)


class UnsupportedTargetError(ValueError):
    """A target that this cloud, or AWS, cannot deliver to."""


def is_universal(arn: str) -> bool:
    """Whether a target is an API operation."""
    return ":aws-sdk:" in arn


def send(record: Pending, payload: str) -> None:
    """Call the operation with the payload as its request."""
    service, model = operation(record.arn)
    given = json.loads(payload)
    members = model.input_shape.members if model.input_shape else {}
    by_lower = {name.lower(): name for name in members}
    unknown = [name for name in given if name.lower() not in by_lower]
    if unknown:
        raise DeliveryError("INVALID_PARAMETER", f"{service} {model.name} has no parameter {', '.join(unknown)}")
    method = re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", model.name).lower()
    request = {by_lower[name.lower()]: value for name, value in given.items()}
    getattr(senders.client_of(record, service, record.region, record.account), method)(**request)


def operation(arn: str) -> tuple[str, Any]:
    """The service and the operation's model. Raises: UnsupportedTargetError."""
    sdk_name, _, action = arn.split(":aws-sdk:")[1].partition(":")
    service = _SDK_NAMES.get(sdk_name.lower(), sdk_name.lower())
    if action.lower().startswith(_READING):
        raise UnsupportedTargetError(f"{arn} only reads: Scheduler takes no such operation")
    try:
        model = service_model(service)
        names = {name.lower(): name for name in model.operation_names}
        return service, model.operation_model(names[action.lower()])
    except (BotoCoreError, KeyError) as error:
        raise UnsupportedTargetError(f"{arn} names no API operation") from error
