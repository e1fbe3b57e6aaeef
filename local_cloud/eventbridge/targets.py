"""The targets that this cloud delivers to; all others are refused by name when they are set.

Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-targets.html and
https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-targets-templated.html
"""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError
from moto.utilities.arns import parse_arn

from local_cloud.aws_clients import client
from local_cloud.eventbridge import inputs, retries, senders, universal
from local_cloud.eventbridge.failures import DeliveryError
from local_cloud.eventbridge.outbox import Pending
from local_cloud.eventbridge.universal import UnsupportedTargetError

Sender = Callable[[Pending, str], None]

_RULE_PARAMETERS = {
    "Id",
    "Arn",
    "RoleArn",
    "Input",
    "InputPath",
    "InputTransformer",
    "SqsParameters",
    "BatchParameters",
    "DeadLetterConfig",
    "RetryPolicy",
}
_SCHEDULE_PARAMETERS = {
    "Arn",
    "RoleArn",
    "Input",
    "SqsParameters",
    "EventBridgeParameters",
    "DeadLetterConfig",
    "RetryPolicy",
}
_ROLE_NEEDED = ("states", "batch")
_NOT_TEMPLATED = ("batch", "logs")


def check_rule_target(target: dict[str, Any], account: str) -> None:
    """Refuse what could not be delivered to. Raises: UnsupportedTargetError, InvalidRetryPolicyError."""
    arn = str(target["Arn"])
    _only(target, _RULE_PARAMETERS)
    service = None if universal.is_universal(arn) else _service(arn)
    if service is None:
        raise UnsupportedTargetError(f"EventBridge target {arn} is not emulated")
    if service == "events" and (given := [name for name in inputs.FIELDS if target.get(name)]):
        raise UnsupportedTargetError(f"{given[0]} is not supported for the event bus {arn}: it gets the event itself")
    elsewhere = service == "events" and parse_arn(arn).account != account
    if (service in _ROLE_NEEDED or elsewhere) and not target.get("RoleArn"):
        raise UnsupportedTargetError(f"RoleArn is required for target {arn}.")
    if service == "batch":
        parameters = target.get("BatchParameters") or {}
        if not parameters.get("JobDefinition") or not parameters.get("JobName"):
            raise UnsupportedTargetError(
                f"BatchParameters with JobDefinition and JobName are required for target {arn}."
            )
    _check_dead_letters(target)
    retries.check(target.get("RetryPolicy"))


def check_schedule_target(target: dict[str, Any]) -> None:
    """Refuse what could not be called. Raises: UnsupportedTargetError, InvalidRetryPolicyError."""
    arn = str(target["Arn"])
    _only(target, _SCHEDULE_PARAMETERS)
    if universal.is_universal(arn):
        universal.operation(arn)
    else:
        service = _service(arn)
        if service is None or service in _NOT_TEMPLATED:
            raise UnsupportedTargetError(f"Scheduler target {arn} is not emulated")
        if service == "events" and not target.get("EventBridgeParameters"):
            raise UnsupportedTargetError(f"EventBridgeParameters are required for target {arn}.")
    if not target.get("RoleArn"):
        raise UnsupportedTargetError(f"RoleArn is required for target {arn}.")
    _check_dead_letters(target)
    retries.check(target.get("RetryPolicy"))


def send(record: Pending, payload: str) -> None:
    """Hand a payload to its target. Raises: ClientError, BotoCoreError, DeliveryError, ValueError."""
    if universal.is_universal(record.arn):
        universal.send(record, payload)
    else:
        SENDERS[str(_service(record.arn))](record, payload)


def send_dead_letter(record: Pending, queue_arn: str, body: str, attributes: dict[str, Any]) -> None:
    """Put a record's dead letter into a queue. Raises: ClientError, BotoCoreError, DeliveryError."""
    arn = parse_arn(queue_arn)
    client("sqs", arn.region, arn.account, senders.dead_letter_session(record)).send_message(
        QueueUrl=_queue_url(queue_arn), MessageBody=body, MessageAttributes=attributes
    )


@functools.lru_cache(maxsize=1_000)
def _queue_url(queue_arn: str) -> str:
    """A queue that is made anew has the same; one that is gone is refused when it is sent to."""
    arn = parse_arn(queue_arn)
    found = client("sqs", arn.region, arn.account).get_queue_url(QueueName=arn.resource_id)
    return str(found["QueueUrl"])


def _only(target: dict[str, Any], known: set[str]) -> None:
    for name, value in target.items():
        if name not in known and value is not None:
            raise UnsupportedTargetError(f"EventBridge target {target['Arn']}: {name} is not emulated")


