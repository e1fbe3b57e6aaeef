from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.fakes import FakeExecutions, FakeLogs, FakeNotifier
from tests.unit.turbine.arrange import World, manifest
from turbine.domain.errors import TryAgainError
from turbine.ports import Execution
from turbine.usecases.record_outcome import RecordOutcome
from turbine.usecases.status_change import StatusChange
from turbine.usecases.sweep_runs import SweepRuns

MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:turbine-run"
TRAINING = "arn:aws:states:us-east-1:123456789012:execution:turbine-training:e"


class Sweeping:
    """A world with one prepared run, two hours ago, whose fan-out has ended."""

    def __init__(self, world: World) -> None:
        self.world, self.executions, self.notifier = world, FakeExecutions(), FakeNotifier()
        (run,) = world.prepare()(world.drop("manifests/vision/m.json", manifest()), TRAINING)["runs"]
        self.run_id = str(run["run_id"])
        self.arn = f"{MACHINE.replace(':stateMachine:', ':execution:')}:{self.run_id}"
        self.executions.known[TRAINING] = Execution("SUCCEEDED", {}, 0, None, None)
        world.clock.move(timedelta(hours=2))
        self.started_ms = round(world.clock().timestamp() * 1000)
        self.record = RecordOutcome(world.table, self.executions, FakeLogs(), world.bus, self.notifier)

    def known(self, status: str, error: str | None = None, arn: str | None = None, redrives: int = 0) -> None:
        """An execution as Step Functions describes it; one that has ended did so now."""
        given = {"run_id": self.run_id, "team": "vision", "attempt": 1}
        stopped_ms = round(self.world.clock().timestamp() * 1000)
        self.executions.known[arn or self.arn] = Execution(
            status, given, redrives, error, None, started_ms=self.started_ms, stopped_ms=stopped_ms
        )

    def report(self) -> bool:
        """The execution's own report, as EventBridge brings it."""
        known = self.executions.known[self.arn]
        told = {"executionArn": self.arn, "name": self.run_id, "status": known.status, "stopDate": known.stopped_ms}
        event = {"id": "e", "time": self.world.clock().isoformat(), "detail": told | {"error": known.error}}
        return self.record(StatusChange.model_validate(event))["recorded"]

    def claim(self, owner: str) -> None:
        self.world.table.put({"pk": f"RUN#{self.run_id}", "sk": "CLAIM", "owner": owner, "fencing": 1})

    def sweep(self) -> list[str]:
        world = self.world
        return SweepRuns(MACHINE, world.table, world.table, self.executions, self.record, world.clock)()["swept"]

    @property
    def outcome(self) -> dict[str, Any]:
        return self.world.table.get(f"RUN#{self.run_id}", "OUTCOME") or {}


@pytest.fixture
def sweeping(world: World) -> Sweeping:
    return Sweeping(world)


def test_a_run_that_was_never_started_fails_and_says_what_to_do(sweeping: Sweeping) -> None:
    assert sweeping.sweep() == [sweeping.run_id]
    outcome = sweeping.outcome
    assert (outcome["status"], outcome["error"], outcome["announced"]) == ("FAILED", "RunNotStarted", True)
    assert outcome["next_step"].endswith(f"turbine redrive {sweeping.run_id}")
    (event,) = sweeping.world.bus.of_type("TrainingFailed")
    assert event["run_id"] == sweeping.run_id
    assert sweeping.sweep() == []
    assert len(sweeping.notifier.messages) == 1


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ("StepFunctions.ExecutionLimitExceededException", "throttling"),
        ("StepFunctions.AccessDeniedException", "permission"),
        (None, "unknown"),
    ],
)
def test_why_it_was_not_started_is_what_its_fan_out_has_told(sweeping: Sweeping, error: str | None, kind: str) -> None:
    others = {"run_id": "vision-other-0123456789ab", "status": "FAILED", "error": "Other"}
    told = {"run_id": sweeping.run_id, "status": "FAILED"} | ({"error": error} if error else {})
    output = {"runs": [others, told]}
    sweeping.executions.known[TRAINING] = Execution("SUCCEEDED", {}, 0, None, None, output=output)
    sweeping.sweep()
    assert sweeping.outcome["failure_class"] == kind
    assert (error or "before it could tell") in sweeping.outcome["cause"]
    assert sweeping.outcome["next_step"].endswith(f"turbine redrive {sweeping.run_id}")


def test_its_execution_if_it_comes_after_all_has_the_last_word(sweeping: Sweeping) -> None:
    sweeping.sweep()
    sweeping.world.clock.move(timedelta(minutes=1))
    sweeping.known("SUCCEEDED")
    assert sweeping.report()
    assert (sweeping.outcome["status"], sweeping.outcome["error"]) == ("SUCCEEDED", None)


