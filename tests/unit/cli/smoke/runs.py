"""A smoke test that went well, as `cli.smoke.seen` reads it; tests change one thing of it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from cli.observe import executions
from cli.observe.records import RunItems
from cli.smoke.files import CheckedFiles
from cli.smoke.numbers import PublishedMetric
from cli.smoke.seen import Machine, Seen

RUN = "smoke01-wine-0123456789ab"
JOB = "job-1"
DROPPED = datetime(2026, 11, 26, 8, 0, tzinfo=UTC)
QUEUE = "arn:aws:batch:us-east-1:123456789012:job-queue/spot"


def at(seconds: float) -> datetime:
    return DROPPED + timedelta(seconds=seconds)


def arn(machine: str) -> str:
    return f"arn:aws:states:us-east-1:123456789012:execution:turbine-{machine}:{RUN}"


def entered(state: str, seconds: float) -> dict[str, Any]:
    return {"type": "TaskStateEntered", "timestamp": at(seconds), "stateEnteredEventDetails": {"name": state}}


def exited(state: str, seconds: float) -> dict[str, Any]:
    return {"type": "TaskStateExited", "timestamp": at(seconds), "stateExitedEventDetails": {"name": state}}


def task(kind: str, service: str, seconds: float, **details: Any) -> dict[str, Any]:
    """`kind`: `Scheduled`, `Submitted`, `Succeeded`, `Failed`, …"""
    told = {"resourceType": service, "resource": "x", **details}
    return {"type": f"Task{kind}", "timestamp": at(seconds), f"task{kind}EventDetails": told}


def waited(state: str, service: str, start: float, end: float, **output: str) -> list[dict[str, Any]]:
    """A state whose `.sync` Task was submitted and answered."""
    return [
        entered(state, start),
        task("Scheduled", service, start),
        task("Submitted", service, start, output=json.dumps(output)),
        task("Succeeded", service, end),
        exited(state, end),
    ]


def called(state: str, start: float, end: float, tries: int = 1) -> list[dict[str, Any]]:
    """A state whose function answered at its last try."""
    return [entered(state, start), *[task("Scheduled", "lambda", start) for _ in range(tries)], exited(state, end)]


def machine(
    name: str, events: list[dict[str, Any]], start: float, end: float | None, status: str = "SUCCEEDED", **told: str
) -> Machine:
    """An execution with these events, numbered, each after the one before."""
    numbered = [{**event, "id": i, "previousEventId": i - 1} for i, event in enumerate(events, 1)]
    description = {"executionArn": arn(name), "status": status, "startDate": at(start), **told}
    if end is not None:
        description["stopDate"] = at(end)
    return Machine(executions.of_events(description, numbered), numbered)


def run_machine(*events: dict[str, Any], status: str = "SUCCEEDED", **told: str) -> Machine:
    given = [*waited("TrainOnSpot", "batch", 2, 92, JobId=JOB), *called("PublishArtifacts", 92, 95)]
    return machine("run", [*given, *events], 2, 130, status, **told)


def good(**changes: Any) -> Seen:
    """Every step done on AWS."""
    run = run_machine(
        *called("CompareModels", 95, 101, tries=3),
        *called("RegisterModel", 101, 104),
        *waited("Promote", "states", 104, 106, ExecutionArn=arn("promotion")),
    )
    seen = Seen(
        is_aws=True,
        dropped_at=DROPPED,
        items=RunItems(
            RUN,
            record={"team": "smoke01"},
            decision={
                "decision": "promote",
                "reason": "better",
                "challenger": {"metrics": {"accuracy": {"cloudwatch": 0.97}}},
            },
            package={"model_package_arn": "package/1"},
            outcome={"status": "SUCCEEDED"},
        ),
        inference={"status": "SUCCEEDED", "records": 18, "attempt": "transform-1"},
        machines={
            "training": machine("training", [], 1.5, 110),
            "run": run,
            "promotion": machine("promotion", [], 104, 106),
            "inference": machine("inference", waited("Transform", "sagemaker", 108, 300), 107, 310),
        },
        failing=machine(
            "run",
            [
                entered("TrainOnSpot", 2),
                task("Scheduled", "batch", 2),
                task("Failed", "batch", 82, cause='{"JobId": "j"}'),
            ],
            2,
            84,
            "FAILED",
        ),
        failing_outcome={"error": "TrainingDataError", "cause": "Batch job j: no_such_column is no column\nmend it"},
        job={
            "jobId": JOB,
            "status": "SUCCEEDED",
            "jobQueue": QUEUE,
            "createdAt": int(at(2).timestamp() * 1000),
            "startedAt": int(at(62).timestamp() * 1000),
            "stoppedAt": int(at(92).timestamp() * 1000),
            "attempts": [{"statusReason": "Essential container in task exited"}],
        },
        host_types=["c7i.large"],
        files=CheckedFiles(["model.tar.gz", "metrics.json"], [], "md5", True),
        metric=PublishedMetric("accuracy", 0.97, 0.97, at(91)),
        package={"ModelPackageArn": "package/1", "ModelPackageStatus": "Completed", "ModelApprovalStatus": "Approved"},
        transform={"TransformJobName": "transform-1", "TransformJobStatus": "Completed"},
        quotas={"P": 0.0, "P on Spot": 0.0},
    )
    return replace(seen, **changes)
