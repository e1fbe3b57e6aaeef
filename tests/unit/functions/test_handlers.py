"""Each handler with its sample event, in an account in memory: parse, wire, reply, log."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from moto import mock_aws

from tests.fakes import FakeStore, FakeVersioning
from tests.unit.functions import account as arranged
from tests.unit.functions.account import ARTIFACTS, ENVIRONMENT, FUNCTIONS, ROOT, invoke, load, sample
from turbine import settings, wiring
from turbine.domain.errors import SettingsError
from turbine.ports import TrackedFile

RUN = "vision-digits-0123456789ab"


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    arranged.forget_clients()
    with mock_aws():
        arranged.make_resources()
        yield
    arranged.forget_clients()


def test_a_manifest_is_prepared(account: None) -> None:
    run = arranged.prepared_run()
    assert run == {"run_id": run["run_id"], "team": "vision", "nodes": 1, "priority": 9000, "wait_s": 0}


def test_a_trained_model_is_compared_registered_and_promoted(account: None) -> None:
    run = arranged.trained_run()
    verdict = invoke("compare_models", run)
    assert verdict["decision"] == "promote"
    package = invoke("register_model", {**run, "decision": verdict["decision"]})
    promotion = {
        **sample("promote_model"),
        "run_id": run["run_id"],
        "model_package_arn": package["model_package_arn"],
    }
    reply = invoke("promote_model", promotion)
    assert (reply["status"], reply["champion_version"]) == ("promoted", 1)
    assert reply["detail"]["model_data_uri"] == package["model_data_uri"]
    assert invoke("promote_model", promotion) == reply
    assert json.dumps([verdict, package, reply])


def test_artifacts_are_published_with_dvc_behind_its_port(account: None, monkeypatch: pytest.MonkeyPatch) -> None:
    run = arranged.trained_run()
    app = load("publish_artifacts")

    class Tracks(FakeVersioning):
        def __init__(self) -> None:
            super().__init__(FakeStore())

        def track(self, source: Any, remote: Any) -> TrackedFile:
            assert str(remote) == f"s3://{ARTIFACTS}/dvc"
            return TrackedFile("model.tar.gz", _md5(b"archive"), 7, b"outs: []\n")

    monkeypatch.setattr(app, "DvcRemote", Tracks)
    context = SimpleNamespace(
        function_name="f", memory_limit_in_mb=1, invoked_function_arn="a", aws_request_id="r", tenant_id=None
    )
    monkeypatch.setenv("PUBLISH_IN_FUNCTION_BYTES", "6")
    left = app.handler(run, context)
    assert (left["is_published"], left["size_bytes"] > 6) == (False, True)
    monkeypatch.setenv("PUBLISH_IN_FUNCTION_BYTES", str(left["size_bytes"]))
    reply = app.handler(run, context)
    assert reply["dvc"] == {"path": "model.tar.gz", "md5": _md5(b"archive"), "size_bytes": 7}


def _md5(body: bytes) -> str:
    return hashlib.md5(body, usedforsecurity=False).hexdigest()


def test_a_promotion_is_prepared_and_its_predictions_published(account: None) -> None:
    ended = arranged.ended_transform()
    assert ended["skip"] is False
    assert boto3.client("sagemaker").describe_model(ModelName=ended["model_name"])["ModelName"]
    assert invoke("publish_predictions", ended)["records"] == 2


def test_an_outcome_is_recorded(account: None) -> None:
    assert invoke("record_outcome") == {"recorded": True}
    key = {"pk": {"S": f"RUN#{RUN}"}, "sk": {"S": "OUTCOME"}}
    item = boto3.client("dynamodb").get_item(TableName="training", Key=key)["Item"]
    assert item["status"] == {"S": "SUCCEEDED"} and item["announced"] == {"BOOL": True}


def test_a_run_without_an_outcome_is_found_by_the_schedule(account: None) -> None:
    fan_out = "arn:aws:states:us-east-1:123456789012:execution:turbine-training:long-ago"
    for run_id, prepared_at in ((RUN, wiring.now() - timedelta(hours=2)), (f"{RUN}x", wiring.now())):
        record = {"pk": f"RUN#{run_id}", "sk": "RECORD", "kind": "run", "run_id": run_id, "team": "vision"}
        record |= {"created_at": prepared_at.isoformat(), "training_execution_arn": fan_out}
        item: Any = {name: {"S": value} for name, value in record.items()}
        boto3.client("dynamodb").put_item(TableName="training", Item=item)
    scheduled = {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}
    assert invoke("record_outcome", scheduled) == {"swept": [RUN]}
    assert invoke("record_outcome", scheduled) == {"swept": []}


def test_training_that_has_a_result_is_judged_to_be_finished(account: None) -> None:
    judged = invoke("judge_training", arranged.judged_failure())
    assert judged == {"finished": True, "live_jobs": [], "submissions": 1, "spot_submissions": 1}


def test_a_failed_inference_is_closed(account: None) -> None:
    prepared = invoke("prepare_inference", arranged.promoted_model())
    assert invoke("close_inference") == {"closed": True}
    key = {"pk": {"S": "TEAM#vision"}, "sk": {"S": f"INFERENCE#{prepared['inference_id']}"}}
    item = boto3.client("dynamodb").get_item(TableName="prediction", Key=key)["Item"]
    assert (item["status"], item["error"]) == ({"S": "FAILED"}, {"S": "SageMaker.ResourceLimitExceededException"})
    assert invoke("close_inference") == {"closed": False}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_missing_variable_is_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ENVIRONMENT:
        monkeypatch.delenv(variable, raising=False)
    kind = getattr(settings, "".join(word.capitalize() for word in name.split("_")) + "Settings")
    with pytest.raises(SettingsError, match="_"):
        settings.load(kind)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_importing_a_handler_makes_no_client_and_reads_no_setting(name: str) -> None:
    """In a fresh process without any variable: a client would ask for a Region, a setting for its variable."""
    code = "import app, boto3; assert boto3.DEFAULT_SESSION is None, 'a client was made at import'"
    subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        cwd=ROOT / f"functions/{name}",
        env={"PYTHONPATH": str(ROOT / "layers/core"), "PATH": "", "POWERTOOLS_METRICS_NAMESPACE": "t"},
    )
