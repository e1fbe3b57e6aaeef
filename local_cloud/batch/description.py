"""A job as DescribeJobs and ListJobs show it.

Source: https://docs.aws.amazon.com/batch/latest/APIReference/API_JobDetail.html
"""

from __future__ import annotations

from typing import Any

from local_cloud.batch.nodes import NodeSpec
from local_cloud.batch.record import STATUSES, JobRecord

_SHOWN_PROPERTIES = (
    "jobRoleArn", "executionRoleArn", "volumes", "mountPoints", "ulimits", "privileged", "readonlyRootFilesystem",
    "user", "linuxParameters", "logConfiguration", "secrets", "instanceType", "runtimePlatform",
)  # fmt: skip
_EMPTY_LISTS = ("volumes", "mountPoints", "ulimits", "secrets")


def summary(job: JobRecord) -> dict[str, Any]:
    """The job in a list."""
    shown: dict[str, Any] = {
        **_common(job),
        "container": _without_nothing({"exitCode": job.exit_code, "reason": job.exit_reason}) or None,
    }
    if job.is_multinode:
        shown["nodeProperties"] = {"isMainNode": False, "numNodes": len(job.specs)}
    if job.is_array:
        shown["arrayProperties"] = {"size": job.array_size, "statusSummary": _status_summary(job)}
    elif job.array_index is not None:
        shown["arrayProperties"] = {"index": job.array_index}
    return _without_nothing(shown)


def node_summary(job: JobRecord, index: int) -> dict[str, Any]:
    """One node of a multi-node job in a list."""
    shown, node = summary(job), node_detail(job, index, None)
    shown |= {key: node[key] for key in ("jobId", "status", "statusReason") if key in node}
    kept = {key: node["container"][key] for key in ("exitCode", "reason") if key in node["container"]}
    shown["container"] = kept or None
    shown["nodeProperties"] = {"isMainNode": index == job.main_node, "numNodes": len(job.specs), "nodeIndex": index}
    return _without_nothing(shown)


def detail(job: JobRecord, backend: Any) -> dict[str, Any]:
    """The job in full. `backend` knows its tags; None leaves them out."""
    shown: dict[str, Any] = {
        **_common(job),
        "jobQueue": job.queue_arn,
        "attempts": [{**attempt, "container": dict(attempt["container"])} for attempt in job.attempts],
        "dependsOn": [dict(item) for item in job.depends_on],
        "parameters": dict(job.parameters),
        "retryStrategy": job.retry_strategy,
        "timeout": {"attemptDurationSeconds": job.timeout_s} if job.timeout_s else None,
        "tags": _tags(job, backend) if backend is not None else {},
        "propagateTags": job.propagate_tags,
        "schedulingPriority": job.scheduling_priority,
        "platformCapabilities": list(job.platform_capabilities),
    }
    if job.consumables:
        shown["consumableResourceProperties"] = {"consumableResourceList": [dict(one) for one in job.consumables]}
    if job.is_multinode:
        shown["nodeProperties"] = {**(job.node_properties or {}), "numNodes": len(job.specs)}
    else:
        shown["container"] = _container(job, job.specs[0])
    if job.is_array:
        shown["arrayProperties"] = {"size": job.array_size, "statusSummary": _status_summary(job)}
    elif job.array_index is not None:
        shown["arrayProperties"] = {"index": job.array_index}
    return _without_nothing(shown)


def node_detail(job: JobRecord, index: int, backend: Any) -> dict[str, Any]:
    """One node of a multi-node job, as `<job id>#<index>`. A node ends by itself; the job ends with the main one."""
    shown = {key: value for key, value in detail(job, backend).items() if key not in ("nodeProperties", "attempts")}
    node = _container(job, job.specs[index])
    for name in ("exitCode", "reason", "logStreamName", "containerInstanceArn"):
        node.pop(name, None)
    if job.node_states:
        state = job.node_states[index]
        shown["status"] = job.status if state.status == "STARTING" else state.status
        shown["statusReason"] = state.status_reason
        interfaces = [{"privateIpv4Address": state.address}] if state.address else []
        node |= {
            "exitCode": state.exit_code,
            "reason": state.reason or None,
            "logStreamName": job.log_streams[index] if job.log_streams else None,
            "containerInstanceArn": state.container_instance_arn,
            "networkInterfaces": interfaces,
        }
    return _without_nothing(
        {
            **shown,
            "jobId": f"{job.job_id}#{index}",
            "container": _without_nothing(node),
            "nodeDetails": {"nodeIndex": index, "isMainNode": index == job.main_node},
        }
    )


def _common(job: JobRecord) -> dict[str, Any]:
    return {
        "jobArn": job.arn,
        "jobId": job.job_id,
        "jobName": job.job_name,
        "jobDefinition": job.definition_arn,
        "shareIdentifier": job.share,
        "status": job.status,
        "statusReason": job.status_reason,
        "createdAt": job.created_at,
        "startedAt": job.started_at,
        "stoppedAt": job.stopped_at,
        "isCancelled": job.is_cancelled,
        "isTerminated": job.is_terminated,
    }


def _tags(job: JobRecord, backend: Any) -> dict[str, str]:
    """A child has its array's tags."""
    inherited = backend.list_tags_for_resource(job.arn.rsplit(":", 1)[0]) if job.parent_id else {}
    return {**inherited, **backend.list_tags_for_resource(job.arn)}


def _status_summary(job: JobRecord) -> dict[str, int]:
    """How many children are in each state; all states are named."""
    return {status: job.children[status] for status in STATUSES}


def _container(job: JobRecord, spec: NodeSpec) -> dict[str, Any]:
    shown = {name: spec.properties.get(name) for name in _SHOWN_PROPERTIES}
    for name in _EMPTY_LISTS:
        shown[name] = shown[name] or []
    last = job.attempts[-1]["container"] if job.attempts else {}
    needs = [
        {"type": "VCPU", "value": f"{spec.needs.vcpus:g}"},
        {"type": "MEMORY", "value": str(spec.needs.memory_mib)},
    ]
    if spec.needs.gpus:
        needs.append({"type": "GPU", "value": str(spec.needs.gpus)})
    return _without_nothing(
        {
            **shown,
            "image": spec.image,
            "command": list(spec.command),
            "environment": [{"name": name, "value": value} for name, value in spec.environment.items()],
            "resourceRequirements": needs,
            "networkInterfaces": [],
            "logStreamName": job.log_stream_name,
            "containerInstanceArn": last.get("containerInstanceArn"),
            "taskArn": last.get("taskArn"),
            "exitCode": job.exit_code,
            "reason": job.exit_reason,
        }
    )


def _without_nothing(shown: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in shown.items() if value is not None}
