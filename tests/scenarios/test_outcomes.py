"""A run that is stopped or times out has an outcome, whatever it was doing."""

from __future__ import annotations

import contextlib
import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.scenarios.conftest import ROOT
from tests.scenarios.live_cloud import LiveCloud, wait_for
from tests.scenarios.manifests import clone_finished_run

pytestmark = pytest.mark.xdist_group("scenarios")
MACHINE = yaml.safe_load((ROOT / "state_machines/run.asl.yaml").read_text())
TASKS = [name for name, state in MACHINE["States"].items() if state["Type"] == "Task"]
# Those that a run stays in for long enough to be stopped in the middle of the real work.
STATES = ["TrainOnSpot", "PublishArtifacts", "CompareModels", "RegisterModel", "Promote"]


def _stop_in(cloud: LiveCloud, arn: str, state: str) -> None:
    wait_for(lambda: state in cloud.states_entered(arn) or None, f"{state} of {arn}")
    cloud.client("stepfunctions").stop_execution(executionArn=arn, error="Tested", cause=f"stopped in {state}")


@pytest.mark.parametrize("state", STATES)
def test_a_stopped_execution_has_an_outcome(cloud: LiveCloud, botany: str, state: str) -> None:
    clone_id = f"botany-stop-{uuid.uuid4().hex[:12]}"
    machine_input = clone_finished_run(cloud, "botany", botany, clone_id, publish_metrics=True, perfect=True)
    with _slow_promotion(cloud):
        arn = cloud.start("RunMachineArn", machine_input, clone_id)
        _stop_in(cloud, arn, state)
    outcome = cloud.outcome(clone_id)
    assert outcome["status"] == "ABORTED"
    assert f"stopped in {state}" in outcome["cause"]
    assert outcome["error"] == "Tested"


@pytest.mark.parametrize("state", TASKS)
@pytest.mark.parametrize("ending", ["ABORTED", "TIMED_OUT"])
def test_whatever_state_an_execution_ends_in_its_outcome_is_recorded(cloud: LiveCloud, state: str, ending: str) -> None:
    """The deployed definition, started at `state`, where a wait stands in for the task."""
    run_id = f"botany-ends-{uuid.uuid4().hex[:12]}"
    with _waiting_in(cloud, state, timeout_s=1 if ending == "TIMED_OUT" else 60):
        arn = cloud.start("RunMachineArn", {"run_id": run_id, "team": "botany", "attempt": 1}, run_id)
        if ending == "ABORTED":
            _stop_in(cloud, arn, state)
        assert cloud.ended(arn)["status"] == ending
    assert cloud.outcome(run_id)["status"] == ending


def test_an_end_whose_event_leaves_the_input_out_has_an_outcome(cloud: LiveCloud) -> None:
    run_id = f"botany-long-{uuid.uuid4().hex[:12]}"
    with _waiting_in(cloud, "TrainOnSpot", timeout_s=1):
        long = {"run_id": run_id, "team": "botany", "attempt": 1, "padding": "x" * 255_000}
        assert cloud.ended(cloud.start("RunMachineArn", long, run_id))["status"] == "TIMED_OUT"
    assert cloud.outcome(run_id)["status"] == "TIMED_OUT"


@contextlib.contextmanager
def _slow_promotion(cloud: LiveCloud) -> Iterator[None]:
    """While open, a promotion waits before it begins: it is a run's last step, and over before a test can stop it."""
    machine = json.loads(_definition(cloud, "PromotionMachineArn"))
    pause = {"Type": "Wait", "Seconds": 60, "Next": machine["StartAt"]}
    with _deployed(
        cloud, "PromotionMachineArn", machine | {"StartAt": "Pause", "States": {"Pause": pause, **machine["States"]}}
    ):
        yield


@contextlib.contextmanager
def _waiting_in(cloud: LiveCloud, state: str, timeout_s: int) -> Iterator[None]:
    """While open, the deployed machine starts at `state` and waits there."""
    waiting = json.loads(_definition(cloud, "RunMachineArn")) | {"StartAt": state, "TimeoutSeconds": timeout_s}
    states = waiting["States"]
    states[state] = {"Type": "Wait", "Seconds": 60, "Next": states[state]["Next"]}
    reached: set[str] = set()
    todo = [state]
    while todo:
        name = todo.pop()
        if name not in reached:
            reached.add(name)
            there = states[name]
            todo += [branch["Next"] for branch in (*there.get("Choices", []), *there.get("Catch", []))]
            todo += [there[key] for key in ("Next", "Default") if key in there]
    waiting["States"] = {name: there for name, there in states.items() if name in reached}
    with _deployed(cloud, "RunMachineArn", waiting):
        yield


def _definition(cloud: LiveCloud, output: str) -> str:
    answer = cloud.client("stepfunctions").describe_state_machine(stateMachineArn=cloud.outputs[output])
    return str(answer["definition"])


@contextlib.contextmanager
def _deployed(cloud: LiveCloud, output: str, definition: dict[str, Any]) -> Iterator[None]:
    """While open, a machine has another definition."""
    before = _definition(cloud, output)
    named = {"stateMachineArn": cloud.outputs[output]}
    cloud.client("stepfunctions").update_state_machine(**named, definition=json.dumps(definition))
    try:
        yield
    finally:
        cloud.client("stepfunctions").update_state_machine(**named, definition=before)
