"""Metrics are taken and computed as on AWS, lines of logs become metrics, and alarms change and act."""

from __future__ import annotations

import datetime
import io
import json
import math
import time
import uuid
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

Client = Callable[..., Any]
Wait = Callable[..., Any]

HANDLER = """
import json, time

def handler(event, context):
    if "loss" not in event:
        print(json.dumps(event))
        return
    directive = {"Namespace": event["namespace"], "Dimensions": [["team"]], "Metrics": [{"Name": "loss"}]}
    head = {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [directive]}
    print(json.dumps({"_aws": head, "team": "vision", "loss": event["loss"]}))
"""


@pytest.fixture
def namespace() -> str:
    return f"Test/{uuid.uuid4().hex[:8]}"


@pytest.fixture
def minute() -> datetime.datetime:
    """The begin of a minute that is over."""
    now = datetime.datetime.now(datetime.UTC)
    return now.replace(second=0, microsecond=0) - datetime.timedelta(minutes=10)


def put(client: Client, namespace: str, **datum: Any) -> None:
    client("cloudwatch").put_metric_data(Namespace=namespace, MetricData=[{"MetricName": "m", **datum}])


def test_statistics_are_of_exactly_these_dimensions_and_each_period(
    client: Client, namespace: str, minute: datetime.datetime
) -> None:
    dimensions = [{"Name": "team", "Value": "vision"}]
    for second, value in ((1, 1.0), (30, 2.0), (61, 10.0)):
        put(
            client,
            namespace,
            Value=value,
            Timestamp=minute + datetime.timedelta(seconds=second),
            Dimensions=dimensions,
            Unit="Count",
        )
    put(client, namespace, Value=100, Timestamp=minute, Dimensions=[*dimensions, {"Name": "n", "Value": "1"}])
    put(client, namespace, Value=100, Timestamp=minute)
    asked = {
        "Namespace": namespace,
        "MetricName": "m",
        "StartTime": minute,
        "EndTime": minute + datetime.timedelta(minutes=5),
        "Period": 60,
    }
    everything = ["SampleCount", "Average", "Sum", "Minimum", "Maximum"]
    reply = client("cloudwatch").get_metric_statistics(**asked, Dimensions=dimensions, Statistics=everything)
    points = sorted(reply["Datapoints"], key=lambda point: point["Timestamp"])
    assert points == [
        {
            "Timestamp": minute,
            "SampleCount": 2.0,
            "Average": 1.5,
            "Sum": 3.0,
            "Minimum": 1.0,
            "Maximum": 2.0,
            "Unit": "Count",
        },
        {
            "Timestamp": minute + datetime.timedelta(minutes=1),
            "SampleCount": 1.0,
            "Average": 10.0,
            "Sum": 10.0,
            "Minimum": 10.0,
            "Maximum": 10.0,
            "Unit": "Count",
        },
    ]
    percentiles = client("cloudwatch").get_metric_statistics(
        **asked | {"Period": 300}, Dimensions=dimensions, ExtendedStatistics=["p50", "p99.9"]
    )
    assert percentiles["Datapoints"][0]["ExtendedStatistics"]["p50"] == 2.0
    assert client("cloudwatch").get_metric_statistics(**asked, Statistics=["Sum"])["Datapoints"][0]["Sum"] == 100
    names = client("cloudwatch").list_metrics(Namespace=namespace)["Metrics"]
    assert sorted(len(one["Dimensions"]) for one in names) == [0, 1, 2]
    assert {one["MetricName"] for one in names} == {"m"}


def test_values_with_counts_and_statistic_sets_are_read_back(
    client: Client, namespace: str, minute: datetime.datetime
) -> None:
    put(client, namespace, Values=[1.0, 5.0], Counts=[1_000_000, 2], Timestamp=minute)
    put(
        client,
        namespace,
        StatisticValues={"SampleCount": 3, "Sum": 30, "Minimum": 5, "Maximum": 15},
        Timestamp=minute,
    )
    metric = {"Metric": {"Namespace": namespace, "MetricName": "m"}, "Period": 60}
    reply = client("cloudwatch").get_metric_data(
        MetricDataQueries=[
            {"Id": stat.lower(), "MetricStat": {**metric, "Stat": stat}} for stat in ("Sum", "Maximum", "SampleCount")
        ],
        StartTime=minute,
        EndTime=minute + datetime.timedelta(minutes=1),
    )
    assert [result["Values"] for result in reply["MetricDataResults"]] == [[1_000_040.0], [15.0], [1_000_005.0]]
    assert [result["StatusCode"] for result in reply["MetricDataResults"]] == ["Complete"] * 3


