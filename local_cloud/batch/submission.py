"""SubmitJob: from a request to records, one for a job, one more for each child of an array.

Source: https://docs.aws.amazon.com/batch/latest/APIReference/API_SubmitJob.html and
https://docs.aws.amazon.com/batch/latest/userguide/array_jobs.html
"""

from __future__ import annotations

import copy
import dataclasses
import threading
import time
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from moto.batch.exceptions import ClientException

from local_cloud.batch import consumables, nodes, requests, retries
from local_cloud.batch.nodes import NodeSpec
from local_cloud.batch.record import JobRecord

LARGEST_ARRAY = 10_000
MOST_DEPENDENCIES = 20
_REFUSED = ("eksPropertiesOverride", "ecsPropertiesOverride")
_CONTAINER_REFUSED = ("secrets", "mountPoints")
_last_number = 0
_lock = threading.Lock()


def records(backend: Any, given: Mapping[str, Any]) -> list[JobRecord]:
    """The job that a request asks for, and its children. Nothing is stored or started.

    Raises: ClientException as AWS does, and for what is not emulated.
    """
    requests.refuse("SubmitJob", given, _REFUSED)
    if requests.NAME.fullmatch(given["jobName"]) is None:
        raise ClientException("Job name should match valid pattern")
    definition = backend.get_job_definition(given["jobDefinition"])
    if definition is None or definition.status != "ACTIVE":
        raise ClientException(f"JobDefinition {given['jobDefinition']} is not found or not ACTIVE.")
    queue = backend.get_job_queue(given["jobQueue"])
    if queue is None:
        raise ClientException(f"JobQueue {given['jobQueue']} not found.")
    if queue.state != "ENABLED":
        raise ClientException(f"JobQueue {queue.name} is not enabled.")
    _check(given, definition, queue)
    with requests.answered():
        job = _record(backend, given, definition, queue)
        return [job, *_children(backend, job)] if job.is_array else [job]


def _check(given: Mapping[str, Any], definition: Any, queue: Any) -> None:
    share = given.get("shareIdentifier")
    if bool(queue.schedule_policy) != bool(share):
        raise ClientException(
            "shareIdentifier must be specified for job queues with a scheduling policy, and only for those"
        )
    if share and requests.SHARE.fullmatch(share) is None:
        raise ClientException("shareIdentifier must be up to 255 letters and numbers, and may be followed by *")
    if given.get("schedulingPriorityOverride") is not None and not queue.schedule_policy:
        raise ClientException("schedulingPriorityOverride needs a job queue with a scheduling policy")
    requests.check_scheduling_priority(given.get("schedulingPriorityOverride"))
    requests.check_timeout(given.get("timeout"))
    requests.check_tags(given.get("tags"))
    is_multinode = definition.type == "multinode"
    if is_multinode and (given.get("containerOverrides") or given.get("arrayProperties")):
        raise ClientException("a multi-node parallel job takes neither containerOverrides nor arrayProperties")
    if not is_multinode and given.get("nodeOverrides"):
        raise ClientException("nodeOverrides are for multi-node parallel jobs only")
    with requests.answered():
        retries.check(given.get("retryStrategy"))
    for properties in _containers(definition):
        requests.refuse("SubmitJob", properties, _CONTAINER_REFUSED)


def _containers(definition: Any) -> list[Mapping[str, Any]]:
    if definition.type == "multinode":
        return [item["container"] for item in definition.node_properties["nodeRangeProperties"]]
    return [definition.container_properties or {}]


