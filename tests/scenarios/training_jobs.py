"""The Batch jobs of a run as a scenario sees them, and their processes on this machine."""

from __future__ import annotations

import contextlib
import json
import os
import signal
from pathlib import Path
from typing import Any

from tests.scenarios.live_cloud import LiveCloud, wait_for

QUEUES = ("SpotJobQueueArn", "JobQueueArn")
ENDED = ("SUCCEEDED", "FAILED")


def jobs_of(cloud: LiveCloud, run_id: str) -> list[dict[str, Any]]:
    """Every job of a run in either queue, the oldest first, each with `queue`: its output's name."""
    found = [
        job | {"queue": queue}
        for queue in QUEUES
        for job in cloud.client("batch").list_jobs(
            jobQueue=cloud.outputs[queue], filters=[{"name": "JOB_NAME", "values": [run_id]}]
        )["jobSummaryList"]
    ]
    return sorted(found, key=lambda job: int(job["createdAt"]))


def submit_by_hand(cloud: LiveCloud, team: str, run_id: str, name: str) -> str:
    """Start a job for a run beside its machine, as an operator might; returns its id."""
    answer = cloud.client("batch").submit_job(
        jobName=name,
        jobQueue=cloud.outputs["JobQueueArn"],
        jobDefinition=f"{cloud.stack}-{team}-training",
        shareIdentifier="planned",
        containerOverrides={
            "environment": [{"name": "TURBINE_RUN_SPEC", "value": cloud.run_uri(team, run_id, "run.json")}]
        },
    )
    return str(answer["jobId"])


def ended_job(cloud: LiveCloud, job_id: str, limit_s: float = 120) -> dict[str, Any]:
    """A job, once it has ended."""

    def look() -> dict[str, Any] | None:
        (job,) = cloud.client("batch").describe_jobs(jobs=[job_id])["jobs"]
        return dict(job) if job["status"] in ENDED else None

    return wait_for(look, f"the end of job {job_id}", limit_s)


def log_events(cloud: LiveCloud, job_id: str) -> list[dict[str, Any]]:
    """What a job has logged in JSON so far, in its last attempt."""
    (job,) = cloud.client("batch").describe_jobs(jobs=[job_id])["jobs"]
    stream = job.get("container", {}).get("logStreamName")
    if not stream:
        return []
    logs = cloud.client("logs")
    try:
        page = logs.get_log_events(
            logGroupName=cloud.outputs["JobLogGroupName"], logStreamName=stream, startFromHead=True
        )
    except logs.exceptions.ResourceNotFoundException:
        return []
    lines = [event["message"] for event in page["events"]]
    return [json.loads(line) for line in lines if line.startswith("{")]


def wait_for_epoch(cloud: LiveCloud, job_id: str) -> None:
    """Until a job is in the middle of its training."""
    wait_for(
        lambda: any(event["event"] == "epoch" for event in log_events(cloud, job_id)) or None,
        f"an epoch of job {job_id}",
    )


def tell_to_stop(job_id: str) -> None:
    """SIGTERM to the job's container, as its host's agent sends it: to the first process, by its own id."""
    os.kill(_first_process(job_id), signal.SIGTERM)


def _first_process(job_id: str) -> int:
    """The process that leads the group of a job's container."""
    wanted = f"AWS_BATCH_JOB_ID={job_id}".encode()
    for folder in Path("/proc").iterdir():
        with contextlib.suppress(OSError):  # ended meanwhile, or another user's
            if folder.name.isdigit() and wanted in (folder / "environ").read_bytes().split(b"\0"):
                return os.getpgid(int(folder.name))
    raise AssertionError(f"no process of job {job_id} on this machine")
