from __future__ import annotations

import json
from typing import Any

import pytest

from tests.fakes import FakeExecutions, FakeLogs, FakeNotifier
from tests.unit.turbine.arrange import World
from turbine.ports import Execution
from turbine.usecases.record_outcome import RecordOutcome
from turbine.usecases.status_change import StatusChange

RUN = "vision-digits-0123456789ab"
ARN = f"arn:aws:states:us-east-1:123456789012:execution:turbine-run:{RUN}"
INPUT = {"run_id": RUN, "team": "vision", "attempt": 1}
BATCH_CAUSE = json.dumps(
    {
        "JobId": "job-1",
        "JobName": RUN,
        "StatusReason": "Essential container in task exited",
        "Container": {"ExitCode": 65, "LogStreamName": "s"},
    }
)


class Listener:
    """The use case with its fakes."""

    def __init__(self, world: World) -> None:
        self.table, self.bus = world.table, world.bus
        self.executions, self.logs, self.notifier = FakeExecutions(), FakeLogs(), FakeNotifier()

    def hear(self, status: str, *, event_id: str = "e1", redrive: int | None = 0, **detail: Any) -> bool:
        event = {
            "id": event_id,
            "time": "2026-11-23T20:10:01Z",
            "detail-type": "Step Functions Execution Status Change",
            "detail": {
                "executionArn": ARN,
                "name": RUN,
                "status": status,
                "stopDate": 1_795_000_000_000,
                "input": json.dumps(INPUT),
                "redriveCount": redrive,
                "error": None,
                "cause": None,
            }
            | detail,
        }
        use_case = RecordOutcome(self.table, self.executions, self.logs, self.bus, self.notifier)
        return use_case(StatusChange.model_validate(event))["recorded"]

    @property
    def outcome(self) -> dict[str, Any]:
        item = self.table.get(f"RUN#{RUN}", "OUTCOME")
        assert item is not None
        return item


@pytest.fixture
def listener(world: World) -> Listener:
    return Listener(world)


def test_a_failed_job_leaves_its_cause_and_its_last_lines(listener: Listener) -> None:
    listener.logs.lines["job-1"] = [f"line {n}" for n in range(30)]
    assert listener.hear("FAILED", error="States.TaskFailed", cause=BATCH_CAUSE)
    outcome = listener.outcome
    assert (outcome["status"], outcome["attempt"], outcome["team"]) == ("FAILED", 0, "vision")
    assert outcome["cause"] == "Batch job job-1: Essential container in task exited, exit code 65"
    assert outcome["log_tail"] == [f"line {n}" for n in range(10, 30)]
    (failed,) = listener.bus.of_type("TrainingFailed")
    assert failed["log_tail"][-1] == "line 29" and failed["run_id"] == RUN
    ((subject, message),) = listener.notifier.messages
    assert RUN in subject and len(subject) <= 100 and message["status"] == "FAILED"


def test_a_success_tells_its_decision_and_no_failure(listener: Listener) -> None:
    listener.table.put({"pk": f"RUN#{RUN}", "sk": "DECISION", "decision": "promoted"})
    assert listener.hear("SUCCEEDED")
    assert listener.outcome["decision"] == "promoted"
    assert listener.bus.events == []
    assert listener.notifier.messages[0][0] == f"Turbine: {RUN} promoted"


def test_the_same_event_again_tells_nothing_again(listener: Listener) -> None:
    listener.hear("FAILED", error="E", cause="c")
    listener.hear("FAILED", error="E", cause="c")
    assert not listener.hear("FAILED", error="E", cause="c", event_id="e2")
    assert len(listener.bus.events) == len(listener.notifier.messages) == 1


def test_a_crash_between_record_and_event_is_made_good_by_the_retry(listener: Listener) -> None:
    listener.bus.refusals = 1
    with pytest.raises(Exception, match="did not take it"):
        listener.hear("FAILED", error="E", cause="c")
    assert not listener.hear("FAILED", error="E", cause="c", event_id="another delivery")
    assert listener.hear("FAILED", error="E", cause="c")
    assert len(listener.bus.of_type("TrainingFailed")) == 1


def test_an_older_failure_does_not_replace_the_redrives_success(listener: Listener) -> None:
    assert listener.hear("SUCCEEDED", redrive=1, event_id="new")
    assert not listener.hear("FAILED", redrive=0, event_id="old", error="E", cause="c")
    assert listener.outcome["status"] == "SUCCEEDED"
    assert listener.bus.events == []


def test_a_redrive_and_a_later_attempt_replace_a_failure(listener: Listener) -> None:
    assert listener.hear("FAILED", redrive=3, event_id="a", error="E", cause="c")
    assert listener.hear("ABORTED", redrive=4, event_id="b")
    later = json.dumps(INPUT | {"attempt": 2})
    assert listener.hear("SUCCEEDED", redrive=0, event_id="c", input=later)
    assert listener.outcome["status"] == "SUCCEEDED"


