"""What ends a training job decides what follows: another try, another job's result, or a failure with a name."""

from __future__ import annotations

import contextlib
import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from tests.scenarios.live_cloud import LiveCloud, wait_for
from tests.scenarios.manifests import clone_finished_run, run_id_of, winery
from tests.scenarios.training_jobs import (
    ended_job,
    jobs_of,
    log_events,
    submit_by_hand,
    tell_to_stop,
    wait_for_epoch,
)

pytestmark = pytest.mark.xdist_group("scenarios")
# Enough epochs of a small data set that a job can be met at work; with ENDLESS the test ends it.
LONG = {"name": "tabular_classifier", "hyperparameters": {"epochs": 1000, "early_stopping_patience": 1000}}
ENDLESS = {
    "name": "tabular_classifier",
    "hyperparameters": {"epochs": 10_000, "early_stopping_patience": 10_000, "batch_size": 1},
}


def _drop(cloud: LiveCloud, **changes: Any) -> str:
    """Drop a manifest; returns its run's id."""
    key = f"manifests/winery/retries-{uuid.uuid4().hex[:8]}.json"
    cloud.put(key, winery(cloud, **changes))
    return run_id_of(cloud, key)


def _job_at_work(cloud: LiveCloud, run_id: str, number: int = 1) -> str:
    """The id of the run's job of a number, once it trains."""
    job = wait_for(lambda: jobs_of(cloud, run_id)[number - 1 : number] or None, f"job {number} of {run_id}")[0]
    wait_for_epoch(cloud, job["jobId"])
    return str(job["jobId"])


def _failed_line(cloud: LiveCloud, job_id: str) -> dict[str, Any]:
    (line,) = [event for event in log_events(cloud, job_id) if event["event"] == "failed"]
    return line


def test_interrupted_jobs_are_followed_by_others_on_spot_and_then_on_demand(cloud: LiveCloud) -> None:
    run_id = _drop(cloud, recipe=LONG)
    for number in (1, 2):
        job_id = _job_at_work(cloud, run_id, number)
        tell_to_stop(job_id)
        assert ended_job(cloud, job_id)["container"]["exitCode"] == 75
    outcome = cloud.outcome(run_id, limit_s=240)
    assert (outcome["status"], outcome["error"]) == ("SUCCEEDED", None)
    jobs = jobs_of(cloud, run_id)
    assert [job["queue"] for job in jobs] == ["SpotJobQueueArn", "SpotJobQueueArn", "JobQueueArn"]
    assert [job["status"] for job in jobs] == ["FAILED", "FAILED", "SUCCEEDED"]
    trained = _trained(cloud, cloud.execution_arn("RunMachineArn", run_id))
    assert trained == ["TrainOnSpot", "JudgeTraining", "TrainOnSpot", "JudgeTraining", "TrainOnDemand"]
    assert cloud.read_json(cloud.run_uri("winery", run_id, "_SUCCESS"))["fencing"] == 3


def test_bad_data_is_tried_once_and_fails_in_the_jobs_own_words_until_it_is_redriven(cloud: LiveCloud) -> None:
    dataset = winery(cloud)["dataset"] | {"target": "no_such_column"}
    run_id = _drop(cloud, dataset=dataset)
    outcome = cloud.outcome(run_id)
    (job,) = jobs_of(cloud, run_id)
    line = _failed_line(cloud, job["jobId"])
    assert (outcome["status"], outcome["error"]) == ("FAILED", "TrainingDataError")
    assert line["exit_code"] == 65 and "no_such_column" in line["message"]
    assert outcome["cause"].startswith(f"Batch job {job['jobId']}: {line['message']}; {line['mend']}")
    assert json.loads(outcome["log_tail"][-1]) == line
    assert len(ended_job(cloud, job["jobId"])["attempts"]) == 1

    arn = cloud.execution_arn("RunMachineArn", run_id)
    assert cloud.states_entered(arn)[-1] == "JudgeTraining"
    cloud.client("stepfunctions").redrive_execution(executionArn=arn)
    again = wait_for(
        lambda: found if (found := cloud.outcome(run_id))["attempt"] == 1 else None, "the outcome of the redrive"
    )
    assert again["error"] == "TrainingDataError"
    assert len(jobs_of(cloud, run_id)) == 2