def _check_dead_letters(target: dict[str, Any]) -> None:
    queue = (target.get("DeadLetterConfig") or {}).get("Arn")
    if queue is not None and (not queue.startswith("arn:aws:sqs:") or queue.endswith(".fifo")):
        raise UnsupportedTargetError(f"DeadLetterConfig {queue} is no standard SQS queue")


def _service(arn: str) -> str | None:
    """The service that a target belongs to, if it is emulated as a target."""
    try:
        parsed = parse_arn(arn)
    except (ValueError, IndexError):
        return None
    kinds = {"events": "event-bus", "logs": "log-group", "states": "stateMachine", "batch": "job-queue"}
    if parsed.service in kinds and parsed.resource_type != kinds[parsed.service]:
        return None
    return parsed.service if parsed.service in SENDERS else None


def _start_execution(record: Pending, payload: str) -> None:
    arn = parse_arn(record.arn)
    states = senders.client_of(record, "stepfunctions", arn.region, arn.account)
    # The record's own id in the name: what is sent again after a lost answer does not start a second time.
    try:
        states.start_execution(stateMachineArn=record.arn, name=f"{record.event_id}_{record.id}"[:80], input=payload)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ExecutionAlreadyExists":
            raise


def _invoke_function(record: Pending, payload: str) -> None:
    arn = parse_arn(record.arn)
    senders.client_of(record, "lambda", arn.region, arn.account).invoke(
        FunctionName=record.arn, InvocationType="Event", Payload=payload.encode()
    )


def _send_to_queue(record: Pending, payload: str) -> None:
    arn = parse_arn(record.arn)
    senders.client_of(record, "sqs", arn.region, arn.account).send_message(
        QueueUrl=_queue_url(record.arn),
        MessageBody=payload,
        MessageAttributes={},
        **(record.target.get("SqsParameters") or {}),
    )


def _publish(record: Pending, payload: str) -> None:
    arn = parse_arn(record.arn)
    subject = {"Subject": record.subject} if record.subject else {}
    senders.client_of(record, "sns", arn.region, arn.account).publish(TopicArn=record.arn, Message=payload, **subject)


def _put_new_event(record: Pending, payload: str) -> None:
    """A schedule's event for a bus. What a rule sends to a bus is an event already: `services/events.py` does that."""
    parameters = record.target["EventBridgeParameters"]
    arn = parse_arn(record.arn)
    entry = {
        "EventBusName": record.arn,
        "Source": parameters["Source"],
        "DetailType": parameters["DetailType"],
        "Detail": payload,
    }
    reply = senders.client_of(record, "events", arn.region, record.account).put_events(Entries=[entry])
    if reply["FailedEntryCount"]:
        failed = reply["Entries"][0]
        raise DeliveryError(failed["ErrorCode"], failed["ErrorMessage"])


def _write_log(record: Pending, payload: str) -> None:
    arn = parse_arn(record.arn)
    group = record.arn.split(":log-group:")[1].removesuffix(":*")
    logs = senders.client_of(record, "logs", arn.region, arn.account)
    logs.create_log_stream(logGroupName=group, logStreamName=f"{record.id}-{record.retries}")
    logs.put_log_events(
        logGroupName=group,
        logStreamName=f"{record.id}-{record.retries}",
        logEvents=[{"timestamp": int(time.time() * 1000), "message": payload}],
    )


def _submit_job(record: Pending, payload: str) -> None:
    """The input's `Parameters` and `ContainerOverrides` go with the job; the rest of it goes nowhere, as on AWS."""
    arn = parse_arn(record.arn)
    given = record.target["BatchParameters"]
    request: dict[str, Any] = {"jobName": given["JobName"], "jobDefinition": given["JobDefinition"]}
    if attempts := (given.get("RetryStrategy") or {}).get("Attempts"):
        request["retryStrategy"] = {"attempts": attempts}
    if size := (given.get("ArrayProperties") or {}).get("Size"):
        request["arrayProperties"] = {"size": size}
    overrides = json.loads(payload)
    if isinstance(overrides, dict):
        if parameters := overrides.get("Parameters"):
            request["parameters"] = {name: str(value) for name, value in parameters.items()}
        if container := overrides.get("ContainerOverrides"):
            request["containerOverrides"] = _camel_case(container)
    senders.client_of(record, "batch", arn.region, arn.account).submit_job(jobQueue=record.arn, **request)


def _camel_case(value: Any) -> Any:
    if isinstance(value, dict):
        return {name[:1].lower() + name[1:]: _camel_case(one) for name, one in value.items()}
    return [_camel_case(one) for one in value] if isinstance(value, list) else value


SENDERS: dict[str, Sender] = {
    "states": _start_execution,
    "lambda": _invoke_function,
    "sqs": _send_to_queue,
    "sns": _publish,
    "events": _put_new_event,
    "logs": _write_log,
    "batch": _submit_job,
}
"""By the service of the target's ARN."""
