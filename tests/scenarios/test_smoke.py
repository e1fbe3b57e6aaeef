"""`turbine smoke` on a deployed stack: the whole path in small, and nothing left of it but records."""

from __future__ import annotations

import json

import pytest

from cli import exit_codes
from cli.smoke.facts import FACTS
from tests.scenarios.conftest import KeptDemo, turbine

pytestmark = pytest.mark.xdist_group("scenarios")


def test_it_goes_the_whole_path_says_what_it_saw_and_removes_it(demo: KeptDemo) -> None:
    cloud = demo.cloud
    done = turbine("smoke", "--json", environment=cloud.environment)
    assert done.returncode == exit_codes.OK, done.stdout + done.stderr[-3000:]
    told = json.loads(done.stdout)
    team, run_id = told["team"], told["run_id"]

    assert {step["name"]: step["status"] for step in told["steps"]} == dict.fromkeys(
        (
            *("drop seen", "run started", "job ran", "artifacts published", "metrics readable"),
            *("compared", "registered", "promoted", "predictions written", "failure told"),
        ),
        "done",
    )
    assert told["is_aws"] is False
    assert {fact["name"] for fact in told["facts"]} == {fact.name for fact in FACTS}
    # An embedded cloud says nothing about AWS, however well all went.
    assert {fact["verdict"] for fact in told["facts"]} == {"not AWS", "not seen"}

    # The embedded registry cannot delete a package yet; all else is gone, and what stays is said.
    assert [one["what"] for one in told["left"]] == ["the model package group"]
    assert cloud.outcome(run_id)["status"] == "SUCCEEDED"
    for output in ("DataBucketName", "ArtifactBucketName", "PredictionBucketName"):
        versions = cloud.client("s3").list_object_versions(Bucket=cloud.outputs[output], MaxKeys=1000)
        found = [*versions.get("Versions", []), *versions.get("DeleteMarkers", [])]
        assert [one["Key"] for one in found if team in one["Key"]] == []
    stacks = cloud.client("cloudformation").describe_stacks()["Stacks"]
    assert f"{cloud.stack}-team-{team}" not in {stack["StackName"] for stack in stacks}
