"""What services answer to a machine's Tasks, as large as that can be, and what machines are started with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from boto3.dynamodb.types import TypeSerializer

from cli.check.asl.integrations import Integration
from cli.check.quotas import limits, longest
from cli.check.quotas.largest import object_created
from cli.check.quotas.product import Product

_ATTEMPT_BYTES = 4096
"""Of an attempt in a job's description: ARNs, a log stream, network interfaces and a reason."""
_REST = "x" * 8192
"""What a description has besides what was asked for: ARNs, times, reasons of at most 1,024 characters."""
_BATCH_VARIABLES = (
    "AWS_BATCH_JOB_ID", "AWS_BATCH_JOB_ATTEMPT", "AWS_BATCH_CE_NAME", "AWS_BATCH_JQ_NAME",
    "AWS_BATCH_JOB_NUM_NODES", "AWS_BATCH_JOB_NODE_INDEX", "AWS_BATCH_JOB_MAIN_NODE_INDEX",
    "AWS_BATCH_JOB_MAIN_NODE_PRIVATE_IPV4_ADDRESS",
)  # fmt: skip
"""Source: https://docs.aws.amazon.com/batch/latest/userguide/job_env_vars.html"""


def typed(item: Mapping[str, Any]) -> dict[str, Any]:
    """An item as DynamoDB's API has it; numbers as texts."""
    plain = json.loads(json.dumps(item), parse_float=str)
    return {name: TypeSerializer().serialize(value) for name, value in plain.items()}


def entry_size(entry: Mapping[str, Any]) -> int:
    """How EventBridge counts an event.

    Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevent-size.html
    """
    detail = entry["Detail"] if isinstance(entry["Detail"], str) else json.dumps(entry["Detail"])
    return len((entry["Source"] + str(entry["DetailType"]) + detail).encode()) + len("timestamp:14by")


def with_batch_variables(overrides: Mapping[str, Any]) -> dict[str, Any]:
    """A container's overrides with what AWS Batch adds to its environment."""
    added = [{"Name": name, "Value": "x" * limits.table()["job-name"].value} for name in _BATCH_VARIABLES]
    return {**overrides, "Environment": [*(overrides.get("Environment") or []), *added]}


def failure() -> dict[str, str]:
    """The longest error and cause that a failure has."""
    table = limits.table()
    return {"Error": "E" * table["error-name"].value, "Cause": longest.WORST * table["cause"].value}


def of_service(
    integration: Integration, arguments: Mapping[str, Any], child: Any, items: Mapping[str, dict[str, Any]]
) -> dict[str, Any]:
    """The answer to a call. `child` is the output of the machine that it starts or describes."""
    assert integration.operation is not None
    name = integration.operation.name
    if name == "SubmitJob":
        table = limits.table()
        attempts = table["job-attempts"].value * _ATTEMPT_BYTES
        return {"Job": "x" * (table["job-definition"].value + table["job-request"].value + attempts)}
    if name == "GetItem":
        return {"Item": items.get(arguments["Key"]["sk"]["S"], {})}
    if name == "StartExecution":
        return {"Output": child, "Input": arguments.get("Input"), "Rest": _REST}
    if name == "DescribeExecution":
        return {"Output": json.dumps(child), "Status": "PENDING_REDRIVE", "Rest": _REST, **failure()}
    return {**arguments, "Rest": _REST}


def input_of(logical_id: str, product: Product) -> Any:
    """The largest input of a machine."""
    run = {**product.run_input, "nodes": 10**9, "job_definition": f"{product.stack}-{product.team}-training-multinode"}
    detail = product.replies["PromoteModelFunction"]["detail"]
    return {
        "TrainingMachine": object_created("k" * limits.table()["object-key"].value),
        "RunMachine": {**run, "attempt": 10**9},
        "PromotionMachine": {**detail, "expected_champion_version": longest.CHAMPION_VERSION},
        "InferenceMachine": {**object_created("x"), "detail": detail},
    }[logical_id]
