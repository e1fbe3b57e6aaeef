"""AWS Batch: jobs run as processes of this machine instead of Docker containers.

Refused by name: EKS and ECS properties, consumable resources, secrets, mounted volumes.

Source: https://docs.aws.amazon.com/batch/latest/APIReference/
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Mapping
from typing import Any

from moto.batch.exceptions import ClientException
from moto.batch.models import batch_backends

from local_cloud.batch import description
from local_cloud.batch.job import ENDED, LocalJob, Submission
from local_cloud.replacements import Replacement

_JOB_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")
_SHORTEST_TIMEOUT_S = 60
_LARGEST_ARRAY = 10_000
_PAGE = 100
_STATUSES = ("SUBMITTED", "PENDING", "RUNNABLE", "STARTING", "RUNNING", *ENDED)
_SUBMIT_REFUSED = ("eksPropertiesOverride", "ecsPropertiesOverride", "consumableResourcePropertiesOverride")
_REGISTER_REFUSED = ("eksProperties", "ecsProperties", "consumableResourceProperties")
_CONTAINER_REFUSED = ("secrets", "mountPoints")


def _refuse(operation: str, given: Mapping[str, Any], names: tuple[str, ...]) -> None:
    for name in names:
        if given.get(name):
            raise ClientException(f"batch:{operation}: {name} is not emulated")


def _check_containers(definition: Any) -> None:
    containers = (
        [item["container"] for item in definition.node_properties["nodeRangeProperties"]]
        if definition.type == "multinode"
        else [definition.container_properties]
    )
    for properties in containers:
        _refuse("SubmitJob", properties or {}, _CONTAINER_REFUSED)


def _submission(given: Mapping[str, Any]) -> Submission:
    timeout = given.get("timeout")
    if timeout and int(timeout.get("attemptDurationSeconds") or 0) < _SHORTEST_TIMEOUT_S:
        raise ClientException("Error executing request, Exception : attemptDurationSeconds must be at least 60")
    return Submission(
        name=given["jobName"],
        overrides=given.get("containerOverrides") or {},
        node_overrides=given.get("nodeOverrides") or {},
        parameters=given.get("parameters") or {},
        retry_strategy=given.get("retryStrategy"),
        timeout=timeout,
        share=given.get("shareIdentifier"),
        scheduling_priority=given.get("schedulingPriorityOverride"),
        depends_on=given.get("dependsOn") or (),
        tags=given.get("tags") or {},
        propagate_tags=given.get("propagateTags"),
    )


def submit(backend: Any, given: Mapping[str, Any]) -> LocalJob:
    """Start the job that a SubmitJob request asks for.

    Raises: ClientException as AWS does, and for what is not emulated.
    """
    _refuse("SubmitJob", given, _SUBMIT_REFUSED)
    if _JOB_NAME.fullmatch(given["jobName"]) is None:
        raise ClientException("Job name should match valid pattern")
    definition = backend.get_job_definition(given["jobDefinition"])
    if definition is None or definition.status != "ACTIVE":
        raise ClientException(f"JobDefinition {given['jobDefinition']} is not found or not ACTIVE.")
    queue = backend.get_job_queue(given["jobQueue"])
    if queue is None:
        raise ClientException(f"JobQueue {given['jobQueue']} not found.")
    if queue.state != "ENABLED":
        raise ClientException(f"JobQueue {queue.name} is not enabled.")
    if bool(queue.schedule_policy) != bool(given.get("shareIdentifier")):
        raise ClientException(
            "shareIdentifier must be specified for job queues with a scheduling policy, and only for those"
        )
    _check_containers(definition)
    return _start(backend, given, definition, queue)


def _start(backend: Any, given: Mapping[str, Any], definition: Any, queue: Any) -> LocalJob:
    submission = _submission(given)
    size = int((given.get("arrayProperties") or {}).get("size") or 0)
    if size and not 2 <= size <= _LARGEST_ARRAY:
        raise ClientException(f"Array size must be between 2 and {_LARGEST_ARRAY}")
    try:
        job = LocalJob(submission, definition, queue, backend)
    except ValueError as error:
        raise ClientException(str(error)) from error
    backend._jobs[job.job_id] = job
    if submission.tags:
        backend.tag_resource(job.arn, dict(submission.tags))
    if size:
        _start_array(job, size)
    else:
        job.start()
    return job


def _start_array(job: LocalJob, size: int) -> None:
    queue_jobs = job.job_queue.jobs
    for index in range(size):
        fields = {**vars(job.submission), "array_index": index}
        child = LocalJob(Submission(**fields), job.job_definition, job.job_queue, job.backend, f"{job.job_id}:{index}")
        queue_jobs.remove(child)  # children are listed by arrayJobId only
        job.children.append(child)
        job.backend._jobs[child.job_id] = child
    job.status = "PENDING"
    for child in job.children:
        child.start()
    threading.Thread(target=_follow_array, args=(job,), daemon=True, name=f"array-{job.job_id}").start()


def _follow_array(job: LocalJob) -> None:
    for child in job.children:
        child.join()
    failed = any(child.status == "FAILED" for child in job.children)
    job._finish("FAILED" if failed else "SUCCEEDED", "Array Child Job failed" if failed else None)


def _submit_job(self: Any) -> str:
    job = submit(self.batch_backend, json.loads(self.body))
    return json.dumps({"jobArn": job.arn, "jobName": job.job_name, "jobId": job.job_id})


def _describe_jobs(self: Any, jobs: list[str] | None) -> list[dict[str, Any]]:
    if not jobs:
        raise ClientException("jobs must be specified")
    return [shown for identifier in jobs if (shown := _described(self, identifier)) is not None]


def _described(backend: Any, identifier: str) -> dict[str, Any] | None:
    job_id, _, node = identifier.rsplit("/", 1)[-1].partition("#")
    job = backend._jobs.get(job_id)
    if job is None:
        return None
    if node:
        return description.node_detail(job, int(node)) if int(node) < len(job.specs) else None
    return description.detail(job)


def _list_jobs(self: Any) -> str:
    given = json.loads(self.body or "{}")
    backend = self.batch_backend
    jobs = [job for job in _listed(backend, given) if _is_wanted(job, given)]
    start = int(given.get("nextToken") or 0)
    size = min(int(given.get("maxResults") or _PAGE), _PAGE)
    shown: dict[str, Any] = {"jobSummaryList": [description.summary(job) for job in jobs[start : start + size]]}
    if len(jobs) > start + size:
        shown["nextToken"] = str(start + size)
    return json.dumps(shown)


def _listed(backend: Any, given: Mapping[str, Any]) -> list[LocalJob]:
    _refuse("ListJobs", given, ("multiNodeJobId",))
    if given.get("arrayJobId"):
        job = backend._jobs.get(given["arrayJobId"])
        return list(job.children) if job else []
    queue = backend.get_job_queue(given.get("jobQueue") or "")
    if queue is None:
        raise ClientException(f"Job queue {given.get('jobQueue')} does not exist")
    return sorted(queue.jobs, key=lambda job: job.created_at, reverse=True)


def _is_wanted(job: LocalJob, given: Mapping[str, Any]) -> bool:
    """With filters the status is ignored, but for JOB_NAME; without either, running jobs are meant."""
    filters = given.get("filters") or []
    status = given.get("jobStatus")
    if status is not None and status not in _STATUSES:
        raise ClientException(f"Job status {status} is not one of {' | '.join(_STATUSES)}")
    if not filters:
        return job.status == (status or "RUNNING") or (bool(given.get("arrayJobId")) and status is None)
    return any(_passes(job, item) for item in filters)


def _passes(job: LocalJob, item: Mapping[str, Any]) -> bool:
    name, values = item["name"], [str(value) for value in item["values"]]
    if name == "JOB_NAME":
        return any(_is_named(job.job_name, value) for value in values)
    if name == "JOB_DEFINITION":
        return any(_is_named(job.job_definition.name, value) or value == job.job_definition.arn for value in values)
    if name == "SHARE_IDENTIFIER":
        return any(_is_named(job.submission.share or "", value) for value in values)
    if name == "BEFORE_CREATED_AT":
        return any(job.created_at < int(value) for value in values)
    if name == "AFTER_CREATED_AT":
        return any(job.created_at > int(value) for value in values)
    raise ClientException(f"batch:ListJobs: the filter {name} is not emulated")


def _is_named(name: str, pattern: str) -> bool:
    name, pattern = name.lower(), pattern.lower()
    return name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern


def _find(backend: Any, job_id: str, reason: str) -> LocalJob | None:
    if not job_id or not reason:
        raise ClientException("jobId and reason must be specified")
    job: LocalJob | None = backend._jobs.get(job_id)
    return job


def _cancel_job(self: Any, job_id: str, reason: str) -> None:
    job = _find(self, job_id, reason)
    if job is not None:
        job.cancel(reason)


def _terminate_job(self: Any, job_id: str, reason: str) -> None:
    job = _find(self, job_id, reason)
    if job is not None:
        job.terminate(reason)


def _register(original: Callable[[Any], str]) -> Callable[[Any], str]:
    def registerjobdefinition(self: Any) -> str:
        given = json.loads(self.body)
        _refuse("RegisterJobDefinition", given, _REGISTER_REFUSED)
        answer = original(self)
        definition = self.batch_backend.get_job_definition(json.loads(answer)["jobDefinitionArn"])
        definition.scheduling_priority = given.get("schedulingPriority")
        return answer

    return registerjobdefinition


def _describe_definition(original: Callable[[Any], dict[str, Any]]) -> Callable[[Any], dict[str, Any]]:
    def describe(self: Any) -> dict[str, Any]:
        shown = original(self)
        if self.node_properties is not None:
            shown["nodeProperties"] = self.node_properties
        if getattr(self, "scheduling_priority", None) is not None:
            shown["schedulingPriority"] = self.scheduling_priority
        return {key: value for key, value in shown.items() if value is not None}

    return describe


def _backend_of_response(self: Any) -> Any:
    return batch_backends[self.current_account][self.region]


_BACKEND = "moto.batch.models:BatchBackend"
_RESPONSE = "moto.batch.responses:BatchResponse"

REPLACEMENTS: list[Replacement] = [
    Replacement(
        target=f"{_RESPONSE}.batch_backend",
        build=lambda _: property(_backend_of_response),
        why="without Docker moto answers from a backend that succeeds without running anything",
    ),
    Replacement(
        target=f"{_RESPONSE}.submitjob",
        build=lambda _: _submit_job,
        why="runs Docker; drops node overrides, retry strategy, share and priority",
    ),
    Replacement(
        target=f"{_RESPONSE}.listjobs",
        build=lambda _: _list_jobs,
        why="knows one filter, no pages",
    ),
    Replacement(
        target=f"{_RESPONSE}.registerjobdefinition",
        build=_register,
        why="drops the scheduling priority; takes properties that nothing carries out",
    ),
    Replacement(
        target="moto.batch.models:JobDefinition.describe",
        build=_describe_definition,
        why="does not show the nodes of a multi-node definition",
    ),
    Replacement(target=f"{_BACKEND}.describe_jobs", build=lambda _: _describe_jobs, why="describes Docker jobs"),
    Replacement(target=f"{_BACKEND}.cancel_job", build=lambda _: _cancel_job, why="cancels Docker jobs"),
    Replacement(target=f"{_BACKEND}.terminate_job", build=lambda _: _terminate_job, why="stops Docker jobs"),
]
