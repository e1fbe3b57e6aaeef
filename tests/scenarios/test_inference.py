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


def _closed(cloud: LiveCloud, execution_arn: str) -> Item:
    """The claim of an execution that did not succeed, once that is noted."""

    def look() -> Item | None:
        claim = _claim(cloud, execution_arn)
        return claim if (claim["owner"], claim["status"]) == (execution_arn, "FAILED") else None

    return wait_for(look, f"the closing of the claim of {execution_arn}")


def test_what_was_stopped_is_taken_over_by_the_next_delivery_which_fails_and_is_redriven(cloud: LiveCloud) -> None:
    """The second delivery is so long that the event of its end leaves its input out."""
    stepfunctions, bucket = cloud.client("stepfunctions"), cloud.outputs["DataBucketName"]
    folder = f"datasets/{TEAM}/asked-{uuid.uuid4().hex[:8]}/"
    good = cloud.read(f"s3://{bucket}/datasets/{TEAM}/wine/unlabelled/part-0.jsonl").splitlines(keepends=True)[:3]
    cloud.put(f"{folder}part-0.jsonl", b'{"id": 0, "alcohol": "much"}\n')
    first = _drop(cloud, f"s3://{bucket}/{folder}")
    wait_for(lambda: "Transform" in cloud.states_entered(first["executionArn"]) or None, "the transform")
    stepfunctions.stop_execution(executionArn=first["executionArn"], error="Tested", cause="enough")
    assert _closed(cloud, first["executionArn"])["fencing"] == 1

    second = cloud.start("InferenceMachineArn", json.loads(first["input"]) | {"padding": "x" * 255_000})
    assert cloud.ended(second)["status"] == "FAILED"
    failed = _closed(cloud, second)
    assert failed["fencing"] == 2
    assert "400" in failed["cause"]

    cloud.put(f"{folder}part-0.jsonl", b"".join(good))
    stepfunctions.redrive_execution(executionArn=second)
    ended = cloud.ended(second)
    assert json.loads(ended["output"])["records"] == len(good)
    claim = _claim(cloud, second)
    assert (claim["owner"], claim["fencing"], claim["status"]) == (second, 2, "SUCCEEDED")


def test_a_manifest_without_input_is_refused_and_tells_what_to_mend(cloud: LiveCloud) -> None:
    bucket = cloud.outputs["DataBucketName"]
    with cloud.listening("ManifestRejected") as heard:
        started = _drop(cloud, f"s3://{bucket}/datasets/{TEAM}/nothing-here/")
        ended = cloud.ended(started["executionArn"])
        (event,) = wait_for(lambda: heard() or None, "the refusal")
    assert json.loads(ended["output"])["status"] == "SKIPPED"
    assert event["detail"]["field"] == "input.uri"
    assert "points at nothing" in event["detail"]["problem"]
