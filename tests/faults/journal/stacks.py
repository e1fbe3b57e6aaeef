"""Small stacks, all with fixed names: made, changed, deleted."""

from __future__ import annotations

import json
import random
from typing import Any

from botocore.exceptions import ClientError

from tests.faults.journal.promises import Client, Outage, Promise, awaited, is_there, pages, require

GONE, FIRST, SECOND = "gone", "first", "second"
_SETTLED = {"CREATE_COMPLETE": FIRST, "UPDATE_COMPLETE": SECOND, "DELETE_COMPLETE": GONE}


class Stacks(Promise):
    """A stack ends as its last operation wants it, and what it names is there, or gone, with it."""

    is_lasting = False

    def __init__(self, tag: str) -> None:
        super().__init__(tag)
        self._is: dict[str, str] = {}
        self._becomes: dict[str, str] = {}

    def do(self, client: Client, name: str, dice: random.Random) -> None:
        cloudformation = client("cloudformation")
        self._step(name, FIRST, cloudformation.create_stack, TemplateBody=_template(name, FIRST))
        if dice.random() < 0.5:
            self._step(name, SECOND, cloudformation.update_stack, TemplateBody=_template(name, SECOND))
        if dice.random() < 0.5:
            self._step(name, GONE, cloudformation.delete_stack)

    def _step(self, name: str, wanted: str, call: Any, **given: Any) -> None:
        self._is.setdefault(name, GONE)
        self._becomes[name] = wanted
        call(StackName=name, **given)
        self._is[name] = self._becomes.pop(name)

    def verify(self, client: Client, outage: Outage) -> None:
        def look() -> dict[str, str] | None:
            stacks = pages(client("cloudformation"), "list_stacks", "StackSummaries")
            mine = {one["StackName"]: one["StackStatus"] for one in stacks if one["StackName"].startswith(self.tag)}
            return None if any(status.endswith("_IN_PROGRESS") for status in mine.values()) else {"": "", **mine}

        found = awaited(look, "the end of all operations on stacks")
        for name, before in self._is.items():
            status = found.get(name, "DELETE_COMPLETE")
            require(status in _SETTLED, f"stack {name} is in {status}: {self._reasons(client, name)}")
            now, after = _SETTLED[status], self._becomes.get(name)
            require(now in (before, after), f"stack {name} is {now}, not {before} or {after}")
            require(_world(client, name) == _WORLDS[now], f"stack {name} is {now}, and there is {_world(client, name)}")

    @staticmethod
    def _reasons(client: Client, name: str) -> list[str]:
        try:
            events = client("cloudformation").describe_stack_events(StackName=name)["StackEvents"]
        except ClientError as error:
            return [str(error)]
        return [event["ResourceStatusReason"] for event in events if "FAILED" in event["ResourceStatus"]]


def _template(name: str, version: str) -> str:
    resources: dict[str, Any] = {
        "Queue": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": f"{name}-q"}},
        "Parameter": {
            "Type": "AWS::SSM::Parameter",
            "Properties": {"Name": f"{name}-p", "Type": "String", "Value": {"Fn::GetAtt": "Queue.Arn"}},
        },
        "Group": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": f"{name}-g", "RetentionInDays": 7}},
    }
    if version == SECOND:
        del resources["Group"]
        resources["Queue"]["Properties"]["DelaySeconds"] = 2
        resources["Topic"] = {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": f"{name}-t"}}
    return json.dumps({"Resources": resources})


_WORLDS = {
    GONE: (False, False, False, False),
    FIRST: (True, True, True, False),
    SECOND: (True, True, False, True),
}


def _world(client: Client, name: str) -> tuple[bool, bool, bool, bool]:
    groups = client("logs").describe_log_groups(logGroupNamePrefix=f"{name}-g")["logGroups"]
    topic = f"arn:aws:sns:us-east-1:123456789012:{name}-t"
    return (
        is_there(client("sqs").get_queue_url, QueueName=f"{name}-q"),
        is_there(client("ssm").get_parameter, Name=f"{name}-p"),
        bool(groups),
        is_there(client("sns").get_topic_attributes, TopicArn=topic),
    )
