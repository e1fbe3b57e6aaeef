"""Alarms and bus policies of templates do what the API's do."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

Client = Callable[..., Any]
OTHER = "222222222222"


def test_a_stacks_alarm_changes_its_state(client: Client) -> None:
    name = f"stack-{uuid.uuid4().hex[:8]}"
    alarm = {
        "Type": "AWS::CloudWatch::Alarm",
        "Properties": {
            "AlarmName": name,
            "Namespace": name,
            "MetricName": "m",
            "Dimensions": [{"Name": "d", "Value": "v"}],
            "Period": 60,
            "EvaluationPeriods": 1,
            "Statistic": "Sum",
            "Threshold": 1,
            "ComparisonOperator": "GreaterThanOrEqualToThreshold",
            "TreatMissingData": "notBreaching",
            "AlarmActions": [{"Ref": "Topic"}],
        },
    }
    template = {"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}, "Alarm": alarm}}
    client("cloudformation").create_stack(StackName=name, TemplateBody=json.dumps(template))

    def state() -> str:
        (found,) = client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"]
        return str(found["StateValue"])

    assert state() == "OK"
    client("cloudwatch").put_metric_data(
        Namespace=name, MetricData=[{"MetricName": "m", "Value": 1, "Dimensions": [{"Name": "d", "Value": "v"}]}]
    )
    assert state() == "ALARM"
    client("cloudformation").delete_stack(StackName=name)
    assert client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"] == []


def test_a_bus_policy_adds_one_statement_and_takes_it_away_again(client: Client) -> None:
    name = f"stack-{uuid.uuid4().hex[:8]}"
    bus = client("events").create_event_bus(Name=name)["EventBusArn"]
    client("events").put_permission(
        EventBusName=name, Action="events:PutEvents", Principal="333333333333", StatementId="first"
    )
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{OTHER}:root"},
        "Action": "events:PutEvents",
        "Resource": bus,
    }
    policy = {
        "Type": "AWS::Events::EventBusPolicy",
        "Properties": {"EventBusName": name, "StatementId": "second", "Statement": statement},
    }
    entry = {"Source": "s", "DetailType": "d", "Detail": "{}", "EventBusName": bus}
    assert client("events", OTHER).put_events(Entries=[entry])["Entries"][0]["ErrorCode"] == "AccessDeniedException"
    client("cloudformation").create_stack(StackName=name, TemplateBody=json.dumps({"Resources": {"Policy": policy}}))
    assert client("events", OTHER).put_events(Entries=[entry])["FailedEntryCount"] == 0

    def statements() -> set[str]:
        return {one["Sid"] for one in json.loads(client("events").describe_event_bus(Name=name)["Policy"])["Statement"]}

    assert statements() == {"first", "second"}
    client("cloudformation").delete_stack(StackName=name)
    assert statements() == {"first"}
