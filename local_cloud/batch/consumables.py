"""Consumable resources: counted tokens that jobs of all queues of an account and Region share.

A REPLENISHABLE token is held from STARTING to the end of an attempt; a NON_REPLENISHABLE one is used up by it.

Source: https://docs.aws.amazon.com/batch/latest/userguide/resource-aware-scheduling.html
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from local_cloud.batch.nodes import node_range

REPLENISHABLE, NON_REPLENISHABLE = "REPLENISHABLE", "NON_REPLENISHABLE"
MOST_OF_A_JOB = 5
RANGE_TOKENS_COUNT_PER_NODE = True
"""Whether the tokens of a node range are taken once for each of its nodes (R: AWS says "each instance of the job").
With tokens that stand for VMs anything else would let a job of seven nodes take one."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")


@dataclass
class Consumable:
    """One resource. Once a NON_REPLENISHABLE token's attempt has ended, the total is one less."""

    name: str
    arn: str
    kind: str
    total: int
    created_at: int
    in_use: int = 0

    @property
    def available(self) -> int:
        return max(0, self.total - self.in_use)

    def take(self, quantity: int) -> None:
        self.in_use += quantity

    def give_back(self, quantity: int) -> None:
        """The end of an attempt that had taken so many."""
        self.in_use -= quantity
        if self.kind == NON_REPLENISHABLE:
            self.total = max(0, self.total - quantity)

    def update(self, operation: str, quantity: int) -> None:
        """SET, ADD or REMOVE. Raises: ValueError."""
        changed = {"SET": quantity, "ADD": self.total + quantity, "REMOVE": self.total - quantity}
        if operation not in changed:
            raise ValueError(f"operation {operation} must be one of SET | ADD | REMOVE")
        if quantity < 0 or changed[operation] < 0:
            raise ValueError("the quantity of a consumable resource must not be negative")
        self.total = changed[operation]


def of_backend(backend: Any) -> dict[str, Consumable]:
    """The resources of one account and Region, by ARN; they live and are stored with moto's own state."""
    found: dict[str, Consumable] = backend.__dict__.setdefault("_consumable_resources", {})
    return found


def find(backend: Any, identifier: str) -> Consumable | None:
    """A resource by name or ARN."""
    known = of_backend(backend)
    return known.get(identifier) or next((one for one in known.values() if one.name == identifier), None)


def new(backend: Any, name: str, kind: str | None, total: int, created_at: int) -> Consumable:
    """Make a resource known. Raises: ValueError."""
    kind = kind or REPLENISHABLE
    if _NAME.fullmatch(name) is None:
        raise ValueError("consumableResourceName must be 1 to 128 letters, numbers, hyphens and underscores")
    if kind not in (REPLENISHABLE, NON_REPLENISHABLE):
        raise ValueError(f"resourceType {kind} must be one of {REPLENISHABLE} | {NON_REPLENISHABLE}")
    if total < 0:
        raise ValueError("totalQuantity must not be negative")
    if find(backend, name) is not None:
        raise ValueError(f"Consumable resource {name} already exists")
    arn = f"arn:aws:batch:{backend.region_name}:{backend.account_id}:consumable-resource/{name}"
    of_backend(backend)[arn] = made = Consumable(name, arn, kind, total, created_at)
    return made


def listed(properties: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """The entries of `consumableResourceProperties`, checked. Raises: ValueError."""
    entries = [dict(entry) for entry in (properties or {}).get("consumableResourceList") or []]
    if len(entries) > MOST_OF_A_JOB:
        raise ValueError(f"a job may need at most {MOST_OF_A_JOB} consumable resources")
    for entry in entries:
        if not entry.get("consumableResource") or int(entry.get("quantity") or 0) < 1:
            raise ValueError("each consumable resource needs a consumableResource and a quantity of at least 1")
    return entries


def of_definition(definition: Any, nodes: int) -> list[dict[str, Any]]:
    """What a definition needs as a whole, and for a multi-node one what its ranges need for their nodes."""
    entries = listed(getattr(definition, "consumables", None))
    for item in (definition.node_properties or {}).get("nodeRangeProperties") or []:
        count = len(node_range(item["targetNodes"], nodes)) if RANGE_TOKENS_COUNT_PER_NODE else 1
        for entry in listed(item.get("consumableResourceProperties")):
            entries.append({**entry, "quantity": int(entry["quantity"]) * count})
    return entries


def tokens(backend: Any, entries: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Entries as quantities by ARN. Raises: ValueError naming a resource that does not exist."""
    wanted: Counter[str] = Counter()
    for entry in entries:
        resource = find(backend, str(entry["consumableResource"]))
        if resource is None:
            raise ValueError(f"Consumable resource {entry['consumableResource']} does not exist")
        wanted[resource.arn] += int(entry["quantity"])
    return dict(wanted)
