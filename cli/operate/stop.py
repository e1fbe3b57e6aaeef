"""Ending a run that is under way: its execution first, so that nothing is submitted any more, then its jobs."""

from __future__ import annotations

from itertools import product
from typing import NamedTuple

from cli.cloud import Cloud
from cli.observe import executions
from cli.observe.records import RunItems
from turbine.domain.names import job_names

ENDED = ("SUCCEEDED", "FAILED")
_QUEUES = ("SpotJobQueueArn", "JobQueueArn")
_JOBS_AT_ONCE = 100


class Stopped(NamedTuple):
    """What was ended: the executions that ran, and the jobs that had not ended."""

    executions: list[str]
    jobs: list[str]


def stop(cloud: Cloud, items: RunItems, reason: str) -> Stopped:
    """Stop what works for a run. Done again it finds nothing more to stop."""
    stopped = [arn for arn in _own(cloud, items) if _stop(cloud, arn, reason)]
    return Stopped(stopped, _end_jobs(cloud, items.run_id, reason))


def _own(cloud: Cloud, items: RunItems) -> list[str]:
    """The executions that may work for a run: the claim's owner, and the first attempt, which may not have it yet."""
    first = executions.execution_arn(cloud.output("RunMachineArn"), items.run_id)
    return list(dict.fromkeys(str(arn) for arn in (items.claim.get("owner"), first) if arn))


def _stop(cloud: Cloud, arn: str, reason: str) -> bool:
    """Whether an execution was running, and is stopped now."""
    stepfunctions = cloud.client("stepfunctions")
    try:
        if stepfunctions.describe_execution(executionArn=arn)["status"] != "RUNNING":
            return False
        stepfunctions.stop_execution(executionArn=arn, error="Stopped", cause=reason)
    except stepfunctions.exceptions.ExecutionDoesNotExist:
        return False
    return True


def _end_jobs(cloud: Cloud, run_id: str, reason: str) -> list[str]:
    """The ids of the jobs of a run that had not ended; Step Functions may have ended the one that it waited for."""
    batch = cloud.client("batch")
    live: list[str] = []
    for queue, name in product(_QUEUES, job_names(run_id)):
        pages = batch.get_paginator("list_jobs").paginate(
            jobQueue=cloud.output(queue), filters=[{"name": "JOB_NAME", "values": [name]}]
        )
        live += [job["jobId"] for page in pages for job in page["jobSummaryList"] if job["status"] not in ENDED]
    for job_id in live:
        batch.terminate_job(jobId=job_id, reason=reason)
    return live
