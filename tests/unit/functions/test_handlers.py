"""Each handler with its sample event, in an account in memory: parse, wire, reply, log."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from moto import mock_aws

from tests.fakes import FakeStore, FakeVersioning
from tests.unit.turbine.arrange import TEAM_FILE, manifest, metrics_document
from turbine import settings, wiring
from turbine.aws import clients
from turbine.aws.s3 import S3Store
from turbine.domain.errors import SettingsError
from turbine.domain.uri import S3Uri
from turbine.ports import TrackedFile

ROOT = Path(__file__).parents[3]
FUNCTIONS = sorted(path.parent.name for path in (ROOT / "functions").glob("*/app.py"))
RUN = "vision-digits-0123456789ab"
PREFIX = f"runs/vision/{RUN}/"
DATA, ARTIFACTS, PREDICTIONS = "turbine-data", "turbine-artifacts", "turbine-predictions"

# What the templates set; a variable that a function reads and this lacks is a gap there too.
ENVIRONMENT = {
    "TURBINE_STACK": "turbine",
    "TABLE_NAME": "training",
    "PREDICTION_TABLE_NAME": "prediction",
    "DATA_BUCKET": DATA,
    "ARTIFACT_BUCKET": ARTIFACTS,
    "PREDICTION_BUCKET": PREDICTIONS,
    "EVENT_BUS_NAME": "default",
    "JOB_QUEUE_ARN": "queue",
    "SPOT_QUEUE_ARN": "spot",
    "JOB_LOG_GROUP": "/turbine/jobs",
    "INFERENCE_IMAGE_URI": "123456789012.dkr.ecr.us-east-1.amazonaws.com/turbine-inference:0.1.0",
    "TRAINING_IMAGE_URI": "123456789012.dkr.ecr.us-east-1.amazonaws.com/turbine-training:0.1.0",
    "MODEL_ROLE_ARN": "arn:aws:iam::123456789012:role/model",
    "OUTCOME_TOPIC_ARN": "arn:aws:sns:us-east-1:123456789012:outcomes",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "POWERTOOLS_METRICS_NAMESPACE": "Turbine/Functions",
    "POWERTOOLS_SERVICE_NAME": "test",
}
WIRINGS = [value for value in vars(wiring).values() if hasattr(value, "cache_clear")]


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    clients.client.cache_clear()
    for made in WIRINGS:
        made.cache_clear()
    with mock_aws():
        s3 = boto3.client("s3")
        for bucket in (DATA, ARTIFACTS, PREDICTIONS):
            s3.create_bucket(Bucket=bucket)
            s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        for table in ("training", "prediction"):
            boto3.client("dynamodb").create_table(
                TableName=table,
                AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
                KeySchema=[
                    {"AttributeName": "pk", "KeyType": "HASH"},
                    {"AttributeName": "sk", "KeyType": "RANGE"},
                ],
                BillingMode="PAY_PER_REQUEST",
            )
        boto3.client("sagemaker").create_model_package_group(ModelPackageGroupName="turbine-vision")
        boto3.client("sns").create_topic(Name="outcomes")
        yield
    clients.client.cache_clear()
    for made in WIRINGS:
        made.cache_clear()


def load(name: str) -> Any:
    """A handler's module, as Lambda loads it: by its file."""
    spec = importlib.util.spec_from_file_location(f"app_{name}", ROOT / f"functions/{name}/app.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def invoke(name: str, event: dict[str, Any] | None = None) -> Any:
    context = SimpleNamespace(
        function_name=name,
        memory_limit_in_mb=512,
        invoked_function_arn=f"arn:aws:lambda:us-east-1:123456789012:function:{name}",
        aws_request_id="request",
        function_version="1",
        log_group_name="g",
        log_stream_name="s",
        tenant_id=None,
    )
    return load(name).handler(event or sample(name), context)


def sample(name: str) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((ROOT / f"functions/{name}/event.json").read_text())
    return event


def put(bucket: str, key: str, body: bytes) -> str:
    return str(boto3.client("s3").put_object(Bucket=bucket, Key=key, Body=body)["VersionId"])


def prepared_run() -> dict[str, Any]:
    """A run through `prepare_training`."""
    put(DATA, "config/teams/vision.yaml", TEAM_FILE.format(team="vision").encode())
    put(DATA, "datasets/vision/digits/part-0.parquet", b"rows")
    wish = json.dumps(manifest()).replace("s3://data/", f"s3://{DATA}/").encode()
    event = sample("prepare_training")
    event["event"]["detail"]["object"]["version-id"] = put(DATA, "manifests/vision/first.json", wish)
    (run,) = invoke("prepare_training", event)["runs"]
    return dict(run)


def trained_run() -> dict[str, Any]:
    """A run whose job ended: its reference."""
    run = prepared_run()
    prefix = f"runs/vision/{run['run_id']}/"
    spec = json.loads(S3Store().read(S3Uri(ARTIFACTS, f"{prefix}run.json")))
    moment = wiring.now().replace(second=0, microsecond=0)
    files = {
        "metrics.json": json.dumps(metrics_document(spec, {"accuracy": 0.97}, moment)).encode(),
        "evaluation.parquet": b"rows",
        "model.tar.gz": b"archive",
        "model/model.safetensors": b"weights",
        "model/config.json": b"{}",
    }
    for name, body in files.items():
        put(ARTIFACTS, prefix + name, body)
    marker = {"files": {name: _entry(body) for name, body in files.items()}}
    put(ARTIFACTS, f"{prefix}_SUCCESS", json.dumps(marker).encode())
    dimensions: Any = [{"Name": n, "Value": v} for n, v in spec["metrics"]["dimensions"].items()]
    datum: Any = {"MetricName": "test_accuracy", "Dimensions": dimensions, "Timestamp": moment, "Value": 0.97}
    boto3.client("cloudwatch").put_metric_data(Namespace="Turbine/Training", MetricData=[datum])
    return {"run_id": run["run_id"], "team": "vision", "spec_uri": f"s3://{ARTIFACTS}/{prefix}run.json"}


def _entry(body: bytes) -> dict[str, Any]:
    return {"sha256": hashlib.sha256(body).hexdigest(), "size_bytes": len(body)}


def test_a_manifest_is_prepared(account: None) -> None:
    run = prepared_run()
    assert run == {"run_id": run["run_id"], "team": "vision", "nodes": 1}


def test_a_trained_model_is_compared_registered_and_promoted(account: None) -> None:
    run = trained_run()
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
    run = trained_run()
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
    reply = app.handler(run, context)
    assert reply["dvc"] == {"path": "model.tar.gz", "md5": _md5(b"archive"), "size_bytes": 7}


def _md5(body: bytes) -> str:
    return hashlib.md5(body, usedforsecurity=False).hexdigest()


def test_a_promotion_is_prepared_and_its_predictions_published(account: None) -> None:
    put(DATA, "datasets/vision/digits/unlabelled/a.jsonl", b'{"id": 1}\n{"id": 2}\n')
    prepared = invoke("prepare_inference")
    assert prepared["skip"] is False
    assert boto3.client("sagemaker").describe_model(ModelName=prepared["model_name"])["ModelName"]
    name = f"{prepared['inference_id']}-r0-t0"
    put(PREDICTIONS, f"predictions/vision/1/{name}/a.jsonl.out", b'{"prediction": 1}\n{"prediction": 2}\n')
    reply = invoke("publish_predictions", {**prepared, "attempt": name, "transform_job_name": name})
    assert reply["records"] == 2


def test_an_outcome_is_recorded(account: None) -> None:
    assert invoke("record_outcome") == {"recorded": True}
    key = {"pk": {"S": f"RUN#{RUN}"}, "sk": {"S": "OUTCOME"}}
    item = boto3.client("dynamodb").get_item(TableName="training", Key=key)["Item"]
    assert item["status"] == {"S": "SUCCEEDED"} and item["announced"] == {"BOOL": True}


def test_training_that_has_a_result_is_judged_to_be_finished(account: None) -> None:
    run = trained_run()
    judged = invoke("judge_training", {**sample("judge_training"), **run})
    assert judged == {"finished": True, "live_jobs": [], "submissions": 1, "spot_submissions": 1}


def test_a_failed_inference_is_closed(account: None) -> None:
    put(DATA, "datasets/vision/digits/unlabelled/a.jsonl", b'{"id": 1}\n')
    prepared = invoke("prepare_inference")
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
