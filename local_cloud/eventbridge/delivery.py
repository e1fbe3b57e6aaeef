"""Brings events to targets: again after a failure that may pass, else to the dead-letter queue.

Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html
"""

from __future__ import annotations

import json
import logging
import re
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError
from moto.utilities.arns import parse_arn

from local_cloud.aws_clients import client, service_model

_LOG = logging.getLogger("local_cloud.delivery")
_POOL = ThreadPoolExecutor(max_workers=16, thread_name_prefix="delivery")
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 60.0


class UnsupportedTargetError(ValueError):
    """A target that this cloud cannot deliver to."""


class DeliveryError(RuntimeError):
    """The target's service answered, and refused."""


@dataclass
class Delivery:
    """One payload on its way to one target.

    `source_arn` is the rule or schedule, `target` its target as given to the API.
    """

    source_arn: str
    target: dict[str, Any]
    payload: Callable[[int], str]
    account: str
    region: str
    event_id: str
    started: float = field(default_factory=time.monotonic)
    retries: int = 0

    @property
    def arn(self) -> str:
        return str(self.target["Arn"])


def check_target(target: dict[str, Any]) -> None:
    """Refuse what `deliver` could not do. Raises: UnsupportedTargetError."""
    arn = target["Arn"]
    if ":aws-sdk:" in arn:
        _universal_operation(arn)
    elif _sender(arn) is None:
        raise UnsupportedTargetError(f"EventBridge target {arn} is not emulated")


def deliver(delivery: Delivery) -> None:
    """Hand over in the background."""
    _POOL.submit(_attempt, delivery)


def _attempt(delivery: Delivery) -> None:
    try:
        payload = delivery.payload(delivery.retries + 1)
        send = _sender(delivery.arn) or _send_universal
        send(delivery, payload)
    except (ClientError, BotoCoreError, OSError, ValueError, DeliveryError) as error:
        _failed(delivery, error)
    except Exception as error:  # noqa: BLE001
        # Nobody waits for this thread: what is not handled here would be lost without a word.
        _LOG.exception("delivering to %s failed in an unforeseen way", delivery.arn)
        _failed(delivery, error)


def _failed(delivery: Delivery, error: Exception) -> None:
    policy = delivery.target.get("RetryPolicy") or {}
    limit = int(policy.get("MaximumRetryAttempts", 185))
    age_limit_s = float(policy.get("MaximumEventAgeInSeconds", 86_400))
    pause_s = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2 ** min(delivery.retries, 10))
    exhausted = None
    if not _may_pass(error):
        exhausted = "NoRetry"
    elif delivery.retries >= limit:
        exhausted = "MaximumRetryAttempts"
    elif time.monotonic() - delivery.started + pause_s > age_limit_s:
        exhausted = "MaximumEventAgeInSeconds"
    if exhausted is None:
        _LOG.warning("delivery to %s failed, again in %.1f s: %s", delivery.arn, pause_s, error)
        delivery.retries += 1
        timer = threading.Timer(pause_s, deliver, (delivery,))
        timer.daemon = True
        timer.start()
        return
    _LOG.error("delivery to %s failed for good (%s): %s", delivery.arn, exhausted, error)
    queue = (delivery.target.get("DeadLetterConfig") or {}).get("Arn")
    if queue is None:
        _LOG.error("no dead-letter queue: event %s of %s is dropped", delivery.event_id, delivery.source_arn)
        return
    _send_to_dead_letters(delivery, queue, error, exhausted)


def _send_to_dead_letters(delivery: Delivery, queue: str, error: Exception, exhausted: str) -> None:
    try:
        body = delivery.payload(delivery.retries + 1)
    except ValueError:
        body = json.dumps({"id": delivery.event_id})  # what could not be made cannot be sent either
    attributes = {
        "RULE_ARN": delivery.source_arn,
        "TARGET_ARN": delivery.arn,
        "ERROR_CODE": _error_code(error),
        "ERROR_MESSAGE": str(error)[:1000] or type(error).__name__,
        "EXHAUSTED_RETRY_CONDITION": exhausted,
        "RETRY_ATTEMPTS": str(delivery.retries),
    }
    try:
        _send_message(
            queue,
            body,
            {name: {"DataType": "String", "StringValue": text} for name, text in attributes.items()},
        )
    except (ClientError, BotoCoreError) as failure:
        _LOG.error("dead-letter queue %s did not take event %s: %s", queue, delivery.event_id, failure)


def _may_pass(error: Exception) -> bool:
    """Whether trying again may help: throttling and failures of the service, not a refused request."""
    if isinstance(error, ClientError):
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        return status >= 500 or status == 429 or "Throttl" in _error_code(error)
    return isinstance(error, (BotoCoreError, OSError)) and not isinstance(error, ParamValidationError)


def _error_code(error: Exception) -> str:
    return str(error.response["Error"]["Code"]) if isinstance(error, ClientError) else type(error).__name__


def _sender(arn: str) -> Callable[[Delivery, str], None] | None:
    if ":aws-sdk:" in arn:
        return None
    parsed = parse_arn(arn)
    if parsed.service == "events" and parsed.resource_type != "event-bus":
        return None
    if parsed.service == "logs" and parsed.resource_type != "log-group":
        return None
    return _SENDERS.get(parsed.service)


