"""The hosts of Batch jobs through EC2 and ECS: which instance a container ran on, and the end of that instance.

Only those instances: what else EC2 and ECS do is moto's. TerminateInstances shuts the host down, as on AWS.

Source: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerInstance.html
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from local_cloud.batch import instances
from local_cloud.batch.instances import Instance
from local_cloud.replacements import Replacement


class _Terminated:
    """An instance as moto's TerminateInstances answers it."""

    def __init__(self, instance: Instance) -> None:
        self.id = instance.instance_id


def _terminate_instances(original: Callable[..., Any]) -> Callable[..., Any]:
    def terminate_instances(self: Any, instance_ids: list[str]) -> list[tuple[Any, Any]]:
        ours = [found for one in instance_ids or [] if (found := _of_account(self, instances.find(one)))]
        known = {instance.instance_id for instance in ours}
        others = [one for one in instance_ids or [] if one not in known]
        ended = original(self, others) if others or not ours else []
        for instance in ours:
            instance.is_going.set()
        return [*ended, *((_Terminated(instance), {"Code": 16, "Name": "running"}) for instance in ours)]

    return terminate_instances


def _describe_container_instances(original: Callable[..., Any]) -> Callable[..., Any]:
    def describe(self: Any, cluster_str: str, list_container_instance_ids: list[str]) -> tuple[list[Any], list[Any]]:
        wanted = {one.rsplit("/", 1)[-1] for one in list_container_instance_ids or []}
        ours = [one for one in instances.live() if one.container_instance in wanted and _of_account(self, one)]
        known = {one.container_instance for one in ours}
        left = [one for one in list_container_instance_ids or [] if one.rsplit("/", 1)[-1] not in known]
        found, failures = original(self, cluster_str, left) if left or not ours else ([], [])
        return [*found, *map(_shown, ours)], failures

    return describe


def _of_account(backend: Any, instance: Instance | None) -> Instance | None:
    """The instance, if it is one of the caller's account and Region."""
    here = (backend.account_id, backend.region_name)
    return instance if instance is not None and (instance.account, instance.region) == here else None


def _shown(instance: Instance) -> dict[str, Any]:
    return {
        "containerInstanceArn": instance.container_instance_arn,
        "ec2InstanceId": instance.instance_id,
        "status": "ACTIVE",
        "agentConnected": True,
        "runningTasksCount": 1,
        "pendingTasksCount": 0,
    }


REPLACEMENTS: list[Replacement] = [
    Replacement(
        target="moto.ec2.models.instances:InstanceBackend.terminate_instances",
        build=_terminate_instances,
        why="does not know the hosts of Batch jobs",
    ),
    Replacement(
        target="moto.ecs.models:EC2ContainerServiceBackend.describe_container_instances",
        build=_describe_container_instances,
        why="does not know the hosts of Batch jobs",
    ),
]
