"""One team's failure is recorded once, with its cause, and touches nobody else."""

from __future__ import annotations

import uuid

import pytest

from tests.scenarios.live_cloud import LiveCloud, wait_for
from tests.scenarios.manifests import winery

pytestmark = pytest.mark.xdist_group("scenarios")


def test_a_bad_target_column_fails_one_run_and_the_others_finish(cloud: LiveCloud) -> None:
    name = f"one-bad-{uuid.uuid4().hex[:8]}.json"
    bad = winery(cloud)
    bad["dataset"] = bad["dataset"] | {"target": "no_such_column"}
    runs = [bad, winery(cloud), winery(cloud), winery(cloud)]
    with cloud.listening("TrainingFailed") as heard:
        cloud.put(f"manifests/_batch/{name}", {"schema_version": 1, "runs": runs})
        records = wait_for(
            lambda: (
                found if len(found := [r for r in cloud.of_kind("run") if name in r["manifest_uri"]]) == 4 else None
            ),
            "four runs",
        )
        outcomes = {record["run_id"]: cloud.outcome(record["run_id"]) for record in records}
        (failed_id,) = [run_id for run_id, outcome in outcomes.items() if outcome["status"] == "FAILED"]
        (event,) = wait_for(lambda: [e for e in heard() if e["detail"]["run_id"] == failed_id] or None, "the event")
    assert sorted(outcome["status"] for outcome in outcomes.values()) == ["FAILED", *["SUCCEEDED"] * 3]
    failed = outcomes[failed_id]
    assert "no_such_column" in failed["log_tail"][-1]
    assert failed["error"] == "TrainingDataError" and "no_such_column" in failed["cause"]
    assert event["detail"]["log_tail"] == failed["log_tail"]
    (parent,) = {record["training_execution_arn"] for record in records}
    assert cloud.ended(parent)["status"] == "SUCCEEDED"
