"""DVC against a real S3 endpoint that only AWS_ENDPOINT_URL names."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from dvc.repo import Repo
from moto.server import ThreadedMotoServer

from turbine.aws.dvc_remote import DvcRemote
from turbine.domain.uri import S3Uri

# asyncio's transports and s3fs's session are closed by the collector, after their loop.
pytestmark = pytest.mark.filterwarnings(
    "ignore::ResourceWarning",
    "ignore::pytest.PytestUnraisableExceptionWarning",
    "ignore:_NoneStep.value:DeprecationWarning",  # DVC's use of pygtrie
)

BODY = os.urandom(300_000)


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    client = boto3.client("s3")
    client.create_bucket(Bucket="artifacts")
    client.put_object(Bucket="artifacts", Key="runs/vision/r1/model.tar.gz", Body=BODY)
    yield client
    server.stop()


def test_a_fresh_workspace_pulls_the_bytes_that_were_tracked(s3: Any, tmp_path: Path) -> None:
    before = dict(os.environ)
    tracked = DvcRemote().track(S3Uri("artifacts", "runs/vision/r1/model.tar.gz"), S3Uri("artifacts", "dvc"))
    assert dict(os.environ) == before
    assert (tracked.path, tracked.size_bytes) == ("model.tar.gz", len(BODY))
    assert tracked.md5 == hashlib.md5(BODY, usedforsecurity=False).hexdigest()

    repo = Repo.init(str(tmp_path), no_scm=True)
    with repo.config.edit() as config:
        config["core"]["remote"] = "fresh"
        config["remote"]["fresh"] = {"url": "s3://artifacts/dvc"}
    (tmp_path / "model.tar.gz.dvc").write_bytes(tracked.pointer)
    repo.pull()
    repo.close()
    assert (tmp_path / "model.tar.gz").read_bytes() == BODY


def test_tracking_again_adds_no_second_content(s3: Any) -> None:
    source, remote = S3Uri("artifacts", "runs/vision/r1/model.tar.gz"), S3Uri("artifacts", "dvc")
    first = DvcRemote().track(source, remote)
    keys = _keys(s3)
    assert DvcRemote().track(source, remote) == first
    assert _keys(s3) == keys


def _keys(s3: Any) -> list[str]:
    """The remote's content. DVC leaves its upload `.<random>.tmp` behind when the content is there already."""
    listed = [entry["Key"] for entry in s3.list_objects_v2(Bucket="artifacts", Prefix="dvc/")["Contents"]]
    return [key for key in listed if not key.endswith(".tmp")]