def test_a_wrong_hyperparameter_is_tried_once(cloud: LiveCloud) -> None:
    run_id = _drop(cloud, recipe={"name": "tabular_classifier", "hyperparameters": {"epochs": "many"}})
    outcome = cloud.outcome(run_id)
    assert (outcome["status"], outcome["error"]) == ("FAILED", "TrainingConfigurationError")
    assert "epochs" in outcome["cause"]
    assert len(jobs_of(cloud, run_id)) == 1


def test_a_second_job_of_a_live_run_touches_nothing(cloud: LiveCloud) -> None:
    run_id = _drop(cloud, recipe=ENDLESS)
    first = _job_at_work(cloud, run_id)
    second = submit_by_hand(cloud, "winery", run_id, "by-hand")
    _require_met_the_lease(cloud, second, first)
    assert _lease(cloud, run_id) == (first, 1)
    assert not [name for name in _written(cloud, run_id) if not name.startswith("checkpoints/")]
    (job,) = jobs_of(cloud, run_id)
    assert job["status"] == "RUNNING"
    _stop(cloud, run_id)


def test_what_a_job_without_the_lease_writes_over_a_result_is_not_read(cloud: LiveCloud, botany: str) -> None:
    run_id = f"botany-stale-{uuid.uuid4().hex[:12]}"
    machine_input = clone_finished_run(cloud, "botany", botany, run_id, publish_metrics=True)
    right = {name: cloud.read(cloud.run_uri("botany", run_id, name)) for name in ("model.tar.gz", "metrics.json")}
    for name in right:
        cloud.put(f"runs/botany/{run_id}/{name}", b"stale", cloud.outputs["ArtifactBucketName"])
    assert cloud.ended(cloud.start("RunMachineArn", machine_input, run_id))["status"] == "SUCCEEDED"
    assert {name: cloud.read(cloud.run_uri("botany", run_id, name)) for name in right} == right


def test_a_stopped_execution_ends_its_job(cloud: LiveCloud) -> None:
    run_id = _drop(cloud, recipe=ENDLESS)
    job_id = _job_at_work(cloud, run_id)
    _stop(cloud, run_id)
    job = ended_job(cloud, job_id)
    assert (job["status"], job["isTerminated"]) == ("FAILED", True)
    assert cloud.outcome(run_id)["status"] == "ABORTED"
    assert [job["status"] for job in jobs_of(cloud, run_id)] == ["FAILED"]


def test_a_task_that_times_out_ends_its_job(cloud: LiveCloud) -> None:
    with _deployed_with(cloud, "TrainOnSpot", TimeoutSeconds=8):
        run_id = _drop(cloud, recipe=ENDLESS)
        outcome = cloud.outcome(run_id)
    assert (outcome["status"], outcome["error"]) == ("FAILED", "TrainingTimedOutError")
    (job,) = jobs_of(cloud, run_id)
    assert ended_job(cloud, job["jobId"])["isTerminated"]
    assert job["jobId"] in outcome["cause"]


def test_a_job_that_an_earlier_owner_left_at_work_is_waited_for(cloud: LiveCloud) -> None:
    """The claim's owner is gone without an outcome, but not the job that it had submitted."""
    run_id = _aborted(cloud, LONG)
    left = submit_by_hand(cloud, "winery", run_id, run_id)
    execution = _second_attempt(cloud, run_id)
    assert cloud.ended(execution, limit_s=240)["status"] == "SUCCEEDED"
    assert ended_job(cloud, left)["status"] == "SUCCEEDED"
    assert _trained(cloud, execution)[:2] == ["JudgeTraining", "WaitForLiveJob"]
    assert not [state for state in _trained(cloud, execution) if state.startswith("TrainOn")]