def _record(backend: Any, given: Mapping[str, Any], definition: Any, queue: Any) -> JobRecord:
    parameters = {**(definition.parameters or {}), **(given.get("parameters") or {})}
    specs = _specs(definition, given, parameters)
    asked = given.get("consumableResourcePropertiesOverride")
    own = consumables.of_definition(definition, len(specs))
    wanted = own if asked is None else consumables.listed(asked)
    override, size = given.get("schedulingPriorityOverride"), _array_size(given)
    timeout = given.get("timeout") or definition.timeout or {}
    propagate = given.get("propagateTags")
    return JobRecord(
        job_id=str(uuid.uuid4()),
        job_name=given["jobName"],
        account=backend.account_id,
        region=backend.region_name,
        queue_arn=queue.arn,
        queue_name=queue.name,
        definition_arn=definition.arn,
        definition_name=definition.name,
        specs=specs,
        number=_numbers(size + 1),
        created_at=int(time.time() * 1000),
        is_multinode=definition.type == "multinode",
        main_node=int((definition.node_properties or {}).get("mainNode") or 0),
        node_properties=copy.deepcopy(definition.node_properties),
        parameters=parameters,
        retry_strategy=given.get("retryStrategy") or definition.retry_strategy or {"attempts": 1},
        timeout_s=int(timeout["attemptDurationSeconds"]) if timeout else None,
        share=given.get("shareIdentifier"),
        scheduling_priority=getattr(definition, "scheduling_priority", None) if override is None else override,
        depends_on=[dict(item) for item in given.get("dependsOn") or ()],
        tags=dict(given.get("tags") or {}),
        propagate_tags=bool(definition.propagate_tags if propagate is None else propagate),
        platform_capabilities=definition.platform_capabilities or [],
        consumables=wanted,
        tokens=consumables.tokens(backend, wanted),
        array_size=size,
        children=Counter({"SUBMITTED": size}),
        waits_for=_dependencies(backend, given.get("dependsOn") or (), size),
    )


def _specs(definition: Any, given: Mapping[str, Any], parameters: Mapping[str, str]) -> Sequence[NodeSpec]:
    if definition.type == "multinode":
        return nodes.of_multinode(definition.node_properties, given.get("nodeOverrides") or {}, parameters)
    return [nodes.of_container(definition.container_properties, given.get("containerOverrides") or {}, parameters)]


def _array_size(given: Mapping[str, Any]) -> int:
    size = int((given.get("arrayProperties") or {}).get("size") or 0)
    if size and not 2 <= size <= LARGEST_ARRAY:
        raise ValueError(f"Array size must be between 2 and {LARGEST_ARRAY}")
    return size


def _dependencies(backend: Any, depends_on: Sequence[Mapping[str, str]], size: int) -> set[str]:
    """The jobs that the whole job waits for. What only children wait for is checked, and left to them."""
    if len(depends_on) > MOST_DEPENDENCIES:
        raise ValueError(f"a job depends on at most {MOST_DEPENDENCIES} jobs")
    whole = set()
    for item in depends_on:
        kind, job_id = item.get("type"), item.get("jobId")
        if kind == "SEQUENTIAL":
            if not size or job_id:
                raise ValueError("a SEQUENTIAL dependency is an array job's on itself, without a jobId")
        elif not job_id:
            raise ValueError("a dependency needs a jobId")
        elif kind == "N_TO_N":
            other = backend._jobs.get(job_id)
            if not size or other is None or other.array_size != size:
                raise ValueError("an N_TO_N dependency is between array jobs of the same size")
        else:
            whole.add(job_id)
    return whole


def _children(backend: Any, job: JobRecord) -> list[JobRecord]:
    kinds = {item.get("type") for item in job.depends_on}
    pairs = [backend._jobs[item["jobId"]] for item in job.depends_on if item.get("type") == "N_TO_N"]
    children = []
    for index in range(job.array_size):
        waits_for = {*job.waits_for, *(other.child_id(index) for other in pairs)}
        if "SEQUENTIAL" in kinds and index:
            waits_for.add(job.child_id(index - 1))
        children.append(
            dataclasses.replace(
                job,
                job_id=job.child_id(index),
                number=job.number + 1 + index,
                parent_id=job.job_id,
                array_index=index,
                array_size=0,
                children=Counter(),
                waits_for=waits_for,
                attempts=[],
                node_states=[],
                log_streams=[],
            )
        )
    return children


def _numbers(count: int) -> int:
    """The first of `count` numbers in a row, each greater than all before, also than those before a restart."""
    global _last_number
    with _lock:
        first = max(time.time_ns(), _last_number + 1)
        _last_number = first + count - 1
    return first
