"""A refusal costs nothing but a record and an event, each made once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from turbine.domain.rejection import Fault
from turbine.ports import Clock, EventBus, Item, Table


class Slot(NamedTuple):
    """Where the refusal of one manifest (or entry of a batch manifest) is kept."""

    cause_key: str
    entry: int | None
    manifest_uri: str

    @property
    def pk(self) -> str:
        return f"REJECTED#{self.cause_key}"

    @property
    def sk(self) -> str:
        return "RECORD" if self.entry is None else f"RECORD#{self.entry}"


@dataclass(frozen=True)
class Refusals:
    """Refused manifests; `execution_arn` is who refuses, so that its retry finishes what it began."""

    table: Table
    bus: EventBus
    clock: Clock
    execution_arn: str

    def find(self, slot: Slot) -> dict[str, Any] | None:
        """An earlier refusal: a manifest that was refused stays refused when it is delivered again."""
        item = self.table.get(slot.pk, slot.sk)
        return None if item is None else self._announced(item)

    def record(self, slot: Slot, team: str, faults: Sequence[Fault]) -> dict[str, Any]:
        """Keep a refusal and tell of it; the first fault leads, the others follow in `others`."""
        first, *others = faults
        item: Item = {
            "pk": slot.pk,
            "sk": slot.sk,
            "kind": "rejection",
            "manifest_uri": slot.manifest_uri,
            "team": team,
            **first.model_dump(),
            "others": [other.model_dump() for other in others],
            "created_at": self.clock().isoformat(timespec="milliseconds"),
            "owner": self.execution_arn,
            "announced": False,
        }
        if not self.table.insert(item):
            item = self.table.get(slot.pk, slot.sk) or item
        return self._announced(item)

    def _announced(self, item: Item) -> dict[str, Any]:
        """Tell of a refusal, unless that is done or another execution's to do."""
        if not item["announced"] and item["owner"] == self.execution_arn:
            names = ("team", "manifest_uri", "field", "problem", "mend", "others")
            detail = {"schema_version": 1, **{name: item[name] for name in names}}
            self.bus.publish("ManifestRejected", detail)
            self.table.update(item["pk"], item["sk"], {"announced": True}, {"owner": self.execution_arn})
        return {name: item[name] for name in ("team", "field", "problem", "mend")}
