"""Approvals in the registry that people change, or that a stopped promotion has left behind."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from tests.scenarios.live_cloud import LiveCloud, wait_for
from tests.scenarios.manifests import clone_finished_run

pytestmark = pytest.mark.xdist_group("scenarios")


def champion_of(cloud: LiveCloud) -> dict[str, Any]:
    champion = cloud.item("TEAM#botany", "CHAMPION")
    assert champion is not None
    return champion


def mark(cloud: LiveCloud, arn: str, approval: str, **more: str) -> None:
    cloud.client("sagemaker").update_model_package(ModelPackageArn=arn, ModelApprovalStatus=approval, **more)


def test_a_person_approves_and_rejects_in_the_console(cloud: LiveCloud, botany: str) -> None:
    before = champion_of(cloud)
    run_id = f"botany-hand-{uuid.uuid4().hex[:12]}"
    clone = clone_finished_run(cloud, "botany", botany, run_id, publish_metrics=True)
    assert cloud.ended(cloud.start("RunMachineArn", clone, run_id))["status"] == "SUCCEEDED"
    package = cloud.item(f"RUN#{run_id}", "PACKAGE")
    assert package is not None
    arn = package["model_package_arn"]

    mark(cloud, arn, "Approved", ApprovalDescription="we need this one")
    champion = wait_for(lambda: found if (found := champion_of(cloud))["run_id"] == run_id else None, "the promotion")
    assert champion["champion_version"] == before["champion_version"] + 1
    assert champion["reason"] == "Approved by hand in the registry: we need this one"
    wait_for(lambda: cloud.approved("botany") == [arn] or None, "its approval alone")

    mark(cloud, arn, "Rejected")
    wait_for(lambda: cloud.approved("botany") == [arn] or None, "the champion's approval, which it keeps")
    assert champion_of(cloud) == champion

    # As a promotion leaves it that was stopped between its swap and its approvals.
    mark(cloud, before["model_package_arn"], "Approved", ApprovalDescription="Champion 1 of botany by turbine")
    wait_for(lambda: cloud.approved("botany") == [arn] or None, "the step back of a late approval")
    mark(cloud, arn, "PendingManualApproval")
    changes, is_error = cloud.invoke("ReconcileRegistryFunction", {})
    assert not is_error and f"{arn} is champion and was not Approved" in changes["changes"]
    assert cloud.approved("botany") == [arn]

    wait_for(lambda: _reverted(cloud, before), "the former champion")


def _reverted(cloud: LiveCloud, before: dict[str, Any]) -> bool | None:
    """Leave the team as it was, by the same way."""
    if champion_of(cloud)["run_id"] == before["run_id"]:
        return cloud.approved("botany") == [before["model_package_arn"]] or None
    mark(cloud, before["model_package_arn"], "Approved", ApprovalDescription="back to what it was")
    return None


def test_an_approval_of_what_no_run_has_registered_is_taken_back(cloud: LiveCloud, botany: str) -> None:
    before = cloud.approved("botany")
    sagemaker = cloud.client("sagemaker")
    foreign = sagemaker.create_model_package(
        ModelPackageGroupName="turbine-botany",
        ModelPackageDescription="brought along",
        ModelApprovalStatus="PendingManualApproval",
        CustomerMetadataProperties={"run_id": "botany-of-nobody"},
    )["ModelPackageArn"]
    try:
        mark(cloud, foreign, "Approved", ApprovalDescription="from elsewhere")

        def refused() -> dict[str, Any] | None:
            machine = cloud.outputs["PromotionMachineArn"]
            listed = cloud.client("stepfunctions").list_executions(stateMachineArn=machine, statusFilter="FAILED")
            return next((one for one in listed["executions"] if "approved" in one["name"]), None)

        execution = wait_for(refused, "the promotion that is refused")
        changes, is_error = cloud.invoke("ReconcileRegistryFunction", {})
        assert not is_error, changes
        wait_for(lambda: cloud.approved("botany") == before or None, "the approval that is taken back")
        described = sagemaker.describe_model_package(ModelPackageName=foreign)
        assert described["ModelApprovalStatus"] == "PendingManualApproval"
        assert execution["name"] in described["ApprovalDescription"]
    finally:
        sagemaker.update_model_package(ModelPackageArn=foreign, ModelApprovalStatus="Rejected")
