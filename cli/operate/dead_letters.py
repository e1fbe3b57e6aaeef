"""What could not be delivered: looked at, and given once more to what should have had it.

A replayed event is one more delivery of the same event: it meets the run's name and its claim, the fencing of an
inference, or the order of an outcome, and so changes nothing twice.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from cli import exit_codes
from cli.cloud import Cloud
from cli.errors import CommandError

QUEUES = ("DeadLettersUrl", "PredictionDeadLettersUrl")
HIDDEN_S = 20
"""How long a message that was read is kept from other readers: enough to replay it."""
_AT_ONCE = 10
_EMPTY_READS = 2


class DeadLetter(NamedTuple):
    """A message of a dead letter queue. `payload` is what the target should have been given, as JSON text."""

    queue_url: str
    receipt: str
    message_id: str
    sent_at_ms: int
    target_arn: str
    payload: str
    event: str
    why: str

    @property
    def target(self) -> str:
        """The target's own name."""
        return self.target_arn.removesuffix(":$LATEST").rpartition(":")[2]


def read(cloud: Cloud) -> list[DeadLetter]:
    """All there is, oldest first; it stays there."""
    return sorted((letter for name in QUEUES for letter in _of_queue(cloud, cloud.output(name))), key=_age)


def _age(letter: DeadLetter) -> int:
    return letter.sent_at_ms


def _of_queue(cloud: Cloud, url: str) -> Iterator[DeadLetter]:
    """A queue gives ten messages at a time, and may give none though there are some."""
    sqs, seen, empty = cloud.client("sqs"), set[str](), 0
    while empty < _EMPTY_READS:
        answer = sqs.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=_AT_ONCE,
            VisibilityTimeout=HIDDEN_S,
            MessageAttributeNames=["All"],
            AttributeNames=["SentTimestamp"],
        )
        new = [message for message in answer.get("Messages", []) if message["MessageId"] not in seen]
        empty = 0 if new else empty + 1
        seen |= {message["MessageId"] for message in new}
        yield from (_letter(url, message) for message in new)


def _letter(url: str, message: dict[str, Any]) -> DeadLetter:
    """EventBridge and Scheduler put target and reason into attributes, Lambda both and the event into the body.

    Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html,
    https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
    """
    attributes = {name: value.get("StringValue", "") for name, value in message.get("MessageAttributes", {}).items()}
    try:
        body = json.loads(message["Body"])
    except ValueError:
        body = {}
    if not isinstance(body, dict):
        body = {}
    target, payload = attributes.get("TARGET_ARN", ""), message["Body"]
    why = ": ".join(text for name in ("ERROR_CODE", "ERROR_MESSAGE") if (text := attributes.get(name)))
    event = body
    if "requestContext" in body:
        target, event = str(body["requestContext"].get("functionArn", "")), body.get("requestPayload") or {}
        payload = json.dumps(event)
        failure = body.get("responsePayload") or {}
        why = f"{failure.get('errorType', body['requestContext'].get('condition'))}: {failure.get('errorMessage', '')}"
    return DeadLetter(
        queue_url=url,
        receipt=message["ReceiptHandle"],
        message_id=message["MessageId"],
        sent_at_ms=int(message.get("Attributes", {}).get("SentTimestamp", 0)),
        target_arn=target,
        payload=payload,
        event=_line(event),
        why=why,
    )


def _line(event: dict[str, Any]) -> str:
    """An event in a few words."""
    detail = event.get("detail") or {}
    about = (detail.get("object") or {}).get("key") or detail.get("name") or detail.get("run_id")
    if event.get("detail-type"):
        return f"{event['detail-type']}{f' of {about}' if about else ''}"
    return f"schedule {event['schedule']} at {event.get('scheduled_time')}" if "schedule" in event else "an event"


def redrive(cloud: Cloud, letter: DeadLetter) -> str:
    """Give it to its target again, and take it from the queue when the target has it; what was started.

    Raises: CommandError for a target that this does not give anything.
    """
    if ":states:" in letter.target_arn:
        started = _start(cloud, letter)
    elif ":lambda:" in letter.target_arn:
        name = letter.target_arn.removesuffix(":$LATEST")
        cloud.client("lambda").invoke(FunctionName=name, InvocationType="Event", Payload=letter.payload.encode())
        started = name
    else:
        raise CommandError(
            f"message {letter.message_id} names no state machine and no function as its target",
            place=letter.queue_url,
            next_step="look at it with: aws sqs receive-message --message-attribute-names All",
            exit_code=exit_codes.REFUSED,
        )
    cloud.client("sqs").delete_message(QueueUrl=letter.queue_url, ReceiptHandle=letter.receipt)
    return started


def _start(cloud: Cloud, letter: DeadLetter) -> str:
    """One execution a message, however often it is asked for."""
    if letter.target_arn == cloud.output("PromotionMachineArn"):
        raise CommandError(
            f"message {letter.message_id} is a request to promote, which may be out of date",
            place=letter.queue_url,
            next_step="ask again: `turbine promote TEAM VERSION --reason TEXT`",
            exit_code=exit_codes.REFUSED,
        )
    stepfunctions, name = cloud.client("stepfunctions"), f"replay-{letter.message_id}"
    try:
        answer = stepfunctions.start_execution(stateMachineArn=letter.target_arn, name=name, input=letter.payload)
    except stepfunctions.exceptions.ExecutionAlreadyExists:
        return f"{letter.target_arn.replace(':stateMachine:', ':execution:')}:{name}"
    return str(answer["executionArn"])
