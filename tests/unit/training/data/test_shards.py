"""Shards are the bytes the run was pinned to, or the run ends."""

import hashlib
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    IncompleteReadError,
    ReadTimeoutError,
    ResponseStreamingError,
)

from training.data import shards as shards_module
from training.data.cache import ShardCache
from training.data.shards import ShardReader, UnwantedError
from training.errors import INTERRUPTED, BadDataError, StorageUnavailableError
from training.spec import Shard

BODY = bytes(range(256)) * 40


def refusal(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}}, "GetObject")


def pinned(bench: Any, body: bytes = BODY, **changes: Any) -> Shard:
    return Shard.model_validate(bench.put_object("part-0.parquet", body) | changes)


def test_the_pinned_version_is_read_even_after_an_overwrite(bench: Any, reader: ShardReader) -> None:
    shard = pinned(bench)
    pinned(bench, b"something else")
    assert reader.open(shard).read() == BODY


def test_s3_is_read_once(bench: Any, reader: ShardReader) -> None:
    shard = pinned(bench)
    reader.open(shard)
    bench.s3.delete_object(Bucket=shard.bucket, Key=shard.key, VersionId=shard.version_id)
    assert reader.open(shard).read() == BODY


def test_what_the_cache_lost_is_read_again(bench: Any, reader: ShardReader, tmp_path: Path) -> None:
    shard = pinned(bench)
    reader.open(shard)
    for path in (tmp_path / "cache").rglob("*"):
        if path.is_file():
            path.write_bytes(b"torn")
    assert reader.open(shard).read() == BODY


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"key": "datasets/winery/wine/v1/gone.parquet"}, "gone.parquet is not there"),
        ({"bucket": "nowhere"}, "s3://nowhere/datasets/winery/wine/v1/part-0.parquet is not there"),
        ({"etag": "0" * 32}, "has ETag"),
        ({"size_bytes": 1}, f"has {len(BODY)} bytes, the run pinned 1"),
        ({"sha256": "0" * 64}, "part-0.parquet has a wrong checksum: SHA-256"),
    ],
)
def test_a_shard_that_is_not_the_pinned_one_is_named(
    bench: Any, reader: ShardReader, change: dict[str, Any], problem: str, tmp_path: Path
) -> None:
    with pytest.raises(BadDataError, match=problem):
        reader.open(pinned(bench, version_id=None, **change))
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


def test_bytes_that_changed_on_their_way_are_noticed(bench: Any, cache: ShardCache) -> None:
    shard = pinned(bench)
    with pytest.raises(BadDataError, match=r"part-0.parquet has a wrong checksum: MD5"):
        ShardReader(Altering(bench.s3), cache).open(shard)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "headers", [{"ServerSideEncryption": "aws:kms"}, {"SSECustomerAlgorithm": "AES256"}, {"ETag": f'"{"0" * 32}-2"'}]
)
def test_an_etag_that_is_no_md5_is_not_taken_for_one(bench: Any, cache: ShardCache, headers: dict[str, str]) -> None:
    shard = pinned(bench)
    shard = shard.model_copy(update={"etag": headers.get("ETag", shard.etag)})
    altered = ShardReader(Altering(bench.s3, headers), cache).open(shard)  # type: ignore[arg-type]
    assert altered.size() == len(BODY)


def test_a_known_sha256_shares_the_file_among_places(bench: Any, reader: ShardReader, tmp_path: Path) -> None:
    sha256 = hashlib.sha256(BODY).hexdigest()
    for name in ("a", "b"):
        reader.open(Shard.model_validate(bench.put_object(name, BODY) | {"sha256": sha256}))
    assert [path.name for path in (tmp_path / "cache").rglob("*") if path.is_file()] == [sha256]


def test_an_unwanted_download_is_given_up(bench: Any, reader: ShardReader, monkeypatch: Any, tmp_path: Path) -> None:
    monkeypatch.setattr(shards_module, "CHUNK_BYTES", 1000)
    answers = iter([False, False, True])
    with pytest.raises(UnwantedError):
        reader.open(pinned(bench), lambda: next(answers))
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


class Breaking:
    """S3 that breaks off the first `times` answers in their middle, or refuses them with `error`."""

    def __init__(self, s3: Any, times: int, error: Exception) -> None:
        self._s3 = s3
        self._times = times
        self._error = error

    def get_object(self, **request: Any) -> dict[str, Any]:
        answer = self._s3.get_object(**request)
        self._times -= 1
        if self._times < 0:
            return answer
        if isinstance(self._error, ClientError):
            raise self._error
        return answer | {"Body": BrokenBody(answer["Body"].read(), self._error)}


