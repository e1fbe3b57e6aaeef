"""A team that nobody thought of when the stack was deployed."""

from __future__ import annotations

import pytest

from tests.scenarios.conftest import KeptDemo

pytestmark = pytest.mark.xdist_group("scenarios")


def test_it_trains_and_gets_a_champion_by_following_the_readme(demo: KeptDemo, botany: str) -> None:
    cloud = demo.cloud
    assert cloud.outcome(botany)["status"] == "SUCCEEDED"
    champion = cloud.item("TEAM#botany", "CHAMPION")
    assert champion is not None
    assert champion["run_id"] == botany
    packages = cloud.client("sagemaker").list_model_packages(ModelPackageGroupName="turbine-botany")
    approved = [p for p in packages["ModelPackageSummaryList"] if p["ModelApprovalStatus"] == "Approved"]
    assert [package["ModelPackageArn"] for package in approved] == [champion["model_package_arn"]]
