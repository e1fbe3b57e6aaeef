"""Metrics inside of log lines."""

from __future__ import annotations

import datetime
import json
from typing import Any

import pytest

from local_cloud.cloudwatch.emf import EmfError, extract

TIME_MS = 1_795_000_000_500


def line(directive: Any, timestamp: Any = TIME_MS, **members: Any) -> str:
    return json.dumps({"_aws": {"Timestamp": timestamp, "CloudWatchMetrics": [directive]}, **members})


def directive(**changes: Any) -> dict[str, Any]:
    return {"Namespace": "n", "Dimensions": [["team"]], "Metrics": [{"Name": "loss"}], **changes}


def test_each_metric_comes_once_for_each_dimension_set() -> None:
    asked = directive(Dimensions=[["team"], ["team", "run"], []], Metrics=[{"Name": "loss", "Unit": "Count"}])
    found = extract(line(asked, team="vision", run="r", loss=1.5))
    assert [namespace for namespace, _ in found] == ["n"] * 3
    assert [len(datum["Dimensions"]) for _, datum in found] == [1, 2, 0]
    assert found[0][1] == {
        "MetricName": "loss",
        "Dimensions": [{"Name": "team", "Value": "vision"}],
        "Timestamp": datetime.datetime.fromtimestamp(TIME_MS / 1000, datetime.UTC),
        "Values": [1.5],
        "Unit": "Count",
    }


def test_a_member_may_hold_many_values_and_dimensions_may_be_left_out() -> None:
    ((_, datum),) = extract(line({"Namespace": "n", "Metrics": [{"Name": "loss"}]}, loss=[1, 2]))
    assert (datum["Values"], datum["Dimensions"]) == ([1, 2], [])


@pytest.mark.parametrize("message", ["", "text", "{no json", "[]", '{"a": 1}', '{"_aws": {}}', '{"_aws": "x"}'])
def test_other_lines_have_no_metrics(message: str) -> None:
    assert extract(message) == []


@pytest.mark.parametrize(
    "message",
    [
        line(directive(), team="t"),
        line(directive(), team=1, loss=1),
        line(directive(), loss=1),
        line(directive(), team="t", loss="high"),
        line(directive(), team="t", loss=True),
        line(directive(), team="t", loss=[]),
        line(directive(), team="t", loss=[1] * 101),
        line(directive(Namespace=None), team="t", loss=1),
        line(directive(Dimensions=[[f"d{n}" for n in range(31)]]), loss=1),
        line(directive(), "now", team="t", loss=1),
        line(directive(), 1e300, team="t", loss=1),
    ],
)
def test_what_breaks_the_format_is_an_error(message: str) -> None:
    with pytest.raises(EmfError):
        extract(message)
