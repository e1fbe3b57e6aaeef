"""AWS Batch jobs, in whichever of the training queues they are, and their logs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from turbine.aws.clients import client
from turbine.domain.errors import LogsUnavailableError, TryAgainError
from turbine.domain.job_end import Job

if TYPE_CHECKING:
    from mypy_boto3_batch import BatchClient
    from mypy_boto3_batch.type_defs import JobSummaryTypeDef
    from mypy_boto3_logs import CloudWatchLogsClient


ENDED = frozenset({"SUCCEEDED", "FAILED"})


class BatchJobs:
    """Fulfils `ports.Jobs`."""

    def __init__(self, queue_arns: Sequence[str]) -> None:
        self._queue_arns = queue_arns

    def find(self, job_id: str) -> Job | None:
        described = _describe(job_id)
        return None if described is None else _job(described)

    def live(self, name: str) -> list[str]:
        jobs = [job for job in _named(name, self._queue_arns) if job.get("status") not in ENDED]
        return [job["jobId"] for job in sorted(jobs, key=_created_at, reverse=True)]

    def terminate(self, job_id: str, reason: str) -> None:
        batch: BatchClient = client("batch")
        batch.terminate_job(jobId=job_id, reason=reason)


class BatchJobLogs:
    """Fulfils `ports.JobLogs`."""

    def __init__(self, queue_arns: Sequence[str], log_group: str) -> None:
        self._queue_arns = queue_arns
        self._log_group = log_group

    def tail(self, job_id: str, lines: int) -> list[str]:
        with _unavailable(job_id):
            job = _known(job_id)
            if "nodeProperties" in job:
                job = _known(f"{job_id}#{job['nodeProperties']['mainNode']}")
            container = job.get("container", {})
            stream = container.get("logStreamName")
            if not stream:  # it never started
                return []
            logs: CloudWatchLogsClient = client("logs")
            page = logs.get_log_events(
                logGroupName=self._log_group, logStreamName=stream, limit=lines, startFromHead=False
            )
            return [event["message"] for event in page["events"]][-lines:]

    def newest_job(self, name_prefix: str) -> str | None:
        with _unavailable(name_prefix):
            failed = [job for job in _named(f"{name_prefix}*", self._queue_arns) if job.get("status") == "FAILED"]
            newest = max(failed, key=_created_at, default=None)
            return None if newest is None else newest["jobId"]


def _named(name: str, queue_arns: Sequence[str]) -> list[JobSummaryTypeDef]:
    """The jobs of a name, which may end in `*`, in whatever state.

    Source: https://docs.aws.amazon.com/batch/latest/APIReference/API_ListJobs.html (one queue a call)
    """
    batch: BatchClient = client("batch")
    pages = batch.get_paginator("list_jobs")
    return [
        job
        for queue in queue_arns
        for page in pages.paginate(jobQueue=queue, filters=[{"name": "JOB_NAME", "values": [name]}])
        for job in page["jobSummaryList"]
    ]


def _created_at(job: JobSummaryTypeDef) -> int:
    return job.get("createdAt", 0)


def _describe(job_id: str) -> Any | None:
    batch: BatchClient = client("batch")
    jobs = batch.describe_jobs(jobs=[job_id])["jobs"]
    return jobs[0] if jobs else None


def _known(job_id: str) -> Any:
    job = _describe(job_id)
    if job is None:
        raise LogsUnavailableError(f"Batch does not know job {job_id} (it forgets jobs after a week)")
    return job


def _job(described: Any) -> Job:
    """A job of several nodes has no container of its own: its last attempt shows the main node's."""
    last = (described.get("attempts") or [{}])[-1]
    container = described.get("container") or last.get("container") or {}
    return Job(
        job_id=described["jobId"],
        status=described["status"],
        status_reason=described.get("statusReason") or last.get("statusReason") or "",
        exit_code=container.get("exitCode"),
        reason=container.get("reason") or "",
        is_terminated=bool(described.get("isTerminated")),
        queue_arn=described.get("jobQueue", ""),
    )


@contextmanager
def _unavailable(job: str) -> Iterator[None]:
    try:
        yield
    except (ClientError, TryAgainError) as error:  # an outcome is worth more than its log
        raise LogsUnavailableError(f"{job}: {error}") from error
