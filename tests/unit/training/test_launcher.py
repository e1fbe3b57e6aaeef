"""What the launcher decides before and after training; the training itself is played here."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pyarrow as pa
import pytest
import torch
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError

from training import launcher
from training import lease as lease_module
from training.lease import Lease

BATCH_JOBS = Path(__file__).parents[3] / "batch_jobs"
RUN_ID = "winery-wine-0123456789ab"


@pytest.fixture
def run(bench: Any, table: pa.Table, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> Callable[..., tuple[int, Any]]:
    """Run the launcher with `train` in the place of the training; returns the exit code and the log's last line."""

    def launch(train: Callable[..., int]) -> tuple[int, Any]:
        monkeypatch.setattr(launcher, "_train", train)
        monkeypatch.setenv(launcher.SPEC_VARIABLE, bench.put_run([bench.put_shard(table)]))
        code = launcher.main()
        lines = capsys.readouterr().out.splitlines()
        return code, json.loads(lines[-1]) if lines else None

    return launch


@pytest.fixture
def lease_table(aws: None, monkeypatch: pytest.MonkeyPatch) -> None:
    boto3.client("dynamodb").create_table(
        TableName="training",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        BillingMode="PAY_PER_REQUEST",
    )
    monkeypatch.setenv("TURBINE_TABLE", "training")
    monkeypatch.setenv("AWS_BATCH_JOB_ID", "job-1")
    monkeypatch.setattr(lease_module, "LOOK_AGAIN_S", 0.05)


@pytest.fixture
def rival(lease_table: None) -> Iterator[Callable[[], Lease]]:
    """Another job of the run, which renews its lease all the time."""
    rivals: list[Lease] = []

    def start() -> Lease:
        rivals.append(Lease(lambda _: None, renew_every_s=0.02))
        rivals[-1].acquire(RUN_ID, "job-0")
        return rivals[-1]

    yield start
    for each in rivals:
        each.release()


def use_up(memory: str) -> int:
    if memory == "of a GPU":  # as CUDA's allocator says it: there may be no GPU here
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
    if memory == "of torch":
        return len(torch.empty(2**50, dtype=torch.uint8))
    return len(bytearray(2**60))


@pytest.mark.parametrize("memory", ["of Python", "of torch", "of a GPU"])
def test_out_of_memory_ends_as_the_kernel_would_end_it(run: Callable[..., tuple[int, Any]], memory: str) -> None:
    code, failed = run(lambda *_: use_up(memory))
    assert (code, failed["exit_code"]) == (137, 137)
    assert "batch_size" in failed["mend"]


def test_another_runtime_error_is_a_bug(run: Callable[..., tuple[int, Any]]) -> None:
    def train(*_: object) -> int:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    assert run(train)[0] == 70


def answered(status: int, code: str) -> ClientError:
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, "GetObject")  # type: ignore[typeddict-item]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (EndpointConnectionError(endpoint_url="https://s3.us-east-1.amazonaws.com"), 75),
        (ReadTimeoutError(endpoint_url="https://s3.us-east-1.amazonaws.com"), 75),
        (answered(500, "InternalError"), 75),
        (answered(503, "SlowDown"), 75),
        (answered(403, "AccessDenied"), 70),
    ],
    ids=str,
)
def test_an_outage_of_aws_is_tried_again(run: Callable[..., tuple[int, Any]], error: Exception, code: int) -> None:
    def train(*_: object) -> int:
        raise error

    ended, failed = run(train)
    assert (ended, failed["exit_code"]) == (code, code)


def test_training_happens_under_the_lease(run: Callable[..., tuple[int, Any]], rival: Callable[[], Lease]) -> None:
    seen: list[int] = []

    def train(_spec: Any, _storage: Any, _interruption: Any, fencing: int) -> int:
        lease_module.require_held(RUN_ID, launcher.lease_owner(), fencing)
        seen.append(fencing)
        return 0

    assert run(train)[0] == 0
    assert seen == [1]
    assert rival().renew()  # it was given back: the next job need not wait


def test_a_second_job_touches_nothing(
    run: Callable[..., tuple[int, Any]], rival: Callable[[], Lease], bench: Any
) -> None:
    rival()
    code, failed = run(lambda *_: pytest.fail("it trained"))
    assert (code, failed["error"]) == (73, "LeaseHeldError")
    assert bench.output_names() == []


def test_a_job_that_waited_for_one_that_finished_has_nothing_to_do(
    run: Callable[..., tuple[int, Any]], lease_table: None, bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    acquire = Lease.acquire

    def acquire_late(*arguments: Any) -> int:
        fencing = acquire(*arguments)
        bench.write("_SUCCESS", b"{}")
        return fencing

    monkeypatch.setattr(Lease, "acquire", acquire_late)
    code, finished = run(lambda *_: pytest.fail("it trained"))
    assert (code, finished["event"]) == (0, "finished")


def test_a_job_of_batch_without_a_table_is_bad_configuration(
    run: Callable[..., tuple[int, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_BATCH_JOB_ID", "job-1")
    code, failed = run(lambda *_: pytest.fail("it trained"))
    assert (code, "TURBINE_TABLE" in failed["message"]) == (78, True)


def test_a_worker_trains_with_its_launchers_number(
    run: Callable[..., tuple[int, Any]], lease_table: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", RUN_ID)
    monkeypatch.setenv("TURBINE_FENCING", "41")
    seen: list[int] = []

    def train(_spec: Any, _storage: Any, _interruption: Any, fencing: int) -> int:
        seen.append(fencing)
        return 0

    assert run(train)[0] == 0
    assert seen == [41]


def test_an_order_to_stop_that_comes_after_the_result_changes_nothing(
    run: Callable[..., tuple[int, Any]], lease_table: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Giving the lease back takes a call to DynamoDB."""
    give_back = Lease.release

    def release(lease: Lease) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        give_back(lease)  # else its thread goes on, finds it lost, and ends this process

    monkeypatch.setattr(Lease, "release", release)
    assert run(lambda *_: 0)[0] == 0


def test_a_lost_lease_ends_the_process_before_it_does_anything_more() -> None:
    script = """
import threading, time
from training import launcher
threading.Timer(0, launcher._end_at_once, ["another job has taken it over"]).start()
try:
    time.sleep(60)
finally:
    print("written after the lease was lost", flush=True)
"""
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(BATCH_JOBS)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 73, done.stderr
    (failed,) = map(json.loads, done.stdout.splitlines())
    assert (failed["error"], failed["exit_code"]) == ("LeaseHeldError", 73)
