"""The processes that `imports.py` measures; started as `python -I -S cold_start.py`, with what to do as JSON on stdin.

    {"paths", "do": "function", "event", "record"}    import a handler as Lambda does, and call it once
    {"paths", "do": "floor", "calls", "config"}       import what nobody can do without, and make the same calls

`record` writes the calls that the handler made through boto3 on stdout. What is imported here is imported by both.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from typing import Any


class Context:
    """What a handler gets as its second argument, as far as Powertools looks at it."""

    function_name = "function"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:us-east-1:123456789012:function:function"
    aws_request_id = "request"
    tenant_id = None


def call_function(task: dict[str, Any]) -> None:
    handler = importlib.import_module("app").handler  # the function's own, on the task's paths
    handler(task["event"], Context())


def call_floor(task: dict[str, Any]) -> None:
    import boto3
    from aws_lambda_powertools import Logger
    from botocore import xform_name
    from botocore.config import Config
    from botocore.exceptions import ClientError
    from pydantic import BaseModel  # noqa: F401  pydantic imports its parts when they are asked for

    Logger()
    clients: dict[str, Any] = {}
    for service, operation, given in task["calls"]:
        if service not in clients:
            clients[service] = boto3.client(service, config=Config(**task["config"]))
        try:
            reply = getattr(clients[service], xform_name(operation))(**decoded(given))
        except ClientError:
            continue
        if "Body" in reply:
            reply["Body"].read()


def record_calls() -> list[tuple[str, str, Any]]:
    """Note what any client of boto3's default session is asked for from now on."""
    import boto3

    calls: list[tuple[str, str, Any]] = []

    def note(params: Any, model: Any, **_: Any) -> None:
        calls.append((model.service_model.service_name, model.name, encoded(params)))

    session = boto3._get_default_session()
    session.events.register("provide-client-params.*.*", note)
    return calls


def encoded(value: Any) -> Any:
    """JSON for parameters: bytes and moments in time as objects."""
    if isinstance(value, bytes):
        return {"bytes": value.decode("latin-1")}
    if isinstance(value, dict):
        return {name: encoded(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [encoded(inner) for inner in value]
    return {"moment": value.isoformat()} if hasattr(value, "isoformat") else value


def decoded(value: Any) -> Any:
    if isinstance(value, dict) and value.keys() == {"bytes"}:
        return value["bytes"].encode("latin-1")
    if isinstance(value, dict) and value.keys() == {"moment"}:
        return value["moment"]
    if isinstance(value, dict):
        return {name: decoded(inner) for name, inner in value.items()}
    return [decoded(inner) for inner in value] if isinstance(value, list) else value


def main() -> None:
    task = json.load(sys.stdin)
    sys.path[:0] = task["paths"]
    if task["do"] == "floor":
        call_floor(task)
    elif task.get("record"):
        calls = record_calls()
        call_function(task)
        print(json.dumps(calls), file=sys.stderr)
    else:
        call_function(task)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # the first reply is out: how long an interpreter takes to end is not a cold start's


main()
