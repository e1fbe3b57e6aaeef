"""A job as DescribeJobs and ListJobs show it.

Source: https://docs.aws.amazon.com/batch/latest/APIReference/API_JobDetail.html
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from local_cloud.batch.job import LocalJob
from local_cloud.batch.nodes import NodeSpec

_SHOWN_PROPERTIES = (
    "jobRoleArn", "executionRoleArn", "volumes", "mountPoints", "ulimits", "privileged", "readonlyRootFilesystem",
    "user", "linuxParameters", "logConfiguration", "secrets", "instanceType", "runtimePlatform",
)  # fmt: skip
_EMPTY_LISTS = ("volumes", "mountPoints", "ulimits", "secrets")


def summary(job: LocalJob) -> dict[str, Any]:
    """The job in a list."""
    shown: dict[str, Any] = {
        **_common(job),
        "container": _without_nothing({"exitCode": job.exit_code, "reason": job.exit_reason}) or None,
    }
    if job.is_multinode:
        shown["nodeProperties"] = {"isMainNode": False, "numNodes": len(job.specs)}
    if job.children:
        shown["arrayProperties"] = {"size": len(job.children)}
    return _without_nothing(shown)


def detail(job: LocalJob) -> dict[str, Any]:
    """The job in full."""
    shown: dict[str, Any] = {
        **_common(job),
        "jobQueue": job.job_queue.arn,
        "attempts": job.attempts,
        "dependsOn": list(job.submission.depends_on),
        "parameters": job.parameters,
        "retryStrategy": job.retry_strategy,
        "timeout": job.timeout,
        "tags": {**_inherited_tags(job), **job.submission.tags},
        "propagateTags": _propagates(job),
        "schedulingPriority": job.submission.scheduling_priority,
        "platformCapabilities": job.job_definition.platform_capabilities or [],
    }
    if job.is_multinode:
        shown["nodeProperties"] = {
            **job.job_definition.node_properties,
            "numNodes": len(job.specs),
        }
    else:
        shown["container"] = _container(job, job.specs[0])
    if job.children:
        counted = Counter(child.status for child in job.children)
        shown["arrayProperties"] = {"size": len(job.children), "statusSummary": dict(counted)}
    elif job.submission.array_index is not None:
        shown["arrayProperties"] = {"index": job.submission.array_index}
    return _without_nothing(shown)


def node_detail(job: LocalJob, index: int) -> dict[str, Any]:
    """One node of a multi-node job, as `<job id>#<index>`."""
    shown = {key: value for key, value in detail(job).items() if key not in ("nodeProperties", "attempts")}
    node = _container(job, job.specs[index])
    node["logStreamName"] = (job.log_stream_name or "").removesuffix(f"-{job.main_node}") + f"-{index}"
    return {
        **shown,
        "jobId": f"{job.job_id}#{index}",
        "container": node,
        "nodeDetails": {"nodeIndex": index, "isMainNode": index == job.main_node},
    }


def _common(job: LocalJob) -> dict[str, Any]:
    return {
        "jobArn": job.arn,
        "jobId": job.job_id,
        "jobName": job.job_name,
        "jobDefinition": job.job_definition.arn,
        "shareIdentifier": job.submission.share,
        "status": job.status,
        "statusReason": job.status_reason,
        "createdAt": job.created_at,
        "startedAt": job.started_at,
        "stoppedAt": job.stopped_at,
        "isCancelled": job.is_cancelled,
        "isTerminated": job.is_terminated,
    }


def _container(job: LocalJob, spec: NodeSpec) -> dict[str, Any]:
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


def _propagates(job: LocalJob) -> bool:
    asked = job.submission.propagate_tags
    return bool(job.job_definition.propagate_tags if asked is None else asked)


def _inherited_tags(job: LocalJob) -> dict[str, str]:
    """A job inherits no tags from its definition; its own are all it has."""
    return dict(job.backend.list_tags_for_resource(job.arn))


def _without_nothing(shown: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in shown.items() if value is not None}
