"""Keep how a run ended, tell whoever listens, and let no older report replace a newer one.

Nothing inside an execution can record its own abort or timeout, so this hears Step Functions' own
status events. They come at least once and in any order, and from every execution of a run: only the
one that claimed it is heard.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from turbine.domain import failure, outcome
from turbine.domain.errors import LogsUnavailableError
from turbine.ports import EventBus, Execution, Executions, Item, JobLogs, Notifier, Table
from turbine.usecases.status_change import Detail, StatusChange, execution_of
from turbine.usecases.work_book import WorkBook

SUBJECT_MAX = 100
SAME_START_MS = 3_600_000


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
        execution = execution_of(change.detail, self.executions)
        run_id = str(execution.input.get("run_id", change.detail.name))
        if not self._may_report(run_id, change.detail):
            return {"recorded": False}
        item = self._outcome(change, run_id, execution)
        if not self.table.put_newer(item, "order"):
            stored = self.table.get(item["pk"], "OUTCOME")
            # Only the very event that won may have died between its write and its telling.
            if stored is None or stored["event_id"] != change.id:
                return {"recorded": False}
            item = stored
        self._learn(item)
        self.announce(item)
        return {"recorded": True}

    def _learn(self, item: Item) -> None:
        """From a run that went through: how long it worked."""
        record = self.table.get(item["pk"], "RECORD") or {}
        if item["status"] == "SUCCEEDED" and item["trained_s"] and "nodes" in record:
            WorkBook(self.table).learn(record, record["nodes"], item["trained_s"] / 3600)

    def announce(self, item: Item) -> None:
        """Tell of an outcome, unless that is done."""
        if not item["announced"]:
            self._tell(item)
            self.table.update(item["pk"], "OUTCOME", {"announced": True}, {"order": item["order"]})

    def _may_report(self, run_id: str, detail: Detail) -> bool:
        """Whether an execution speaks for the run: a duplicate ends SUCCEEDED and did nothing.

        One that has the owner's name, long after that was forgotten, has its ARN too, but another start. Without a
        claim nobody owns the run: then it was stopped before it could claim it.
        """
        claim = self.table.get(f"RUN#{run_id}", "CLAIM")
        if claim is None:
            return True
        return claim["owner"] == detail.execution_arn and _is_same_start(
            claim.get("owner_started_at"), detail.started_ms
        )

    def _outcome(self, change: StatusChange, run_id: str, execution: Execution) -> Item:
        detail = change.detail
        attempt = int(execution.input.get("attempt", 1))
        cause = execution.cause or ""
        kind = failure.classify(detail.status, execution.error, cause)
        decided = self.table.get(f"RUN#{run_id}", "DECISION") or {}
        return {
            "pk": f"RUN#{run_id}",
            "sk": "OUTCOME",
            "run_id": run_id,
            "team": str(execution.input.get("team", run_id.partition("-")[0])),
            "status": detail.status,
            "attempt": execution.redrive_count,
            "order": outcome.order(attempt, execution.redrive_count, change.ended_at),
            "ended_at": change.ended_at,
            "event_time": change.time,
            "event_id": change.id,
            "error": execution.error,
            "cause": outcome.short_cause(cause) or None,
            "failure_class": kind,
            "next_step": failure.next_step(kind, run_id),
            "log_tail": [] if detail.status == "SUCCEEDED" else self._log_tail(run_id, cause),
            "decision": decided.get("decision"),
            "trained_s": decided.get("trained_s"),
            "execution_arn": detail.execution_arn,
            "announced": False,
        }

    def _log_tail(self, run_id: str, cause: str) -> list[str]:
        """The failed job's last lines; a run that failed for another reason has none."""
        job = outcome.failed_job(cause)
        try:
            job_id = job.job_id if job is not None else self.logs.newest_job(run_id)
            return [] if job_id is None else outcome.short_tail(self.logs.tail(job_id, outcome.LOG_LINES))
        except LogsUnavailableError as error:
            return [f"(the log cannot be read: {error})"]

    def _tell(self, item: Item) -> None:
        about = ("run_id", "team", "status", "decision", "error", "cause", "failure_class", "next_step")
        names = (*about, "log_tail", "ended_at")
        message = {"schema_version": 1, **{name: item.get(name) for name in names}}
        subject = f"Turbine: {item['run_id']} {item['decision'] or item['status'].lower()}"
        self.notifier.notify(subject[:SUBJECT_MAX], message)
        if item["status"] != "SUCCEEDED":
            del message["decision"]
            self.bus.publish("TrainingFailed", message)


def _is_same_start(claimed_at: str | None, told_ms: int | None) -> bool:
    """Whether both tell of one start, as far as they tell. Two of one name are 90 days apart."""
    if claimed_at is None or told_ms is None:
        return True
    return abs(datetime.fromisoformat(claimed_at).timestamp() * 1000 - told_ms) < SAME_START_MS
