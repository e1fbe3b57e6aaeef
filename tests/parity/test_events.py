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
    send(client, name, {"team": "vision", "n": 1})
    executions = wait_until(lambda: client("stepfunctions").list_executions(stateMachineArn=machine)["executions"])
    started = client("stepfunctions").describe_execution(executionArn=executions[0]["executionArn"])
    assert json.loads(started["input"]) == {"team": "team vision", "detail": {"team": "vision", "n": 1}}
    assert len(executions) == 1


def test_what_cannot_be_delivered_goes_to_the_dead_letter_queue(
    client: Client, queue: tuple[str, str], role: str, wait_until: Wait
) -> None:
    name = f"rule-{uuid.uuid4().hex[:8]}"
    gone = "arn:aws:states:us-east-1:123456789012:stateMachine:gone"
    client("events").put_rule(Name=name, EventPattern=json.dumps({"source": [name]}))
    target = {"Id": "m", "Arn": gone, "RoleArn": role, "DeadLetterConfig": {"Arn": queue[1]}, "InputPath": "$.id"}
    client("events").put_targets(Rule=name, Targets=[target])
    send(client, name, {"team": "vision"})
    message = received(client, wait_until, queue[0])
    assert json.loads(message["Body"])["detail"] == {"team": "vision"}
    attributes = {key: value["StringValue"] for key, value in message["MessageAttributes"].items()}
    rule = client("events").describe_rule(Name=name)["Arn"]
    assert attributes.pop("ERROR_MESSAGE")
    # A target that is gone is not tried again, so that no retry condition is exhausted.
    assert attributes == {
        "RULE_ARN": rule,
        "TARGET_ARN": gone,
        "ERROR_CODE": "NO_RESOURCE",
        "RETRY_ATTEMPTS": "0",
    }


def test_what_could_never_work_is_refused_when_it_is_made(client: Client) -> None:
    events = client("events")
    bad: list[dict[str, Any]] = [{"source": [{"sounds-like": "x"}]}, {"source": []}, {"source": "x"}]
    for pattern in bad:
        with pytest.raises(ClientError, match="InvalidEventPatternException"):
            events.put_rule(Name="bad", EventPattern=json.dumps(pattern))
    events.put_rule(Name="good", EventPattern=json.dumps({"source": ["x"]}))
    queue = "arn:aws:sqs:us-east-1:123456789012:q"
    machine = "arn:aws:states:us-east-1:123456789012:stateMachine:m"
    for target, message in (
        ({"Arn": "arn:aws:kinesis:us-east-1:123456789012:stream/s"}, "not emulated"),
        ({"Arn": machine}, "RoleArn is required"),
        ({"Arn": "arn:aws:events:us-east-1:222222222222:event-bus/default"}, "RoleArn is required"),
        ({"Arn": "arn:aws:events:us-east-1:123456789012:event-bus/b", "Input": "{}"}, "not supported"),
        ({"Arn": "arn:aws:batch:us-east-1:123456789012:job-queue/q", "RoleArn": "r"}, "BatchParameters"),
        ({"Arn": queue, "HttpParameters": {"PathParameterValues": ["x"]}}, "HttpParameters is not emulated"),
        ({"Arn": queue, "Input": "{}", "InputPath": "$.detail"}, "Only one of Input"),
        ({"Arn": queue, "InputTransformer": {"InputTemplate": "no <quotes>"}}, "Invalid InputTemplate"),
        ({"Arn": queue, "RetryPolicy": {"MaximumRetryAttempts": 186}}, "MaximumRetryAttempts"),
        ({"Arn": queue, "DeadLetterConfig": {"Arn": f"{queue}.fifo"}}, "no standard SQS queue"),
    ):
        with pytest.raises(ClientError, match=message):
            events.put_targets(Rule="good", Targets=[{"Id": "t", **target}])
    assert events.list_targets_by_rule(Rule="good")["Targets"] == []
    with pytest.raises(ClientError, match="CreateArchive is not emulated"):
        events.create_archive(ArchiveName="a", EventSourceArn="arn:aws:events:us-east-1:123456789012:event-bus/default")
    with pytest.raises(ClientError, match="LimitExceededException"):
        events.put_targets(Rule="good", Targets=[{"Id": str(number), "Arn": queue} for number in range(6)])


