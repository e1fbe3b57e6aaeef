"""An account in which every handler can be called: its variables, its resources, and what earlier steps leave there."""

from __future__ import annotations

import hashlib
import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3

from tests.unit.turbine.arrange import TEAM_FILE, manifest, metrics_document
from turbine import wiring
from turbine.aws import clients
from turbine.aws.s3 import S3Store
from turbine.domain.uri import S3Uri

ROOT = Path(__file__).parents[3]
FUNCTIONS = sorted(path.parent.name for path in (ROOT / "functions").glob("*/app.py"))
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
    "MAX_VMS": "7",
    "MAX_NODES": "7",
    "MAX_TRAINING_VCPUS": "672",
    "TRAINING_VCPUS": "96",
    "EFFICIENCY_PER_DOUBLING": "0.95",
    "LAUNCH_MINUTES": "10",
    "JOB_QUEUE_ARN": "queue",
    "SPOT_QUEUE_ARN": "spot",
    "JOB_LOG_GROUP": "/turbine/jobs",
    "RUN_MACHINE_ARN": "arn:aws:states:us-east-1:123456789012:stateMachine:turbine-run",
    "PROMOTION_MACHINE_ARN": "arn:aws:states:us-east-1:123456789012:stateMachine:turbine-promotion",
    "INFERENCE_IMAGE_URI": "123456789012.dkr.ecr.us-east-1.amazonaws.com/turbine-inference:0.1.0",
    "PUBLISH_IN_FUNCTION_BYTES": "1000000",
    "TRAINING_IMAGE_URI": "123456789012.dkr.ecr.us-east-1.amazonaws.com/turbine-training:0.1.0",
    "MODEL_ROLE_ARN": "arn:aws:iam::123456789012:role/model",
    "OUTCOME_TOPIC_ARN": "arn:aws:sns:us-east-1:123456789012:outcomes",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "POWERTOOLS_METRICS_NAMESPACE": "Turbine/Functions",
    "POWERTOOLS_SERVICE_NAME": "test",
    "PYDANTIC_DISABLE_PLUGINS": "true",
}
_WIRINGS = [value for value in vars(wiring).values() if hasattr(value, "cache_clear")]


def forget_clients() -> None:
    """Whoever reads settings or makes a client from now on does so anew."""
    clients.client.cache_clear()
    for made in _WIRINGS:
        made.cache_clear()


def make_resources() -> None:
    """What the templates make, as far as handlers call it."""
    s3 = boto3.client("s3")
    for bucket in (DATA, ARTIFACTS, PREDICTIONS):
        s3.create_bucket(Bucket=bucket)
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for table in ("training", "prediction"):
        boto3.client("dynamodb").create_table(
            TableName=table,
            AttributeDefinitions=[
                {"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk", "kind", "created_at")
            ],
            KeySchema=_keys("pk", "sk"),
            GlobalSecondaryIndexes=[
                {
                    "IndexName": "by_kind",
                    "KeySchema": _keys("kind", "created_at"),
                    "Projection": {"ProjectionType": "ALL"},
                }
            ],
            BillingMode="PAY_PER_REQUEST",
        )
    boto3.client("sagemaker").create_model_package_group(ModelPackageGroupName="turbine-vision")
    boto3.client("sns").create_topic(Name="outcomes")


def _keys(partition: str, sort: str) -> Any:
    return [{"AttributeName": partition, "KeyType": "HASH"}, {"AttributeName": sort, "KeyType": "RANGE"}]


def load(name: str) -> Any:
    """A handler's module, as Lambda loads it: by its file."""
    spec = importlib.util.spec_from_file_location(f"app_{name}", ROOT / f"functions/{name}/app.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def invoke(name: str, event: dict[str, Any] | None = None) -> Any:
    """A handler's reply, in this process."""
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
    """The event beside a handler."""
    event: dict[str, Any] = json.loads((ROOT / f"functions/{name}/event.json").read_text())
    return event


def put(bucket: str, key: str, body: bytes) -> str:
    """An object; its version id."""
    return str(boto3.client("s3").put_object(Bucket=bucket, Key=key, Body=body)["VersionId"])


def arrived_manifest() -> dict[str, Any]:
    """A team with data drops a manifest: the event."""
    put(DATA, "config/teams/vision.yaml", TEAM_FILE.format(team="vision").encode())
    put(DATA, "datasets/vision/digits/part-0.parquet", b"rows")
    wish = json.dumps(manifest()).replace("s3://data/", f"s3://{DATA}/").encode()
    event = sample("prepare_training")
    event["event"]["detail"]["object"]["version-id"] = put(DATA, "manifests/vision/first.json", wish)
    return event


def prepared_run() -> dict[str, Any]:
    """A run through `prepare_training`."""
    (run,) = invoke("prepare_training", arrived_manifest())["runs"]
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


def judged_failure() -> dict[str, Any]:
    """A training Task failed although its job had ended well: the report."""
    return {**sample("judge_training"), **trained_run()}


def compared_run() -> dict[str, Any]:
    """A run that has its verdict: the request to register it."""
    run = trained_run()
    return {**run, "decision": invoke("compare_models", run)["decision"]}


def registered_run() -> dict[str, Any]:
    """A run in the registry: the wish to promote it."""
    run = compared_run()
    package = invoke("register_model", run)
    return {
        **sample("promote_model"),
        "run_id": run["run_id"],
        "model_package_arn": package["model_package_arn"],
    }


def promoted_model() -> dict[str, Any]:
    """A promotion of a model whose team has data to predict on: the event."""
    put(DATA, "datasets/vision/digits/unlabelled/a.jsonl", b'{"id": 1}\n{"id": 2}\n')
    return sample("prepare_inference")


def ended_transform() -> dict[str, Any]:
    """A transform that has written its output: its description."""
    prepared = invoke("prepare_inference", promoted_model())
    name = f"{prepared['inference_id']}-r0-t0"
    put(PREDICTIONS, f"predictions/vision/1/{name}/a.jsonl.out", b'{"prediction": 1}\n{"prediction": 2}\n')
    return {**prepared, "attempt": name, "transform_job_name": name}


def failed_inference() -> dict[str, Any]:
    """An inference that was claimed, and failed: the event."""
    invoke("prepare_inference", promoted_model())
    return sample("close_inference")


ORDINARY: dict[str, Callable[[], dict[str, Any]]] = {
    "close_inference": failed_inference,
    "compare_models": trained_run,
    "judge_training": judged_failure,
    "prepare_inference": promoted_model,
    "prepare_training": arrived_manifest,
    "promote_model": registered_run,
    "publish_artifacts": trained_run,
    "publish_predictions": ended_transform,
    "reconcile_registry": lambda: sample("reconcile_registry"),
    "record_outcome": lambda: sample("record_outcome"),
    "register_model": compared_run,
}
"""For each function what brings the account to where it is called; that returns the event it is called with."""


def _entry(body: bytes) -> dict[str, Any]:
    return {"sha256": hashlib.sha256(body).hexdigest(), "size_bytes": len(body)}
