"""How far a run came, and why it stopped there."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cli.observe.records import RunItems
from cli.smoke.files import CheckedFiles
from cli.smoke.numbers import PublishedMetric
from cli.smoke.seen import Seen
from cli.smoke.steps import Step, steps
from tests.unit.cli.smoke.runs import DROPPED, JOB, RUN, at, entered, good, machine, run_machine, task


def by_name(seen: Seen, gave_up: str = "") -> dict[str, Step]:
    return {step.name: step for step in steps(seen, gave_up)}


def test_a_good_run_did_every_step_in_its_time() -> None:
    found = by_name(good())
    assert {step.status for step in found.values()} == {"done"}
    assert {name: step.took_s for name, step in found.items()} == {
        "drop seen": 1.5,
        "run started": 0.5,
        "job ran": 90.0,
        "artifacts published": 3.0,
        "metrics readable": 10.0,
        "compared": 6.0,
        "registered": 3.0,
        "promoted": 2.0,
        "predictions written": 203.0,
        "failure told": 82.0,
    }
    assert found["job ran"].what == f"job {JOB} waited 60.0 s and ran 30.0 s in spot, attempts: 1"
    assert found["metrics readable"].what == "CloudWatch shows accuracy 0.97, 2 looks too early"


CHANGES: list[Any] = [
    pytest.param({"machines": {}}, "drop seen", id="no rule saw the drop"),
    pytest.param({"job": {}}, "job ran", id="no job"),
    pytest.param({"job": {**good().job, "status": "FAILED"}}, "job ran", id="a failed job"),
    pytest.param({"files": None}, "artifacts published", id="nothing published"),
    pytest.param({"files": CheckedFiles(["a"], ["b"], "md5", True)}, "artifacts published", id="a damaged file"),
    pytest.param({"files": CheckedFiles(["a"], [], "md5", False)}, "artifacts published", id="a damaged remote"),
    pytest.param({"files": CheckedFiles([], [], "md5", True)}, "artifacts published", id="no file at all"),
    pytest.param({"metric": PublishedMetric("m", 0.9, None, at(91))}, "metrics readable", id="no metric"),
    pytest.param({"metric": PublishedMetric("m", 0.9, 0.8, at(91))}, "metrics readable", id="another number"),
    pytest.param({"package": {}}, "registered", id="no package"),
    pytest.param({"package": {**good().package, "ModelApprovalStatus": "Rejected"}}, "promoted", id="not approved"),
    pytest.param({"inference": {}}, "predictions written", id="no predictions"),
]


@pytest.mark.parametrize(("changes", "failed"), CHANGES)
def test_the_first_step_that_was_not_done_has_failed_and_no_later_one_counts(
    changes: dict[str, Any], failed: str
) -> None:
    *found, other = steps(good(**changes))
    assert other.status == "done"
    names = [step.name for step in found]
    statuses = [step.status for step in found]
    place = names.index(failed)
    assert statuses == ["done"] * place + ["failed"] + ["not reached"] * (len(found) - place - 1)


def test_a_failure_names_machine_state_error_and_cause() -> None:
    failing = [entered("RegisterModel", 101), task("Scheduled", "lambda", 101), task("Failed", "lambda", 102)]
    cause = '{"errorMessage": "sagemaker:CreateModelPackage", "stackTrace": ["a line"]}'
    run = run_machine(*failing, status="FAILED", error="AccessDenied", cause=cause)
    found = by_name(good(machines={**good().machines, "run": run}, package={}, metric=None))
    told = found["metrics readable"].what
    assert told.startswith(
        "the machine run ended FAILED at RegisterModel: AccessDenied: sagemaker:CreateModelPackage ("
    )


def test_a_refused_manifest_tells_field_and_mend() -> None:
    refused = [{"field": "recipe", "problem": "is unknown", "mend": "use another"}]
    found = by_name(good(machines={}, rejections=refused, items=RunItems(RUN)))
    assert found["drop seen"].what == "recipe is unknown; use another"


@pytest.mark.parametrize(
    ("outcome", "told"),
    [
        ({}, "no outcome was recorded"),
        ({"error": "States.TaskFailed", "cause": "no_such_column"}, "States.TaskFailed: no_such_column"),
        ({"error": "TrainingDataError", "cause": "Batch job j: exit 65"}, "TrainingDataError: Batch job j: exit 65"),
    ],
)
def test_a_failure_that_is_not_told_by_its_name_and_in_the_jobs_words_has_failed(
    outcome: dict[str, str], told: str
) -> None:
    found = by_name(good(failing_outcome=outcome))
    assert (found["failure told"].status, found["failure told"].what) == ("failed", told)
    assert found["predictions written"].status == "done"


def test_a_run_that_goes_on_tells_where_it_is() -> None:
    run = machine("run", [entered("TrainOnSpot", 2)], 2, None, status="RUNNING")
    found = by_name(good(machines={**good().machines, "run": run}, job={}), "not finished after 60 s")
    assert found["job ran"].what == "still running: run at TrainOnSpot"


def test_nothing_seen_tells_why_nobody_waited_longer() -> None:
    assert by_name(good(machines={}), "not finished after 60 s")["drop seen"].what == "not finished after 60 s"
    assert by_name(good(machines={}))["drop seen"].what == "nothing was seen of it"


def test_an_inference_that_ended_badly_is_told() -> None:
    failed = {"status": "FAILED", "error": "States.TaskFailed", "cause": "no capacity"}
    found = by_name(good(inference=failed))
    assert found["predictions written"].what == "the inference ended FAILED: States.TaskFailed: no capacity"


def test_a_decision_not_to_promote_leaves_steps_out() -> None:
    items = replace(good().items, decision={"decision": "hold", "reason": "too close"})
    found = by_name(good(items=items, inference={}))
    assert found["registered"].status == "done"
    assert (found["promoted"].status, found["promoted"].what) == ("skipped", "the model was held: too close")
    assert found["predictions written"].status == "skipped"


def test_a_time_before_the_drop_is_none() -> None:
    """S3's time has a resolution of a second, Step Functions' of a millisecond."""
    early = machine("training", [], -0.4, 110)
    assert by_name(good(machines={**good().machines, "training": early}))["drop seen"].took_s == 0
    assert at(0) == DROPPED
