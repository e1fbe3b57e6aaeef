"""Events arrive at least once; runs happen once."""

from __future__ import annotations

import json
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.scenarios.live_cloud import LiveCloud, wait_for
from tests.scenarios.manifests import run_id_of, winery
from tests.scenarios.training_jobs import jobs_of

pytestmark = pytest.mark.xdist_group("scenarios")


def _event(cloud: LiveCloud, version_id: str) -> dict[str, object]:
    """The event that S3 sent for this version, read from the execution that it started."""
    event: dict[str, object] = json.loads(cloud.started_by("TrainingMachineArn", version_id)["input"])
    return event


def test_one_manifest_version_delivered_ten_times_at_once_and_again_later_is_one_run(
    cloud: LiveCloud,
) -> None:
    key = f"manifests/winery/ten-{uuid.uuid4().hex[:8]}.json"
    version_id = cloud.put(key, winery(cloud))
    event = _event(cloud, version_id)
    with ThreadPoolExecutor(10) as pool:
        executions = list(pool.map(lambda _: cloud.start("TrainingMachineArn", event), range(10)))
    assert {cloud.ended(arn)["status"] for arn in executions} == {"SUCCEEDED"}
    late = cloud.ended(cloud.start("TrainingMachineArn", event))
    assert late["status"] == "SUCCEEDED"
    run_id = run_id_of(cloud, key)
    assert [run["run_id"] for run in cloud.of_kind("run")].count(run_id) == 1
    assert len(jobs_of(cloud, run_id)) == 1
    machine = cloud.outputs["RunMachineArn"]
    pages = cloud.client("stepfunctions").get_paginator("list_executions").paginate(stateMachineArn=machine)
    assert [e["name"] for page in pages for e in page["executions"]].count(run_id) == 1


def test_an_older_version_never_starts_after_a_newer_one(cloud: LiveCloud) -> None:
    key = f"manifests/winery/versions-{uuid.uuid4().hex[:8]}.json"
    first = cloud.put(key, winery(cloud))
    event = _event(cloud, first)
    cloud.outcome(run_id_of(cloud, key))
    second = cloud.put(key, winery(cloud, recipe={"name": "tabular_classifier", "hyperparameters": {"epochs": 2}}))
    _event(cloud, second)
    wait_for(
        lambda: len([r for r in cloud.of_kind("run") if key in r["manifest_uri"]]) == 2 or None,
        "the second run",
    )
    again = cloud.ended(cloud.start("TrainingMachineArn", event))
    assert json.loads(again["output"]) == {"status": "SUPERSEDED"}
