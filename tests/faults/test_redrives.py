"""A redrive that is killed, at whichever of its commits, goes on as one redrive: told once, and nothing done twice."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError

from tests.faults.killed_cloud import KilledCloud, until

pytestmark = pytest.mark.timeout(600)  # a busy machine is slow, and not wrong
ROLE = "arn:aws:iam::123456789012:role/any"
POINTS = ["after-commit:2", "after-commit:3", "after-commit:4", "task-called:1"]
"""The redrive, what it begins with and a Map Run's record are written one after the other; then a Task calls."""

Event = dict[str, Any]


def sending(queue_url: str) -> dict[str, Any]:
    """A machine of one Task, which needs a queue that is not there yet."""
    send = "arn:aws:states:::aws-sdk:sqs:sendMessage"
    arguments = {"QueueUrl": queue_url, "MessageBody": "once"}
    task = {"Type": "Task", "Resource": send, "Arguments": arguments, "End": True}
    return {"QueryLanguage": "JSONata", "StartAt": "Send", "States": {"Send": task}}


def fanning_out(queue_url: str) -> dict[str, Any]:
    """The same as the only child of a Map Run."""
    child = sending(queue_url)
    language = child.pop("QueryLanguage")
    processor = {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, **child}
    fan = {"Type": "Map", "Items": "{% [1] %}", "ItemProcessor": processor, "End": True}
    return {"QueryLanguage": language, "StartAt": "Fan", "States": {"Fan": fan}}


class Redrives:
    """Executions that fail and are redriven, on a cloud that is killed meanwhile."""

    def __init__(self, cloud: KilledCloud) -> None:
        self.cloud = cloud
        self._base = cloud.client("sqs").create_queue(QueueName="base")["QueueUrl"].removesuffix("base")

    def failed(self, name: str, definition: dict[str, Any]) -> str:
        """The ARN of an execution that has failed, and whose redrive would succeed."""
        states = self.cloud.client("stepfunctions")
        made = states.create_state_machine(name=name, definition=json.dumps(definition), roleArn=ROLE)
        arn = str(states.start_execution(stateMachineArn=made["stateMachineArn"])["executionArn"])
        assert self._ended(arn) == "FAILED"
        self.cloud.client("sqs").create_queue(QueueName=name)
        return arn

    def killed_at(self, point: str, arn: str) -> list[Event]:
        """The history of a redrive during which the cloud was killed at a point."""
        self.cloud.arm(point)
        try:
            self.cloud.client("stepfunctions").redrive_execution(executionArn=arn)
        except BotoCoreError:
            """The cloud was gone before it could answer."""
        assert self.cloud.has_died_within(60), f"a redrive never came to {point}"
        self.cloud.start()
        if self._ended(arn) == "FAILED":  # it had not been written: whoever was not answered asks again
            self.cloud.client("stepfunctions").redrive_execution(executionArn=arn)
            assert self._ended(arn) == "SUCCEEDED"
        events: list[Event] = self.cloud.client("stepfunctions").get_execution_history(executionArn=arn)["events"]
        return events

    def url(self, name: str) -> str:
        return f"{self._base}{name}"

    def messages(self, name: str) -> int:
        names = ["ApproximateNumberOfMessages"]
        found = self.cloud.client("sqs").get_queue_attributes(QueueUrl=self.url(name), AttributeNames=names)
        return int(found["Attributes"][names[0]])

    def _ended(self, arn: str) -> str:
        def look() -> str:
            status = str(self.cloud.client("stepfunctions").describe_execution(executionArn=arn)["status"])
            return "" if status == "RUNNING" else status

        return str(until(look, 60, "an end of the execution"))


@pytest.fixture(scope="module")
def redrives(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redrives]:
    cloud = KilledCloud(Path(tmp_path_factory.mktemp("redrives")) / "state")
    cloud.start()
    yield Redrives(cloud)
    cloud.stop()


@pytest.mark.parametrize("point", POINTS)
def test_a_state_goes_on(redrives: Redrives, point: str) -> None:
    name = f"state-{point.replace(':', '-')}"
    arn = redrives.failed(name, sending(redrives.url(name)))
    kinds = Counter(event["type"] for event in redrives.killed_at(point, arn))
    assert (kinds["ExecutionRedriven"], kinds["TaskStateEntered"], kinds["TaskScheduled"]) == (1, 2, 2)
    assert redrives.messages(name) == 1


@pytest.mark.parametrize("point", POINTS)
def test_a_map_run_goes_on(redrives: Redrives, point: str) -> None:
    name = f"run-{point.replace(':', '-')}"
    arn = redrives.failed(name, fanning_out(redrives.url(name)))
    events = redrives.killed_at(point, arn)
    kinds = Counter(event["type"] for event in events)
    assert (kinds["ExecutionRedriven"], kinds["MapStateEntered"], kinds["MapRunStarted"]) == (1, 2, 1)
    counts = [
        event["mapRunRedrivenEventDetails"]["redriveCount"] for event in events if "mapRunRedrivenEventDetails" in event
    ]
    assert counts == [1]
    assert redrives.messages(name) == 1
