"""Asynchronous invocations: two retries, then the on-failure destination or the dead-letter queue.

Source: https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
"""

from __future__ import annotations

import datetime
import json
import logging
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from moto.awslambda.exceptions import LambdaClientError
from moto.awslambda.models import LambdaFunction
from moto.utilities.arns import parse_arn

from local_cloud.aws_clients import client
from local_cloud.lambda_runtime.environment import Reply

_LOG = logging.getLogger("local_cloud.lambda")
_POOL = ThreadPoolExecutor(max_workers=16, thread_name_prefix="lambda-async")
RETRY_PAUSE_S = (1.0, 2.0)
"""AWS waits one minute, then two: the same steps, sixty times faster."""

Run = Callable[[LambdaFunction, str], tuple[Reply, str]]


@dataclass
class _Queued:
    function: LambdaFunction
    event: str
    run: Run
    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    attempts: int = 0


def submit(function: LambdaFunction, event: str, run: Run) -> None:
    """Run a function in the background."""
    _POOL.submit(_attempt, _Queued(function, event, run))


def _attempt(queued: _Queued) -> None:
    queued.attempts += 1
    try:
        reply, _ = queued.run(queued.function, queued.event)
    except LambdaClientError as error:  # throttled: as a failure of the function, tried again
        reply = Reply(json.dumps({"errorType": error.error_type, "errorMessage": error.message}), True, 0)
    except Exception:  # noqa: BLE001
        # Nobody waits for this thread: what is not handled here would be lost without a word.
        _LOG.exception("asynchronous invocation of %s failed outside of the function", queued.function.function_arn)
        reply = Reply(json.dumps({"errorType": "InternalFailure", "errorMessage": "see the log"}), True, 0)
    destinations = _configuration(queued.function).get("DestinationConfig") or {}
    if not reply.failed:
        _send_to_destination(queued, reply, destinations.get("OnSuccess"), "Success")
        return
    retries = int(_configuration(queued.function).get("MaximumRetryAttempts", 2))
    _LOG.warning("%s failed, attempt %d: %s", queued.function.function_arn, queued.attempts, reply.payload[:500])
    if queued.attempts <= retries:
        timer = threading.Timer(RETRY_PAUSE_S[queued.attempts - 1], _POOL.submit, (_attempt, queued))
        timer.daemon = True
        timer.start()
        return
    _send_to_dead_letters(queued, reply)
    _send_to_destination(queued, reply, destinations.get("OnFailure"), "RetriesExhausted")


def _configuration(function: LambdaFunction) -> dict[str, Any]:
    return dict(function.event_invoke_config[0].config) if function.event_invoke_config else {}


def _send_to_dead_letters(queued: _Queued, reply: Reply) -> None:
    target = (queued.function.dead_letter_config or {}).get("TargetArn")
    if not target:
        return
    attributes = {
        "RequestID": queued.request_id,
        "ErrorCode": "200",
        "ErrorMessage": str(json.loads(reply.payload).get("errorMessage", ""))[:1024] or "unknown",
    }
    typed = {name: {"DataType": "String", "StringValue": text} for name, text in attributes.items()}
    _send(target, queued.event, typed, queued)


def _send_to_destination(queued: _Queued, reply: Reply, destination: dict[str, Any] | None, condition: str) -> None:
    if not destination or not destination.get("Destination"):
        return
    function = queued.function
    context: dict[str, Any] = {"statusCode": 200, "executedVersion": str(function.version)}
    if reply.failed:
        context["functionError"] = "Unhandled"
    record = {
        "version": "1.0",
        "timestamp": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z",
        "requestContext": {
            "requestId": queued.request_id,
            "functionArn": f"{function.function_arn}:{function.version}",
            "condition": condition,
            "approximateInvokeCount": queued.attempts,
        },
        "requestPayload": json.loads(queued.event),
        "responseContext": context,
        "responsePayload": json.loads(reply.payload),
    }
    _send(destination["Destination"], json.dumps(record), {}, queued)


def _send(target: str, body: str, attributes: dict[str, Any], queued: _Queued) -> None:
    arn = parse_arn(target)
    try:
        if arn.service == "sqs":
            sqs = client("sqs", arn.region, arn.account)
            url = sqs.get_queue_url(QueueName=arn.resource_id)["QueueUrl"]
            sqs.send_message(QueueUrl=url, MessageBody=body, MessageAttributes=attributes)
        elif arn.service == "sns":
            client("sns", arn.region, arn.account).publish(TopicArn=target, Message=body, MessageAttributes=attributes)
        elif arn.service == "lambda":
            client("lambda", arn.region, arn.account).invoke(
                FunctionName=target, InvocationType="Event", Payload=body.encode()
            )
        else:
            _LOG.error("Lambda destination %s is not emulated: %s is dropped", target, queued.request_id)
    except (ClientError, BotoCoreError) as error:
        _LOG.error("%s did not take the record of %s: %s", target, queued.request_id, error)