def test_put_events_answers_each_entry_for_itself(client: Client) -> None:
    events = client("events")
    good = {"Source": "s", "DetailType": "d", "Detail": "{}"}
    reply = events.put_events(
        Entries=[
            good,
            good | {"Source": "aws.s3"},
            good | {"Detail": "[]"},
            good | {"Detail": "{"},
            {"Source": "s", "Detail": "{}"},
            good | {"EventBusName": "nowhere"},
        ]
    )
    assert reply["FailedEntryCount"] == 5
    assert [entry.get("ErrorCode") for entry in reply["Entries"]] == [
        None,
        "NotAuthorizedForSourceException",
        "MalformedDetail",
        "MalformedDetail",
        "InvalidArgument",
        "InvalidArgument",
    ]
    assert reply["Entries"][0]["EventId"]
    with pytest.raises(ClientError, match="Total size of the entries"):
        events.put_events(Entries=[good | {"Detail": json.dumps({"x": "x" * 140_000})}] * 2)
    with pytest.raises(ClientError, match="length less than or equal to 10"):
        events.put_events(Entries=[good] * 11)


def test_an_event_keeps_the_time_it_was_given(client: Client, queue: tuple[str, str], wait_until: Wait) -> None:
    name = f"rule-{uuid.uuid4().hex[:8]}"
    client("events").put_rule(Name=name, EventPattern=json.dumps({"time": [{"prefix": "2026-01-02"}]}))
    client("events").put_targets(Rule=name, Targets=[{"Id": "q", "Arn": queue[1]}])
    moment = datetime.datetime(2026, 1, 2, 3, 4, 5, 600_000, tzinfo=datetime.UTC)
    entry = {"Source": name, "DetailType": "d", "Detail": "{}", "Time": moment, "Resources": ["a", "b"]}
    client("events").put_events(Entries=[entry])
    event = json.loads(received(client, wait_until, queue[0])["Body"])
    assert (event["time"], event["resources"]) == ("2026-01-02T03:04:05Z", ["a", "b"])


def test_a_pattern_can_be_tried(client: Client) -> None:
    names = ("id", "account", "source", "time", "region", "detail-type")
    event: dict[str, Any] = {**dict.fromkeys(names, "x"), "resources": []}

    def matches(pattern: dict[str, Any], shown: dict[str, Any] = event) -> bool:
        reply = client("events").test_event_pattern(EventPattern=json.dumps(pattern), Event=json.dumps(shown))
        return bool(reply["Result"])

    assert matches({"source": ["x"]})
    assert not matches({"source": ["y"]})
    with pytest.raises(ClientError, match="InvalidEventPatternException"):
        matches({"source": [{"like": "x"}]})
    with pytest.raises(ClientError, match="has no id"):
        matches({"source": ["x"]}, {"source": "x"})


def test_queues_topics_logs_and_functions_input_reach_their_targets(
    client: Client, queue: tuple[str, str], wait_until: Wait
) -> None:
    name = f"rule-{uuid.uuid4().hex[:8]}"
    topic = client("sns").create_topic(Name=name)["TopicArn"]
    client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue[1])
    client("logs").create_log_group(logGroupName=f"/aws/events/{name}")
    client("events").put_rule(Name=name, EventPattern=json.dumps({"source": [name]}))
    log = f"arn:aws:logs:us-east-1:123456789012:log-group:/aws/events/{name}"
    reply = client("events").put_targets(
        Rule=name, Targets=[{"Id": "t", "Arn": topic, "InputPath": "$.detail"}, {"Id": "l", "Arn": log}]
    )
    assert reply["FailedEntryCount"] == 0
    send(client, name, {"n": 1})
    notified = json.loads(received(client, wait_until, queue[0])["Body"])
    assert json.loads(notified["Message"]) == {"n": 1}
    lines = wait_until(lambda: client("logs").filter_log_events(logGroupName=f"/aws/events/{name}")["events"])
    assert json.loads(lines[0]["message"])["detail"] == {"n": 1}


