"""Manifests and finished runs that the scenarios start from."""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import json
import time
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tests.scenarios.live_cloud import LiveCloud, wait_for

# A run that is quick to train, so that a scenario is about what comes after.
QUICK = {"epochs": 1}


def winery(cloud: LiveCloud, **changes: Any) -> dict[str, Any]:
    """A good, quick manifest of the team `winery`, with top-level fields changed."""
    bucket = cloud.outputs["DataBucketName"]
    manifest: dict[str, Any] = {
        "schema_version": 1,
        "team": "winery",
        "dataset": {
            "name": "wine",
            "source": {"type": "s3", "uri": f"s3://{bucket}/datasets/winery/wine/v1/"},
            "format": "parquet",
            "target": "cultivar",
            "sha256": None,
        },
        "recipe": {"name": "tabular_classifier", "hyperparameters": QUICK},
    }
    return manifest | changes


def put_blobs(cloud: LiveCloud, team: str) -> dict[str, Any]:
    """A shard of two easy classes of four features, pinned as in a run spec."""
    random = np.random.default_rng(1)
    kinds = np.arange(4000) % 2
    points = random.normal(size=(4000, 4)) + kinds[:, None]
    buffer = io.BytesIO()
    pq.write_table(pa.table({**{f"x_{i}": points[:, i] for i in range(4)}, "kind": kinds}), buffer)
    bucket, key = cloud.outputs["DataBucketName"], f"datasets/{team}/blobs/v1/part-0.parquet"
    answer = cloud.client("s3").put_object(Bucket=bucket, Key=key, Body=buffer.getvalue())
    return {
        "bucket": bucket,
        "key": key,
        "version_id": answer["VersionId"],
        "etag": answer["ETag"],
        "size_bytes": len(buffer.getvalue()),
    }


def run_id_of(cloud: LiveCloud, manifest_key: str, limit_s: float = 60) -> str:
    """The id of the run that a dropped manifest caused."""

    def look() -> str | None:
        for run in cloud.of_kind("run"):
            if run["manifest_uri"].split("?")[0].endswith(manifest_key):
                return str(run["run_id"])
        return None

    return wait_for(look, f"a run caused by {manifest_key}", limit_s)


def clone_finished_run(
    cloud: LiveCloud,
    team: str,
    run_id: str,
    clone_id: str,
    *,
    publish_metrics: bool,
    perfect: bool = False,
    faultless: bool = False,
) -> dict[str, Any]:
    """A new run whose training is done already (`_SUCCESS` is there), so that its machine goes straight on.

    Without `publish_metrics` CloudWatch never hears of its metrics, as when PutMetricData was dropped. A `perfect`
    clone's accuracy is beyond any champion's, so that its machine reaches every state up to the promotion. A
    `faultless` one's is 1, and its blocks tell of the same rows, each named rightly.
    Returns: the run machine's input for it.
    """
    bucket = cloud.outputs["ArtifactBucketName"]
    source, target = f"runs/{team}/{run_id}/", f"runs/{team}/{clone_id}/"
    files = ("run.json", "metrics.json", "evaluation.parquet", "evaluation_blocks.json", "model.tar.gz")
    model = ("model/model.safetensors", "model/config.json", "model/README.md")
    bodies = {name: cloud.read(f"s3://{bucket}/{source}{name}") for name in (*files, *model)}

    spec = json.loads(bodies["run.json"])
    spec.update(run_id=clone_id, output_uri=f"s3://{bucket}/{target}")
    spec["metrics"]["dimensions"]["RunId"] = clone_id
    metrics = json.loads(bodies["metrics.json"]) | {"run_id": clone_id}
    if publish_metrics:
        metrics["published_at"] = whole_minute()
    if perfect:
        metrics["test"]["accuracy"] = time.time()  # more than the perfect clone before, should that be champion
    if faultless:
        metrics["test"]["accuracy"] = 1.0
        bodies["evaluation_blocks.json"] = json.dumps(_faultless(json.loads(bodies["evaluation_blocks.json"]))).encode()
    bodies["run.json"] = json.dumps(spec).encode()
    bodies["metrics.json"] = json.dumps(metrics).encode()
    versions = {name: cloud.put(f"{target}{name}", body, bucket) for name, body in bodies.items()}
    marker = cloud.read_json(f"s3://{bucket}/{source}_SUCCESS")
    marker["files"] = {
        name: {
            "sha256": hashlib.sha256(bodies[name]).hexdigest(),
            "size_bytes": len(bodies[name]),
            "version_id": versions[name],
        }
        for name in marker["files"]
    }
    cloud.put(f"{target}_SUCCESS", marker, bucket)
    if publish_metrics:
        publish(cloud, spec, metrics["published_at"], metrics["test"])
    return {
        "run_id": clone_id,
        "team": team,
        "spec_uri": f"s3://{bucket}/{target}run.json",
        "nodes": 1,
        "job_definition": f"{cloud.stack}-{team}-training",
        "attempt": 1,
    }


def _faultless(blocks: dict[str, Any]) -> dict[str, Any]:
    columns = dict(blocks["columns"]) | {"hits": blocks["columns"]["rows"]}
    for name in [name for name in columns if name.startswith("actual/")]:
        number = name.removeprefix("actual/")
        columns |= {f"predicted/{number}": columns[name], f"hits/{number}": columns[name]}
    return blocks | {"columns": columns}


def publish(cloud: LiveCloud, spec: dict[str, Any], published_at: str, test: dict[str, float]) -> None:
    """What the training job puts into CloudWatch."""
    dimensions = [{"Name": name, "Value": value} for name, value in spec["metrics"]["dimensions"].items()]
    cloud.client("cloudwatch").put_metric_data(
        Namespace=spec["metrics"]["namespace"],
        MetricData=[
            {
                "MetricName": f"test_{name}",
                "Dimensions": dimensions,
                "Timestamp": dt.datetime.fromisoformat(published_at),
                "Value": value,
            }
            for name, value in test.items()
        ],
    )


def whole_minute() -> str:
    return dt.datetime.now(dt.UTC).replace(second=0, microsecond=0).isoformat().replace("+00:00", "Z")
