"""What each target's service is asked."""

from __future__ import annotations

import json
from typing import Any
from unittest.mock import MagicMock

import pytest
from botocore.exceptions import ClientError

from local_cloud.eventbridge import senders, targets
from local_cloud.eventbridge.failures import DeliveryError
from local_cloud.eventbridge.outbox import Pending
from local_cloud.eventbridge.universal import UnsupportedTargetError

MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:m"
JOB_QUEUE = "arn:aws:batch:us-east-1:123456789012:job-queue/q"


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> MagicMock:
    """Every service's client."""
    client = MagicMock()
    for module in (targets, senders):
        monkeypatch.setattr(module, "client", lambda *_: client)
    return client


def pending(arn: str, **changes: Any) -> Pending:
    return Pending(
        "arn:aws:events:us-east-1:123456789012:rule/r",
        {"Arn": arn, **changes},
        "{}",
        "123456789012",
        "us-east-1",
        "event",
        0.0,
        0.0,
        id="record",
    )


def refused(code: str) -> ClientError:
    response: Any = {"Error": {"Code": code, "Message": ""}, "ResponseMetadata": {"HTTPStatusCode": 400}}
    return ClientError(response, "Operation")


def test_an_execution_is_named_by_its_record_so_that_a_second_try_starts_no_second_one(service: MagicMock) -> None:
    targets.send(pending(MACHINE), "{}")
    service.start_execution.assert_called_once_with(stateMachineArn=MACHINE, name="event_record", input="{}")
    service.start_execution.side_effect = refused("ExecutionAlreadyExists")
    targets.send(pending(MACHINE), "{}")
    service.start_execution.side_effect = refused("StateMachineDoesNotExist")
    with pytest.raises(ClientError):
        targets.send(pending(MACHINE), "{}")


def test_a_job_gets_its_parameters_overrides_and_size(service: MagicMock) -> None:
    parameters = {
        "JobName": "n",
        "JobDefinition": "d",
        "RetryStrategy": {"Attempts": 2},
        "ArrayProperties": {"Size": 3},
    }
    payload = {
        "Parameters": {"n": 1},
        "ContainerOverrides": {"Environment": [{"Name": "A", "Value": "b"}]},
        "detail": {},
    }
    targets.send(pending(JOB_QUEUE, BatchParameters=parameters), json.dumps(payload))
    service.submit_job.assert_called_once_with(
        jobQueue=JOB_QUEUE,
        jobName="n",
        jobDefinition="d",
        retryStrategy={"attempts": 2},
        arrayProperties={"size": 3},
        parameters={"n": "1"},
        containerOverrides={"environment": [{"name": "A", "value": "b"}]},
    )


def test_a_function_is_invoked_without_waiting_and_a_topic_gets_a_subject(service: MagicMock) -> None:
    function = "arn:aws:lambda:us-east-1:123456789012:function:f"
    targets.send(pending(function), '{"ä": 1}')
    service.invoke.assert_called_once_with(FunctionName=function, InvocationType="Event", Payload='{"ä": 1}'.encode())
    topic = "arn:aws:sns:us-east-1:123456789012:t"
    record = pending(topic)
    record.subject = "s"
    targets.send(record, "{}")
    service.publish.assert_called_once_with(TopicArn=topic, Message="{}", Subject="s")


def test_a_queue_gets_its_group(service: MagicMock) -> None:
    service.get_queue_url.return_value = {"QueueUrl": "url"}
    targets._queue_url.cache_clear()
    queue = "arn:aws:sqs:us-east-1:123456789012:q.fifo"
    targets.send(pending(queue, SqsParameters={"MessageGroupId": "g"}), "{}")
    service.send_message.assert_called_once_with(
        QueueUrl="url", MessageBody="{}", MessageAttributes={}, MessageGroupId="g"
    )


def test_a_schedules_event_that_a_bus_does_not_take_is_a_failure(service: MagicMock) -> None:
    bus = "arn:aws:events:us-east-1:123456789012:event-bus/b"
    record = pending(bus, EventBridgeParameters={"Source": "s", "DetailType": "d"})
    service.put_events.return_value = {
        "FailedEntryCount": 1,
        "Entries": [{"ErrorCode": "InvalidArgument", "ErrorMessage": "no"}],
    }
    with pytest.raises(DeliveryError) as caught:
        targets._put_new_event(record, "{}")
    assert caught.value.code == "InvalidArgument"


def test_any_operation_can_be_called_and_unknown_parameters_are_a_failure(service: MagicMock) -> None:
    arn = "arn:aws:scheduler:::aws-sdk:sfn:startExecution"
    targets.send(pending(arn), json.dumps({"StateMachineArn": MACHINE, "Input": "{}"}))
    service.start_execution.assert_called_once_with(stateMachineArn=MACHINE, input="{}")
    with pytest.raises(DeliveryError, match="no parameter StateMachin"):
        targets.send(pending(arn), json.dumps({"StateMachin": MACHINE}))


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:scheduler:::aws-sdk:sfn:launchExecution",
        "arn:aws:scheduler:::aws-sdk:sfn:listExecutions",
        "arn:aws:scheduler:::aws-sdk:nothing:doThis",
        "arn:aws:ecs:us-east-1:123456789012:cluster/c",
        "arn:aws:batch:us-east-1:123456789012:job-queue/q",
        "arn:aws:events:us-east-1:123456789012:event-bus/b",
        "nonsense",
    ],
)
def test_targets_of_schedules_that_cannot_be_called_are_refused(arn: str) -> None:
    with pytest.raises(UnsupportedTargetError):
        targets.check_schedule_target({"Arn": arn, "RoleArn": "r"})


def test_a_schedule_needs_a_role() -> None:
    with pytest.raises(UnsupportedTargetError, match="RoleArn"):
        targets.check_schedule_target({"Arn": MACHINE})
    targets.check_schedule_target({"Arn": MACHINE, "RoleArn": "r"})