def test_an_event_goes_on_to_a_bus_of_another_account_that_lets_it_in(
    client: Client, queue: tuple[str, str], role: str, wait_until: Wait
) -> None:
    name, other = f"rule-{uuid.uuid4().hex[:8]}", "222222222222"
    bus = f"arn:aws:events:us-east-1:{other}:event-bus/default"
    client("events").put_rule(Name=name, EventPattern=json.dumps({"source": [name]}))
    target = {"Id": "b", "Arn": bus, "RoleArn": role, "DeadLetterConfig": {"Arn": queue[1]}}
    client("events").put_targets(Rule=name, Targets=[target])
    send(client, name, {"n": 1})
    refused = received(client, wait_until, queue[0])["MessageAttributes"]
    assert refused["ERROR_CODE"]["StringValue"] == "NO_PERMISSIONS"

    client("events", other).put_permission(Action="events:PutEvents", Principal="123456789012", StatementId=name)
    client("sqs", other).create_queue(QueueName=name)
    there = client("sqs", other).get_queue_url(QueueName=name)["QueueUrl"]
    client("events", other).put_rule(Name=name, EventPattern=json.dumps({"account": ["123456789012"]}))
    client("events", other).put_targets(
        Rule=name, Targets=[{"Id": "q", "Arn": f"arn:aws:sqs:us-east-1:{other}:{name}"}]
    )
    send(client, name, {"n": 2})
    messages = wait_until(lambda: client("sqs", other).receive_message(QueueUrl=there).get("Messages"))
    event = json.loads(messages[0]["Body"])
    assert (event["account"], event["detail"], event["source"]) == ("123456789012", {"n": 2}, name)
    client("events", other).remove_permission(StatementId=name)


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
    attributes = {key: value["StringValue"] for key, value in message["MessageAttributes"].items()}
    assert attributes["ERROR_CODE"] == "StateMachineDoesNotExist"
    assert attributes["TARGET_ARN"] == "arn:aws:scheduler:::aws-sdk:sfn:startExecution"
    assert attributes["SCHEDULED_TIME"] == f"{due:%Y-%m-%dT%H:%M:%SZ}"
    assert attributes["IS_PAYLOAD_TRUNCATED"] == "false"
    assert {"EXECUTION_ID", "SCHEDULE_ARN", "RETRY_ATTEMPTS"} <= attributes.keys()
    assert json.loads(message["Body"]) == request


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


def test_groups_tokens_and_windows_of_schedules(client: Client, queue: tuple[str, str], role: str) -> None:
    scheduler, name = client("scheduler"), f"s-{uuid.uuid4().hex[:8]}"
    given = {
        "Name": name,
        "GroupName": name,
        "ScheduleExpression": "cron(0 0 1 1 ? 2199)",
        "FlexibleTimeWindow": {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 5},
        "Target": {"Arn": queue[1], "RoleArn": role},
        "ClientToken": name,
        "ActionAfterCompletion": "DELETE",
    }
    with pytest.raises(ClientError, match="does not exist"):
        scheduler.create_schedule(**given)
    scheduler.create_schedule_group(Name=name)
    with pytest.raises(ClientError, match="ConflictException"):
        scheduler.create_schedule_group(Name=name)
    arn = scheduler.create_schedule(**given)["ScheduleArn"]
    assert scheduler.create_schedule(**given)["ScheduleArn"] == arn
    with pytest.raises(ClientError, match="ConflictException"):
        scheduler.create_schedule(**given | {"ClientToken": "another"})
    scheduler.update_schedule(**{key: value for key, value in given.items() if key != "ActionAfterCompletion"})
    assert scheduler.get_schedule(Name=name, GroupName=name)["ActionAfterCompletion"] == "NONE"
    for change, message in (
        ({"FlexibleTimeWindow": {"Mode": "FLEXIBLE"}}, "MaximumWindowInMinutes"),
        ({"FlexibleTimeWindow": {"Mode": "OFF", "MaximumWindowInMinutes": 5}}, "only for FLEXIBLE"),
        ({"EndDate": 1_900_000_000, "StartDate": 1_900_000_001}, "EndDate"),
        (
            {"Target": {"Arn": "arn:aws:lambda:us-east-1:123456789012:function:f", "RoleArn": role, "Input": "{"}},
            "JSON",
        ),
        ({"Target": {"Arn": "arn:aws:logs:us-east-1:123456789012:log-group:g", "RoleArn": role}}, "not emulated"),
    ):
        with pytest.raises(ClientError, match=message):
            scheduler.update_schedule(**given | change)
    scheduler.delete_schedule_group(Name=name)
    with pytest.raises(ClientError, match="does not exist"):
        scheduler.get_schedule(Name=name, GroupName=name)
    with pytest.raises(ClientError, match="cannot be deleted"):
        scheduler.delete_schedule_group(Name="default")