def test_metric_data_comes_in_pages_and_in_the_order_asked_for(
    client: Client, namespace: str, minute: datetime.datetime
) -> None:
    for number in range(5):
        put(client, namespace, Value=number, Timestamp=minute + datetime.timedelta(minutes=number))
    metric = {"Metric": {"Namespace": namespace, "MetricName": "m"}, "Period": 60, "Stat": "Sum"}
    asked = {
        "MetricDataQueries": [{"Id": "m", "MetricStat": metric}],
        "StartTime": minute,
        "EndTime": minute + datetime.timedelta(minutes=5),
    }
    pages = client("cloudwatch").get_paginator("get_metric_data").paginate(**asked, MaxDatapoints=2)
    values = [value for page in pages for result in page["MetricDataResults"] for value in result["Values"]]
    assert values == [4, 3, 2, 1, 0]
    ascending = client("cloudwatch").get_metric_data(**asked, ScanBy="TimestampAscending")["MetricDataResults"][0]
    assert ascending["Values"] == [0, 1, 2, 3, 4]
    assert ascending["Timestamps"][0] == minute


@pytest.mark.parametrize(
    ("datum", "message"),
    [
        ({"Value": math.nan}, "invalid"),
        ({"Value": math.inf}, "invalid"),
        ({"Value": -math.inf}, "invalid"),
        ({"Values": [1.0, math.nan]}, "invalid"),
        ({"Value": 1e120}, "invalid"),
        ({"Value": 1.0, "Values": [1.0]}, "mutually exclusive"),
        ({"Values": [1.0], "Counts": [1.0, 2.0]}, "same size"),
        ({"Values": [1.0] * 151}, "size greater than 150"),
        ({}, "At least one"),
        ({"Value": 1.0, "Dimensions": [{"Name": f"d{n}", "Value": "v"} for n in range(31)]}, "size greater than 30"),
        ({"Value": 1.0, "Dimensions": [{"Name": "d", "Value": " "}]}, "invalid"),
        ({"Value": 1.0, "Timestamp": time.time() - 15 * 86_400}, "past two weeks"),
        ({"Value": 1.0, "Timestamp": time.time() + 3 * 3_600}, "two hours in the future"),
        ({"StatisticValues": {"SampleCount": 1, "Sum": 1, "Minimum": 2, "Maximum": 1}}, "invalid"),
        ({"Value": 1.0, "Unit": "Parsecs"}, "Unit"),
    ],
)
def test_what_aws_does_not_take_is_refused_whole(
    client: Client, namespace: str, datum: dict[str, Any], message: str
) -> None:
    good = {"MetricName": "good", "Value": 1.0}
    with pytest.raises(ClientError, match=message):
        client("cloudwatch").put_metric_data(Namespace=namespace, MetricData=[good, {"MetricName": "m", **datum}])
    assert client("cloudwatch").list_metrics(Namespace=namespace)["Metrics"] == []


