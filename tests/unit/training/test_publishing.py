"""Nothing becomes a run's result that another job of the run might contradict."""

from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from tests.unit.training.conftest import RUN_ID, Workbench
from training import publishing
from training.errors import LeaseHeldError
from training.lease import TABLE_VARIABLE, Lease
from training.publishing import OUTPUTS, publish
from training.spec import RunSpec, parse_spec
from training.storage import Storage

JOB = "job-1"


@pytest.fixture
def fencing(aws: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Of the lease, which this job holds."""
    monkeypatch.setenv(TABLE_VARIABLE, "training")
    boto3.client("dynamodb").create_table(
        TableName="training",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        BillingMode="PAY_PER_REQUEST",
    )
    lease = Lease(lambda _: None)
    yield lease.acquire(RUN_ID, JOB)
    lease.release()


@pytest.fixture
def spec(bench: Workbench) -> RunSpec:
    uri = bench.put_run([bench.put_object("part-0.parquet", b"rows")])
    return parse_spec(Storage().read_spec(uri), uri)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in OUTPUTS:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"mine")
    return tmp_path


def test_who_holds_the_lease_writes_the_marker(bench: Workbench, spec: RunSpec, folder: Path, fencing: int) -> None:
    publish(folder, {"test": {"accuracy": 1.0}}, spec, Storage(), fencing, JOB)
    assert set(bench.output_names()) == {*OUTPUTS, "_SUCCESS"}


def test_a_lease_that_is_taken_between_the_upload_and_the_marker_leaves_no_result(
    bench: Workbench, spec: RunSpec, folder: Path, fencing: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    successor = Lease(lambda _: None)
    monkeypatch.setattr(publishing, "publish_metrics", lambda *_: successor.acquire(RUN_ID, JOB, attempt=2))
    with pytest.raises(LeaseHeldError, match=rf"not this job's any more \(fencing number {fencing}\)"):
        publish(folder, {"test": {"accuracy": 1.0}}, spec, Storage(), fencing, JOB)
    successor.release()
    assert set(bench.output_names()) == set(OUTPUTS)
