"""Predictions that somebody asks for by dropping an inference manifest."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from tests.scenarios.live_cloud import Item, LiveCloud, wait_for

pytestmark = pytest.mark.xdist_group("scenarios")
TEAM = "winery"


def _drop(cloud: LiveCloud, uri: str) -> dict[str, Any]:
    """Ask the team's champion for predictions on what lies at a URI; returns the execution that it started."""
    manifest = {"schema_version": 1, "team": TEAM, "input": {"uri": uri, "format": "jsonl", "id": "id"}}
    return cloud.started_by("InferenceMachineArn", cloud.put(f"inference/{TEAM}/{uuid.uuid4().hex}.json", manifest))


def _claim(cloud: LiveCloud, execution_arn: str) -> Item:
    """The claim of the inference that an execution works on."""
    table = cloud.outputs["PredictionTableName"]
    pointer = cloud.item(f"EXECUTION#{execution_arn}", "INFERENCE", table)
    assert pointer is not None
    claim = cloud.item(f"TEAM#{TEAM}", f"INFERENCE#{pointer['inference_id']}", table)
    assert claim is not None
    return claim


def test_one_that_failed_is_closed_and_its_event_that_comes_again_makes_the_predictions(cloud: LiveCloud) -> None:
    """The event is delivered a second time after the input was mended: the claim is taken over, and its work done."""
    bucket, folder = cloud.outputs["DataBucketName"], f"datasets/{TEAM}/asked-{uuid.uuid4().hex[:8]}/"
    good = cloud.read(f"s3://{bucket}/datasets/{TEAM}/wine/unlabelled/part-0.jsonl").splitlines(keepends=True)[:3]
    cloud.put(f"{folder}part-0.jsonl", b'{"id": 0, "alcohol": "much"}\n')
    first = _drop(cloud, f"s3://{bucket}/{folder}")
    assert cloud.ended(first["executionArn"])["status"] == "FAILED"
    failed = wait_for(
        lambda: claim if (claim := _claim(cloud, first["executionArn"]))["status"] == "FAILED" else None,
        "the closing of the claim",
    )
    assert failed["error"] and "Bad HTTP status received from algorithm: 400" in failed["cause"]

    cloud.put(f"{folder}part-0.jsonl", b"".join(good))
    second = cloud.ended(cloud.start("InferenceMachineArn", json.loads(first["input"])))
    assert second["status"] == "SUCCEEDED"
    assert json.loads(second["output"])["records"] == len(good)
    claim = _claim(cloud, second["executionArn"])
    assert (claim["owner"], claim["fencing"], claim["status"]) == (second["executionArn"], 2, "SUCCEEDED")


def test_a_manifest_without_input_is_refused_and_tells_what_to_mend(cloud: LiveCloud) -> None:
    bucket = cloud.outputs["DataBucketName"]
    with cloud.listening("ManifestRejected") as heard:
        started = _drop(cloud, f"s3://{bucket}/datasets/{TEAM}/nothing-here/")
        ended = cloud.ended(started["executionArn"])
        (event,) = wait_for(lambda: heard() or None, "the refusal")
    assert json.loads(ended["output"])["status"] == "SKIPPED"
    assert event["detail"]["field"] == "input.uri"
    assert "points at nothing" in event["detail"]["problem"]
