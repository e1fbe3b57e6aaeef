"""What follows the end of a training job: one row a case, and the cases that are about several jobs."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.fakes import FakeJobs, FakeLogs
from tests.unit.turbine.arrange import ARTIFACTS, World
from turbine.domain import errors, job_end, outcome
from turbine.domain.job_end import SUBMISSIONS_MAX, Job
from turbine.usecases.judge_training import REPLY_LOST, TASK_TIMED_OUT, JudgeTraining, TrainingReport

RUN = "vision-digits-0123456789ab"
SPOT, ON_DEMAND = "arn:spot", "arn:on-demand"
ESSENTIAL = "Essential container in task exited"
RECLAIMED = "Host EC2 (instance i-0123456789abcdef0) terminated."
TIMED_OUT = "Job attempt duration exceeded timeout"
AGAIN = {"finished": False, "live_jobs": []}
FAILED_LINE = json.dumps({"event": "failed", "message": "shard 3 is torn", "mend": "write it again", "exit_code": 65})


class Judge:
    """The use case with its fakes, and the report of a machine whose Task failed with the job `j`."""

    def __init__(self, world: World) -> None:
        self.store, self.table, self.jobs, self.logs = world.store, world.table, FakeJobs(), FakeLogs()

    def failed(self, *, exit_code: int | None = None, queue: str = SPOT, **more: Any) -> Job:
        job = Job("j", "FAILED", exit_code=exit_code, queue_arn=queue, **{"status_reason": ESSENTIAL, **more})
        self.jobs.add(job, RUN)
        return job

    def __call__(self, **more: Any) -> dict[str, Any]:
        use_case = JudgeTraining(ARTIFACTS, SPOT, self.store, self.table, self.jobs, self.logs)
        given = {
            "run_id": RUN,
            "team": "vision",
            "spec_uri": f"s3://artifacts/runs/vision/{RUN}/run.json",
            "error": "States.TaskFailed",
            "cause": json.dumps({"JobId": "j"}),
            "submissions": 1,
            "spot_submissions": 1,
        }
        return use_case(TrainingReport.model_validate(given | more))

    def answer(self, **more: Any) -> dict[str, Any]:
        """What it answers without the counts."""
        return {name: value for name, value in self(**more).items() if not name.endswith("submissions")}


@pytest.fixture
def judge(world: World) -> Judge:
    return Judge(world)


@pytest.mark.parametrize(
    ("end", "raised"),
    [
        ({"exit_code": 65}, errors.TrainingDataError),
        ({"exit_code": 78}, errors.TrainingConfigurationError),
        ({"exit_code": 70}, errors.TrainingBugError),
        ({"exit_code": 137}, errors.TrainingOutOfMemoryError),
        ({"reason": "OutOfMemoryError: Container killed due to memory usage"}, errors.TrainingOutOfMemoryError),
        ({"exit_code": 1}, errors.TrainingFailedError),
        ({"status_reason": "Task failed to start", "reason": "CannotPullContainerError"}, errors.TrainingFailedError),
        ({"exit_code": 75, "status_reason": TIMED_OUT, "is_terminated": True}, errors.TrainingTimedOutError),
        ({"exit_code": 75, "status_reason": "enough", "is_terminated": True}, errors.TrainingFailedError),
        ({"exit_code": 75, "queue": ON_DEMAND}, errors.TrainingInterruptedError),
        ({"status_reason": RECLAIMED, "queue": ON_DEMAND}, errors.TrainingInterruptedError),
    ],
)
def test_a_failure_that_would_come_again_is_raised_by_name(
    judge: Judge, end: dict[str, Any], raised: type[Exception]
) -> None:
    judge.failed(**end)
    with pytest.raises(raised) as caught:
        judge()
    assert type(caught.value) is raised
    assert str(caught.value).startswith("Batch job j: ")


@pytest.mark.parametrize(
    "end", [{"exit_code": 75}, {"status_reason": RECLAIMED}, {"status_reason": RECLAIMED, "exit_code": 137}]
)
def test_what_spot_took_away_is_submitted_again(judge: Judge, end: dict[str, Any]) -> None:
    judge.failed(**end)
    assert judge() == AGAIN | {"submissions": 1, "spot_submissions": 1}


def test_the_error_is_in_the_jobs_own_words_and_leads_to_its_log(judge: Judge) -> None:
    judge.failed(exit_code=65)
    judge.logs.lines["j"] = ["a library's line", FAILED_LINE, json.dumps({"event": "epoch"}), "[1, 2]"]
    with pytest.raises(errors.TrainingDataError) as caught:
        judge()
    assert str(caught.value) == f"Batch job j: shard 3 is torn; write it again ({ESSENTIAL}, exit code 65)"
    cause = json.dumps(
        {"errorMessage": str(caught.value), "errorType": "TrainingDataError", "stackTrace": ["x" * 9999]}
    )
    assert outcome.short_cause(cause) == str(caught.value)
    failed = outcome.failed_job(cause)
    assert failed is not None and failed.job_id == "j"


def test_a_result_that_is_there_ends_training_whatever_happened_to_the_job(judge: Judge) -> None:
    judge.failed(exit_code=70)
    judge.store[f"s3://artifacts/runs/vision/{RUN}/_SUCCESS"] = b"{}"
    assert judge.answer() == {"finished": True, "live_jobs": []}


def test_a_live_job_of_the_run_is_waited_for(judge: Judge) -> None:
    judge.failed(exit_code=65)
    judge.jobs.add(Job("other-run", "RUNNING"), "vision-digits-ffffffffffff")
    judge.jobs.add(Job("k", "RUNNABLE"), RUN)
    assert judge.answer() == {"finished": False, "live_jobs": ["k"]}


def test_a_job_that_met_the_lease_leads_to_its_holder_under_whatever_name(judge: Judge) -> None:
    judge.failed(exit_code=73)
    judge.jobs.add(Job("by-hand", "RUNNING"), "started-by-hand")
    judge.table.put({"pk": f"LEASE#{RUN}", "sk": "LEASE", "owner": "by-hand"})
    assert judge.answer()["live_jobs"] == ["by-hand"]
    judge.jobs.terminate("by-hand", "enough")
    assert judge.answer() == AGAIN


def test_a_lease_of_nobody_that_batch_knows_is_named(judge: Judge) -> None:
    judge.failed(exit_code=73)
    judge.table.put({"pk": f"LEASE#{RUN}", "sk": "LEASE", "owner": "laptop"})
    with pytest.raises(errors.TrainingFailedError, match="laptop holds the lease"):
        judge()


@pytest.mark.parametrize(
    ("job", "answer"),
    [
        (Job("k", "RUNNING"), {"finished": False, "live_jobs": ["k"]}),
        (Job("k", "SUCCEEDED"), {"finished": True, "live_jobs": []}),
        (Job("k", "FAILED", exit_code=75, queue_arn=SPOT), AGAIN),
        (Job("k", "FAILED", "the execution was stopped", 75, is_terminated=True), AGAIN),
    ],
)
def test_an_adopted_job_is_followed_to_its_end(judge: Judge, job: Job, answer: dict[str, Any]) -> None:
    judge.jobs.add(job, "under-another-name")
    assert judge.answer(adopted_job="k", error=None, cause=None) == answer


def test_a_task_that_timed_out_ends_its_job_first(judge: Judge) -> None:
    judge.jobs.add(Job("k", "RUNNING"), RUN)
    with pytest.raises(errors.TrainingTimedOutError, match="Batch job k was terminated"):
        judge(error=TASK_TIMED_OUT, cause="")
    assert judge.jobs.terminated == ["k"]


def test_a_redrive_begins_afresh_but_not_beside_a_live_job(judge: Judge) -> None:
    judge.failed(exit_code=65)
    assert judge(redrives=1) == AGAIN | {"submissions": 0, "spot_submissions": 0}
    with pytest.raises(errors.TrainingDataError):
        judge(redrives=1, redrives_before=1)
    judge.jobs.add(Job("k", "RUNNING"), RUN)
    assert judge.answer(redrives=1, error=TASK_TIMED_OUT, cause="")["live_jobs"] == ["k"]
    assert judge.jobs.terminated == []


def test_who_takes_a_claim_over_waits_for_the_job_that_was_left_or_submits_one(judge: Judge) -> None:
    nothing: dict[str, Any] = {"error": None, "cause": None, "submissions": 0, "spot_submissions": 0}
    assert judge.answer(**nothing) == AGAIN
    judge.jobs.add(Job("k", "RUNNING"), RUN)
    assert judge.answer(**nothing)["live_jobs"] == ["k"]


def test_a_lost_reply_is_a_job_to_find_or_to_submit_again(judge: Judge) -> None:
    lost = {"error": REPLY_LOST, "cause": "Unable to execute HTTP request"}
    assert judge.answer(**lost) == AGAIN
    judge.jobs.add(Job("k", "SUBMITTED"), RUN)
    assert judge.answer(**lost)["live_jobs"] == ["k"]


def test_a_refused_submission_is_a_failure_with_its_cause(judge: Judge) -> None:
    with pytest.raises(errors.TrainingFailedError, match=r"Batch\.ClientException: JobDefinition x is not found"):
        judge(error="Batch.ClientException", cause="JobDefinition x is not found")


def test_a_job_that_batch_forgot_is_a_failure(judge: Judge) -> None:
    with pytest.raises(errors.TrainingFailedError, match="does not know it any more"):
        judge()


def test_it_does_not_go_round_in_circles(judge: Judge) -> None:
    judge.failed(exit_code=75)
    assert judge.answer(submissions=SUBMISSIONS_MAX - 1) == AGAIN
    with pytest.raises(errors.TrainingFailedError, match=f"{SUBMISSIONS_MAX} jobs were submitted"):
        judge(submissions=SUBMISSIONS_MAX)


def test_the_longest_words_of_a_job_fit_a_cause(judge: Judge) -> None:
    judge.failed(exit_code=65)
    words = {"event": "failed", "message": "m" * 10**6, "mend": "n" * 10**6}
    judge.logs.lines["j"] = [json.dumps(words)]
    with pytest.raises(errors.TrainingDataError) as caught:
        judge()
    assert len(str(caught.value)) < job_end.WORDS_MAX + 200
    assert str(caught.value).startswith("Batch job j: mmm") and "; nnn" in str(caught.value)