def test_a_job_that_meets_another_leads_to_that_one_and_follows_it(cloud: LiveCloud) -> None:
    """Nothing but the lease tells of a job of another name: ours ends with 73, and comes again after that one."""
    run_id = _aborted(cloud, ENDLESS)
    by_hand = submit_by_hand(cloud, "winery", run_id, "by-hand")
    wait_for_epoch(cloud, by_hand)
    held = _lease(cloud, run_id)
    execution = _second_attempt(cloud, run_id)
    (ours,) = wait_for(lambda: jobs_of(cloud, run_id)[1:] or None, "the job that meets the lease")
    _require_met_the_lease(cloud, ours["jobId"], by_hand)
    assert _lease(cloud, run_id) == held
    wait_for(lambda: "WaitForLiveJob" in cloud.states_entered(execution) or None, "the wait for the job by hand")
    cloud.client("batch").terminate_job(jobId=by_hand, reason="tested enough")
    next_job = wait_for(lambda: jobs_of(cloud, run_id)[2:] or None, "the next job")[0]["jobId"]
    wait_for_epoch(cloud, next_job)
    assert _lease(cloud, run_id) == (next_job, held[1] + 1)
    cloud.client("stepfunctions").stop_execution(executionArn=execution)
    ended_job(cloud, next_job)


def _aborted(cloud: LiveCloud, recipe: dict[str, Any]) -> str:
    """A run whose execution was stopped before its training was done, and whose job has ended."""
    run_id = _drop(cloud, recipe=recipe)
    job = wait_for(lambda: jobs_of(cloud, run_id) or None, "the first job")[0]
    _stop(cloud, run_id)
    assert ended_job(cloud, job["jobId"])["status"] == "FAILED"
    cloud.outcome(run_id)
    return run_id


def _stop(cloud: LiveCloud, run_id: str) -> None:
    arn = cloud.execution_arn("RunMachineArn", run_id)
    cloud.client("stepfunctions").stop_execution(executionArn=arn, error="Tested", cause="enough")


def _second_attempt(cloud: LiveCloud, run_id: str) -> str:
    """Start the next attempt of a run as an execution of its own."""
    first = cloud.execution_arn("RunMachineArn", run_id)
    machine_input = json.loads(cloud.client("stepfunctions").describe_execution(executionArn=first)["input"])
    return cloud.start("RunMachineArn", machine_input | {"attempt": 2}, f"{run_id}-a2")


def _trained(cloud: LiveCloud, execution: str) -> list[str]:
    """The states of an execution that are about training."""
    named = ("TrainOn", "JudgeTraining", "WaitForLiveJob")
    return [state for state in cloud.states_entered(execution) if state.startswith(named)]


def _lease(cloud: LiveCloud, run_id: str) -> tuple[str, int]:
    """Who holds the run's lease, and its fencing number."""
    lease = cloud.item(f"LEASE#{run_id}", "LEASE")
    assert lease is not None
    return str(lease["owner"]), int(lease["fencing"])


def _require_met_the_lease(cloud: LiveCloud, job_id: str, holder: str) -> None:
    """A job ended because another one holds the lease."""
    job = ended_job(cloud, job_id)
    assert job["container"].get("exitCode") == 73, log_events(cloud, job_id)[-1]
    assert holder in _failed_line(cloud, job_id)["message"]


def _written(cloud: LiveCloud, run_id: str) -> list[str]:
    """What jobs have written below the run's prefix so far."""
    prefix = cloud.run_uri("winery", run_id)
    folder = prefix.split("/", 3)[3]
    names = [key.removeprefix(folder) for key in cloud.keys(prefix)]
    return [name for name in names if name not in ("run.json", "manifest.json")]


@contextlib.contextmanager
def _deployed_with(cloud: LiveCloud, state: str, **changes: Any) -> Iterator[None]:
    """While open, a state of the deployed run machine has other fields."""
    stepfunctions, machine = cloud.client("stepfunctions"), cloud.outputs["RunMachineArn"]
    deployed = stepfunctions.describe_state_machine(stateMachineArn=machine)["definition"]
    changed = json.loads(deployed)
    changed["States"][state].update(changes)
    stepfunctions.update_state_machine(stateMachineArn=machine, definition=json.dumps(changed))
    try:
        yield
    finally:
        stepfunctions.update_state_machine(stateMachineArn=machine, definition=deployed)
