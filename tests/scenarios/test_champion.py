"""Exactly the champion is Approved, also when promotions cross."""

from __future__ import annotations

import json
import uuid

import pytest

from tests.scenarios.live_cloud import LiveCloud
from tests.scenarios.manifests import clone_finished_run

pytestmark = pytest.mark.xdist_group("scenarios")


def test_a_promotion_that_approves_late_steps_back(cloud: LiveCloud, botany: str) -> None:
    """Its swap was overtaken before its approval: the machine goes on from the approval, as after a slow call."""
    champion = cloud.item("TEAM#botany", "CHAMPION")
    assert champion is not None
    run_id = f"botany-late-{uuid.uuid4().hex[:12]}"
    machine_input = clone_finished_run(cloud, "botany", botany, run_id, publish_metrics=True)
    assert cloud.ended(cloud.start("RunMachineArn", machine_input, run_id))["status"] == "SUCCEEDED"
    package = cloud.item(f"RUN#{run_id}", "PACKAGE")
    assert package is not None
    late = package["model_package_arn"]
    assert late != champion["model_package_arn"]

    stepfunctions, machine = cloud.client("stepfunctions"), cloud.outputs["PromotionMachineArn"]
    deployed = stepfunctions.describe_state_machine(stateMachineArn=machine)["definition"]
    from_approval = json.loads(deployed)
    swapped = {"status": "promoted", "is_current": True, "champion_version": 1, "previous_model_package_arn": None}
    from_approval["States"]["SwapChampion"] = {
        "Type": "Pass",
        "Assign": {"request": "{% $states.input %}", "swap": swapped, "target": late, "looks": 0},
        "Next": "WasSwapped",
    }
    stepfunctions.update_state_machine(stateMachineArn=machine, definition=json.dumps(from_approval))
    try:
        request = {"team": "botany", "run_id": run_id, "model_package_arn": late, "actor": "test"}
        with cloud.listening("ModelPromoted") as heard:
            arn = cloud.start("PromotionMachineArn", request)
            assert cloud.ended(arn)["status"] == "SUCCEEDED"
            assert "StepBack" in cloud.states_entered(arn)
            assert heard() == []
    finally:
        stepfunctions.update_state_machine(stateMachineArn=machine, definition=deployed)
    assert cloud.approved("botany") == [champion["model_package_arn"]]


def test_the_same_promotion_again_changes_nothing(cloud: LiveCloud, botany: str) -> None:
    champion = cloud.item("TEAM#botany", "CHAMPION")
    assert champion is not None
    request = {
        "team": "botany",
        "run_id": champion["run_id"],
        "model_package_arn": champion["model_package_arn"],
        "model_version": int(champion["model_version"]),
        "expected_champion_version": int(champion["champion_version"]) - 1,
        "promotion_id": champion["promotion_id"],
        "reason": champion["reason"],
        "actor": champion["actor"],
    }
    again = cloud.ended(cloud.start("PromotionMachineArn", request))
    assert json.loads(again["output"]) == {"status": "promoted", "champion_version": int(champion["champion_version"])}
    assert cloud.item("TEAM#botany", "CHAMPION") == champion
    assert cloud.approved("botany") == [champion["model_package_arn"]]


def test_a_promoted_run_whose_files_are_gone_gets_no_predictions(cloud: LiveCloud) -> None:
    team = f"gone{uuid.uuid4().hex[:8]}"
    package = {"model_package_arn": f"arn:aws:sagemaker:::model-package/{team}/1", "model_data_uri": "s3://gone/model"}
    key = {"pk": {"S": f"RUN#{team}-run"}, "sk": {"S": "PACKAGE"}}
    item = key | {name: {"S": value} for name, value in package.items()} | {"model_version": {"N": "1"}}
    cloud.client("dynamodb").put_item(TableName=cloud.outputs["TableName"], Item=item)
    request = {
        "team": team,
        "run_id": f"{team}-run",
        "model_package_arn": package["model_package_arn"],
        "model_version": 1,
        "expected_champion_version": 0,
        "promotion_id": team,
        "reason": "tested",
        "actor": "test",
    }
    reply, is_error = cloud.invoke("PromoteModelFunction", request)
    assert not is_error, reply
    assert (reply["status"], reply["detail"]["inference"]) == ("promoted", None)
