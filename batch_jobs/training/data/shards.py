"""Shards as local files: downloaded from S3, checked to be the bytes the run was pinned to, and kept in the cache.

An answer that the object is gone, refused or not the pinned one is bad data. Whatever else comes between is an outage:
the download begins again a few times, and then the job is tried again as a whole.
"""

import hashlib
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from botocore.exceptions import (
    ClientError,
    CredentialRetrievalError,
    FlexibleChecksumError,
    HTTPClientError,
    IncompleteReadError,
)
from botocore.exceptions import ConnectionError as NoConnectionError

from training.data.cache import ShardCache
from training.data.connector import BrokenOffError, read_chunks
from training.errors import BadDataError, StorageUnavailableError
from training.log import log_event
from training.spec import Shard

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client
    from mypy_boto3_s3.type_defs import GetObjectRequestTypeDef

CHUNK_BYTES = 1024 * 1024
# From here on many connections are faster than one, which brings about 80 MB/s.
LARGE_BYTES = 64 * 1024 * 1024
DATASET_MEND = "restore the data set, or drop the manifest again to pin what is there now"

# Between two tries of a download. Each try has those of boto3 within it, which end where bytes begin to come.
PAUSES_S = (1.0, 4.0, 10.0)

_MISSING = {"404", "NoSuchKey", "NoSuchBucket", "NoSuchVersion", "NotFound"}
# How S3 answers for an object that is not there, to whoever may not list the bucket; HEAD has the status alone.
# Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html ("Permissions")
_REFUSED = {"403", "AccessDenied", "Forbidden"}
# In an archive storage class: no try brings it back.
_ARCHIVED = {"InvalidObjectState"}
_BROKEN = (
    BrokenOffError,
    ClientError,
    CredentialRetrievalError,
    FlexibleChecksumError,
    HTTPClientError,
    IncompleteReadError,
    NoConnectionError,
)
_MD5 = re.compile(r"[0-9a-f]{32}")


class UnwantedError(Exception):
    """A download was given up: nobody wants the shard any more."""


