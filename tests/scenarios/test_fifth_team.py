"""A team that nobody thought of when the stack was deployed."""

from __future__ import annotations

import json

import pytest

from cli import exit_codes
from tests.scenarios.conftest import KeptDemo, turbine

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


def test_its_manifest_again_is_refused_by_the_name_of_its_run(demo: KeptDemo, botany: str) -> None:
    again = turbine("drop", "examples/fifth_team/manifest.json", "--json", environment=demo.cloud.environment)
    told = json.loads(again.stdout)
    assert (again.returncode, "--force" in told["error"]["next"]) == (exit_codes.REFUSED, True)
    assert told["earlier"] == [{"run_id": botany, "status": "SUCCEEDED", "decision": "promoted"}]
