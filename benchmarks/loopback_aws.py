"""An AWS on a loopback port (moto, in a process of its own), and what a training job needs to find there."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from training.launcher import SPEC_VARIABLE

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

BATCH_JOBS = Path(__file__).parents[1] / "batch_jobs"
BUCKET = "data"
FEATURES, CLASSES = 64, 10
_SERVER = """
from moto.server import ThreadedMotoServer
import sys
server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
server.start()
print(*server.get_host_and_port(), flush=True)
sys.stdin.read()
"""


@contextmanager
def loopback_aws() -> Iterator["S3Client"]:
    """An S3 client, with BUCKET made. The variables are in this process's environment, so that jobs inherit them."""
    command = [sys.executable, "-c", _SERVER]
    server = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        assert server.stdout is not None
        host, port = server.stdout.readline().split()
        os.environ |= {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
        os.environ |= {"AWS_DEFAULT_REGION": "us-east-1", "AWS_ENDPOINT_URL": f"http://{host}:{port}"}
        os.environ |= {"AWS_EC2_METADATA_DISABLED": "true"}
        s3 = boto3.client("s3")
        s3.create_bucket(Bucket=BUCKET)
        yield s3
    finally:
        server.terminate()
        server.wait()


def put_shard(s3: "S3Client", key: str, seed: int, rows: int) -> dict[str, Any]:
    """Random rows of FEATURES numbers whose class shows in them, as Parquet; returns the shard as a spec names it."""
    random = np.random.default_rng(seed)
    classes = random.integers(0, CLASSES, rows)
    numbers = random.standard_normal((rows, FEATURES), np.float32)
    numbers[np.arange(rows), classes] += 2
    features = pa.FixedSizeListArray.from_arrays(numbers.ravel(), FEATURES)
    body = io.BytesIO()
    pq.write_table(pa.table({"x": features, "class": classes}), body, row_group_size=max(1, rows // 4))
    answer = s3.put_object(Bucket=BUCKET, Key=key, Body=body.getvalue())
    return {"bucket": BUCKET, "key": key, "etag": answer["ETag"], "size_bytes": len(body.getvalue())}


def put_run(
    s3: "S3Client",
    run_id: str,
    shards: list[dict[str, Any]],
    hyperparameters: dict[str, Any],
    compute: dict[str, Any] | None = None,
) -> dict[str, str]:
    """Write the spec of a run of `tabular_classifier`; returns the variables that its job needs."""
    output_uri = f"s3://{BUCKET}/runs/bench/{run_id}/"
    spec = {
        "schema_version": 1,
        "run_id": run_id,
        "team": "bench",
        "dataset": {"name": "rows", "version": "1", "format": "parquet", "target": "class", "shards": shards},
        "split": {"id": "1", "salt": "1", "validation": 0.15, "test": 0.2},
        "recipe": {"name": "tabular_classifier", "hyperparameters": hyperparameters},
        "seed": 7,
        "compute": compute or {},
        "output_uri": output_uri,
        "metrics": {"namespace": "Bench", "dimensions": {"RunId": run_id}},
    }
    s3.put_object(Bucket=BUCKET, Key=f"runs/bench/{run_id}/run.json", Body=json.dumps(spec).encode())
    return {"PYTHONPATH": str(BATCH_JOBS), SPEC_VARIABLE: f"{output_uri}run.json"}