class ShardReader:
    """Opens shards. A download that breaks off begins again after each of `pauses_s`."""

    def __init__(
        self,
        client: "S3Client",
        cache: ShardCache | None = None,
        pauses_s: Sequence[float] = PAUSES_S,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self._cache = cache or ShardCache.from_environment()
        self._pauses_s = pauses_s
        self._pause = pause

    def open(self, shard: Shard, is_unwanted: Callable[[], bool] = bool, is_binary: bool = False) -> pa.NativeFile:
        """The shard's bytes, as a file that stays readable even when the cache drops it.

        `is_binary` shards, and large ones, are downloaded through s3torchconnector.

        Raises: BadDataError naming the shard when it is gone, or is not what the run was pinned to;
        StorageUnavailableError when it could not be read in any of several tries; UnwantedError once `is_unwanted`
        says so.
        """
        pin = _pin(shard)
        while True:
            path = self._cache.find(pin, shard.size_bytes)
            if path is None:
                path = self._fetch(shard, pin, is_unwanted, is_binary)
            try:
                return pa.OSFile(str(path))
            except FileNotFoundError:  # another process made room at this very moment
                continue

    def _fetch(self, shard: Shard, pin: str, is_unwanted: Callable[[], bool], is_binary: bool) -> Path:
        for pause_s in self._pauses_s:
            try:
                return self._fetch_once(shard, pin, is_unwanted, is_binary)
            except _BROKEN as error:
                log_event("download_broken_off", shard=shard.uri, cause=repr(error), again_in_s=pause_s)
            self._pause(pause_s)
            if is_unwanted():
                raise UnwantedError(shard.uri)
        try:
            return self._fetch_once(shard, pin, is_unwanted, is_binary)
        except _BROKEN as error:
            raise StorageUnavailableError(
                f"shard {shard.uri} could not be read in {len(self._pauses_s) + 1} tries: {error}",
                "let Batch try the job again; if it happens again, read the cause",
            ) from error

    def _fetch_once(self, shard: Shard, pin: str, is_unwanted: Callable[[], bool], is_binary: bool) -> Path:
        chunks = self._download(shard, is_unwanted, is_binary)
        return self._cache.add(pin, shard.size_bytes, chunks, _sha256_check(shard))

    def _download(self, shard: Shard, is_unwanted: Callable[[], bool], is_binary: bool) -> Iterator[bytes]:
        """Raises: BadDataError, before its end, when the bytes are not those of the pin."""
        headers, chunks = self._begin(shard, is_binary or shard.size_bytes >= LARGE_BYTES)
        size_bytes, md5 = 0, hashlib.md5(usedforsecurity=False)
        for chunk in chunks:
            if is_unwanted():
                raise UnwantedError(shard.uri)
            size_bytes += len(chunk)
            md5.update(chunk)
            yield chunk
        if size_bytes != shard.size_bytes:
            raise BadDataError(
                f"shard {shard.uri} has {size_bytes} bytes, the run pinned {shard.size_bytes}", DATASET_MEND
            )
        if _etag_is_md5(headers) and md5.hexdigest() != _etag(shard):
            raise _wrong_checksum(shard, "MD5", md5.hexdigest(), _etag(shard))

    def _begin(self, shard: Shard, through_connector: bool) -> tuple[Mapping[str, Any], Iterator[bytes]]:
        """The answer's headers and the bytes that follow. Raises: BadDataError when the pinned version is gone."""
        if through_connector and (headers := self._newest(shard)):
            return headers, self._read_newest(shard)
        request: GetObjectRequestTypeDef = {"Bucket": shard.bucket, "Key": shard.key}
        if shard.version_id:
            request["VersionId"] = shard.version_id
        try:
            answer = self._client.get_object(**request)
        except ClientError as error:
            if problem := _final_problem(_code(error)):
                raise BadDataError(f"shard {shard.uri} {problem} ({_code(error)})", DATASET_MEND) from error
            raise
        if _clean(answer["ETag"]) != _etag(shard):
            raise BadDataError(
                f"shard {shard.uri} has ETag {_clean(answer['ETag'])}, the run pinned {_etag(shard)}", DATASET_MEND
            )
        return answer, answer["Body"].iter_chunks(CHUNK_BYTES)

    def _newest(self, shard: Shard) -> Mapping[str, Any] | None:
        """The headers of the object's newest version, if that is the pinned one; GetObject says why it is not."""
        try:
            head = self._client.head_object(Bucket=shard.bucket, Key=shard.key)
        except ClientError as error:
            if _final_problem(_code(error)):
                return None
            raise
        is_version = shard.version_id in (None, head.get("VersionId"))
        return head if is_version and _clean(head["ETag"]) == _etag(shard) else None

    def _read_newest(self, shard: Shard) -> Iterator[bytes]:
        """Through the connector, which reads whatever is newest: looked at again at the end."""
        yield from read_chunks(shard, self._client.meta.region_name, CHUNK_BYTES)
        if self._newest(shard) is None:
            raise BadDataError(f"shard {shard.uri} was overwritten while it was read", DATASET_MEND)


def _code(error: ClientError) -> str:
    return error.response["Error"]["Code"]


def _final_problem(code: str) -> str | None:
    """What an error code of S3 says about the object; None when it is about the moment."""
    if code in _MISSING:
        return "is not there"
    if code in _REFUSED:
        return "is not there, or the job's role may not read it"
    return "is archived" if code in _ARCHIVED else None


def _clean(etag: str) -> str:
    return etag.strip('"')


def _etag(shard: Shard) -> str:
    return _clean(shard.etag)


def _etag_is_md5(headers: Mapping[str, Any]) -> bool:
    """Not for what was uploaded in parts, nor under a key of KMS or the customer's.

    Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html
    """
    encrypted = headers.get("ServerSideEncryption", "AES256") != "AES256" or "SSECustomerAlgorithm" in headers
    return not encrypted and _MD5.fullmatch(_clean(headers["ETag"])) is not None


def _pin(shard: Shard) -> str:
    """What names the content: its SHA-256 where the run knows it, else which version of which object it is."""
    if shard.sha256:
        return shard.sha256
    identity = (shard.bucket, shard.key, shard.version_id, _etag(shard), shard.size_bytes)
    return hashlib.sha256(repr(identity).encode()).hexdigest()


def _sha256_check(shard: Shard) -> Callable[[str], None]:
    def check(sha256: str) -> None:
        if shard.sha256 and sha256 != shard.sha256:
            raise _wrong_checksum(shard, "SHA-256", sha256, shard.sha256)

    return check


def _wrong_checksum(shard: Shard, kind: str, found: str, pinned: str) -> BadDataError:
    return BadDataError(
        f"shard {shard.uri} has a wrong checksum: {kind} {found}, the run pinned {pinned}", DATASET_MEND
    )
