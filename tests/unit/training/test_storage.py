"""What a job leaves in S3: versions that a marker names, and nothing of uploads that broke off."""

import json
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.training.conftest import ARTIFACT_BUCKET, OUTPUT_URI, Workbench
from training import storage as storage_module
from training.errors import BadConfigurationError, LeaseHeldError
from training.storage import Storage, upload_file


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "metrics.json").write_bytes(b"mine")
    return tmp_path


def test_the_marker_names_the_versions_and_the_fencing_number(bench: Workbench, folder: Path) -> None:
    storage = Storage()
    storage.upload(folder, ["metrics.json"], OUTPUT_URI)
    bench.write("metrics.json", b"of a job that lost its lease")
    storage.commit(["metrics.json"], OUTPUT_URI, fencing=3)
    marker = json.loads(bench.output("_SUCCESS"))
    version = marker["files"]["metrics.json"].pop("version_id")
    assert marker["fencing"] == 3
    assert marker["files"]["metrics.json"]["size_bytes"] == 4
    key = OUTPUT_URI.removeprefix(f"s3://{ARTIFACT_BUCKET}/") + "metrics.json"
    assert bench.s3.get_object(Bucket=ARTIFACT_BUCKET, Key=key, VersionId=version)["Body"].read() == b"mine"


def test_a_second_marker_is_refused(bench: Workbench, folder: Path) -> None:
    storage = Storage()
    storage.upload(folder, ["metrics.json"], OUTPUT_URI)
    storage.commit(["metrics.json"], OUTPUT_URI, fencing=1)
    with pytest.raises(LeaseHeldError, match="already finished"):
        storage.commit(["metrics.json"], OUTPUT_URI, fencing=2)
    assert json.loads(bench.output("_SUCCESS"))["fencing"] == 1


def test_a_run_is_finished_once_its_marker_is_there(bench: Workbench) -> None:
    """Also for a role that HeadObject answers 403 for what is not there."""

    def forbidden(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "403", "Message": "Forbidden"}}, "HeadObject")

    bench.s3.head_object = forbidden
    storage = Storage(bench.s3)
    bench.write("_SUCCESS.of_somebody", b"")
    assert not storage.is_finished(OUTPUT_URI)
    bench.write("_SUCCESS", b"{}")
    assert storage.is_finished(OUTPUT_URI)


def test_a_spec_that_may_not_be_read_is_bad_configuration(bench: Workbench) -> None:
    def denied(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "GetObject")

    bench.s3.get_object = denied
    with pytest.raises(BadConfigurationError, match="none that the job's role may read"):
        Storage(bench.s3).read_spec(OUTPUT_URI + "run.json")


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(storage_module, "PART_BYTES", 5 * 1024 * 1024)  # S3's least
    return 5 * 1024 * 1024


def test_a_large_file_goes_in_parts_and_comes_back_whole(bench: Workbench, tmp_path: Path, small_parts: int) -> None:
    body = bytes(range(256)) * (small_parts // 128) + b"the rest"
    (tmp_path / "large").write_bytes(body)
    version = upload_file(bench.s3, tmp_path / "large", ARTIFACT_BUCKET, "large")
    found = bench.s3.get_object(Bucket=ARTIFACT_BUCKET, Key="large", VersionId=version)
    assert found["Body"].read() == body
    assert found["ETag"].strip('"').endswith("-3")


@pytest.mark.parametrize("size", [1, 11 * 1024 * 1024])
def test_a_tag_reaches_small_and_large_files(bench: Workbench, tmp_path: Path, small_parts: int, size: int) -> None:
    (tmp_path / "state").write_bytes(bytes(size))
    upload_file(bench.s3, tmp_path / "state", ARTIFACT_BUCKET, "state", "turbine-kind=checkpoint")
    tags = bench.s3.get_object_tagging(Bucket=ARTIFACT_BUCKET, Key="state")["TagSet"]
    assert tags == [{"Key": "turbine-kind", "Value": "checkpoint"}]
    upload_file(bench.s3, tmp_path / "state", ARTIFACT_BUCKET, "plain")
    assert bench.s3.get_object_tagging(Bucket=ARTIFACT_BUCKET, Key="plain")["TagSet"] == []


def test_a_broken_upload_leaves_no_parts(bench: Workbench, tmp_path: Path, small_parts: int, monkeypatch: Any) -> None:
    (tmp_path / "large").write_bytes(bytes(2 * small_parts))

    def broken(**_: Any) -> None:
        raise ConnectionError("broke off")

    monkeypatch.setattr(bench.s3, "upload_part", broken)
    with pytest.raises(ConnectionError):
        upload_file(bench.s3, tmp_path / "large", ARTIFACT_BUCKET, "large")
    assert "Uploads" not in bench.s3.list_multipart_uploads(Bucket=ARTIFACT_BUCKET)
