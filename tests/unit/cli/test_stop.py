"""Whose jobs end with a run: those that train it, measure its champion and publish it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import yaml
from botocore.exceptions import ClientError

from cli.observe.records import RunItems
from cli.operate.stop import stop
from turbine.domain.names import job_names

ROOT = Path(__file__).parents[3]
RUN = "vision-digits-0123456789ab"
JOBS = {
    RUN: [("job-1", "SUCCEEDED"), ("job-2", "RUNNING")],
    f"{RUN}-champion": [("job-3", "RUNNABLE")],
    f"{RUN}-publishing": [("job-5", "STARTING")],
    "vision-digits-other": [("job-4", "RUNNING")],
}


class Batch:
    """Two queues; the jobs are in the first."""

    def __init__(self) -> None:
        self.ended: list[str] = []

    def get_paginator(self, _: str) -> Any:
        return self

    def paginate(self, jobQueue: str, filters: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:  # noqa: N803
        (name,) = filters[0]["values"]
        found = JOBS.get(name, []) if jobQueue == "JobQueueArn" else []
        yield {"jobSummaryList": [{"jobId": job_id, "status": status} for job_id, status in found]}

    def terminate_job(self, jobId: str, reason: str) -> None:  # noqa: N803
        assert reason == "why"
        self.ended.append(jobId)


class StepFunctions:
    """Knows no execution."""

    exceptions = SimpleNamespace(ExecutionDoesNotExist=ClientError)

    def describe_execution(self, **_: Any) -> Any:
        raise ClientError({"Error": {"Code": "ExecutionDoesNotExist"}}, "DescribeExecution")


def test_live_jobs_of_every_kind_end() -> None:
    batch = Batch()
    clients = {"batch": batch, "stepfunctions": StepFunctions()}
    cloud: Any = SimpleNamespace(client=clients.__getitem__, output=lambda name: name)
    stopped = stop(cloud, RunItems(RUN), "why")
    assert stopped.jobs == batch.ended == ["job-2", "job-3", "job-5"]


def test_the_machine_names_its_jobs_so() -> None:
    states = yaml.safe_load((ROOT / "state_machines/run.asl.yaml").read_text())["States"].values()
    named = {one["Arguments"]["JobName"] for one in states if one.get("Resource", "").endswith("batch:submitJob.sync")}
    told = {f"{{% $run.run_id & '{name}' %}}" if name else "{% $run.run_id %}" for name in job_names("")}
    assert named == told