@pytest.mark.parametrize("status", ["RUNNING", "PENDING_REDRIVE"])
def test_a_status_that_is_no_end_is_not_recorded(listener: Listener, status: str) -> None:
    assert not listener.hear(status)
    assert listener.table.get(f"RUN#{RUN}", "OUTCOME") is None


def test_what_the_event_does_not_say_is_asked_for(listener: Listener) -> None:
    listener.executions.known[ARN] = Execution("FAILED", INPUT, 2, "States.TaskFailed", BATCH_CAUSE)
    listener.logs.lines["job-1"] = ["the end"]
    assert listener.hear("FAILED", redrive=None, input=None)
    assert (listener.outcome["attempt"], listener.outcome["error"]) == (2, "States.TaskFailed")
    assert listener.outcome["log_tail"] == ["the end"]


def test_a_timeout_shows_the_log_of_the_job_that_was_ended(listener: Listener) -> None:
    listener.logs.failed_jobs[RUN] = ["job-0", "job-7"]
    listener.logs.lines["job-7"] = ["terminated"]
    assert listener.hear("TIMED_OUT")
    assert listener.outcome["log_tail"] == ["terminated"]
    assert listener.bus.of_type("TrainingFailed")[0]["status"] == "TIMED_OUT"


def test_a_cut_cause_still_gives_the_job_and_an_unreadable_log_loses_no_outcome(listener: Listener) -> None:
    assert listener.hear("FAILED", error="States.TaskFailed", cause=BATCH_CAUSE[:30] + "x" * 9000)
    assert "cannot be read" in listener.outcome["log_tail"][0] and "job-1" in listener.outcome["log_tail"][0]
    assert len(listener.outcome["cause"]) <= 4096


def test_only_the_claims_owner_is_heard(listener: Listener) -> None:
    """A duplicate ends SUCCEEDED at once: it must neither close a running run nor mend a failed one."""
    listener.table.put({"pk": f"RUN#{RUN}", "sk": "CLAIM", "owner": ARN, "fencing": 1})
    duplicate: dict[str, Any] = {"executionArn": f"{ARN}-again", "stopDate": 1_795_000_900_000}
    assert not listener.hear("SUCCEEDED", event_id="early", **duplicate)
    assert listener.table.get(f"RUN#{RUN}", "OUTCOME") is None
    assert listener.hear("FAILED", event_id="own", error="E", cause="c")
    assert not listener.hear("SUCCEEDED", event_id="late", **duplicate)
    assert listener.outcome["status"] == "FAILED"
    assert len(listener.notifier.messages) == 1


def test_a_log_of_long_lines_fits_every_message(listener: Listener) -> None:
    listener.logs.lines["job-1"] = [f"{n}\u2603" + "\x00" * 50_000 for n in range(20)]
    assert listener.hear("FAILED", error="States.TaskFailed", cause=BATCH_CAUSE.replace("Essential", "E" * 9000))
    tail = listener.outcome["log_tail"]
    assert tail[-1].startswith("19\u2603") and all(len(line) <= 1000 for line in tail)
    ((_, message),) = listener.notifier.messages
    assert len(json.dumps(message["log_tail"])) <= 16_500
    assert len(message["cause"]) <= 4096


def test_a_log_of_ordinary_lines_stays_whole(listener: Listener) -> None:
    lines = ["x" * 200] * 20
    listener.logs.lines["job-1"] = lines
    assert listener.hear("FAILED", error="States.TaskFailed", cause=BATCH_CAUSE)
    assert listener.outcome["log_tail"] == lines


def test_an_execution_that_has_the_owners_name_but_not_its_start_reports_nothing(listener: Listener) -> None:
    """Step Functions forgets names after 90 days; the claim does not, and an ARN is made of the name."""
    claim = {"pk": f"RUN#{RUN}", "sk": "CLAIM", "owner": ARN, "owner_started_at": "2026-11-23T20:00:00.250Z"}
    listener.table.put(claim)
    started = 1_795_464_000_250
    assert not listener.hear("ABORTED", event_id="e2", startDate=started + 90 * 86_400_000)
    assert listener.hear("SUCCEEDED", startDate=started + 999)  # another clock's, or rounded


def test_a_failure_is_told_with_its_class_and_the_next_command(listener: Listener) -> None:
    listener.hear("FAILED", error="TrainingDataError", cause="Batch job job-1: no rows")
    ((_, message),) = listener.notifier.messages
    ((_, detail),) = listener.bus.events
    for told in (listener.outcome, message, detail):
        assert told["failure_class"] == "data"
        assert "turbine drop FILE" in told["next_step"]
