"""Events and schedules reach their targets, or the dead-letter queue, or are refused; none is lost in silence."""

from __future__ import annotations

import datetime
import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

Client = Callable[..., Any]
Wait = Callable[..., Any]


@pytest.fixture
def queue(client: Client) -> tuple[str, str]:
    """URL and ARN of a queue."""
    url = client("sqs").create_queue(QueueName=f"queue-{uuid.uuid4().hex[:12]}")["QueueUrl"]
    attributes = client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
    return url, attributes["QueueArn"]


@pytest.fixture
def role(client: Client) -> str:
    return str(
        client("iam").create_role(RoleName=f"role-{uuid.uuid4().hex[:8]}", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    )


def send(client: Client, source: str, detail: dict[str, Any]) -> None:
    reply = client("events").put_events(
        Entries=[{"Source": source, "DetailType": "ModelPromoted", "Detail": json.dumps(detail)}]
    )
    assert reply["FailedEntryCount"] == 0


def received(client: Client, wait_until: Wait, url: str) -> dict[str, Any]:
    messages = wait_until(
        lambda: client("sqs").receive_message(QueueUrl=url, MessageAttributeNames=["All"]).get("Messages")
    )
    message: dict[str, Any] = messages[0]
    return message


def test_an_event_starts_an_execution_with_a_transformed_input(client: Client, role: str, wait_until: Wait) -> None:
    name = f"machine-{uuid.uuid4().hex[:8]}"
    machine = client("stepfunctions").create_state_machine(
        name=name,
        roleArn=role,
        definition=json.dumps({"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}}),
    )["stateMachineArn"]
    client("events").put_rule(Name=name, EventPattern=json.dumps({"source": [name]}))
    transformer = {
        "InputPathsMap": {"team": "$.detail.team", "all": "$.detail"},
        "InputTemplate": '{"team": "team <team>", "detail": <all>}',
    }
    target = {"Id": "m", "Arn": machine, "RoleArn": role, "InputTransformer": transformer}
    client("events").put_targets(Rule=name, Targets=[target])
    send(client, name, {"team": 'vi"sion', "n": 1})
    executions = wait_until(lambda: client("stepfunctions").list_executions(stateMachineArn=machine)["executions"])
    started = client("stepfunctions").describe_execution(executionArn=executions[0]["executionArn"])
    assert json.loads(started["input"]) == {"team": 'team vi"sion', "detail": {"team": 'vi"sion', "n": 1}}
    assert len(executions) == 1


def test_what_cannot_be_delivered_goes_to_the_dead_letter_queue(
    client: Client, queue: tuple[str, str], role: str, wait_until: Wait
) -> None:
    name = f"rule-{uuid.uuid4().hex[:8]}"
    gone = "arn:aws:states:us-east-1:123456789012:stateMachine:gone"
    client("events").put_rule(Name=name, EventPattern=json.dumps({"source": [name]}))
    target = {"Id": "m", "Arn": gone, "RoleArn": role, "DeadLetterConfig": {"Arn": queue[1]}}
    client("events").put_targets(Rule=name, Targets=[target])
    send(client, name, {"team": "vision"})
    message = received(client, wait_until, queue[0])
    assert json.loads(message["Body"])["detail"] == {"team": "vision"}
    attributes = {key: value["StringValue"] for key, value in message["MessageAttributes"].items()}
    assert attributes["TARGET_ARN"] == gone
    assert attributes["ERROR_CODE"] == "StateMachineDoesNotExist"


def test_what_could_never_work_is_refused_when_it_is_made(client: Client) -> None:
    events = client("events")
    with pytest.raises(ClientError, match="Unrecognized match type"):
        events.put_rule(Name="bad", EventPattern=json.dumps({"source": [{"sounds-like": "x"}]}))
    events.put_rule(Name="good", EventPattern=json.dumps({"source": ["x"]}))
    with pytest.raises(ClientError, match="not emulated"):
        events.put_targets(Rule="good", Targets=[{"Id": "t", "Arn": "arn:aws:kinesis:us-east-1:123456789012:stream/s"}])
    reply = events.put_events(Entries=[{"Source": "aws.s3", "DetailType": "d", "Detail": "{}"}])
    assert reply["Entries"][0]["ErrorCode"] == "NotAuthorizedForSourceException"


def test_a_schedule_fires_once_at_its_time_with_its_context(
    client: Client, queue: tuple[str, str], role: str, wait_until: Wait
) -> None:
    due = datetime.datetime.now(datetime.UTC).replace(microsecond=0) + datetime.timedelta(seconds=2)
    name = f"schedule-{uuid.uuid4().hex[:8]}"
    context = {
        "at": "<aws.scheduler.scheduled-time>",
        "arn": "<aws.scheduler.schedule-arn>",
        "attempt": "<aws.scheduler.attempt-number>",
    }
    arn = client("scheduler").create_schedule(
        Name=name,
        ScheduleExpression=f"at({due:%Y-%m-%dT%H:%M:%S})",
        FlexibleTimeWindow={"Mode": "OFF"},
        ActionAfterCompletion="DELETE",
        Target={"Arn": queue[1], "RoleArn": role, "Input": json.dumps(context)},
    )["ScheduleArn"]
    message = received(client, wait_until, queue[0])
    assert json.loads(message["Body"]) == {"at": f"{due:%Y-%m-%dT%H:%M:%SZ}", "arn": arn, "attempt": "1"}
    with pytest.raises(ClientError, match="does not exist"):
        client("scheduler").get_schedule(Name=name)


def test_a_universal_target_calls_the_api_and_its_failure_is_kept(
    client: Client, queue: tuple[str, str], role: str, wait_until: Wait
) -> None:
    due = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=2)
    request = {"StateMachineArn": "arn:aws:states:us-east-1:123456789012:stateMachine:none", "Input": "{}"}
    client("scheduler").create_schedule(
        Name=f"schedule-{uuid.uuid4().hex[:8]}",
        ScheduleExpression=f"at({due:%Y-%m-%dT%H:%M:%S})",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={
            "Arn": "arn:aws:scheduler:::aws-sdk:sfn:startExecution",
            "RoleArn": role,
            "Input": json.dumps(request),
            "DeadLetterConfig": {"Arn": queue[1]},
        },
    )
    message = received(client, wait_until, queue[0])
    assert message["MessageAttributes"]["ERROR_CODE"]["StringValue"] == "StateMachineDoesNotExist"


def test_a_schedule_that_could_never_fire_is_refused(client: Client, role: str) -> None:
    def create(expression: str, zone: str, arn: str) -> None:
        client("scheduler").create_schedule(
            Name=f"schedule-{uuid.uuid4().hex[:8]}",
            ScheduleExpression=expression,
            ScheduleExpressionTimezone=zone,
            FlexibleTimeWindow={"Mode": "OFF"},
            Target={"Arn": arn, "RoleArn": role},
        )

    queue = "arn:aws:sqs:us-east-1:123456789012:q"
    for arguments in (
        ("cron(0 25 * * ? *)", "UTC", queue),
        ("rate(1 minutes)", "UTC", queue),
        ("rate(1 hour)", "Europe/Nowhere", queue),
        ("rate(1 hour)", "UTC", "arn:aws:scheduler:::aws-sdk:sfn:launchExecution"),
    ):
        with pytest.raises(ClientError, match="ValidationException"):
            create(*arguments)