@pytest.mark.parametrize("is_reported_first", [True, False])
def test_an_end_that_is_both_reported_and_found_is_told_once(sweeping: Sweeping, is_reported_first: bool) -> None:
    sweeping.known("FAILED", "TrainingDataError")
    ended_at = sweeping.world.clock()
    sweeping.world.clock.move(timedelta(minutes=5))
    told = [sweeping.report, sweeping.sweep] if is_reported_first else [sweeping.sweep, sweeping.report]
    assert [bool(tell()) for tell in told] == [True, False]
    assert sweeping.outcome["ended_at"] == ended_at.isoformat(timespec="milliseconds")
    assert len(sweeping.notifier.messages) == 1


def test_a_redrive_whose_report_was_lost_replaces_the_failure(sweeping: Sweeping) -> None:
    sweeping.known("FAILED", "TrainingDataError")
    sweeping.report()
    assert sweeping.sweep() == []
    sweeping.world.clock.move(timedelta(hours=1))
    sweeping.known("RUNNING", redrives=1)
    assert sweeping.sweep() == []
    sweeping.known("SUCCEEDED", redrives=1)
    assert sweeping.sweep() == [sweeping.run_id]
    assert sweeping.outcome["status"] == "SUCCEEDED"


@pytest.mark.parametrize("status", ["SUCCEEDED", "FAILED", "ABORTED", "TIMED_OUT"])
@pytest.mark.parametrize("claimed", [True, False])
def test_an_end_that_nobody_reported_is_recorded(sweeping: Sweeping, status: str, claimed: bool) -> None:
    sweeping.known(status, "TrainingDataError" if status == "FAILED" else None)
    if claimed:
        sweeping.claim(sweeping.arn)
    assert sweeping.sweep() == [sweeping.run_id]
    assert sweeping.outcome["status"] == status
    assert sweeping.outcome["failure_class"] == {"FAILED": "data", "ABORTED": "stopped", "TIMED_OUT": "timeout"}.get(
        status
    )


def test_the_one_that_took_a_run_over_is_looked_at(sweeping: Sweeping) -> None:
    sweeping.known("ABORTED")
    sweeping.claim(f"{sweeping.arn}-a2")
    sweeping.known("RUNNING", arn=f"{sweeping.arn}-a2")
    assert sweeping.sweep() == []
    sweeping.known("SUCCEEDED", arn=f"{sweeping.arn}-a2")
    assert sweeping.sweep() == [sweeping.run_id]
    assert sweeping.outcome["execution_arn"] == f"{sweeping.arn}-a2"


@pytest.mark.parametrize("status", ["RUNNING", "PENDING_REDRIVE"])
def test_what_is_live_is_left_alone(sweeping: Sweeping, status: str) -> None:
    sweeping.known(status)
    assert sweeping.sweep() == [] and sweeping.outcome == {}


def test_while_its_fan_out_goes_on_it_may_yet_start(sweeping: Sweeping) -> None:
    sweeping.executions.known[TRAINING] = Execution("RUNNING", {}, 0, None, None)
    assert sweeping.sweep() == [] and sweeping.outcome == {}


def test_a_claimed_run_whose_execution_is_forgotten_is_not_called_unstarted(sweeping: Sweeping) -> None:
    sweeping.claim(sweeping.arn)
    assert sweeping.sweep() == [] and sweeping.outcome == {}


def test_a_later_execution_of_the_same_name_does_not_speak_for_the_run(sweeping: Sweeping) -> None:
    """Its owner was forgotten; somebody started the name again, and that one found the run taken and did nothing."""
    sweeping.claim(sweeping.arn)
    sweeping.world.table.items[f"RUN#{sweeping.run_id}", "CLAIM"]["owner_started_at"] = "2026-01-01T00:00:00.000Z"
    sweeping.known("SUCCEEDED")
    assert sweeping.sweep() == [] and sweeping.outcome == {}


def test_the_newest_and_the_oldest_are_left_out(sweeping: Sweeping) -> None:
    sweeping.world.clock.move(-timedelta(minutes=70))
    assert sweeping.sweep() == []
    sweeping.world.clock.move(timedelta(days=41))
    assert sweeping.sweep() == []


def test_an_outcome_that_nobody_was_told_of_is_told(sweeping: Sweeping, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise TryAgainError("SNS is busy")

    with monkeypatch.context() as patch:
        patch.setattr(FakeNotifier, "notify", refuse)
        with pytest.raises(TryAgainError):
            sweeping.sweep()
    assert sweeping.outcome["announced"] is False
    sweeping.sweep()
    assert sweeping.outcome["announced"] is True and len(sweeping.notifier.messages) == 1


def test_one_run_that_cannot_be_looked_at_keeps_no_other_from_its_end(sweeping: Sweeping, world: World) -> None:
    event = world.drop("manifests/tabular/m.json", manifest("tabular"))
    (other,) = world.prepare()(event, TRAINING)["runs"]
    world.clock.move(timedelta(hours=2))
    sweeping.known("SUCCEEDED")
    sweeping.executions.known[sweeping.arn] = Execution("SUCCEEDED", {"attempt": "first"}, 0, None, None)
    with pytest.raises(ValueError, match="first"):
        sweeping.sweep()
    assert world.table.get(f"RUN#{other['run_id']}", "OUTCOME") is not None
