"""Copies of what was written in parts: they go on where they were broken off, and are the source or nothing."""

from __future__ import annotations

import threading
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from turbine.aws import clients
from turbine.aws.s3 import S3Store
from turbine.domain.errors import TryAgainError
from turbine.domain.uri import S3Uri

PART_BYTES = 5 * 1024 * 1024
BODIES = (b"a" * PART_BYTES, b"b" * PART_BYTES, b"the rest")
WHOLE = b"".join(BODIES)


class Watched:
    """Counts the parts that are copied; the copy of part `dies_at` breaks off, as when its process is killed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.copied: list[int] = []
        self.dies_at = 0
        self._lock = threading.Lock()
        s3 = clients.client("s3")
        original = s3.upload_part_copy

        def upload_part_copy(**given: Any) -> Any:
            if given["PartNumber"] == self.dies_at:
                raise KeyboardInterrupt
            with self._lock:
                self.copied.append(given["PartNumber"])
            return original(**given)

        monkeypatch.setattr(s3, "upload_part_copy", upload_part_copy)


@pytest.fixture
def watched(bucket: str, monkeypatch: pytest.MonkeyPatch) -> Watched:
    return Watched(monkeypatch)


def _s3() -> Any:
    return boto3.client("s3")


def put_in_parts(place: S3Uri, bodies: tuple[bytes, ...] = BODIES) -> str:
    """The object's version."""
    s3, at = _s3(), {"Bucket": place.bucket, "Key": place.key}
    upload = s3.create_multipart_upload(**at)["UploadId"]
    parts = [
        {"PartNumber": number, "ETag": s3.upload_part(**at, UploadId=upload, PartNumber=number, Body=body)["ETag"]}
        for number, body in enumerate(bodies, 1)
    ]
    return str(s3.complete_multipart_upload(**at, UploadId=upload, MultipartUpload={"Parts": parts})["VersionId"])


def uploads(bucket: str) -> list[str]:
    return [
        upload["UploadId"] for upload in boto3.client("s3").list_multipart_uploads(Bucket=bucket).get("Uploads", [])
    ]


def test_a_copy_in_parts_has_the_sources_bytes_and_etag(bucket: str, watched: Watched) -> None:
    store, source, target = S3Store(), S3Uri(bucket, "runs/a"), S3Uri(bucket, "registry/a")
    version = put_in_parts(source)
    store.put(source, b"written over it since")
    store.copy(source, target, version)
    assert store.read(target) == WHOLE
    assert store.head(target).etag == store.head(source, version).etag
    assert (sorted(watched.copied), uploads(bucket)) == ([1, 2, 3], [])


def test_a_copy_that_was_killed_goes_on_with_what_is_there(bucket: str, watched: Watched) -> None:
    store, source, target = S3Store(), S3Uri(bucket, "runs/a"), S3Uri(bucket, "registry/a")
    put_in_parts(source)
    watched.dies_at = 3
    with pytest.raises(KeyboardInterrupt):
        store.copy(source, target)
    first = set(watched.copied)
    assert len(first) >= 1 and len(uploads(bucket)) == 1
    watched.dies_at = 0
    watched.copied.clear()
    store.copy(source, target)
    assert set(watched.copied) == {1, 2, 3} - first
    assert (store.read(target), uploads(bucket)) == (WHOLE, [])


def test_parts_of_something_else_never_become_the_copy(bucket: str, watched: Watched) -> None:
    """As large as the source's, so that only their hashes tell."""
    store, source, target = S3Store(), S3Uri(bucket, "runs/a"), S3Uri(bucket, "registry/a")
    put_in_parts(source)
    s3, at = _s3(), {"Bucket": bucket, "Key": target.key}
    upload = s3.create_multipart_upload(**at)["UploadId"]
    s3.upload_part(**at, UploadId=upload, PartNumber=1, Body=b"x" * PART_BYTES)
    with pytest.raises(TryAgainError, match="are not those of its source"):
        store.copy(source, target)
    assert list(store.objects(target)) == [] and uploads(bucket) == []
    store.copy(source, target)
    assert store.read(target) == WHOLE


def test_an_upload_of_a_longer_name_is_anothers(bucket: str, watched: Watched) -> None:
    store, source, target = S3Store(), S3Uri(bucket, "runs/a"), S3Uri(bucket, "registry/a")
    put_in_parts(source)
    other = boto3.client("s3").create_multipart_upload(Bucket=bucket, Key="registry/a.old")["UploadId"]
    store.copy(source, target)
    assert (store.read(target), uploads(bucket)) == (WHOLE, [other])


def test_a_copy_whose_upload_another_has_ended_is_tried_again(bucket: str) -> None:
    source, target = S3Uri(bucket, "runs/a"), S3Uri(bucket, "registry/a")
    put_in_parts(source)
    head = boto3.client("s3").head_object(Bucket=bucket, Key=source.key)
    with Stubber(clients.client("s3")) as stub:
        stub.add_response("head_object", {"ETag": head["ETag"], "ContentLength": head["ContentLength"]})
        stub.add_response("head_object", {"ETag": head["ETag"], "ContentLength": PART_BYTES})
        stub.add_response("list_multipart_uploads", {"Uploads": []})
        stub.add_response("create_multipart_upload", {"UploadId": "u"})
        stub.add_client_error("list_parts", "NoSuchUpload", http_status_code=404)
        with pytest.raises(TryAgainError, match=r"another copy of .* has ended meanwhile"):
            S3Store().copy(source, target)


def test_what_cannot_be_compared_part_by_part_is_copied_all_the_same(bucket: str, watched: Watched) -> None:
    store, source, target = S3Store(), S3Uri(bucket, "runs/a"), S3Uri(bucket, "registry/a")
    put_in_parts(source, (b"a" * PART_BYTES, b"b" * 2 * PART_BYTES, b"c" * PART_BYTES, b"d"))
    s3 = boto3.client("s3")
    s3.put_bucket_encryption(
        Bucket=bucket,
        ServerSideEncryptionConfiguration={
            "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}]
        },
    )
    put_in_parts(S3Uri(bucket, "runs/secret"))
    for name in ("runs/a", "runs/secret"):
        store.copy(S3Uri(bucket, name), target)
        assert store.read(target) == store.read(S3Uri(bucket, name))
        assert store.head(target).etag != store.head(S3Uri(bucket, name)).etag, "it was not compared"