def test_what_is_not_computed_is_refused_by_name(client: Client, namespace: str, minute: datetime.datetime) -> None:
    cloudwatch = client("cloudwatch")
    span = {"StartTime": minute, "EndTime": minute + datetime.timedelta(minutes=5)}
    metric = {"Metric": {"Namespace": namespace, "MetricName": "m"}, "Period": 60}
    for query, message in (
        ({"Id": "e", "Expression": "m1 / 2"}, "metric math"),
        ({"Id": "e", "Expression": "SELECT AVG(m) FROM n", "Period": 60}, "Metrics Insights"),
        ({"Id": "e", "MetricStat": {**metric, "Stat": "tm90"}}, "tm90 is not emulated"),
        ({"Id": "e", "MetricStat": {**metric, "Stat": "p101"}}, "not supported"),
        ({"Id": "e", "MetricStat": {**metric, "Stat": "Sum", "Period": 45}}, "multiple of 60"),
    ):
        with pytest.raises(ClientError, match=message):
            cloudwatch.get_metric_data(MetricDataQueries=[query], **span)
    with pytest.raises(ClientError, match="PutCompositeAlarm is not emulated"):
        cloudwatch.put_composite_alarm(AlarmName="c", AlarmRule="ALARM(a)")
    with pytest.raises(ClientError, match="PutInsightRule is not emulated"):
        cloudwatch.put_insight_rule(RuleName="r", RuleDefinition="{}")
    statistics = {"Namespace": namespace, "MetricName": "m", "Statistics": ["Sum"], "EndTime": minute}
    with pytest.raises(ClientError, match="exceeds the limit of 1440"):
        cloudwatch.get_metric_statistics(**statistics, Period=60, StartTime=minute - datetime.timedelta(days=2))
    alarm = {
        "AlarmName": "a",
        "ComparisonOperator": "GreaterThanThreshold",
        "EvaluationPeriods": 1,
        "Threshold": 1.0,
        "MetricName": "m",
        "Namespace": namespace,
        "Period": 60,
        "Statistic": "Sum",
    }
    for change, message in (
        ({"AlarmActions": ["arn:aws:automate:us-east-1:ec2:stop"]}, "automate.* not emulated"),
        ({"ComparisonOperator": "GreaterThanUpperThreshold"}, "not emulated"),
        ({"DatapointsToAlarm": 2}, "DatapointsToAlarm"),
        ({"TreatMissingData": "guess"}, "TreatMissingData"),
        ({"ExtendedStatistic": "p50"}, "Exactly one"),
    ):
        with pytest.raises(ClientError, match=message):
            cloudwatch.put_metric_alarm(**alarm | change)


def test_metrics_in_log_lines_are_taken(client: Client, namespace: str) -> None:
    logs, group = client("logs"), f"/test/{namespace}"
    logs.create_log_group(logGroupName=group)
    logs.create_log_stream(logGroupName=group, logStreamName="s")
    now = int(time.time() * 1000)
    directive = {"Namespace": namespace, "Dimensions": [["team"], []], "Metrics": [{"Name": "loss", "Unit": "None"}]}
    line = {"_aws": {"Timestamp": now, "CloudWatchMetrics": [directive]}, "team": "vision", "loss": [1.5, 2.5]}
    broken = {"_aws": {"Timestamp": now, "CloudWatchMetrics": [directive]}, "loss": "high"}
    messages = ["{ no json", json.dumps(broken), json.dumps(line), '{"_aws": 1}']
    logs.put_log_events(
        logGroupName=group,
        logStreamName="s",
        logEvents=[{"timestamp": now, "message": message} for message in messages],
    )
    listed = client("cloudwatch").list_metrics(Namespace=namespace)["Metrics"]
    assert sorted(len(one["Dimensions"]) for one in listed) == [0, 1]
    end = datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=1)
    reply = client("cloudwatch").get_metric_statistics(
        Namespace=namespace,
        MetricName="loss",
        Dimensions=[{"Name": "team", "Value": "vision"}],
        StartTime=end - datetime.timedelta(minutes=10),
        EndTime=end,
        Period=60,
        Statistics=["Sum", "SampleCount"],
    )
    assert [(point["Sum"], point["SampleCount"]) for point in reply["Datapoints"]] == [(4.0, 2.0)]


