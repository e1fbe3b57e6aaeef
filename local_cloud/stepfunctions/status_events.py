"""What the event of an execution's new status tells, and what it leaves out because it would not fit.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping
from typing import Any

MOST_BYTES = 248 * 1024
"""Of input and output together, as the event's JSON text holds them; EventBridge takes 256 KiB a call."""
_NULL_IF_UNKNOWN = (
    *("stateMachineVersionArn", "stateMachineAliasArn", "redriveDate", "redriveStatusReason", "stopDate"),
    *("input", "output", "outputDetails", "error", "cause"),
)
_LEFT_OUT = {"included": False}


def detail(shown: Mapping[str, Any]) -> dict[str, Any]:
    """The event's detail, of an execution as DescribeExecution shows it. Units: moments in ms since 1970."""
    told: dict[str, Any] = {
        **dict.fromkeys(_NULL_IF_UNKNOWN),
        **{
            name: int(value.timestamp() * 1000) if isinstance(value, datetime.datetime) else value
            for name, value in shown.items()
        },
    }
    input_bytes, output_bytes = _escaped_bytes(told["input"]), _escaped_bytes(told["output"])
    if input_bytes + output_bytes > MOST_BYTES:
        told |= {"input": None, "inputDetails": _LEFT_OUT}
    if output_bytes > MOST_BYTES:
        told |= {"output": None, "outputDetails": _LEFT_OUT}
    return told


def _escaped_bytes(text: str | None) -> int:
    return 0 if text is None else len(json.dumps(text, ensure_ascii=False).encode())