def _start_execution(delivery: Delivery, payload: str) -> None:
    arn = parse_arn(delivery.arn)
    client("stepfunctions", arn.region, arn.account).start_execution(
        stateMachineArn=delivery.arn, name=f"{delivery.event_id}_{uuid.uuid4()}", input=payload
    )


def _invoke_function(delivery: Delivery, payload: str) -> None:
    arn = parse_arn(delivery.arn)
    client("lambda", arn.region, arn.account).invoke(
        FunctionName=delivery.arn, InvocationType="Event", Payload=payload.encode()
    )


def _send_to_queue(delivery: Delivery, payload: str) -> None:
    _send_message(delivery.arn, payload, {}, delivery.target.get("SqsParameters") or {})


def _send_message(
    queue_arn: str, body: str, attributes: dict[str, Any], parameters: dict[str, Any] | None = None
) -> None:
    arn = parse_arn(queue_arn)
    sqs = client("sqs", arn.region, arn.account)
    url = sqs.get_queue_url(QueueName=arn.resource_id)["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody=body, MessageAttributes=attributes, **(parameters or {}))


def _publish(delivery: Delivery, payload: str) -> None:
    arn = parse_arn(delivery.arn)
    client("sns", arn.region, arn.account).publish(TopicArn=delivery.arn, Message=payload)


def _put_on_bus(delivery: Delivery, payload: str) -> None:
    """Pass an event on to a bus, of this account or another."""
    arn = parse_arn(delivery.arn)
    entry: dict[str, Any] = {"EventBusName": delivery.arn}
    if parameters := delivery.target.get("EventBridgeParameters"):
        entry |= {"Source": parameters["Source"], "DetailType": parameters["DetailType"], "Detail": payload}
    else:
        event = json.loads(payload)
        entry |= {"Source": event["source"], "DetailType": event["detail-type"]}
        entry |= {"Detail": json.dumps(event["detail"]), "Resources": event["resources"]}
    reply = client("events", arn.region, arn.account).put_events(Entries=[entry])
    if reply["FailedEntryCount"]:
        raise DeliveryError(json.dumps(reply["Entries"]))


def _write_log(delivery: Delivery, payload: str) -> None:
    arn = parse_arn(delivery.arn)
    group = delivery.arn.split(":log-group:")[1].removesuffix(":*")
    logs = client("logs", arn.region, arn.account)
    stream = str(uuid.uuid4())
    logs.create_log_stream(logGroupName=group, logStreamName=stream)
    logs.put_log_events(
        logGroupName=group,
        logStreamName=stream,
        logEvents=[{"timestamp": int(time.time() * 1000), "message": payload}],
    )


def _submit_job(delivery: Delivery, payload: str) -> None:
    arn = parse_arn(delivery.arn)
    parameters = delivery.target["BatchParameters"]
    request: dict[str, Any] = {"jobName": parameters["JobName"], "jobDefinition": parameters["JobDefinition"]}
    if attempts := (parameters.get("RetryStrategy") or {}).get("Attempts"):
        request["retryStrategy"] = {"attempts": attempts}
    overrides = json.loads(payload)
    if given := {key: overrides[key] for key in ("Parameters", "ContainerOverrides") if key in overrides}:
        raise DeliveryError(f"EventBridge target batch: {', '.join(given)} in the input is not emulated")
    client("batch", arn.region, arn.account).submit_job(jobQueue=delivery.arn, **request)


_SENDERS: dict[str, Callable[[Delivery, str], None]] = {
    "states": _start_execution,
    "lambda": _invoke_function,
    "sqs": _send_to_queue,
    "sns": _publish,
    "events": _put_on_bus,
    "logs": _write_log,
    "batch": _submit_job,
}

_SDK_NAMES = {"sfn": "stepfunctions", "eventbridge": "events", "cloudwatchlogs": "logs"}


def _send_universal(delivery: Delivery, payload: str) -> None:
    """Call any API operation: `arn:aws:scheduler:::aws-sdk:<service>:<operation>`.

    Source: https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-targets-universal.html
    """
    service, model = _universal_operation(delivery.arn)
    given = json.loads(payload)
    members = model.input_shape.members if model.input_shape else {}
    by_lower = {name.lower(): name for name in members}
    unknown = [name for name in given if name.lower() not in by_lower]
    if unknown:
        raise DeliveryError(f"{service} {model.name} has no parameter {', '.join(unknown)}")
    method = re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", model.name).lower()
    request = {by_lower[name.lower()]: value for name, value in given.items()}
    getattr(client(service, delivery.region, delivery.account), method)(**request)


def _universal_operation(arn: str) -> tuple[str, Any]:
    sdk_name, _, action = arn.split(":aws-sdk:")[1].partition(":")
    service = _SDK_NAMES.get(sdk_name.lower(), sdk_name.lower())
    try:
        model = service_model(service)
        names = {name.lower(): name for name in model.operation_names}
        return service, model.operation_model(names[action.lower()])
    except (BotoCoreError, KeyError) as error:
        raise UnsupportedTargetError(f"{arn} names no API operation") from error
