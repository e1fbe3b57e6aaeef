"""The rule `paired_bootstrap` decides in the deployed function, on what real training jobs have left."""

from __future__ import annotations

import json
import uuid

import pytest

from tests.scenarios.conftest import KeptDemo, turbine
from tests.scenarios.manifests import clone_finished_run

pytestmark = pytest.mark.xdist_group("scenarios")


def test_the_former_champion_is_no_better_than_the_one_that_beat_it(demo: KeptDemo) -> None:
    cloud = demo.cloud
    winner = demo.runs(round=2, decision="promoted")[0]
    team = winner["team"]
    (former,) = (run for run in demo.runs(round=1) if run["team"] == team)
    clone_id = f"{team}-luck-{uuid.uuid4().hex[:12]}"
    machine_input = clone_finished_run(cloud, team, former["run_id"], clone_id, publish_metrics=True)
    spec = cloud.read_json(machine_input["spec_uri"])
    spec["rule"] |= {"name": "paired_bootstrap", "min_rows": 10, "guardrails": []}
    bucket = cloud.outputs["ArtifactBucketName"]
    cloud.put(machine_input["spec_uri"].removeprefix(f"s3://{bucket}/"), spec, bucket)

    execution = cloud.ended(cloud.start("RunMachineArn", machine_input, clone_id))

    assert execution["status"] == "SUCCEEDED"
    decision = cloud.read_json(cloud.run_uri(team, clone_id, "decision.json"))
    assert decision["champion"]["run_id"] == winner["run_id"]
    metrics = cloud.read_json(cloud.run_uri(team, clone_id, "metrics.json"))
    seen = decision["evidence"]
    assert (seen["rows"], seen["confidence"]) == (metrics["rows"]["test"], 0.95)
    assert seen["lower"] <= decision["delta"] <= seen["upper"]
    assert decision["delta"] < 0 and seen["share_better"] < 0.5
    is_worse = seen["upper"] < 0 and seen["share_exchanged"] <= 0.05
    assert decision["decision"] == ("reject" if is_worse else "hold")


def test_a_model_that_is_better_beyond_luck_becomes_champion(demo: KeptDemo) -> None:
    """By the rule, with the guardrail on every class, through the machines; then the former champion comes back."""
    cloud = demo.cloud
    before = cloud.item("TEAM#vision", "CHAMPION")
    assert before is not None
    run_id = f"vision-faultless-{uuid.uuid4().hex[:12]}"
    machine_input = clone_finished_run(cloud, "vision", before["run_id"], run_id, publish_metrics=True, faultless=True)
    spec = cloud.read_json(machine_input["spec_uri"])
    spec["rule"] |= {"name": "paired_bootstrap", "guardrails": [], "class_guardrail": {"max_worsening": 0.0}}
    bucket = cloud.outputs["ArtifactBucketName"]
    cloud.put(machine_input["spec_uri"].removeprefix(f"s3://{bucket}/"), spec, bucket)
    try:
        execution = cloud.ended(cloud.start("RunMachineArn", machine_input, run_id))
        assert (execution["status"], json.loads(execution["output"])["decision"]) == ("SUCCEEDED", "promoted")
        champion = cloud.item("TEAM#vision", "CHAMPION")
        assert champion is not None and champion["run_id"] == run_id
        decision = cloud.read_json(cloud.run_uri("vision", run_id, "decision.json"))
        seen = decision["evidence"]
        assert 0 < seen["lower"] <= decision["delta"] <= seen["upper"] and seen["share_exchanged"] <= 0.05
        assert champion["reason"] == decision["reason"]
    finally:
        back = turbine("rollback", "vision", "--reason", "a faultless model is none", environment=cloud.environment)
    assert back.returncode == 0, back.stderr
    again = cloud.item("TEAM#vision", "CHAMPION")
    assert again is not None and again["run_id"] == before["run_id"]
