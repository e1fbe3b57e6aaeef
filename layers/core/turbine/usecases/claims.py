"""Who works on an inference: one execution, until Step Functions says that it failed.

A claim is taken over only from an owner that ended without success, by compare-and-swap. The fencing
number grows then, so that a redrive of the former owner can tell that the inference is no longer its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from turbine.domain.errors import ExecutionMissingError
from turbine.domain.inference import ClaimedModel, execution_key
from turbine.ports import Clock, Executions, Item, Table

DEAD = frozenset({"FAILED", "ABORTED", "TIMED_OUT"})
DONE = frozenset({"SUCCEEDED", "SKIPPED"})
REOPENED = {"status": "RUNNING", "error": None, "cause": None, "ended_at": None}


@dataclass(frozen=True)
class Claims:
    """The claims that one execution may take."""

    table: Table
    executions: Executions
    clock: Clock
    execution_arn: str

    def owns(self, team: str, inference_id: str) -> bool:
        """Whether this execution has the claim already."""
        claim = self.table.get(*_key(team, inference_id))
        return claim is not None and claim["owner"] == self.execution_arn

    def take(self, model: ClaimedModel, inference_id: str) -> Item:
        """Claim an inference, or answer the claim that another execution has.

        A retry of this execution gets what it claimed before, with the model of then.
        """
        # First, so that an execution which dies right after its claim can be found by its ARN.
        pk, sk = execution_key(self.execution_arn)
        self.table.put({"pk": pk, "sk": sk, "team": model.team, "inference_id": inference_id})
        item = self._item(model, inference_id, "RUNNING")
        if self.table.insert(item):
            return item
        claim = self._read(model.team, inference_id)
        if claim["status"] in DONE or (claim["owner"] == self.execution_arn and claim["status"] == "RUNNING"):
            return claim
        if claim["owner"] == self.execution_arn:  # it failed and was redriven
            return self._changed(claim, REOPENED)
        if not self._is_dead(claim["owner"]):
            return claim
        taken = {"owner": self.execution_arn, "fencing": claim["fencing"] + 1, **_pinned(model)}
        return self._changed(claim, REOPENED | taken)

    def skip(self, model: ClaimedModel, inference_id: str, reason: str) -> None:
        """Note that there is nothing to do, unless the inference is claimed already."""
        self.table.insert({**self._item(model, inference_id, "SKIPPED"), "error": reason})

    def _item(self, model: ClaimedModel, inference_id: str, status: str) -> Item:
        pk, sk = _key(model.team, inference_id)
        return {
            "pk": pk,
            "sk": sk,
            "inference_id": inference_id,
            **_pinned(model),
            "owner": self.execution_arn,
            "fencing": 1,
            "status": status,
            "created_at": self.clock().isoformat(timespec="milliseconds"),
        }

    def _changed(self, claim: Item, changes: dict[str, Any]) -> Item:
        """Change a claim while it is as it was read; answer the one there is then."""
        expected = {name: claim[name] for name in ("owner", "fencing", "status")}
        self.table.update(claim["pk"], claim["sk"], changes, expected)
        return self._read(claim["team"], claim["inference_id"])

    def _read(self, team: str, inference_id: str) -> Item:
        claim = self.table.get(*_key(team, inference_id))
        assert claim is not None, f"claims are never deleted, but {inference_id} is gone"
        return claim

    def _is_dead(self, owner: str) -> bool:
        """Whether an execution ended without success; one that may be redriven in a moment has ended too."""
        try:
            return self.executions.describe(owner).status in DEAD
        except ExecutionMissingError:
            return True


def _pinned(model: ClaimedModel) -> dict[str, Any]:
    """What a claim keeps of a model, which may know more."""
    return model.model_dump(include=set(ClaimedModel.model_fields))


def _key(team: str, inference_id: str) -> tuple[str, str]:
    return f"TEAM#{team}", f"INFERENCE#{inference_id}"
