"""Alarms change with new data and with time alone, and tell it once."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator
from typing import Any

import pytest
from moto.cloudwatch.exceptions import InvalidParameterValue
from moto.cloudwatch.models import cloudwatch_backends
from moto.logs.models import LogsBackend, logs_backends

from local_cloud.cloudwatch import alarms
from local_cloud.container_logs import LogStream
from local_cloud.durability.tracked import changes as noted
from local_cloud.eventbridge.outbox import Pending
from local_cloud.services import cloudwatch

ACCOUNT, REGION = "123456789012", "us-east-1"
TOPIC = "arn:aws:sns:us-east-1:123456789012:t"
FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:f"
START = 1_795_000_020.0
"""The begin of a minute."""


class World:
    """A backend of CloudWatch, with a clock set by hand, and what it sends."""

    def __init__(self) -> None:
        self.now = START
        self.events: list[dict[str, Any]] = []
        self.actions: list[Pending] = []
        self.backend: Any = cloudwatch_backends[ACCOUNT][REGION]

    def add_alarm(self, **changes: Any) -> Any:
        given: dict[str, Any] = {
            "name": "a",
            "namespace": "n",
            "metric_name": "m",
            "comparison_operator": "GreaterThanThreshold",
            "evaluation_periods": 2,
            "period": 60,
            "threshold": 5.0,
            "statistic": "Average",
            "description": "d",
            "dimensions": [],
            "alarm_actions": [TOPIC, FUNCTION],
        }
        alarm = self.backend.put_metric_alarm(**{**given, **changes})
        alarm.state_value = "INSUFFICIENT_DATA"
        return alarm

    def put(self, value: float, **datum: Any) -> None:
        cloudwatch.store(self.backend, "n", [{"MetricName": "m", "Value": value, **datum}])

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        cloudwatch.tick(self.now)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    alarms._evaluated.clear()
    made = World()
    made.backend.reset()
    monkeypatch.setattr(cloudwatch.TIMER, "now", lambda: made.now)
    monkeypatch.setattr(alarms.events, "emit", lambda *arguments: made.events.append(arguments[2]))
    monkeypatch.setattr(alarms.delivery, "deliver", made.actions.append)
    yield made
    made.backend.reset()


def test_an_alarm_follows_its_metric_and_then_the_time(world: World) -> None:
    alarm = world.add_alarm()
    seen = [alarm.state_value]
    for value, seconds in ((1.0, 60), (9.0, 60), (9.0, 0)):
        world.put(value)
        seen.append(alarm.state_value)
        world.pass_time(seconds)
    world.pass_time(600)
    seen.append(alarm.state_value)
    assert seen == ["INSUFFICIENT_DATA", "OK", "OK", "ALARM", "INSUFFICIENT_DATA"]
    changes = [(one["previousState"]["value"], one["state"]["value"]) for one in world.events]
    assert changes == [("INSUFFICIENT_DATA", "OK"), ("OK", "ALARM"), ("ALARM", "INSUFFICIENT_DATA")]


def test_actions_are_taken_once_for_each_change_and_not_when_they_are_off(world: World) -> None:
    alarm = world.add_alarm(evaluation_periods=1, ok_actions=[TOPIC])
    for value in (9.0, 9.0, 9.0):
        world.put(value)
    assert [(record.arn, record.subject) for record in world.actions] == [
        (TOPIC, 'ALARM: "a" in US East (N. Virginia)'),
        (FUNCTION, None),
    ]
    assert json.loads(world.actions[1].payload)["alarmData"]["state"]["value"] == "ALARM"
    alarm.actions_enabled = False
    world.put(-100.0)
    assert alarm.state_value == "OK"
    assert len(world.actions) == 2


def test_a_change_of_state_is_written_with_what_it_sends(world: World) -> None:
    world.add_alarm(evaluation_periods=1)
    noted.take()
    world.put(9.0)
    assert len(world.actions) == 2
    assert "cloudwatch" in noted.take().services


def test_a_state_set_to_what_it_is_keeps_quiet(world: World) -> None:
    alarm = world.add_alarm()
    alarms.change_state(world.backend, alarm, "INSUFFICIENT_DATA", "by hand", "{}")
    assert (world.events, world.actions, alarm.state_reason) == ([], [], "by hand")


def test_missing_data_that_breaches_alarms_with_time_alone(world: World) -> None:
    alarm = world.add_alarm(treat_missing_data="breaching")
    world.pass_time(1)
    assert alarm.state_value == "ALARM"
    assert "no datapoints were received for 2 periods" in alarm.state_reason


def test_another_unit_or_dimension_is_another_metric(world: World) -> None:
    alarm = world.add_alarm(evaluation_periods=1, unit="Seconds")
    world.put(9.0, Unit="Count")
    world.put(9.0, Unit="Seconds", Dimensions=[{"Name": "d", "Value": "v"}])
    assert alarm.state_value == "INSUFFICIENT_DATA"
    world.put(9.0, Unit="Seconds")
    assert alarm.state_value == "ALARM"


def test_an_alarm_that_cannot_be_evaluated_keeps_neither_data_nor_others_back(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.add_alarm(name="bad", comparison_operator="Nonsense")
    good = world.add_alarm(name="good", evaluation_periods=1)
    world.put(9.0)
    assert good.state_value == "ALARM"
    assert "alarm bad could not be evaluated" in caplog.text


def test_data_is_refused_whole(world: World) -> None:
    data = [{"MetricName": "m", "Value": 1.0}, {"MetricName": "m", "Value": float("inf")}]
    with pytest.raises(InvalidParameterValue):
        cloudwatch.store(world.backend, "n", data)
    assert world.backend.metric_data == []


def test_a_backend_with_samples_and_a_history_can_be_saved(world: World) -> None:
    world.add_alarm(evaluation_periods=1)
    world.put(9.0)
    state = {name: world.backend.__dict__[name] for name in ("metric_data", "alarms", "alarm_history")}
    saved = pickle.loads(pickle.dumps(state))
    assert [sample.values for sample in saved["metric_data"]] == [[9.0]]
    assert [item["HistoryItemType"] for item in saved["alarm_history"]] == ["StateUpdate", "Action", "Action"]


def test_metrics_in_a_containers_output_are_taken_and_bad_ones_are_named(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    put_log_events = cloudwatch._put_log_events(LogsBackend.put_log_events)
    monkeypatch.setattr(LogsBackend, "put_log_events", put_log_events)
    directive = {"Namespace": "n", "Dimensions": [[]], "Metrics": [{"Name": "m"}]}
    head = {"Timestamp": int(world.now * 1000), "CloudWatchMetrics": [directive]}
    stream = LogStream(ACCOUNT, REGION, "/aws/batch/job", "s")
    try:
        for line in ({"_aws": head, "m": 7.0}, {"_aws": head}, {"_aws": {**head, "Timestamp": 0}, "m": 1.0}):
            stream.write(json.dumps(line))
        stream.write("epoch 1")
    finally:
        stream.close()
        logs_backends[ACCOUNT][REGION].reset()
    assert [(one.key, one.values) for one in world.backend.metric_data] == [(("n", "m", frozenset()), [7.0])]
    assert caplog.text.count("metrics in a line of /aws/batch/job/s are not taken") == 2
