"""A run belongs to one execution; a second one is a duplicate, unless the first is gone without an outcome."""

from __future__ import annotations

import json
import uuid

import pytest

from tests.scenarios.live_cloud import Item, LiveCloud, wait_for
from tests.scenarios.manifests import clone_finished_run
from tests.scenarios.training_jobs import jobs_of

pytestmark = pytest.mark.xdist_group("scenarios")


def _reported(outcome: Item | None) -> Item:
    """An outcome without the note that it was told of, which comes a moment after the outcome itself."""
    assert outcome is not None
    return {name: value for name, value in outcome.items() if name != "announced"}


def test_a_second_execution_of_a_live_run_starts_nothing_and_reports_nothing(cloud: LiveCloud, botany: str) -> None:
    run_id = f"botany-twice-{uuid.uuid4().hex[:12]}"
    machine_input = clone_finished_run(cloud, "botany", botany, run_id, publish_metrics=True)
    first = cloud.start("RunMachineArn", machine_input, run_id)
    wait_for(lambda: cloud.item(f"RUN#{run_id}", "CLAIM"), "the claim")
    second = cloud.ended(cloud.start("RunMachineArn", machine_input, f"{run_id}-again"))
    assert json.loads(second["output"]) == {"run_id": run_id, "decision": None, "duplicate_of": first}
    assert cloud.ended(first)["status"] == "SUCCEEDED"
    outcome = cloud.outcome(run_id)
    assert outcome["execution_arn"] == first
    third = cloud.ended(cloud.start("RunMachineArn", machine_input, f"{run_id}-late"))
    assert json.loads(third["output"])["duplicate_of"] == first
    assert len(jobs_of(cloud, run_id)) == 1
    assert _reported(cloud.item(f"RUN#{run_id}", "OUTCOME")) == _reported(outcome)


def test_a_failed_run_stays_failed_when_its_event_comes_again(cloud: LiveCloud, botany: str) -> None:
    run_id = f"botany-fails-{uuid.uuid4().hex[:12]}"
    machine_input = clone_finished_run(cloud, "botany", botany, run_id, publish_metrics=True)
    marker = cloud.read_json(cloud.run_uri("botany", run_id, "_SUCCESS"))
    marker["files"]["model.tar.gz"]["sha256"] = "0" * 64
    cloud.put(f"runs/botany/{run_id}/_SUCCESS", marker, cloud.outputs["ArtifactBucketName"])
    assert cloud.ended(cloud.start("RunMachineArn", machine_input, run_id))["status"] == "FAILED"
    failed = cloud.outcome(run_id)
    assert (failed["status"], failed["error"]) == ("FAILED", "ArtifactCorruptError")
    again = cloud.ended(cloud.start("RunMachineArn", machine_input, f"{run_id}-again"))
    assert json.loads(again["output"])["decision"] is None
    events = cloud.client("stepfunctions").get_execution_history(executionArn=again["executionArn"])["events"]
    assert events[-1]["type"] == "ExecutionSucceeded"
    assert _reported(cloud.item(f"RUN#{run_id}", "OUTCOME")) == _reported(failed)


def test_a_claim_whose_owner_is_gone_is_taken_over(cloud: LiveCloud, botany: str) -> None:
    run_id = f"botany-taken-{uuid.uuid4().hex[:12]}"
    machine_input = clone_finished_run(cloud, "botany", botany, run_id, publish_metrics=True)
    gone = cloud.execution_arn("RunMachineArn", "forgotten-long-ago")
    cloud.client("dynamodb").put_item(
        TableName=cloud.outputs["TableName"],
        Item={
            "pk": {"S": f"RUN#{run_id}"},
            "sk": {"S": "CLAIM"},
            "owner": {"S": gone},
            "fencing": {"N": "1"},
            "claimed_at": {"S": "2026-01-01T00:00:00Z"},
        },
    )
    arn = cloud.start("RunMachineArn", machine_input, run_id)
    assert cloud.ended(arn)["status"] == "SUCCEEDED"
    assert "TakeOverClaim" in cloud.states_entered(arn)
    claim = cloud.item(f"RUN#{run_id}", "CLAIM")
    assert claim is not None
    assert (claim["owner"], claim["fencing"]) == (arn, 2)
