"""The containers of a job: one for a container job, one a node for a multi-node job, overrides applied.

Source: https://docs.aws.amazon.com/batch/latest/userguide/multi-node-parallel-jobs.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from local_cloud.batch.ordering import Resources

_RANGE = re.compile(r"(\d*):(\d*)|(\d+)")


@dataclass(frozen=True)
class NodeSpec:
    """One container as it will be started: job definition and overrides merged."""

    image: str
    command: tuple[str, ...]
    environment: dict[str, str]
    needs: Resources
    properties: Mapping[str, Any]


def node_range(text: str, count: int) -> range:
    """The nodes `0:3`, `:3`, `2:`, or `2` names, of `count` nodes.

    Raises: ValueError if it is not a range or lies outside.
    """
    match = _RANGE.fullmatch(text)
    if match is None or text == ":":
        raise ValueError(f"targetNodes {text} is not a range of nodes")
    if match[3] is not None:
        first = last = int(match[3])
    else:
        first = int(match[1] or 0)
        last = int(match[2]) if match[2] else count - 1
    if first > last:
        raise ValueError(f"targetNodes {text} names no node of {count}")
    return range(first, min(last, count - 1) + 1)


def node_count(properties: Mapping[str, Any], overrides: Mapping[str, Any]) -> int:
    """How many nodes a job has. AWS takes another number only where a range is open at its end.

    Raises: ValueError otherwise.
    """
    defined = int(properties["numNodes"])
    count = int(overrides.get("numNodes") or defined)
    ranges = [item["targetNodes"] for item in properties["nodeRangeProperties"]]
    if count != defined and not any(text.endswith(":") for text in ranges):
        raise ValueError("nodeOverrides.numNodes needs a node range without an end, such as 0:")
    if int(properties.get("mainNode", 0)) >= count:
        raise ValueError("the main node's index must be lower than the number of nodes")
    return count


def of_container(
    properties: Mapping[str, Any], overrides: Mapping[str, Any], parameters: Mapping[str, str]
) -> NodeSpec:
    """The one container of a container job."""
    return _spec(properties, overrides, parameters)


def of_multinode(
    properties: Mapping[str, Any], overrides: Mapping[str, Any], parameters: Mapping[str, str]
) -> list[NodeSpec]:
    """The containers of a multi-node job, by node index. A later range wins over an earlier one.

    Raises: ValueError naming a node that no range describes.
    """
    count = node_count(properties, overrides)
    containers: list[Mapping[str, Any] | None] = [None] * count
    changed: list[Mapping[str, Any]] = [{}] * count
    for item in properties["nodeRangeProperties"]:
        for index in _inside(item["targetNodes"], count):
            containers[index] = item["container"]
    for item in overrides.get("nodePropertyOverrides") or []:
        for index in node_range(item["targetNodes"], count):
            changed[index] = item.get("containerOverrides") or {}
    missing = [index for index, container in enumerate(containers) if container is None]
    if missing:
        raise ValueError(f"no node range describes node {missing[0]}")
    return [
        _spec(container or {}, override, parameters) for container, override in zip(containers, changed, strict=True)
    ]


def _inside(text: str, count: int) -> range:
    """Ranges of a definition may reach beyond a job with fewer nodes."""
    first = int(text.partition(":")[0] or 0)
    return node_range(text, count) if first < count else range(0)


def _spec(properties: Mapping[str, Any], overrides: Mapping[str, Any], parameters: Mapping[str, str]) -> NodeSpec:
    command = overrides.get("command") or properties.get("command") or []
    pairs = [*(properties.get("environment") or []), *(overrides.get("environment") or [])]
    return NodeSpec(
        image=properties["image"],
        command=tuple(_substituted(word, parameters) for word in command),
        environment={pair["name"]: pair.get("value") or "" for pair in pairs},
        needs=Resources(
            float(_needed(properties, overrides, "VCPU", "vcpus", 1)),
            int(_needed(properties, overrides, "MEMORY", "memory", 512)),
            int(_needed(properties, overrides, "GPU", "gpus", 0)),
        ),
        properties=properties,
    )


def _needed(
    properties: Mapping[str, Any], overrides: Mapping[str, Any], kind: str, old_name: str, default: float
) -> Any:
    for source in (overrides, properties):
        for requirement in source.get("resourceRequirements") or []:
            if requirement["type"] == kind:
                return requirement["value"]
        if source.get(old_name):
            return source[old_name]
    return default


def _substituted(word: str, parameters: Mapping[str, str]) -> str:
    """`Ref::name` as the job's parameter; longer names first, so that `Ref::ab` is not read as `Ref::a`."""
    for name in sorted(parameters, key=len, reverse=True):
        word = word.replace(f"Ref::{name}", str(parameters[name]))
    return word
