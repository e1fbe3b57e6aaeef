"""Lines and what is kept with them are in one commit; alarms on the lines' metrics are not looked at within it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from moto import mock_aws
from moto.logs.models import logs_backends

from local_cloud.container_logs import LogStream
from local_cloud.durability import commits
from local_cloud.services import cloudwatch
from tests.unit.local_cloud.committing import others_can_commit

PLACE = ("123456789012", "us-east-1")


@pytest.fixture
def log() -> Iterator[LogStream]:
    with mock_aws():
        stream = LogStream(*PLACE, "group", "stream")
        yield stream
        stream.close()


def messages() -> list[str]:
    stream = logs_backends[PLACE[0]][PLACE[1]].groups["group"].streams["stream"]
    return [event.message for event in stream.events]


def now_ms() -> int:
    return int(time.time() * 1000)


def test_nobody_commits_between_the_lines_and_what_is_kept_of_them(log: LogStream) -> None:
    seen: list[tuple[bool, list[str]]] = []
    log.put([(now_ms(), "a")], lambda: seen.append((others_can_commit(), messages())))
    assert seen == [(False, ["a"])]
    assert others_can_commit()


def test_with_a_subscriber_others_may_commit_since_moto_calls_it(log: LogStream) -> None:
    logs_backends[PLACE[0]][PLACE[1]].groups["group"].subscription_filters["f"] = None
    seen: list[bool] = []
    log.put([], lambda: seen.append(others_can_commit()))
    assert seen == [True]
    logs_backends[PLACE[0]][PLACE[1]].groups["group"].subscription_filters.clear()


def test_alarms_are_looked_at_when_others_may_commit(log: LogStream, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[bool] = []
    monkeypatch.setattr(cloudwatch, "_evaluate", lambda *_: looked.append(others_can_commit()))
    backend = cloudwatch.cloudwatch_backends[PLACE[0]][PLACE[1]]
    alarm: Any = type("Alarm", (), {"namespace": "n", "metric_name": "m"})
    monkeypatch.setattr(backend, "alarms", {"a": alarm})
    with cloudwatch.alarms_afterwards(), commits.together():
        cloudwatch.store(backend, "n", [{"MetricName": "m", "Value": 1.0}])
        assert looked == []
    assert looked == [True]


def test_a_line_that_is_written_arrives(log: LogStream) -> None:
    log.write(json.dumps({"a": 1}))
    log.close()
    assert messages() == ['{"a": 1}']
