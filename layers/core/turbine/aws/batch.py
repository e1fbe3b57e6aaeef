"""AWS Batch jobs and their logs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from turbine.aws.clients import client
from turbine.domain.errors import LogsUnavailableError, TryAgainError

if TYPE_CHECKING:
    from mypy_boto3_batch import BatchClient
    from mypy_boto3_logs import CloudWatchLogsClient


class BatchJobLogs:
    """Fulfils `ports.JobLogs`."""

    def __init__(self, queue_arn: str, log_group: str) -> None:
        self._queue_arn = queue_arn
        self._log_group = log_group

    def tail(self, job_id: str, lines: int) -> list[str]:
        with _unavailable(job_id):
            job = self._describe(job_id)
            if "nodeProperties" in job:
                job = self._describe(f"{job_id}#{job['nodeProperties']['mainNode']}")
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
            batch: BatchClient = client("batch")
            page = batch.list_jobs(
                jobQueue=self._queue_arn, filters=[{"name": "JOB_NAME", "values": [f"{name_prefix}*"]}]
            )
            failed = [job for job in page["jobSummaryList"] if job.get("status") == "FAILED"]
            newest = max(failed, key=lambda job: job.get("createdAt", 0), default=None)
            return None if newest is None else newest["jobId"]

    def _describe(self, job_id: str) -> Any:
        batch: BatchClient = client("batch")
        jobs = batch.describe_jobs(jobs=[job_id])["jobs"]
        if not jobs:
            raise LogsUnavailableError(f"Batch does not know job {job_id} (it forgets jobs after a week)")
        return jobs[0]


@contextmanager
def _unavailable(job: str) -> Iterator[None]:
    try:
        yield
    except (ClientError, TryAgainError) as error:  # an outcome is worth more than its log
        raise LogsUnavailableError(f"{job}: {error}") from error
