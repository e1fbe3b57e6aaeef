"""Nothing is promoted on a number that is missing in CloudWatch or differs from the job's own file."""

from __future__ import annotations

import uuid

import pytest

from tests.scenarios.conftest import KeptDemo
from tests.scenarios.manifests import clone_finished_run, publish

pytestmark = pytest.mark.xdist_group("scenarios")


def _better_challenger(demo: KeptDemo) -> tuple[str, str]:
    """Team and id of a run of the demo that was promoted over a champion."""
    run = demo.runs(round=2, decision="promoted")[0]
    return run["team"], run["run_id"]


def test_a_changed_value_holds_the_model_and_names_both_numbers(demo: KeptDemo) -> None:
    cloud = demo.cloud
    team, run_id = _better_challenger(demo)
    clone_id = f"{team}-changed-{uuid.uuid4().hex[:12]}"
    machine_input = clone_finished_run(cloud, team, run_id, clone_id, publish_metrics=True)
    spec = cloud.read_json(machine_input["spec_uri"])
    metrics = cloud.read_json(cloud.run_uri(team, clone_id, "metrics.json"))
    name = spec["rule"]["metric"]
    changed = metrics["test"][name] * 3 + 1
    publish(cloud, spec, metrics["published_at"], {name: changed})
    champion = cloud.item(f"TEAM#{team}", "CHAMPION")

    execution = cloud.ended(cloud.start("RunMachineArn", machine_input, clone_id))

    assert execution["status"] == "SUCCEEDED"
    decision = cloud.read_json(cloud.run_uri(team, clone_id, "decision.json"))
    assert decision["decision"] == "hold"
    assert _shown(metrics["test"][name]) in decision["reason"]
    read = decision["challenger"]["metrics"][name]["cloudwatch"]
    assert read != pytest.approx(metrics["test"][name])
    assert _shown(read) in decision["reason"]
    assert cloud.item(f"TEAM#{team}", "CHAMPION") == champion


def test_with_put_metric_data_dropped_nothing_is_promoted(demo: KeptDemo) -> None:
    cloud = demo.cloud
    team, run_id = _better_challenger(demo)
    clone_id = f"{team}-dropped-{uuid.uuid4().hex[:12]}"
    machine_input = clone_finished_run(cloud, team, run_id, clone_id, publish_metrics=False)
    champion = cloud.item(f"TEAM#{team}", "CHAMPION")

    execution = cloud.ended(cloud.start("RunMachineArn", machine_input, clone_id))

    assert execution["status"] == "SUCCEEDED"
    decision = cloud.read_json(cloud.run_uri(team, clone_id, "decision.json"))
    assert decision["decision"] == "hold"
    assert "CloudWatch" in decision["reason"]
    assert cloud.item(f"TEAM#{team}", "CHAMPION") == champion
    package = cloud.item(f"RUN#{clone_id}", "PACKAGE")
    assert package is not None
    described = cloud.client("sagemaker").describe_model_package(ModelPackageName=package["model_package_arn"])
    assert described["ModelApprovalStatus"] == "PendingManualApproval"


def _shown(value: float) -> str:
    """The first digits of a number, as any sensible sentence shows them."""
    return f"{value:.6g}"[:5]
