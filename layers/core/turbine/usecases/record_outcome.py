"""Keep how a run ended, tell whoever listens, and let no older report replace a newer one.

Nothing inside an execution can record its own abort or timeout, so this hears Step Functions' own
status events. They come at least once and in any order.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict, Field

from turbine.domain import outcome
from turbine.domain.errors import LogsUnavailableError
from turbine.ports import EventBus, Execution, Executions, Item, JobLogs, Notifier, Table

SUBJECT_MAX = 100


class _Detail(BaseModel):
    model_config = ConfigDict(extra="ignore", populate_by_name=True)

    execution_arn: str = Field(alias="executionArn")
    name: str
    status: str
    stopped_ms: int | None = Field(default=None, alias="stopDate")
    input: str | None = None
    redrive_count: int | None = Field(default=None, alias="redriveCount")
    error: str | None = None
    cause: str | None = None


class StatusChange(BaseModel):
    """A `Step Functions Execution Status Change` event of the `run` machine."""

    model_config = ConfigDict(extra="ignore")

    id: str
    time: str
    detail: _Detail


@dataclass(frozen=True)
class RecordOutcome:
    """The function `record_outcome`."""

    table: Table
    executions: Executions
    logs: JobLogs
    bus: EventBus
    notifier: Notifier

    def __call__(self, change: StatusChange) -> dict[str, bool]:
        """Record a terminal status; whether this event's report is the one that stays."""
        if change.detail.status not in outcome.TERMINAL:
            return {"recorded": False}
        item = self._outcome(change)
        if not self.table.put_newer(item, "order"):
            stored = self.table.get(item["pk"], "OUTCOME")
            # Only the very event that won may have died between its write and its telling.
            if stored is None or stored["event_id"] != change.id:
                return {"recorded": False}
            item = stored
        if not item["announced"]:
            self._tell(item)
            self.table.update(item["pk"], "OUTCOME", {"announced": True}, {"order": item["order"]})
        return {"recorded": True}

    def _outcome(self, change: StatusChange) -> Item:
        detail = change.detail
        execution = self._execution(detail)
        run_id = str(execution.input.get("run_id", detail.name))
        attempt = int(execution.input.get("attempt", 1))
        ended_at = _iso(detail.stopped_ms) or change.time
        cause = execution.cause or ""
        decided = self.table.get(f"RUN#{run_id}", "DECISION") or {}
        return {
            "pk": f"RUN#{run_id}",
            "sk": "OUTCOME",
            "run_id": run_id,
            "team": str(execution.input.get("team", run_id.partition("-")[0])),
            "status": detail.status,
            "attempt": execution.redrive_count,
            "order": outcome.order(attempt, execution.redrive_count, ended_at),
            "ended_at": ended_at,
            "event_time": change.time,
            "event_id": change.id,
            "error": execution.error,
            "cause": outcome.short_cause(cause) or None,
            "log_tail": [] if detail.status == "SUCCEEDED" else self._log_tail(run_id, cause),
            "decision": decided.get("decision"),
            "execution_arn": detail.execution_arn,
            "announced": False,
        }

    def _execution(self, detail: _Detail) -> Execution:
        """The execution as the event tells it, asked for only where the event is silent."""
        silent_failure = detail.status == "FAILED" and detail.error is None
        if detail.input is None or detail.redrive_count is None or silent_failure:
            known = self.executions.describe(detail.execution_arn)
        else:
            known = Execution(json.loads(detail.input), detail.redrive_count, detail.error, detail.cause)
        return known._replace(
            redrive_count=known.redrive_count if detail.redrive_count is None else detail.redrive_count,
            error=detail.error or known.error,
            cause=detail.cause or known.cause,
        )

    def _log_tail(self, run_id: str, cause: str) -> list[str]:
        """The failed job's last lines; a run that failed for another reason has none."""
        job = outcome.failed_job(cause)
        try:
            job_id = job.job_id if job is not None else self.logs.newest_job(run_id)
            return [] if job_id is None else self.logs.tail(job_id, outcome.LOG_LINES)
        except LogsUnavailableError as error:
            return [f"(the log cannot be read: {error})"]

    def _tell(self, item: Item) -> None:
        names = ("run_id", "team", "status", "decision", "error", "cause", "log_tail", "ended_at")
        message = {"schema_version": 1, **{name: item.get(name) for name in names}}
        subject = f"Turbine: {item['run_id']} {item['decision'] or item['status'].lower()}"
        self.notifier.notify(subject[:SUBJECT_MAX], message)
        if item["status"] != "SUCCEEDED":
            del message["decision"]
            self.bus.publish("TrainingFailed", message)


def _iso(milliseconds: int | None) -> str | None:
    """Step Functions' milliseconds as ISO 8601 in UTC."""
    if milliseconds is None:
        return None
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds")