def test_an_alarm_changes_tells_its_topic_and_the_bus_and_remembers(
    client: Client, namespace: str, wait_until: Wait
) -> None:
    cloudwatch, name = client("cloudwatch"), f"alarm-{uuid.uuid4().hex[:8]}"
    url = client("sqs").create_queue(QueueName=name)["QueueUrl"]
    queue = f"arn:aws:sqs:us-east-1:123456789012:{name}"
    topic = client("sns").create_topic(Name=name)["TopicArn"]
    client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)
    client("events").put_rule(
        Name=name, EventPattern=json.dumps({"source": ["aws.cloudwatch"], "detail": {"alarmName": [name]}})
    )
    client("events").put_targets(Rule=name, Targets=[{"Id": "q", "Arn": queue}])
    cloudwatch.put_metric_alarm(
        AlarmName=name,
        Namespace=namespace,
        MetricName="m",
        Period=86_400,
        EvaluationPeriods=1,
        Statistic="Maximum",
        Threshold=5,
        ComparisonOperator="GreaterThanThreshold",
        AlarmActions=[topic],
    )
    (alarm,) = cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]
    assert alarm["StateValue"] == "INSUFFICIENT_DATA"
    put(client, namespace, Value=4)
    put(client, namespace, Value=6)
    (alarm,) = cloudwatch.describe_alarms(AlarmNamePrefix=name, StateValue="ALARM")["MetricAlarms"]
    assert "was greater than the threshold (5.0)" in alarm["StateReason"]
    found: list[dict[str, Any]] = []

    def all_told() -> bool:
        messages = client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
        found.extend(json.loads(message["Body"]) for message in messages)
        return len(found) >= 3

    wait_until(all_told)
    changes = sorted(one["detail"]["state"]["value"] for one in found if "detail" in one)
    assert changes == ["ALARM", "OK"]
    told = next(json.loads(one["Message"]) for one in found if "Message" in one)
    assert (told["OldStateValue"], told["NewStateValue"], told["AlarmName"]) == ("OK", "ALARM", name)
    assert (told["Trigger"]["MetricName"], told["Trigger"]["Statistic"]) == ("m", "MAXIMUM")
    history = cloudwatch.describe_alarm_history(AlarmName=name, ScanBy="TimestampAscending")["AlarmHistoryItems"]
    kinds = [item["HistoryItemType"] for item in history]
    assert kinds == ["ConfigurationUpdate", "StateUpdate", "StateUpdate", "Action"]
    assert history[2]["HistorySummary"] == "Alarm updated from OK to ALARM"
    asked = {"Namespace": namespace, "MetricName": "m"}
    assert len(cloudwatch.describe_alarms_for_metric(**asked)["MetricAlarms"]) == 1
    other = [{"Name": "d", "Value": "v"}]
    assert cloudwatch.describe_alarms_for_metric(**asked, Dimensions=other)["MetricAlarms"] == []
    assert cloudwatch.describe_alarms_for_metric(**asked, Statistic="Sum")["MetricAlarms"] == []
    cloudwatch.set_alarm_state(AlarmName=name, StateValue="OK", StateReason="by hand")
    assert cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"][0]["StateReason"] == "by hand"


def test_a_functions_metric_raises_an_alarm_that_invokes_the_function(
    client: Client, namespace: str, wait_until: Wait
) -> None:
    name = f"function-{uuid.uuid4().hex[:8]}"
    role = client("iam").create_role(RoleName=name, AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as bundle:
        bundle.writestr("app.py", HANDLER)
    function = client("lambda").create_function(
        FunctionName=name,
        Runtime="python3.13",
        Role=role,
        Handler="app.handler",
        Code={"ZipFile": archive.getvalue()},
        Timeout=10,
    )["FunctionArn"]
    client("cloudwatch").put_metric_alarm(
        AlarmName=name,
        Namespace=namespace,
        MetricName="loss",
        Dimensions=[{"Name": "team", "Value": "vision"}],
        Period=60,
        EvaluationPeriods=1,
        ExtendedStatistic="p90",
        Threshold=5,
        ComparisonOperator="GreaterThanThreshold",
        AlarmActions=[function],
    )
    payload = json.dumps({"namespace": namespace, "loss": 9.5}).encode()
    client("lambda").invoke(FunctionName=name, Payload=payload)

    def told() -> list[str]:
        events = client("logs").filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"]
        return [event["message"] for event in events if "alarmData" in event["message"]]

    (message,) = wait_until(told)
    alarm = json.loads(message)
    assert (alarm["source"], alarm["alarmData"]["alarmName"]) == ("aws.cloudwatch", name)
    assert alarm["alarmData"]["state"]["value"] == "ALARM"
    assert alarm["alarmData"]["configuration"]["metrics"][0]["metricStat"]["stat"] == "p90"
