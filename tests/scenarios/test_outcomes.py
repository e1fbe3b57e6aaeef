"""A run that is stopped or times out has an outcome, whatever it was doing."""

from __future__ import annotations

import json
import uuid

import pytest

from tests.scenarios.live_cloud import LiveCloud, wait_for
from tests.scenarios.manifests import clone_finished_run

pytestmark = pytest.mark.xdist_group("scenarios")
STATES = ["TrainOnOneNode", "PublishArtifacts", "CompareModels", "RegisterModel", "Promote"]


def _stop_in(cloud: LiveCloud, arn: str, state: str) -> None:
    wait_for(lambda: state in cloud.states_entered(arn) or None, f"{state} of {arn}")
    cloud.client("stepfunctions").stop_execution(executionArn=arn, error="Tested", cause=f"stopped in {state}")


@pytest.mark.parametrize("state", STATES)
def test_a_stopped_execution_has_an_outcome(cloud: LiveCloud, botany: str, state: str) -> None:
    clone_id = f"botany-stop-{uuid.uuid4().hex[:12]}"
    machine_input = clone_finished_run(cloud, "botany", botany, clone_id, publish_metrics=True, perfect=True)
    arn = cloud.start("RunMachineArn", machine_input, clone_id)
    _stop_in(cloud, arn, state)
    outcome = cloud.outcome(clone_id)
    assert outcome["status"] == "ABORTED"
    assert f"stopped in {state}" in outcome["cause"]
    assert outcome["error"] == "Tested"


def test_a_machine_that_times_out_has_an_outcome(cloud: LiveCloud, botany: str) -> None:
    clone_id = f"botany-late-{uuid.uuid4().hex[:12]}"
    machine_input = clone_finished_run(cloud, "botany", botany, clone_id, publish_metrics=True)
    stepfunctions, machine = cloud.client("stepfunctions"), cloud.outputs["RunMachineArn"]
    definition = stepfunctions.describe_state_machine(stateMachineArn=machine)["definition"]
    impatient = json.loads(definition) | {"TimeoutSeconds": 1}
    stepfunctions.update_state_machine(stateMachineArn=machine, definition=json.dumps(impatient))
    try:
        arn = cloud.start("RunMachineArn", machine_input, clone_id)
        assert cloud.ended(arn)["status"] == "TIMED_OUT"
    finally:
        stepfunctions.update_state_machine(stateMachineArn=machine, definition=definition)
    assert cloud.outcome(clone_id)["status"] == "TIMED_OUT"
