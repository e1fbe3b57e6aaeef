"""What a Batch job wrote to CloudWatch Logs: its epochs, and its last lines."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from cli.cloud import Cloud

DEFAULT_LOG_GROUP = "/aws/batch/job"


@dataclass(frozen=True)
class EpochReport:
    """The newest epoch of a training job's log (docs/contracts.md, "The training job")."""

    epoch: int
    epochs: int
    metric: str | None
    value: float | None


@dataclass
class LogReader:
    """Reads one job's stream from where the last read ended."""

    cloud: Cloud
    job_id: str
    _place: tuple[str, str] | None = None
    _token: str | None = None

    def new_lines(self) -> list[str]:
        """The lines since the last call; none before the job has a stream."""
        place = self._place or self._find_place()
        if place is None:
            return []
        self._place = place
        arguments: dict[str, Any] = {
            "logGroupName": place[0],
            "logStreamName": place[1],
            "startFromHead": True,
        }
        if self._token:
            arguments["nextToken"] = self._token
        try:
            answer = self.cloud.client("logs").get_log_events(**arguments)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceNotFoundException":
                raise
            return []
        self._token = answer.get("nextForwardToken")
        return [event["message"] for event in answer["events"]]

    def _find_place(self) -> tuple[str, str] | None:
        jobs = self.cloud.client("batch").describe_jobs(jobs=[self.job_id])["jobs"]
        container = _main_container(jobs[0]) if jobs else {}
        stream = container.get("logStreamName")
        if not stream:
            return None
        options = (container.get("logConfiguration") or {}).get("options") or {}
        return options.get("awslogs-group", DEFAULT_LOG_GROUP), stream


def _main_container(job: dict[str, Any]) -> dict[str, Any]:
    """The container of a single-node job, or of the newest attempt of a multi-node job's main node."""
    if job.get("container"):
        return dict(job["container"])
    attempts = job.get("attempts") or [{}]
    return dict(attempts[-1].get("container") or {})


def latest_epoch(lines: Iterable[str]) -> EpochReport | None:
    """The last `epoch` event among log lines; other lines are none of our business."""
    found = None
    for line in lines:
        event = _event(line)
        if event.get("event") == "epoch":
            metric = next((key for key in event if _is_metric(key)), None)
            found = EpochReport(
                epoch=int(event["epoch"]),
                epochs=int(event["epochs"]),
                metric=metric.removeprefix("validation_") if metric else None,
                value=float(event[metric]) if metric else None,
            )
    return found


def _is_metric(key: str) -> bool:
    return key.startswith("validation_") and key != "validation_loss"


def _event(line: str) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
