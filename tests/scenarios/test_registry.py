"""A run's model is registered once, whatever happens to the function that registers it."""

from __future__ import annotations

import uuid

import pytest

from tests.scenarios.live_cloud import Item, LiveCloud
from tests.scenarios.manifests import clone_finished_run

pytestmark = pytest.mark.xdist_group("scenarios")


def _packages(cloud: LiveCloud) -> list[str]:
    found = cloud.client("sagemaker").list_model_packages(ModelPackageGroupName="turbine-botany", MaxResults=100)
    return [package["ModelPackageArn"] for package in found["ModelPackageSummaryList"]]


def _package(cloud: LiveCloud, run_id: str) -> Item:
    package = cloud.item(f"RUN#{run_id}", "PACKAGE")
    assert package is not None
    return package


def test_a_function_that_died_before_it_noted_its_package_finds_it_and_may_revise_it(
    cloud: LiveCloud, botany: str
) -> None:
    run_id = f"botany-died-{uuid.uuid4().hex[:12]}"
    run = clone_finished_run(cloud, "botany", botany, run_id, publish_metrics=True)
    request = {name: run[name] for name in ("run_id", "team", "spec_uri")} | {"decision": "hold"}
    registered, is_error = cloud.invoke("RegisterModelFunction", request)
    assert not is_error, registered
    packages = _packages(cloud)

    cloud.client("dynamodb").update_item(
        TableName=cloud.outputs["TableName"],
        Key={"pk": {"S": f"RUN#{run_id}"}, "sk": {"S": "PACKAGE"}},
        UpdateExpression="REMOVE model_package_arn, model_version, model_data_uri, decision",
    )
    assert cloud.invoke("RegisterModelFunction", request) == (registered, False)
    assert _packages(cloud) == packages
    assert _package(cloud, run_id)["model_package_arn"] == registered["model_package_arn"]

    assert cloud.invoke("RegisterModelFunction", request | {"decision": "reject"}) == (registered, False)
    described = cloud.client("sagemaker").describe_model_package(ModelPackageName=registered["model_package_arn"])
    assert described["ModelApprovalStatus"] == "Rejected"
    assert described["CustomerMetadataProperties"]["decision"] == _package(cloud, run_id)["decision"] == "reject"
