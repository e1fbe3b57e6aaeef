"""Give every prepared run its end, also where nobody reported it.

A report of Step Functions may be lost, after a day of tries, in the dead letters; and a run that Step Functions did not
start, although it was asked for half an hour, has no execution that could report anything. So once an hour all runs of
the last weeks without an outcome are looked at.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from turbine.domain import outcome
from turbine.domain.errors import ExecutionMissingError
from turbine.ports import Clock, Execution, Executions, Item, RunLister, Table
from turbine.usecases.record_outcome import RecordOutcome
from turbine.usecases.status_change import Detail, StatusChange

LOOK_BACK = timedelta(days=40)
"""A run takes 24 days at most, and one that is stopped may be redriven for 14 more."""
SETTLED = timedelta(hours=1)
"""Who was prepared only now is being started, or its report is on its way."""


@dataclass(frozen=True)
class SweepRuns:
    """The function `record_outcome`, once an hour. `run_machine_arn` is the machine's that executes runs."""

    run_machine_arn: str
    table: Table
    runs: RunLister
    executions: Executions
    record: RecordOutcome
    clock: Clock

    def __call__(self) -> dict[str, list[str]]:
        """The runs that got their outcome now. Raises what looking at a run raised, after all have been looked at."""
        now, swept, failures = self.clock(), list[str](), list[Exception]()
        for run in self.runs.runs_between(_text(now - LOOK_BACK), _text(now - SETTLED)):
            try:
                if self._sweep(run, now):
                    swept.append(run["run_id"])
            except Exception as error:  # noqa: BLE001 - one run must not keep the others from their end
                failures.append(error)
        if failures:
            raise failures[0]
        return {"swept": swept}

    def _sweep(self, run: Item, now: datetime) -> bool:
        """Record how a run ended, unless that is known or it has not; whether it was recorded now."""
        stored = self.table.get(run["pk"], "OUTCOME")
        if stored is not None:
            self.record.announce(stored)  # whoever recorded it may have died before
            if stored["status"] == "SUCCEEDED":
                return False
            # A redrive or a next attempt may have ended since; the newer end wins, and the same one changes nothing.
        claim = self.table.get(run["pk"], "CLAIM")
        arn = claim["owner"] if claim else f"{_executions_of(self.run_machine_arn)}:{run['run_id']}"
        execution = self._find(arn)
        if execution is not None:
            return execution.status in outcome.TERMINAL and self._record(arn, execution, now)
        fan_out = None if claim else self._find(run["training_execution_arn"])
        if claim or (fan_out is not None and fan_out.status in outcome.LIVE):
            return False
        item = outcome.not_started(run["run_id"], run["team"], arn, _text(now), _why(fan_out, run["run_id"]))
        if not self.table.insert(item):
            return False
        self.record.announce(item)
        return True

    def _record(self, arn: str, execution: Execution, now: datetime) -> bool:
        """As its own report would have done: with the start and the end that Step Functions knows."""
        ended = Detail(
            executionArn=arn,
            name=arn.rpartition(":")[2],
            status=execution.status,
            startDate=execution.started_ms,
            stopDate=execution.stopped_ms,
        )
        return self.record(StatusChange(id=f"sweep of {arn}", time=_text(now), detail=ended))["recorded"]

    def _find(self, execution_arn: str) -> Execution | None:
        try:
            return self.executions.describe(execution_arn)
        except ExecutionMissingError:
            return None


def _why(fan_out: Execution | None, run_id: str) -> str | None:
    """The error by which Step Functions did not start a run, as its fan-out has told in the end."""
    results = (fan_out.output or {}).get("runs") if fan_out else None
    found = (one.get("error") for one in results or [] if one.get("run_id") == run_id)
    return next(found, None)


def _executions_of(machine_arn: str) -> str:
    return machine_arn.replace(":stateMachine:", ":execution:")


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
