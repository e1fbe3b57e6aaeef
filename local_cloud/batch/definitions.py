"""Job definitions: registered revision by revision, found by name, by name and revision, or by ARN.

Source: https://docs.aws.amazon.com/batch/latest/APIReference/API_RegisterJobDefinition.html and
https://docs.aws.amazon.com/batch/latest/APIReference/API_DescribeJobDefinitions.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from moto.batch.exceptions import ClientException
from moto.batch.models import JobDefinition

from local_cloud.batch import consumables, nodes, requests, retries

LARGEST_BYTES = 24 * 1024
_REFUSED = ("eksProperties", "ecsProperties")
_KINDS = ("container", "multinode")


def register(backend: Any, given: Mapping[str, Any]) -> Any:
    """The next revision. Raises: ClientException."""
    _check(given)
    name, kind = given["jobDefinitionName"], given["type"]
    revisions = [one.revision for one in backend._job_definitions.values() if one.name == name]
    definition = JobDefinition(
        name,
        given.get("parameters"),
        kind,
        given.get("containerProperties") if kind == "container" else None,
        node_properties=given.get("nodeProperties") if kind == "multinode" else None,
        eks_properties=None,
        tags=requests.check_tags(given.get("tags")),
        retry_strategy=given.get("retryStrategy"),
        timeout=given.get("timeout"),
        backend=backend,
        platform_capabilities=given.get("platformCapabilities"),
        propagate_tags=given.get("propagateTags"),
        revision=max(revisions, default=0),
    )
    definition.scheduling_priority = given.get("schedulingPriority")
    definition.consumables = given.get("consumableResourceProperties")
    backend._job_definitions[definition.arn] = definition
    return definition


def deregister(backend: Any, identifier: str) -> None:
    """Make a revision INACTIVE. Raises: ClientException for a name without a revision."""
    if ":" not in identifier:
        raise ClientException("jobDefinition must be an ARN or name:revision")
    definition = find(backend, identifier)
    if definition is not None:
        definition.deregister()


def find(backend: Any, identifier: str) -> Any:
    """By ARN or `name:revision`; None if there is none."""
    if identifier in backend._job_definitions:
        return backend._job_definitions[identifier]
    name, _, revision = identifier.rpartition(":")
    return next(
        (one for one in backend._job_definitions.values() if one.name == name and str(one.revision) == revision), None
    )


def listed(backend: Any, given: Mapping[str, Any]) -> list[Any]:
    """The definitions a DescribeJobDefinitions request means, newest revision first. Raises: ClientException."""
    wanted, name, status = given.get("jobDefinitions"), given.get("jobDefinitionName"), given.get("status")
    if wanted and (name or status):
        raise ClientException("jobDefinitions cannot be used with other parameters")
    if status is not None and status not in ("ACTIVE", "INACTIVE"):
        raise ClientException("status must be one of ACTIVE | INACTIVE")
    if wanted:
        found = [find(backend, one) for one in wanted]
        # A name alone means all revisions (R: AWS documents ARNs and name:revision only).
        by_name = [one for one in backend._job_definitions.values() if one.name in wanted]
        return [one for one in found if one is not None] + by_name
    chosen = [
        one
        for one in backend._job_definitions.values()
        if (not name or one.name == name) and (status is None or one.status == status)
    ]
    return sorted(chosen, key=lambda one: (one.name, -one.revision))


def described(definition: Any) -> dict[str, Any]:
    """A definition as the API shows it."""
    shown: dict[str, Any] = {
        **definition.describe(),
        "nodeProperties": definition.node_properties,
        "schedulingPriority": getattr(definition, "scheduling_priority", None),
        "consumableResourceProperties": getattr(definition, "consumables", None),
        "containerOrchestrationType": "ECS",
    }
    return {key: value for key, value in shown.items() if value is not None}


def _check(given: Mapping[str, Any]) -> None:
    requests.refuse("RegisterJobDefinition", given, _REFUSED)
    requests.check_name("Job definition name", given.get("jobDefinitionName"))
    if len(json.dumps(given).encode()) > LARGEST_BYTES:
        raise ClientException(f"a job definition has at most {LARGEST_BYTES // 1024} KiB")
    if given.get("type") not in _KINDS:
        raise ClientException(f"type must be one of {' | '.join(_KINDS)}")
    requests.check_timeout(given.get("timeout"))
    requests.check_scheduling_priority(given.get("schedulingPriority"))
    with requests.answered():
        retries.check(given.get("retryStrategy"))
        consumables.listed(given.get("consumableResourceProperties"))
        if given["type"] == "multinode":
            _check_nodes(given.get("nodeProperties"))


def _check_nodes(properties: Mapping[str, Any] | None) -> None:
    if not properties or not properties.get("nodeRangeProperties"):
        raise ValueError("nodeProperties must be provided for a multinode job definition")
    for item in properties["nodeRangeProperties"]:
        requests.refuse("RegisterJobDefinition", item, (*_REFUSED, "instanceTypes"))
        container = item.get("container") or {}
        if not container.get("image"):
            raise ValueError(f"container of targetNodes {item.get('targetNodes')} must contain image")
        consumables.listed(item.get("consumableResourceProperties"))
    if not 0 <= int(properties.get("mainNode") or 0) < int(properties["numNodes"]):
        raise ValueError("mainNode must be lower than numNodes")
    nodes.of_multinode(properties, {}, {})
