"""Whole jobs on a GPU, as real processes against S3 on a loopback port."""

import json
import signal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import torch

from tests.unit.training.conftest import Workbench, blobs
from tests.unit.training.test_gang import events, start

TIMEOUT_S = 240


def finished(spec_uri: str, scratch: Path) -> list[dict[str, Any]]:
    """Run the job to its good end; its log."""
    job = start(spec_uri, TURBINE_SCRATCH_DIR=str(scratch))
    output = job.communicate(timeout=TIMEOUT_S)[0]
    assert job.returncode == 0, output
    return events(output)


def sequences(row_count: int = 240) -> pa.Table:
    """Token ids, low for one class and high for the other."""
    generator = torch.Generator().manual_seed(1)
    classes = torch.arange(row_count) % 2
    tokens = torch.randint(1, 40, (row_count, 16), generator=generator) + 30 * classes[:, None]
    lists = pa.FixedSizeListArray.from_arrays(pa.array(tokens.flatten().numpy()), 16)
    return pa.table({"tokens": lists, "class": classes.numpy()})


@pytest.mark.parametrize("compiled", [False, True])
def test_a_transformer_learns_in_bfloat16(remote_bench: Workbench, compiled: bool, tmp_path: Path) -> None:
    settings = {"epochs": 6, "learning_rate": 0.003, "padding_id": 0, "compile": compiled, "max_gradient_norm": 1.0}
    shard = remote_bench.put_shard(sequences())
    log = finished(remote_bench.put_run([shard], recipe="sequence_classifier", hyperparameters=settings), tmp_path)
    losses = [line["train_loss"] for line in log if line["event"] == "epoch"]
    assert losses[-1] < 0.5 * losses[0]
    metrics = json.loads(remote_bench.output("metrics.json"))
    assert metrics["environment"]["device"] == "cuda"
    assert metrics["test"]["accuracy"] > 0.9


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_an_interrupted_run_ends_with_the_bits_of_one_that_was_not(
    remote_bench: Workbench, precision: str, tmp_path: Path
) -> None:
    """Moments, step counter and the GPU's random numbers go through a checkpoint, under deterministic algorithms."""
    shard = remote_bench.put_shard(blobs(2000))
    hyperparameters = {"epochs": 40, "dropout": 0.3, "hidden": [64, 64], "precision": precision}
    spec_uri = remote_bench.put_run([shard], hyperparameters=hyperparameters)
    job = start(spec_uri, TURBINE_SCRATCH_DIR=str(tmp_path))
    assert job.stdout is not None
    for line in job.stdout:
        if '"epoch"' in line:
            break
    job.send_signal(signal.SIGTERM)
    output = job.communicate(timeout=TIMEOUT_S)[0]
    assert job.returncode == 75, output
    assert "resumed" in {event["event"] for event in finished(spec_uri, tmp_path)}
    resumed = remote_bench.output("model/model.safetensors")

    whole = remote_bench.put_run(
        [shard], hyperparameters=hyperparameters, output_uri="s3://artifacts/runs/winery/whole/"
    )
    assert "resumed" not in {event["event"] for event in finished(whole, tmp_path)}
    body = remote_bench.s3.get_object(Bucket="artifacts", Key="runs/winery/whole/model/model.safetensors")["Body"]
    assert resumed == body.read()


def test_workers_on_all_gpus_train_the_same_model_as_one(remote_bench: Workbench, tmp_path: Path) -> None:
    if torch.cuda.device_count() < 2:
        pytest.skip("NCCL between GPUs needs two, torch sees one")
    shard = remote_bench.put_shard(blobs(400))
    losses = {}
    for workers in (1, torch.cuda.device_count()):
        spec_uri = remote_bench.put_run(
            [shard],
            hyperparameters={"epochs": 3, "precision": "float32"},
            compute={"nodes": 1, "processes_per_node": workers},
            output_uri=f"s3://artifacts/runs/winery/{workers}/",
        )
        losses[workers] = [line["train_loss"] for line in finished(spec_uri, tmp_path) if line["event"] == "epoch"]
    alone, together = losses.values()
    assert together == pytest.approx(alone, rel=1e-4)
