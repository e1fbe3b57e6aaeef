"""Mark the claim of an inference whose execution failed, was aborted or timed out.

Nothing inside an execution can record its own abort, so this hears Step Functions' own status events.
A redrive that succeeds afterwards closes the claim again, as `publish_predictions` does.
"""

from __future__ import annotations

from dataclasses import dataclass

from turbine.domain import outcome
from turbine.domain.inference import execution_key
from turbine.ports import Executions, Table
from turbine.usecases.status_change import StatusChange, execution_of

FAILURES = outcome.TERMINAL - {"SUCCEEDED"}
# A failed claim is marked again when a redrive has failed too.
OPEN = frozenset({"RUNNING", "FAILED"})


@dataclass(frozen=True)
class CloseInference:
    """The function `close_inference`."""

    table: Table
    executions: Executions

    def __call__(self, change: StatusChange) -> dict[str, bool]:
        """Close the claim that the execution owns; whether there was one to close."""
        arn = change.detail.execution_arn
        pointer = self.table.get(*execution_key(arn))
        if change.detail.status not in FAILURES or pointer is None:
            return {"closed": False}
        pk, sk = f"TEAM#{pointer['team']}", f"INFERENCE#{pointer['inference_id']}"
        claim = self.table.get(pk, sk)
        if claim is None or claim["status"] not in OPEN:
            return {"closed": False}
        if (claim.get("ended_at") or "") >= change.ended_at:  # this event again, or an older one
            return {"closed": False}
        execution = execution_of(change.detail, self.executions)
        failed = {
            "status": "FAILED",
            "error": execution.error or change.detail.status,
            "cause": outcome.short_cause(execution.cause or "") or None,
            "ended_at": change.ended_at,
        }
        return {"closed": self.table.update(pk, sk, failed, {"owner": arn, "status": claim["status"]})}
