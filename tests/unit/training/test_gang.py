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
from training.gang import launch_gang, rendezvous_port

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


@pytest.mark.parametrize(
    ("endings", "exit_code"),
    [
        (["exit(0)", "exit(0)"], 0),
        (["exit(65)", "exit(65)"], 65),
        (["exit(78)", "exit(0)"], 78),
        (["kill(getpid(), 9)", "exit(0)"], 137),
    ],
)
def test_the_gang_ends_with_its_workers_code(
    endings: list[str], exit_code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Real processes that torch starts, of a job that does nothing but end: they need not import torch."""
    module = tmp_path / "training/__main__.py"
    module.parent.mkdir()
    ending = "\n".join(f"if environ['RANK'] == '{rank}': {ending}" for rank, ending in enumerate(endings))
    module.write_text(f"from os import environ, getpid, kill\nfrom sys import exit\n{ending}\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert launch_gang("winery-wine", processes=2, nodes=1) == exit_code


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
    assert remote_bench.output_names() == []


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
        launcher.SPEC_VARIABLE: spec_uri,
        **CREDENTIALS,
    }
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines()[-1] == "[]", done.stderr


def test_runs_that_share_a_host_meet_at_other_ports() -> None:
    ports = {rendezvous_port(f"vision-digits-{number:012x}") for number in range(20)}
    assert len(ports) == 20
    assert all(1024 < port < 32768 for port in ports)
