"""A place where a training job finds its run spec and shards, and leaves its results."""

import io
import json
import os
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import boto3
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from moto import mock_aws

DATA_BUCKET = "data"
ARTIFACT_BUCKET = "artifacts"
RUN_ID = "winery-wine-0123456789ab"
OUTPUT_URI = f"s3://{ARTIFACT_BUCKET}/runs/winery/{RUN_ID}/"
SPEC_URI = f"{OUTPUT_URI}run.json"


def blobs(row_count: int = 120, label: str = "class") -> pa.Table:
    """Two easy classes of three features."""
    random = np.random.default_rng(1)
    positions = np.arange(row_count) % 2
    points = random.normal(size=(row_count, 3)) + 2 * positions[:, None]
    columns: dict[str, Any] = {name: points[:, index] for index, name in enumerate("abc")}
    return pa.table({**columns, label: positions})


class Workbench:
    """Buckets behind one S3 client, wherever it points."""

    def __init__(self, s3: Any) -> None:
        self.s3 = s3
        for bucket in (DATA_BUCKET, ARTIFACT_BUCKET):
            s3.create_bucket(Bucket=bucket)
            s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})

    def put_shard(
        self, table: pa.Table, name: str = "part-0.parquet", row_group_size: int | None = None
    ) -> dict[str, Any]:
        buffer = io.BytesIO()
        pq.write_table(table, buffer, row_group_size)
        return self.put_object(name, buffer.getvalue())

    def put_object(self, name: str, body: bytes) -> dict[str, Any]:
        """A shard of any bytes."""
        key = f"datasets/winery/wine/v1/{name}"
        answer = self.s3.put_object(Bucket=DATA_BUCKET, Key=key, Body=body)
        return {
            "bucket": DATA_BUCKET,
            "key": key,
            "version_id": answer["VersionId"],
            "etag": answer["ETag"],
            "size_bytes": len(body),
        }

    def put_run(
        self,
        shards: list[dict[str, Any]],
        recipe: str = "tabular_classifier",
        hyperparameters: dict[str, Any] | None = None,
        target: str = "class",
        publish_epochs: Sequence[int | str] = (),
        **changes: Any,
    ) -> str:
        """Write a run spec and return its URI."""
        spec = {
            "schema_version": 1,
            "run_id": RUN_ID,
            "team": "winery",
            "created_at": "2026-11-23T20:00:00Z",
            "cause": {"kind": "manifest"},
            "dataset": {
                "name": "wine",
                "version": "feed" * 4,
                "format": "parquet",
                "target": target,
                "shards": shards,
            },
            "split": {"id": "beef" * 4, "salt": "feed" * 4, "validation": 0.15, "test": 0.2},
            "recipe": {
                "name": recipe,
                "hyperparameters": hyperparameters or {"epochs": 2},
                "publish_epochs": list(publish_epochs),
            },
            "seed": 7,
            "compute": {"nodes": 1},
            "output_uri": OUTPUT_URI,
            "metrics": {
                "namespace": "Turbine/Training",
                "dimensions": {"Team": "winery", "RunId": RUN_ID},
            },
            **changes,
        }
        self.write("run.json", json.dumps(spec).encode())
        return SPEC_URI

    def write(self, name: str, body: bytes) -> None:
        self.s3.put_object(Bucket=ARTIFACT_BUCKET, Key=f"runs/winery/{RUN_ID}/{name}", Body=body)

    def output(self, name: str) -> bytes:
        return self.s3.get_object(Bucket=ARTIFACT_BUCKET, Key=f"runs/winery/{RUN_ID}/{name}")["Body"].read()

    def output_names(self) -> list[str]:
        """What the job wrote: everything below the run's prefix but its spec, oldest first."""
        listed = self.s3.list_objects_v2(Bucket=ARTIFACT_BUCKET, Prefix=f"runs/winery/{RUN_ID}/")
        entries = sorted(listed.get("Contents", []), key=lambda entry: entry["LastModified"])
        names = [entry["Key"].removeprefix(f"runs/winery/{RUN_ID}/") for entry in entries]
        return [name for name in names if name != "run.json"]


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    """As the launcher has it: threads that outnumber free cores wait on each other for minutes."""
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def untouched_process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """The launcher changes the process it runs in: undone here. Shards and checkpoints are in a folder of the test."""
    monkeypatch.setenv("TURBINE_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("TURBINE_SCRATCH_DIR", str(tmp_path / "scratch"))
    for name in ("OMP_NUM_THREADS", "CUBLAS_WORKSPACE_CONFIG"):
        monkeypatch.setenv(name, os.environ.get(name, ""))
        monkeypatch.delenv(name)
    handler = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, handler)


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    with mock_aws():
        yield


@pytest.fixture
def bench(aws: None) -> Workbench:
    return Workbench(boto3.client("s3"))


@pytest.fixture
def table() -> pa.Table:
    return blobs()


@pytest.fixture
def bench_type() -> type[Workbench]:
    """For tests that bring their own S3."""
    return Workbench
