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

from local_cloud.authorization import handover
from local_cloud.authorization.evaluation import DeniedError
from local_cloud.authorization.handover import Taker
from local_cloud.aws_clients import client
from local_cloud.durability import commits
from local_cloud.lambda_runtime.environment import Reply

_LOG = logging.getLogger("local_cloud.lambda")
_POOL = ThreadPoolExecutor(max_workers=16, thread_name_prefix="lambda-async")
RETRY_PAUSE_S = (1.0, 2.0)
"""AWS waits one minute, then two: the same steps, sixty times faster."""

Run = Callable[[LambdaFunction, str], tuple[Reply, str]]


@dataclass
class Accepted:
    """An event that a caller was told is accepted, until its function or a destination has had it."""

    function_arn: str
    account: str
    region: str
    event: str
    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    attempts: int = 0


@dataclass
class _Queued:
    function: LambdaFunction
    accepted: Accepted
    run: Run

    @property
    def event(self) -> str:
        return self.accepted.event

    @property
    def request_id(self) -> str:
        return self.accepted.request_id

    @property
    def attempts(self) -> int:
        return self.accepted.attempts


_accepted: dict[str, Accepted] = {}


def submit(function: LambdaFunction, event: str, run: Run) -> None:
    """Run a function in the background."""
    arn = f"{function.function_arn}:{function.version}"
    accepted = Accepted(arn, function.account_id, function.region, event)
    _accepted[accepted.request_id] = accepted
    commits.afterwards(lambda: _POOL.submit(_until_had, _Queued(function, accepted, run)))


def accepted() -> dict[str, Accepted]:
    """What is not yet had, by request."""
    return dict(_accepted)


def restore(kept: dict[str, Accepted]) -> None:
    """What an earlier process had accepted."""
    _accepted.update(kept)


def resume(function_of: Callable[[Accepted], LambdaFunction | None], run: Run) -> None:
    """Run what was restored; an attempt that was under way counts, and is made again."""
    for waiting in accepted().values():
        function = function_of(waiting)
        if function is None:
            _done(waiting)  # deleted meanwhile: AWS drops its events too
        else:
            waiting.attempts = max(0, waiting.attempts - 1)
            _POOL.submit(_until_had, _Queued(function, waiting, run))


def _done(accepted: Accepted) -> None:
    _accepted.pop(accepted.request_id, None)
    commits.keep({"lambda"})


def _until_had(queued: _Queued) -> None:
    if _attempt(queued):
        _done(queued.accepted)


def _attempt(queued: _Queued) -> bool:
    """Run it once; whether that was the last time."""
    queued.accepted.attempts += 1
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
        return True
    retries = int(_configuration(queued.function).get("MaximumRetryAttempts", 2))
    _LOG.warning("%s failed, attempt %d: %s", queued.function.function_arn, queued.attempts, reply.payload[:500])
    if queued.attempts <= retries:
        timer = threading.Timer(RETRY_PAUSE_S[queued.attempts - 1], _POOL.submit, (_until_had, queued))
        timer.daemon = True
        timer.start()
        return False
    _send_to_dead_letters(queued, reply)
    _send_to_destination(queued, reply, destinations.get("OnFailure"), "RetriesExhausted")
    return True


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
    arn, function = parse_arn(target), queued.function
    try:
        taker = Taker("lambda.amazonaws.com", function.account_id, function.function_arn)
        session = handover.take(str(function.role), function.function_name, taker)
        if arn.service == "sqs":
            sqs = client("sqs", arn.region, arn.account, session)
            # The service finds the queue by itself; only the message is sent in the role's name.
            url = client("sqs", arn.region, arn.account).get_queue_url(QueueName=arn.resource_id)["QueueUrl"]
            sqs.send_message(QueueUrl=url, MessageBody=body, MessageAttributes=attributes)
        elif arn.service == "sns":
            client("sns", arn.region, arn.account, session).publish(
                TopicArn=target, Message=body, MessageAttributes=attributes
            )
        elif arn.service == "lambda":
            client("lambda", arn.region, arn.account, session).invoke(
                FunctionName=target, InvocationType="Event", Payload=body.encode()
            )
        else:
            _LOG.error("Lambda destination %s is not emulated: %s is dropped", target, queued.request_id)
    except (ClientError, BotoCoreError, DeniedError) as error:
        _LOG.error("%s did not take the record of %s: %s", target, queued.request_id, error)
