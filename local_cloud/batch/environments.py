"""Compute environments: what AWS takes, and what may change later. moto makes their cluster and their first hosts.

Source: https://docs.aws.amazon.com/batch/latest/APIReference/API_CreateComputeEnvironment.html and
https://docs.aws.amazon.com/batch/latest/APIReference/API_UpdateComputeEnvironment.html
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from moto.batch.exceptions import ClientException
from moto.core.exceptions import AWSError

from local_cloud.batch import requests
from local_cloud.durability.tracked import changes as changes_to_write

_SERVICE = "batch.amazonaws.com"
_CHANGED_BESIDES = ("ecs", "ec2", "iam")
"""Where moto makes the cluster, the hosts and the role of an environment."""
_CREATE_REFUSED = ("eksConfiguration", "unmanagedvCpus", "ecsSettings", "context")
_UPDATE_REFUSED = ("eksConfiguration", "unmanagedvCpus", "ecsSettings", "context")
_RESOURCES_REFUSED = ("managedInstancesProvider", "capacityTags", "scalingPolicy")


def create(backend: Any, given: Mapping[str, Any]) -> Any:
    """A new environment. Raises: ClientException."""
    requests.refuse("CreateComputeEnvironment", given, _CREATE_REFUSED)
    name = requests.check_name("Compute environment name", given.get("computeEnvironmentName"))
    resources = given.get("computeResources")
    if given.get("type") == "UNMANAGED" and resources:
        raise ClientException("computeResources are for managed compute environments only")
    _check_resources("CreateComputeEnvironment", resources or {})
    _note_the_rest()
    try:
        return backend.create_compute_environment(
            compute_environment_name=name,
            _type=given.get("type"),
            state=requests.check_state(given.get("state") or "ENABLED"),
            compute_resources=resources,
            service_role=given.get("serviceRole") or _service_linked_role(backend),
            tags=requests.check_tags(given.get("tags")),
        )
    except ClientException:
        raise
    except AWSError as error:
        # moto answers InvalidParameterValue, which Batch does not have.
        raise ClientException(str(error.message)) from error


def update(backend: Any, given: Mapping[str, Any]) -> Any:
    """A changed environment; jobs that run are left alone. Raises: ClientException."""
    requests.refuse("UpdateComputeEnvironment", given, _UPDATE_REFUSED)
    environment = backend.get_compute_environment(given.get("computeEnvironment") or "")
    if environment is None:
        raise ClientException(f"Compute environment {given.get('computeEnvironment')} does not exist")
    changes = given.get("computeResources") or {}
    if changes and environment.env_type != "MANAGED":
        raise ClientException("computeResources are for managed compute environments only")
    merged = {**(environment.compute_resources or {}), **changes}
    _check_resources("UpdateComputeEnvironment", merged)
    backend.update_compute_environment(
        environment.arn,
        requests.check_state(given.get("state") or environment.state or "ENABLED"),
        None,
        given.get("serviceRole"),
    )
    if changes:
        environment.compute_resources = merged
    return environment


def delete(backend: Any, identifier: str | None) -> None:
    """Raises: ClientException while it is enabled or a queue has it."""
    environment = backend.get_compute_environment(identifier or "")
    if environment is None:
        return
    if environment.state != "DISABLED":
        raise ClientException("Cannot delete, the compute environment must be DISABLED first")
    if any(environment in queue.environments for queue in backend._job_queues.values()):
        raise ClientException("Cannot delete, found existing JobQueue relationship")
    _note_the_rest()
    backend.delete_compute_environment(environment.arn)


def described(environment: Mapping[str, Any], used_vcpus: float) -> dict[str, Any]:
    """An environment of moto's as the API shows it. Its desired vCPUs follow what its jobs need."""
    shown = {key: value for key, value in environment.items() if value is not None}
    resources = shown.get("computeResources")
    if resources and "FARGATE" not in str(resources.get("type")):
        wanted = max(int(resources.get("minvCpus") or 0), math.ceil(used_vcpus))
        shown["computeResources"] = {**resources, "desiredvCpus": wanted}
    return shown


def _note_the_rest() -> None:
    """The commit of a call to Batch takes only Batch's own backend along."""
    for service in _CHANGED_BESIDES:
        changes_to_write.note_service(service)


def _service_linked_role(backend: Any) -> str:
    """The role that Batch makes by itself for environments without one.

    Source: https://docs.aws.amazon.com/batch/latest/userguide/using-service-linked-roles.html
    """
    # Not by a call: who holds back all commits while an environment is made would wait for that of the call.
    # By its path: moto writes the service's part of the name in another case than AWS.
    iam, path = backend.iam_backend, f"/aws-service-role/{_SERVICE}/"
    made = [role for role in iam.roles.values() if role.path == path]
    role = made[0] if made else iam.create_service_linked_role(_SERVICE, "", "")
    return str(role.arn)


def _check_resources(operation: str, resources: Mapping[str, Any]) -> None:
    requests.refuse(operation, resources, _RESOURCES_REFUSED)
    if resources.get("type") == "ECS_MANAGED_INSTANCES":
        raise ClientException(f"batch:{operation}: type ECS_MANAGED_INSTANCES is not emulated")
    low, high = int(resources.get("minvCpus") or 0), int(resources.get("maxvCpus") or 0)
    wanted = int(resources.get("desiredvCpus") or low)
    if resources and not 0 <= low <= wanted <= high:
        raise ClientException("minvCpus <= desiredvCpus <= maxvCpus must hold, none of them negative")
    if not 0 <= int(resources.get("bidPercentage") or 100) <= 100:
        raise ClientException("bidPercentage must be between 0 and 100")
