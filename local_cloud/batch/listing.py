"""Which jobs ListJobs and ListJobsByConsumableResource mean.

Source: https://docs.aws.amazon.com/batch/latest/APIReference/API_ListJobs.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from moto.batch.exceptions import ClientException

from local_cloud.batch import description, requests
from local_cloud.batch.consumables import Consumable
from local_cloud.batch.record import STATUSES, JobRecord


def jobs(backend: Any, given: Mapping[str, Any]) -> tuple[Sequence[dict[str, Any]], dict[str, str]]:
    """The summaries of a page, and its token. Raises: ClientException."""
    _check(given)
    if given.get("multiNodeJobId"):
        return requests.page(_nodes(backend, given), given)
    if given.get("arrayJobId"):
        parent = _existing(backend, given["arrayJobId"])
        children = [backend._jobs[parent.child_id(index)] for index in range(parent.array_size)]
        found = [job for job in children if job.status == (given.get("jobStatus") or "RUNNING")]
    else:
        queue = backend.get_job_queue(given["jobQueue"])
        if queue is None:
            raise ClientException(f"Job queue {given['jobQueue']} does not exist")
        wanted = [job for job in of_queue(backend, queue.arn) if _is_wanted(job, given)]
        found = sorted(wanted, key=lambda job: job.number, reverse=True)
    chosen, more = requests.page(found, given)
    return [description.summary(job) for job in chosen], more


def of_queue(backend: Any, queue_arn: str) -> list[JobRecord]:
    """The jobs that were submitted to a queue; an array's children are its own."""
    return [job for job in list(backend._jobs.values()) if job.queue_arn == queue_arn and job.parent_id is None]


def of_consumable(
    backend: Any, resource: Consumable, given: Mapping[str, Any]
) -> tuple[Sequence[dict[str, Any]], dict[str, str]]:
    """The jobs that need a consumable resource. Raises: ClientException."""
    filters = given.get("filters") or []
    found = [
        job
        for job in backend._jobs.values()
        if resource.arn in job.tokens and not job.is_array and all(_has_of_resource(job, item) for item in filters)
    ]
    chosen, more = requests.page(sorted(found, key=lambda job: job.number, reverse=True), given)
    return [_of_resource(job, resource) for job in chosen], more


def _check(given: Mapping[str, Any]) -> None:
    places = [name for name in ("jobQueue", "arrayJobId", "multiNodeJobId") if given.get(name)]
    if len(places) != 1:
        raise ClientException("one of jobQueue, arrayJobId and multiNodeJobId must be specified")
    status = given.get("jobStatus")
    if status is not None and status not in STATUSES:
        raise ClientException(f"Job status {status} is not one of {' | '.join(STATUSES)}")
    filters = given.get("filters") or []
    if len(filters) > 1:
        raise ClientException("only one filter can be used at a time")
    if filters and places != ["jobQueue"]:
        raise ClientException("filters do not apply to the children of array and multi-node parallel jobs")


def _existing(backend: Any, job_id: str) -> JobRecord:
    job: JobRecord | None = backend._jobs.get(job_id)
    if job is None:
        raise ClientException(f"Job {job_id} does not exist")
    return job


def _nodes(backend: Any, given: Mapping[str, Any]) -> list[dict[str, Any]]:
    job = _existing(backend, given["multiNodeJobId"])
    if not job.is_multinode:
        raise ClientException(f"Job {job.job_id} is no multi-node parallel job")
    nodes = [description.node_summary(job, index) for index in range(len(job.specs))]
    return [node for node in nodes if node["status"] == (given.get("jobStatus") or "RUNNING")]


def _is_wanted(job: JobRecord, given: Mapping[str, Any]) -> bool:
    """With a filter the status is ignored, but for SHARE_IDENTIFIER; without either, running jobs are meant."""
    status, filters = given.get("jobStatus"), given.get("filters") or []
    if not filters:
        return job.status == (status or "RUNNING")
    if filters[0]["name"] == "SHARE_IDENTIFIER" and status is not None and job.status != status:
        return False
    return _passes(job, filters[0])


def _passes(job: JobRecord, item: Mapping[str, Any]) -> bool:
    name, values = item["name"], [str(value) for value in item["values"]]
    if name == "JOB_NAME":
        return any(requests.is_named(job.job_name, value) for value in values)
    if name == "JOB_DEFINITION":
        return any(requests.is_named(job.definition_name, value) or value == job.definition_arn for value in values)
    if name == "SHARE_IDENTIFIER":
        return any(requests.is_named(job.share or "", value) for value in values)
    if name == "BEFORE_CREATED_AT":
        return any(job.created_at < int(value) for value in values)
    if name == "AFTER_CREATED_AT":
        return any(job.created_at > int(value) for value in values)
    raise ClientException(f"batch:ListJobs: the filter {name} is not emulated")


def _has_of_resource(job: JobRecord, item: Mapping[str, Any]) -> bool:
    name, values = item["name"], [str(value) for value in item["values"]]
    if name == "JOB_STATUS":
        return job.status in values
    if name == "JOB_NAME":
        return any(requests.is_named(job.job_name, value) for value in values)
    raise ClientException(f"batch:ListJobsByConsumableResource: the filter {name} is not emulated")


def _of_resource(job: JobRecord, resource: Consumable) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "jobArn": job.arn,
        "jobQueueArn": job.queue_arn,
        "jobName": job.job_name,
        "jobDefinitionArn": job.definition_arn,
        "shareIdentifier": job.share,
        "jobStatus": job.status,
        "quantity": job.tokens[resource.arn],
        "statusReason": job.status_reason,
        "startedAt": job.started_at,
        "createdAt": job.created_at,
        "consumableResourceProperties": {"consumableResourceList": [dict(one) for one in job.consumables]},
    }
    return {key: value for key, value in shown.items() if value is not None}
