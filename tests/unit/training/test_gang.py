"""Real processes of the training command, against S3 on a loopback port."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pyarrow as pa
import pytest
from moto.server import ThreadedMotoServer

from training import launcher
from training.errors import WorkerFailedError, follows_from_another
from training.interruption import Interruption
from training.launch.gang import Gang
from training.launch.rendezvous import Node

BATCH_JOBS = Path(__file__).parents[3] / "batch_jobs"
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "us-east-1",
}


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    for name, value in (CREDENTIALS | {"AWS_ENDPOINT_URL": url}).items():
        monkeypatch.setenv(name, value)
    yield url
    reset = urllib.request.Request(f"{url}/moto-api/reset", method="POST")
    urllib.request.urlopen(reset).close()
    server.stop()


@pytest.fixture
def remote_bench(endpoint: str, bench_type: Any) -> Any:
    return bench_type(boto3.client("s3"))


def start(spec_uri: str, **variables: str) -> "subprocess.Popen[str]":
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(BATCH_JOBS),
        "AWS_ENDPOINT_URL": os.environ["AWS_ENDPOINT_URL"],
        "AWS_EC2_METADATA_DISABLED": "true",
        launcher.SPEC_VARIABLE: spec_uri,
        **CREDENTIALS,
        **variables,
    }
    return subprocess.Popen([sys.executable, "-m", "training"], env=environment, stdout=subprocess.PIPE, text=True)


def events(output: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines() if line.startswith("{")]


def test_two_nodes_train_the_same_model_as_one_process(
    remote_bench: Any, table: pa.Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    shard = remote_bench.put_shard(table)
    spec_uri = remote_bench.put_run([shard], compute={"nodes": 2})
    nodes = {"AWS_BATCH_JOB_NUM_NODES": "2", "AWS_BATCH_JOB_MAIN_NODE_INDEX": "0"}
    child = start(
        spec_uri,
        **nodes,
        AWS_BATCH_JOB_NODE_INDEX="1",
        AWS_BATCH_JOB_MAIN_NODE_PRIVATE_IPV4_ADDRESS="127.0.0.1",
    )
    main = start(spec_uri, **nodes, AWS_BATCH_JOB_NODE_INDEX="0")
    main_output, child_output = main.communicate(timeout=120)[0], child.communicate(timeout=120)[0]
    assert (main.returncode, child.returncode) == (0, 0)
    assert events(child_output) == []
    assert [event["event"] for event in events(main_output)] == [
        "started",
        "data_loaded",
        "epoch",
        "epoch",
        "checkpoint",
        "evaluated",
        "finished",
    ]
    together = json.loads(remote_bench.output("metrics.json"))
    assert together["environment"]["world_size"] == 2

    alone_uri = remote_bench.put_run([shard], output_uri="s3://artifacts/runs/winery/alone/")
    monkeypatch.setenv(launcher.SPEC_VARIABLE, alone_uri)
    assert launcher.main() == 0
    body = remote_bench.s3.get_object(Bucket="artifacts", Key="runs/winery/alone/metrics.json")["Body"]
    alone = json.loads(body.read())
    for shared, single in zip(together["epochs"], alone["epochs"], strict=True):
        assert shared["train_loss"] == pytest.approx(single["train_loss"], rel=1e-6)
        assert shared["validation_loss"] == pytest.approx(single["validation_loss"], rel=1e-6)


def test_sigterm_ends_a_gang_with_the_code_that_is_tried_again(remote_bench: Any, table: pa.Table) -> None:
    spec_uri = remote_bench.put_run(
        [remote_bench.put_shard(table)],
        hyperparameters={"epochs": 10_000},
        compute={"nodes": 1, "processes_per_node": 2},
    )
    job = start(spec_uri)
    assert job.stdout is not None
    for line in job.stdout:
        if '"epoch"' in line:
            break
    job.send_signal(signal.SIGTERM)
    output = job.communicate(timeout=60)[0]
    assert job.returncode == 75
    assert "RunInterruptedError" in {event.get("error") for event in events(output)}
    state, marker = sorted(remote_bench.output_names(), reverse=True)
    assert (Path(state).name, Path(marker).name) == ("state.safetensors", "_COMPLETE")


def test_one_worker_that_cannot_read_on_is_the_one_failure_of_the_job(remote_bench: Any, table: pa.Table) -> None:
    """The other one's broken connection is told, but not as the job's failure."""
    shards = [remote_bench.put_shard(table, f"part-{number}.parquet") for number in range(4)]
    spec_uri = remote_bench.put_run(
        shards,
        hyperparameters={"epochs": 10_000},
        compute={"nodes": 1, "processes_per_node": 2},
    )
    job = start(spec_uri, TURBINE_DATA_MEMORY_BYTES="1", TURBINE_CACHE_BYTES="1")
    assert job.stdout is not None
    for line in job.stdout:
        if '"epoch"' in line:
            break
    gone = shards[2]
    remote_bench.s3.delete_object(Bucket=gone["bucket"], Key=gone["key"], VersionId=gone["version_id"])
    ends = [event for event in events(job.communicate(timeout=60)[0]) if "failed" in event["event"]]
    assert job.returncode == 65
    assert [event["event"] for event in ends] == ["worker_failed"] * (len(ends) - 1) + ["failed"]
    assert (ends[-1]["error"], ends[-1]["exit_code"]) == ("BadDataError", 65)
    assert gone["key"] in ends[-1]["message"]
    told = next(event for event in ends if event["error"] == "BadDataError")
    assert ends[-1]["rank"] == told["rank"]


def test_who_breaks_a_collective_is_told_from_who_waits_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Both end with the code of a bug; one of them is it."""
    worker = tmp_path / "worker.py"
    worker.write_text(
        "import sys\n"
        "from training import launcher\n"
        "from training.world import connected, find_world\n"
        "def launch(interruption):\n"
        "    world = find_world()\n"
        "    with connected(world):\n"
        "        world.sum(0.0)\n"
        "        if world.rank == 1:\n"
        "            raise ValueError('the cause')\n"
        "        world.sum(0.0)\n"
        "launcher._launch = launch\n"
        "sys.exit(launcher.main())\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(BATCH_JOBS))
    gang = Gang("winery-cause", Node(), 2, Interruption())
    with pytest.raises(WorkerFailedError, match="the cause") as caught:
        gang.run(1, [sys.executable, str(worker)])
    assert (caught.value.exit_code, caught.value.kind, caught.value.rank) == (70, "ValueError", 1)
    waited = [event for event in events(capfd.readouterr().out) if event["rank"] == 0]
    assert all(follows_from_another(RuntimeError(event["message"])) for event in waited)
    assert not follows_from_another(ValueError("the cause"))


def test_the_job_imports_nothing_that_is_slow_and_unused(remote_bench: Any, table: pa.Table) -> None:
    """torch._dynamo alone costs as much CPU time as torch."""
    spec_uri = remote_bench.put_run([remote_bench.put_shard(table)])
    script = (
        "import sys; from training.launcher import main; assert main() == 0;"
        "print(sorted({'torch._dynamo', 'pandas', 'sklearn', 'scipy', 'turbine'} & set(sys.modules)))"
    )
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(BATCH_JOBS),
        "AWS_ENDPOINT_URL": os.environ["AWS_ENDPOINT_URL"],
        "AWS_EC2_METADATA_DISABLED": "true",
        launcher.SPEC_VARIABLE: spec_uri,
        **CREDENTIALS,
    }
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines()[-1] == "[]", done.stderr
