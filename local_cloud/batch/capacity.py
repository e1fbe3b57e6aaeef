"""Compute environments and queues as the ordering rules see them, and what an attempt must know of its environment.

Source: https://docs.aws.amazon.com/batch/latest/userguide/mnp-ce.html and
https://docs.aws.amazon.com/batch/latest/APIReference/API_ComputeResource.html
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from moto.ec2.models.instance_types import INSTANCE_TYPES

from local_cloud import aws_clients
from local_cloud.batch.ordering import Environment, FairShare, Hold, Queue, Resources
from local_cloud.batch.user_data import DEFAULT_STOP_TIMEOUT_S, stop_timeout_s

_OPTIMAL = ("c4", "m4", "r4")
"""What `optimal` chooses from. Source: AWS Batch API, ComputeResource.instanceTypes."""

NO_VCPUS = (
    "MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE - No enabled compute environment attached to the job queue has "
    "enough vCPUs."
)
TOO_BIG = (
    "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT - The job resource requirement (vCPU/memory/GPU) is higher than that "
    "can be met by the CE(s) attached to the job queue."
)
NOT_FOR_NODES = (
    "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT - Multi-node parallel jobs need a managed compute environment that does "
    "not use Spot Instances; none is attached to the job queue."
)
NO_TOKENS = (
    "CONSUMABLE_RESOURCE:INSUFFICIENT_QUANTITY - The job waits for consumable resources that are in use or used up."
)
"""R: AWS documents that such a job waits, not in which words."""

BLOCKING_REASONS: Mapping[Hold, str] = {
    Hold.NO_ENVIRONMENT: NO_VCPUS,
    Hold.NO_HOST: TOO_BIG,
    Hold.MACHINE_TOO_SMALL: TOO_BIG,
    Hold.NO_GANGS: NOT_FOR_NODES,
    Hold.NO_TOKENS: NO_TOKENS,
}
"""What Batch says of the head of a queue that is blocked. One that waits for room only waits."""


@dataclass(frozen=True)
class AttemptEnvironment:
    """A compute environment as an attempt needs it. `cluster` is the ECS cluster of its hosts, `instance_profile` the
    name or ARN of what holds their role."""

    name: str
    cluster: str
    is_spot: bool
    stop_timeout_s: float
    instance_profile: str | None = None


def queue(found: Any) -> Queue:
    """A queue of moto's, with its enabled environments by ARN."""
    enabled = tuple(one.arn for one in found.environments if one.state in (None, "ENABLED"))
    return Queue(found.arn, int(found.priority), enabled, _fair_share(found))


def environment(found: Any) -> Environment:
    """An environment of moto's. Those that AWS does not manage have as much room as the machine."""
    resources = found.compute_resources or {}
    is_managed = found.env_type == "MANAGED"
    kind = str(resources.get("type", ""))
    return Environment(
        found.arn,
        float(resources.get("maxvCpus", math.inf)),
        () if not is_managed or "FARGATE" in kind else host_sizes(tuple(resources.get("instanceTypes") or ())),
        takes_gangs=is_managed and kind == "EC2",
        may_exceed=resources.get("allocationStrategy", "BEST_FIT") != "BEST_FIT",
    )


@functools.cache
def host_sizes(instance_types: tuple[str, ...]) -> tuple[Resources, ...]:
    """What the instances of these types or families have; none where one of them is not known."""
    sizes: set[Resources] = set()
    for name in instance_types:
        families = _OPTIMAL if name == "optimal" else (name,)
        found = [kind for kind in INSTANCE_TYPES if kind in families or kind.partition(".")[0] in families]
        if not found:
            return ()
        sizes.update(_size(INSTANCE_TYPES[kind]) for kind in found)
    return tuple(sorted(sizes, key=lambda size: (size.gpus, size.vcpus, size.memory_mib)))


def for_attempt(found: Any, account: str, region: str) -> AttemptEnvironment:
    """An environment of moto's as an attempt needs it."""
    resources = found.compute_resources or {}
    template = resources.get("launchTemplate")
    return AttemptEnvironment(
        found.name,
        found.ecs_name,
        resources.get("type") in ("SPOT", "FARGATE_SPOT"),
        stop_timeout_s(_user_data(template, account, region)) if template else DEFAULT_STOP_TIMEOUT_S,
        resources.get("instanceRole"),
    )


def _size(described: Mapping[str, Any]) -> Resources:
    gpus = sum(int(one.get("Count", 0)) for one in (described.get("GpuInfo") or {}).get("Gpus") or [])
    return Resources(float(described["VCpuInfo"]["DefaultVCpus"]), int(described["MemoryInfo"]["SizeInMiB"]), gpus)


def _fair_share(found: Any) -> FairShare | None:
    if not found.schedule_policy:
        return None
    policy = found.backend._scheduling_policies.get(found.schedule_policy)
    given = (policy.fairshare_policy or {}) if policy else {}
    weights = {
        share["shareIdentifier"]: float(share.get("weightFactor") or 1.0)
        for share in given.get("shareDistribution") or []
    }
    return FairShare(weights, float(given.get("shareDecaySeconds") or 0), float(given.get("computeReservation") or 0))


def _user_data(template: Mapping[str, Any], account: str, region: str) -> str | None:
    """The user data of the version a compute environment names; the default version where it names none."""
    names = {"LaunchTemplateId": "launchTemplateId", "LaunchTemplateName": "launchTemplateName"}
    which = {name: template[key] for name, key in names.items() if template.get(key)}
    ec2 = aws_clients.client("ec2", region, account)
    found: Iterable[Mapping[str, Any]] = ec2.describe_launch_template_versions(
        **which, Versions=[str(template.get("version") or "$Default")]
    )["LaunchTemplateVersions"]
    return next((version["LaunchTemplateData"].get("UserData") for version in found), None)
