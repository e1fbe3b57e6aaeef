"""Following dropped manifests until each run they ask for has ended, predictions included."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from botocore.exceptions import ClientError

from cli import exit_codes
from cli.cloud import Cloud
from cli.errors import CommandError
from cli.observe import executions
from cli.observe.drops import Drop, ExpectedRun
from cli.observe.job_logs import LogReader, latest_epoch
from cli.observe.records import FINISHED_INFERENCE, Item, Records, RunItems
from cli.progress import ProgressView, RunProgress

POLL_S = 0.4
CHECK_EVERY_S = 5.0


@dataclass(frozen=True)
class Ended:
    """How one run of a manifest ended; a refused one has `rejections` and no record."""

    team: str
    run_id: str | None
    items: RunItems | None = None
    inference: Item | None = None
    rejections: tuple[Item, ...] = ()

    @property
    def status(self) -> str:
        return "REFUSED" if self.items is None else self.items.status

    @property
    def verdict(self) -> str | None:
        return self.items.verdict if self.items else None

    @property
    def predicted(self) -> bool:
        return self.inference is not None and self.inference["status"] == "SUCCEEDED"


@dataclass
class _Following:
    """One run on its way."""

    run: ExpectedRun
    drop: Drop
    progress: RunProgress
    items: RunItems | None = None
    inference: Item | None = None
    ended: Ended | None = None
    log: LogReader | None = field(default=None, repr=False)


class Follower:
    """Polls the records of some drops; `view` sees every change."""

    def __init__(self, cloud: Cloud, view: ProgressView) -> None:
        self._cloud = cloud
        self._view = view
        self._records = Records(cloud)
        self._stepfunctions = cloud.client("stepfunctions")

    def follow(self, drops: Sequence[Drop], label: str, timeout_s: float) -> list[Ended]:
        """Wait for every run of these drops, in their order.

        Raises: CommandError after `timeout_s`, or when an execution failed before it could record anything.
        """
        runs = [_Following(run, drop, RunProgress(run.team, label, run.label)) for drop in drops for run in drop.runs]
        started = time.monotonic()
        next_detail = next_check = 0.0
        while True:
            now = time.monotonic() - started
            for following in runs:
                self._update(following)
            open_runs = [following for following in runs if following.ended is None]
            if now >= next_detail:
                next_detail = now + self._view.detail_every_s
                for following in open_runs:
                    self._look_closer(following)
            self._view.update([following.progress for following in runs])
            if not open_runs:
                return [following.ended for following in runs if following.ended]
            if now >= next_check:
                next_check = now + CHECK_EVERY_S
                self._raise_if_stuck(drops, open_runs)
            if now > timeout_s:
                raise _timed_out(open_runs, timeout_s)
            time.sleep(POLL_S)

    def _update(self, following: _Following) -> None:
        """Read the run's records, and decide whether it has ended."""
        if following.ended is not None:
            return
        run = following.run
        items = self._records.run(run.run_id) if run.run_id else None
        if items is None or not items.record:
            self._update_refused(following)
            return
        following.items = items
        wants_predictions = items.verdict == "promoted" and run.wants_predictions
        if items.status == "SUCCEEDED" and wants_predictions:
            following.inference = self._records.inference_of(run.team, items.run_id)
        finished = (following.inference or {}).get("status") in FINISHED_INFERENCE
        if items.outcome and (items.status != "SUCCEEDED" or not wants_predictions or finished):
            following.ended = Ended(run.team, run.run_id, items, following.inference)
        following.progress = replace(
            following.progress,
            status=items.status,
            verdict=items.verdict,
            records=(following.inference or {}).get("records"),
            state=_state(following, following.progress.state),
            done=following.ended is not None,
        )

    def _update_refused(self, following: _Following) -> None:
        rejections = self._records.rejections(following.drop.cause_key)
        mine = tuple(item for item in rejections if following.run.is_refused_by(item["sk"]))
        if mine:
            following.ended = Ended(following.run.team, None, rejections=mine)
            following.progress = replace(following.progress, status="REFUSED", state="refused", done=True)

    def _look_closer(self, following: _Following) -> None:
        """The state the run's execution is in, and the epoch its job has reached."""
        if following.items is None or following.items.outcome or following.ended:
            return
        arn = executions.execution_arn(self._cloud.output("RunMachineArn"), following.items.run_id)
        try:
            current = executions.read(self._stepfunctions, arn).current
        except ClientError as error:
            if error.response["Error"]["Code"] != "ExecutionDoesNotExist":
                raise
            return
        if current is None:
            return
        epoch = following.progress.epoch
        if current.kind == "batch" and current.job_id:
            if following.log is None or following.log.job_id != current.job_id:
                following.log = LogReader(self._cloud, current.job_id)
            epoch = latest_epoch(following.log.new_lines()) or epoch
        following.progress = replace(following.progress, state=current.name, epoch=epoch)

    def _raise_if_stuck(self, drops: Sequence[Drop], open_runs: Sequence[_Following]) -> None:
        """Executions that failed before they could write a record would be waited for in vain."""
        if not open_runs:
            return
        started = min(drop.dropped_at for drop in drops)
        without_record = {f.drop.version_id for f in open_runs if f.items is None}
        if without_record:
            self._raise_for_failed(self._cloud.output("TrainingMachineArn"), without_record, started)
        waiting = {f.items.run_id for f in open_runs if f.items is not None and f.items.outcome}
        if waiting:
            self._raise_for_failed(self._cloud.output("InferenceMachineArn"), waiting, started)

    def _raise_for_failed(self, machine_arn: str, needles: set[str], started: Any) -> None:
        for status in ("FAILED", "TIMED_OUT", "ABORTED"):
            listed = self._stepfunctions.list_executions(
                stateMachineArn=machine_arn, statusFilter=status, maxResults=100
            )
            for entry in listed["executions"]:
                if entry["startDate"] < started:
                    continue
                described = self._stepfunctions.describe_execution(executionArn=entry["executionArn"])
                if any(needle in described.get("input", "") for needle in needles):
                    raise CommandError(
                        f"the execution ended {status}: {described.get('error', 'no error name')}: "
                        f"{described.get('cause', 'no cause given')}",
                        place=entry["executionArn"],
                        next_step=f"aws stepfunctions get-execution-history --execution-arn {entry['executionArn']}",
                    )


def _state(following: _Following, before: str) -> str:
    """What to show once the run's own execution is over."""
    if following.inference is not None:
        return "predicted" if following.ended else "predicting"
    if following.items is not None and following.items.outcome:
        return "done" if following.ended else "waiting for predictions"
    return before


def _timed_out(open_runs: Sequence[_Following], timeout_s: float) -> CommandError:
    names = [f"{f.run.label} ({f.progress.state})" for f in open_runs]
    return CommandError(
        f"not finished after {timeout_s:.0f} s: {', '.join(names)}",
        place="what they are doing now: `turbine runs`, `turbine show RUN`",
        next_step="wait longer with --timeout, or look at the execution's history",
        exit_code=exit_codes.FAILED,
    )