class BrokenBody:
    def __init__(self, content: bytes, error: Exception) -> None:
        self._content = content
        self._error = error

    def iter_chunks(self, _size: int) -> Any:
        yield self._content[: len(self._content) // 2]
        raise self._error


OUTAGES = [
    ResponseStreamingError(error="Connection broken"),
    ReadTimeoutError(endpoint_url="https://data.s3.amazonaws.com/"),
    IncompleteReadError(actual_bytes=1, expected_bytes=2),
    ConnectTimeoutError(endpoint_url="https://data.s3.amazonaws.com/"),
    EndpointConnectionError(endpoint_url="https://data.s3.amazonaws.com/"),
    refusal("SlowDown"),
    refusal("InternalError"),
    refusal("ExpiredToken"),
]


@pytest.mark.parametrize("outage", OUTAGES, ids=repr)
def test_a_download_that_breaks_off_begins_again_after_a_pause(
    bench: Any, cache: ShardCache, outage: Exception
) -> None:
    pauses: list[float] = []
    shard = pinned(bench)
    reader = ShardReader(Breaking(bench.s3, 2, outage), cache, (1, 5), pauses.append)  # type: ignore[arg-type]
    assert reader.open(shard).read() == BODY
    assert pauses == [1, 5]


@pytest.mark.parametrize("outage", OUTAGES, ids=repr)
def test_after_the_last_pause_the_job_is_tried_again(
    bench: Any, cache: ShardCache, outage: Exception, tmp_path: Path
) -> None:
    reader = ShardReader(Breaking(bench.s3, 3, outage), cache, (1, 5), lambda _: None)  # type: ignore[arg-type]
    with pytest.raises(StorageUnavailableError, match=r"part-0.parquet could not be read in 3 tries") as caught:
        reader.open(pinned(bench))
    assert caught.value.exit_code == INTERRUPTED
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


def test_nobody_waits_for_an_unwanted_shard(bench: Any, cache: ShardCache) -> None:
    pauses: list[float] = []
    reader = ShardReader(Breaking(bench.s3, 1, OUTAGES[0]), cache, (1, 5), pauses.append)  # type: ignore[arg-type]
    with pytest.raises(UnwantedError):
        reader.open(pinned(bench), is_unwanted=lambda: bool(pauses))


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("AccessDenied", r"part-0.parquet is not there, or the job's role may not read it \(AccessDenied\)"),
        ("NoSuchKey", "part-0.parquet is not there"),
        ("InvalidObjectState", "part-0.parquet is archived"),
    ],
)
def test_an_answer_about_the_object_is_bad_data_at_once(bench: Any, cache: ShardCache, code: str, problem: str) -> None:
    reader = ShardReader(Breaking(bench.s3, 9, refusal(code)), cache, pause=pytest.fail)  # type: ignore[arg-type]
    with pytest.raises(BadDataError, match=problem):
        reader.open(pinned(bench))


def test_a_large_shard_that_may_not_be_looked_at_is_named_too(
    bench: Any, cache: ShardCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """HEAD has no body, so its code is the bare status."""
    monkeypatch.setattr(shards_module, "LARGE_BYTES", 1)

    class Forbidding(Breaking):
        def head_object(self, **_: Any) -> None:
            raise refusal("403")

    reader = ShardReader(Forbidding(bench.s3, 9, refusal("AccessDenied")), cache)  # type: ignore[arg-type]
    with pytest.raises(BadDataError, match="may not read it"):
        reader.open(pinned(bench))


class Altering:
    """S3 whose bytes change on their way, and whose answers have other headers."""

    def __init__(self, s3: Any, headers: dict[str, str] | None = None) -> None:
        self._s3 = s3
        self._headers = headers or {}

    def get_object(self, **request: Any) -> dict[str, Any]:
        body: bytes = self._s3.get_object(**request)["Body"].read()
        answer = self._s3.head_object(**request)
        return answer | {"Body": Body(body[::-1])} | self._headers


class Body:
    def __init__(self, content: bytes) -> None:
        self._content = content

    def iter_chunks(self, _size: int) -> Any:
        yield self._content
