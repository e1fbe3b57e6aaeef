"""A cloud that is killed with SIGKILL, again and again: what it had answered is there, what ran goes on."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.parity.conftest import client_maker, running_cloud

ROLE = "arn:aws:iam::123456789012:role/any"
CHILD = {
    "StartAt": "Rest",
    "States": {
        "Rest": {"Type": "Wait", "Seconds": 1, "Next": "Done"},
        "Done": {"Type": "Pass", "Result": "rested", "End": True},
    },
}


def machine(queue_url: str, child_arn: str) -> dict[str, Any]:
    """Variables, a wait, items that send a message each, branches of which one starts an execution, and a retry."""
    send = {
        "Type": "Task",
        "Resource": "arn:aws:states:::aws-sdk:sqs:sendMessage",
        "Arguments": {"QueueUrl": queue_url, "MessageBody": "{% $string($tens) %}"},
        "Output": "{% $tens %}",
        "End": True,
    }
    item = {
        "Tens": {"Type": "Pass", "Assign": {"tens": "{% $states.input * 10 + $one %}"}, "Next": "Pause"},
        "Pause": {"Type": "Wait", "Seconds": 1, "Next": "Send"},
        "Send": send,
    }
    start = {
        "Type": "Task",
        "Resource": "arn:aws:states:::states:startExecution.sync:2",
        "Arguments": {"StateMachineArn": child_arn, "Name": "{% 'child-of-' & $states.context.Execution.Name %}"},
        "Output": "{% $states.result.Output %}",
        "End": True,
    }
    failing = {
        "Type": "Task",
        "Resource": "arn:aws:states:::aws-sdk:sqs:getQueueUrl",
        "Arguments": {"QueueName": "there-is-none"},
        "Retry": [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "MaxAttempts": 2, "BackoffRate": 1}],
        "Catch": [{"ErrorEquals": ["States.ALL"], "Output": "{% $states.errorOutput.Error %}", "Next": "Caught"}],
        "End": True,
    }
    branches = [
        {"StartAt": "Child", "States": {"Child": start}},
        {"StartAt": "Fail", "States": {"Fail": failing, "Caught": {"Type": "Pass", "End": True}}},
    ]
    return {
        "QueryLanguage": "JSONata",
        "StartAt": "One",
        "States": {
            "One": {"Type": "Pass", "Assign": {"one": "{% $states.input.zero + 1 %}"}, "Next": "Items"},
            "Items": {
                "Type": "Map",
                "Items": "{% [1, 2, 3, 4] %}",
                "MaxConcurrency": 2,
                "ItemProcessor": {"StartAt": "Tens", "States": item},
                "Next": "Branches",
            },
            "Branches": {"Type": "Parallel", "Branches": branches, "Next": "End"},
            "End": {"Type": "Succeed", "Output": {"branches": "{% $states.input %}", "one": "{% $one %}"}},
        },
    }


class Killed:
    """A cloud on one state directory, started again after every kill."""

    def __init__(self, state: Path) -> None:
        self._state = state
        self._start()

    def _start(self) -> None:
        self._context = running_cloud(self._state)
        self.process, self.written = self._context.__enter__()
        self.client: Callable[..., Any] = client_maker(self.written)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        (self._state / "cloud.json").unlink()
        self._start()

    def stop(self) -> None:
        self._context.__exit__(None, None, None)


@pytest.fixture
def killed(tmp_path: Path) -> Iterator[Killed]:
    cloud = Killed(tmp_path)
    yield cloud
    cloud.stop()


def ended(cloud: Killed, arn: str) -> dict[str, Any]:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found: dict[str, Any] = cloud.client("stepfunctions").describe_execution(executionArn=arn)
        if found["status"] != "RUNNING":
            return found
        time.sleep(0.1)
    pytest.fail(f"{arn} still runs")


def history(cloud: Killed, arn: str) -> list[dict[str, Any]]:
    pages = cloud.client("stepfunctions").get_paginator("get_execution_history").paginate(executionArn=arn)
    return [event for page in pages for event in page["events"]]


def messages(cloud: Killed, queue_url: str) -> list[str]:
    sqs, found = cloud.client("sqs"), []
    while received := sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10).get("Messages"):
        for message in received:
            found.append(message["Body"])
            sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
    return sorted(found)


def test_an_execution_goes_on_from_its_last_finished_state(killed: Killed) -> None:
    stepfunctions = killed.client("stepfunctions")
    queue_url = killed.client("sqs").create_queue(QueueName="sent")["QueueUrl"]
    child = stepfunctions.create_state_machine(name="child", definition=json.dumps(CHILD), roleArn=ROLE)
    definition = json.dumps(machine(queue_url, child["stateMachineArn"]))
    arn = stepfunctions.create_state_machine(name="parent", definition=definition, roleArn=ROLE)["stateMachineArn"]

    def run(name: str, kills: int) -> tuple[Any, ...]:
        dice = random.Random(name)
        started = killed.client("stepfunctions").start_execution(stateMachineArn=arn, name=name, input='{"zero": 0}')
        for _ in range(kills):
            time.sleep(dice.uniform(0.05, 1.5))
            killed.kill()
        outcome = ended(killed, started["executionArn"])
        events = history(killed, started["executionArn"])
        assert [event["id"] for event in events] == list(range(1, len(events) + 1))
        assert all(0 <= event["previousEventId"] < event["id"] for event in events)
        children = killed.client("stepfunctions").list_executions(stateMachineArn=child["stateMachineArn"])
        mine = [found["name"] for found in children["executions"] if found["name"].endswith(name)]
        kinds = Counter(event["type"] for event in events)
        return (
            outcome["status"],
            outcome.get("output"),
            kinds,
            messages(killed, queue_url),
            mine == [f"child-of-{name}"],
        )

    undisturbed = run("undisturbed", kills=0)
    assert undisturbed[:2] == ("SUCCEEDED", '{"branches":["rested","Sqs.QueueDoesNotExistException"],"one":1}')
    for name in ("killed-a", "killed-b"):
        assert run(name, kills=2) == undisturbed


def test_a_failed_execution_is_redriven_by_another_process(killed: Killed) -> None:
    stepfunctions, sqs = killed.client("stepfunctions"), killed.client("sqs")
    definition = {
        "QueryLanguage": "JSONata",
        "StartAt": "Before",
        "States": {
            "Before": {"Type": "Pass", "Assign": {"name": "later"}, "Next": "Find"},
            "Find": {
                "Type": "Task",
                "Resource": "arn:aws:states:::aws-sdk:sqs:getQueueUrl",
                "Arguments": {"QueueName": "{% $name %}"},
                "Output": "found",
                "End": True,
            },
        },
    }
    arn = stepfunctions.create_state_machine(name="late", definition=json.dumps(definition), roleArn=ROLE)
    execution = stepfunctions.start_execution(stateMachineArn=arn["stateMachineArn"])["executionArn"]
    assert ended(killed, execution)["status"] == "FAILED"
    sqs.create_queue(QueueName="later")
    killed.kill()
    killed.client("stepfunctions").redrive_execution(executionArn=execution)
    assert ended(killed, execution)["output"] == '"found"'
    kinds = [event["type"] for event in history(killed, execution)]
    assert kinds.count("PassStateEntered") == 1 and "ExecutionRedriven" in kinds
    assert killed.client("stepfunctions").describe_execution(executionArn=execution)["redriveCount"] == 1


def test_who_is_attached_to_a_managed_policy_is_kept(killed: Killed) -> None:
    policy = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
    trust = json.dumps({"Version": "2012-10-17", "Statement": []})
    killed.client("iam").create_role(RoleName="reader", AssumeRolePolicyDocument=trust)
    killed.client("iam").attach_role_policy(RoleName="reader", PolicyArn=policy)
    killed.kill()
    attached = killed.client("iam").list_attached_role_policies(RoleName="reader")["AttachedPolicies"]
    assert [found["PolicyArn"] for found in attached] == [policy]
    assert killed.client("iam").get_policy(PolicyArn=policy)["Policy"]["AttachmentCount"] == 1


def test_parameters_and_their_tags_are_kept(killed: Killed) -> None:
    ssm = killed.client("ssm")
    ssm.put_parameter(Name="/kept", Value="1", Type="String", Tags=[{"Key": "k", "Value": "v"}])
    killed.kill()
    ssm = killed.client("ssm")
    ssm.put_parameter(Name="/kept", Value="2", Type="String", Overwrite=True)
    assert ssm.get_parameter(Name="/kept")["Parameter"]["Version"] == 2
    assert ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId="/kept")["TagList"]


def token_machine(queue_url: str, **fields: Any) -> dict[str, Any]:
    """Two Tasks, one after the other, that each send their token and wait for its answer."""
    ask = {
        "Type": "Task",
        "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
        "Arguments": {"QueueUrl": queue_url, "MessageBody": "{% $states.context.Task.Token %}"},
        "TimeoutSeconds": 120,
        **fields,
    }
    states = {"First": {**ask, "Next": "Second"}, "Second": {**ask, "End": True}}
    return {"QueryLanguage": "JSONata", "StartAt": "First", "States": states}


def test_a_token_outlives_the_cloud_and_is_answered_once(killed: Killed) -> None:
    queue_url = killed.client("sqs").create_queue(QueueName="tokens")["QueueUrl"]
    execution = started(killed, token_machine(queue_url))
    token = token_of(killed, queue_url)
    killed.kill()
    states = killed.client("stepfunctions")
    states.send_task_heartbeat(taskToken=token)
    with pytest.raises(ClientError, match="InvalidOutput"):
        states.send_task_success(taskToken=token, output="no JSON")
    states.send_task_success(taskToken=token, output='{"first": 1}')
    killed.kill()
    second = token_of(killed, queue_url)
    assert second != token
    states = killed.client("stepfunctions")
    with pytest.raises(ClientError, match=r"TaskTimedOut|InvalidToken"):
        states.send_task_success(taskToken=token, output="{}")
    with pytest.raises(ClientError, match=r"TaskTimedOut|InvalidToken"):
        states.send_task_failure(taskToken=token)
    states.send_task_failure(taskToken=second, error="Refused", cause="by hand")
    outcome = ended(killed, execution)
    assert (outcome["status"], outcome["error"], outcome["cause"]) == ("FAILED", "Refused", "by hand")
    kinds = Counter(event["type"] for event in history(killed, execution))
    assert (kinds["TaskSubmitted"], kinds["TaskSucceeded"], kinds["TaskFailed"]) == (2, 1, 1)
    assert messages(killed, queue_url) == []


def test_heartbeats_are_missed_after_a_restart_too(killed: Killed) -> None:
    queue_url = killed.client("sqs").create_queue(QueueName="beats")["QueueUrl"]
    execution = started(killed, token_machine(queue_url, HeartbeatSeconds=3))
    token_of(killed, queue_url)
    killed.kill()
    assert ended(killed, execution)["error"] in ("States.HeartbeatTimeout", "States.Timeout")


def started(cloud: Killed, definition: dict[str, Any]) -> str:
    """The ARN of an execution of a machine of its own."""
    states = cloud.client("stepfunctions")
    made = states.create_state_machine(name="machine", definition=json.dumps(definition), roleArn=ROLE)
    arn: str = states.start_execution(stateMachineArn=made["stateMachineArn"])["executionArn"]
    return arn


def token_of(cloud: Killed, queue_url: str) -> str:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if found := messages(cloud, queue_url):
            (token,) = found
            return token
        time.sleep(0.1)
    pytest.fail("no token was sent")


def fan_out(queue_url: str, gate: str, kind: str) -> dict[str, Any]:
    """Three branches, items or children that send a message each; the last then needs a queue that is not there yet."""
    find = {"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:sqs:getQueueUrl", "Arguments": {"QueueName": gate}}
    send = {
        "Type": "Task",
        "Resource": "arn:aws:states:::aws-sdk:sqs:sendMessage",
        "Arguments": {"QueueUrl": queue_url, "MessageBody": "{% $string($states.input) %}"},
        "Output": "{% $states.input %}",
        "Next": "Choose",
    }
    inner = {
        "StartAt": "Send",
        "States": {
            "Send": send,
            "Choose": {
                "Type": "Choice",
                "Choices": [{"Condition": "{% $states.input = 3 %}", "Next": "Rest"}],
                "Default": "Done",
            },
            "Rest": {"Type": "Wait", "Seconds": 2, "Next": "Find"},
            "Find": {**find, "Output": "{% $states.input %}", "Next": "Done"},
            "Done": {"Type": "Succeed"},
        },
    }
    if kind == "PARALLEL":
        names = ["Send", "Choose", "Rest", "Find", "Done"]
        branches = []
        for number in (1, 2, 3):
            text = json.dumps(inner).replace("$states.input", str(number))
            for name in names:
                text = text.replace(f'"{name}"', f'"{name}{number}"')
            branches.append(json.loads(text))
        state: dict[str, Any] = {"Type": "Parallel", "Branches": branches, "End": True}
    else:
        config = {"Mode": kind} | ({"ExecutionType": "STANDARD"} if kind == "DISTRIBUTED" else {})
        processor = {"ProcessorConfig": config, **inner}
        state = {"Type": "Map", "Items": "{% [1, 2, 3] %}", "ItemProcessor": processor, "End": True}
    return {"QueryLanguage": "JSONata", "StartAt": "Fan", "States": {"Fan": state}}


def details_of(cloud: Killed, arn: str, name: str) -> list[dict[str, Any]]:
    return [event[name] for event in history(cloud, arn) if name in event]


@pytest.mark.parametrize("kind", ["PARALLEL", "INLINE", "DISTRIBUTED"])
def test_a_redrive_runs_only_what_did_not_succeed(killed: Killed, kind: str) -> None:
    """A branch, an item and a child go on at the state that failed."""
    queue_url = killed.client("sqs").create_queue(QueueName="sent")["QueueUrl"]
    execution = started(killed, fan_out(queue_url, "gate", kind))
    assert ended(killed, execution)["status"] == "FAILED"
    assert messages(killed, queue_url) == ["1", "2", "3"]
    before = details_of(killed, execution, "mapRunStartedEventDetails")
    killed.kill()
    killed.client("sqs").create_queue(QueueName="gate")
    killed.client("stepfunctions").redrive_execution(executionArn=execution)
    outcome = ended(killed, execution)
    assert (outcome["status"], outcome["output"], outcome["redriveCount"]) == ("SUCCEEDED", "[1,2,3]", 1)
    assert messages(killed, queue_url) == []
    redriven = details_of(killed, execution, "mapRunRedrivenEventDetails")
    assert redriven == [{**details, "redriveCount": 1} for details in before]
    for details in redriven:
        run = killed.client("stepfunctions").describe_map_run(mapRunArn=details["mapRunArn"])
        assert (run["redriveCount"], run["itemCounts"]["succeeded"], run["itemCounts"]["failed"]) == (1, 3, 0)


def test_children_go_on_after_a_kill(killed: Killed) -> None:
    queue_url = killed.client("sqs").create_queue(QueueName="sent")["QueueUrl"]
    killed.client("sqs").create_queue(QueueName="gate")
    execution = started(killed, fan_out(queue_url, "gate", "DISTRIBUTED"))
    deadline = time.monotonic() + 60
    sent: list[str] = []
    while len(sent) < 3 and time.monotonic() < deadline:
        sent += messages(killed, queue_url)
    time.sleep(0.5)  # the first two have nothing left to do, the third waits
    killed.kill()
    outcome = ended(killed, execution)
    assert (outcome["status"], outcome["output"]) == ("SUCCEEDED", "[1,2,3]")
    assert messages(killed, queue_url) == []
    kinds = Counter(event["type"] for event in history(killed, execution))
    assert (kinds["MapRunStarted"], kinds["MapRunSucceeded"]) == (1, 1)
