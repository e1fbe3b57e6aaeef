"""The metric that decides, as the job wrote it and as CloudWatch shows it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cli.cloud import Cloud
from cli.observe.artifacts import Artifacts

PERIOD_S = 60
_AROUND = timedelta(minutes=5)


@dataclass(frozen=True)
class PublishedMetric:
    """`shown` is None while CloudWatch shows nothing; `sent_at` is when the job put it there."""

    name: str
    written: float
    shown: float | None
    sent_at: datetime


def read_metrics(cloud: Cloud, artifacts: Artifacts, team: str, run_id: str) -> PublishedMetric | None:
    """None before the job has written its metrics."""
    spec = artifacts.document(team, run_id, "run.json")
    metrics = artifacts.document(team, run_id, "metrics.json")
    if spec is None or metrics is None:
        return None
    name, published_at = spec["rule"]["metric"], _time(metrics["published_at"])
    answer = cloud.client("cloudwatch").get_metric_data(
        MetricDataQueries=[{"Id": "m", "MetricStat": _stat(spec["metrics"], f"test_{name}"), "ReturnData": True}],
        StartTime=published_at - _AROUND,
        EndTime=published_at + _AROUND,
    )
    values = answer["MetricDataResults"][0]["Values"]
    return PublishedMetric(name, metrics["test"][name], values[0] if values else None, _time(metrics["ended_at"]))


def _stat(place: dict[str, Any], name: str) -> dict[str, Any]:
    dimensions = [{"Name": key, "Value": value} for key, value in place["dimensions"].items()]
    metric = {"Namespace": place["namespace"], "MetricName": name, "Dimensions": dimensions}
    return {"Metric": metric, "Period": PERIOD_S, "Stat": "Maximum"}


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))
