"""A model's archive on its way to this machine: whole and right under its name, or not there at all."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from moto import mock_aws

from cli.errors import CommandError
from cli.observe import published

ARCHIVE = b"an archive" * 200_000
MD5 = hashlib.md5(ARCHIVE, usedforsecurity=False).hexdigest()
RUN = "vision-digits-0123456789ab"
CONTENT = f"dvc/files/md5/{MD5[:2]}/{MD5[2:]}"


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        s3 = boto3.client("s3", region_name="us-east-1")
        s3.create_bucket(Bucket="artifacts")
        told = {"dvc": {"path": "model.tar.gz", "md5": MD5, "size_bytes": len(ARCHIVE)}}
        bodies = {
            f"runs/vision/{RUN}/published.json": json.dumps(told).encode(),
            f"runs/vision/{RUN}/model.tar.gz.dvc": b"outs:\n",
            f"runs/vision/{RUN}/provenance.json": b"{}",
            CONTENT: ARCHIVE,
        }
        for key, body in bodies.items():
            s3.put_object(Bucket="artifacts", Key=key, Body=body)
        yield SimpleNamespace(client=lambda _: s3, output=lambda _: "artifacts")


def test_it_brings_the_archive_its_pointer_and_its_provenance(cloud: Any, tmp_path: Path) -> None:
    pulled = published.pull(cloud, "vision", RUN, tmp_path / "new" / "folder")
    assert pulled == (tmp_path / "new/folder/model.tar.gz", MD5, len(ARCHIVE), False)
    assert {path.name: path.read_bytes() for path in pulled.archive.parent.iterdir()} == {
        "model.tar.gz": ARCHIVE,
        "model.tar.gz.dvc": b"outs:\n",
        "provenance.json": b"{}",
    }


def test_again_it_downloads_nothing(cloud: Any, tmp_path: Path) -> None:
    published.pull(cloud, "vision", RUN, tmp_path)
    cloud.client("s3").delete_object(Bucket="artifacts", Key=CONTENT)
    assert published.pull(cloud, "vision", RUN, tmp_path).was_there


def test_another_model_in_the_way_is_left_as_it_is(cloud: Any, tmp_path: Path) -> None:
    (tmp_path / "model.tar.gz").write_bytes(b"mine")
    with pytest.raises(CommandError, match="is another model, and is left as it is"):
        published.pull(cloud, "vision", RUN, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["model.tar.gz"]
    assert (tmp_path / "model.tar.gz").read_bytes() == b"mine"


def test_wrong_bytes_leave_nothing(cloud: Any, tmp_path: Path) -> None:
    cloud.client("s3").put_object(Bucket="artifacts", Key=CONTENT, Body=ARCHIVE[:-1])
    with pytest.raises(CommandError, match=rf"{len(ARCHIVE) - 1} bytes with MD5 \w+ came, instead of {len(ARCHIVE)}"):
        published.pull(cloud, "vision", RUN, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_content_that_is_gone_is_named(cloud: Any, tmp_path: Path) -> None:
    cloud.client("s3").delete_object(Bucket="artifacts", Key=CONTENT)
    with pytest.raises(CommandError, match="is not there, or not for you to read") as raised:
        published.pull(cloud, "vision", RUN, tmp_path)
    assert raised.value.place == f"s3://artifacts/{CONTENT}"


def test_a_run_that_published_nothing_is_named(cloud: Any, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="run vision-x has published no model"):
        published.pull(cloud, "vision", "vision-x", tmp_path / "new")
    assert not (tmp_path / "new").exists()
