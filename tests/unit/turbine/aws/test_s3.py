from __future__ import annotations

import boto3
import pytest
from botocore.stub import Stubber

from turbine.aws import clients
from turbine.aws.s3 import S3Store
from turbine.domain.errors import ObjectForbiddenError, ObjectMissingError, TryAgainError
from turbine.domain.uri import S3Uri


def test_a_version_is_read_after_a_newer_one_and_after_a_deletion(bucket: str) -> None:
    s3, store, place = boto3.client("s3"), S3Store(), S3Uri(bucket, "a/b.json")
    first = s3.put_object(Bucket=bucket, Key=place.key, Body=b"one")["VersionId"]
    store.put(place, b"second")
    assert (store.read(place), store.read(place, first), store.head(place, first).size_bytes) == (b"second", b"one", 3)
    marker = s3.delete_object(Bucket=bucket, Key=place.key)["VersionId"]
    assert store.read(place, first) == b"one"
    for version_id in (None, marker, "no-such-version"):
        with pytest.raises(ObjectMissingError):
            store.read(place, version_id)
        with pytest.raises(ObjectMissingError):
            store.head(place, version_id)
    assert list(store.current_versions(S3Uri(bucket, "a/"))) == []


def test_an_older_version_can_be_made_the_current_one_again(bucket: str) -> None:
    store, place = S3Store(), S3Uri(bucket, "a")
    store.put(place, b"right")
    version = store.head(place).version_id
    store.put(place, b"wrong")
    assert store.head(place).version_id != version
    store.copy(place, place, version)
    assert store.read(place) == b"right"


def test_a_conditional_write_keeps_the_first(bucket: str) -> None:
    store, place = S3Store(), S3Uri(bucket, "a")
    assert store.put_if_absent(place, b"one")
    assert not store.put_if_absent(place, b"two")
    assert store.read(place) == b"one"


def test_lists_streams_and_copies(bucket: str) -> None:
    store = S3Store()
    for key in ("p/b", "p/a", "q/c"):
        store.put(S3Uri(bucket, key), key.encode() * 10)
    (first, second) = store.current_versions(S3Uri(bucket, "p/"))
    assert (first.key, first.size_bytes, second.key) == ("p/a", 30, "p/b")
    assert first.version_id and first.etag and '"' not in first.etag
    assert [entry.key for entry in store.objects(S3Uri(bucket, "p/"))] == ["p/a", "p/b"]
    store.copy(S3Uri(bucket, "p/a"), S3Uri(bucket, "r/a"))
    assert b"".join(store.stream(S3Uri(bucket, "r/a"))) == b"p/a" * 10


def test_a_conflict_with_a_write_under_way_is_tried_again(bucket: str) -> None:
    with Stubber(clients.client("s3")) as stub:
        stub.add_client_error("put_object", "ConditionalRequestConflict", http_status_code=409)
        stub.add_client_error("put_object", "PreconditionFailed", http_status_code=412)
        assert S3Store().put_if_absent(S3Uri(bucket, "a"), b"x") is False
        for _ in range(3):
            stub.add_client_error("put_object", "ConditionalRequestConflict", http_status_code=409)
        with pytest.raises(TryAgainError, match="ConditionalRequestConflict"):
            S3Store().put_if_absent(S3Uri(bucket, "a"), b"x")
        stub.assert_no_pending_responses()


def test_no_permission_is_not_taken_for_a_missing_object(bucket: str) -> None:
    with Stubber(clients.client("s3")) as stub:
        stub.add_client_error("head_object", "403", http_status_code=403)
        with pytest.raises(ObjectForbiddenError):
            S3Store().head(S3Uri(bucket, "a"))
