"""S3 as the object store."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError, HTTPClientError, IncompleteReadError

from turbine.aws.clients import client
from turbine.domain.errors import ObjectForbiddenError, ObjectMissingError, TryAgainError
from turbine.domain.uri import S3Uri
from turbine.ports import ObjectInfo

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef, CopySourceTypeDef, GetObjectOutputTypeDef, PartTypeDef

CHUNK_BYTES = 1024 * 1024
# As many as botocore's pool of connections has.
PARTS_AT_ONCE = 10
# HEAD has no body, so its errors are bare status codes; 405 is a delete marker asked for by version.
MISSING = frozenset({"404", "405", "NoSuchKey", "NoSuchVersion", "NotFound", "MethodNotAllowed"})
# A malformed version id is one that never was.
MISSING_VERSION = frozenset({"400", "InvalidArgument", "NoSuchVersion"})
FORBIDDEN = frozenset({"403", "AccessDenied"})
# Of a copy in parts, which another one has completed or given up.
ENDED_MEANWHILE = "NoSuchUpload"


class S3Store:
    """Fulfils `ports.ObjectStore`."""

    @property
    def _s3(self) -> S3Client:
        s3: S3Client = client("s3")
        return s3

    def read(self, place: S3Uri, version_id: str | None = None) -> bytes:
        with _named(place, version_id):
            return self._get(place, version_id)["Body"].read()

    def stream(self, place: S3Uri, version_id: str | None = None) -> Iterator[bytes]:
        with _named(place, version_id):
            yield from self._get(place, version_id)["Body"].iter_chunks(CHUNK_BYTES)

    def head(self, place: S3Uri, version_id: str | None = None) -> ObjectInfo:
        with _named(place, version_id):
            if version_id is None:
                head = self._s3.head_object(Bucket=place.bucket, Key=place.key)
            else:
                head = self._s3.head_object(Bucket=place.bucket, Key=place.key, VersionId=version_id)
            return ObjectInfo(place.key, head["ContentLength"], head["ETag"].strip('"'), head.get("VersionId", ""))

    def objects(self, place: S3Uri) -> Iterator[ObjectInfo]:
        with _named(place):
            pages = self._s3.get_paginator("list_objects_v2")
            for page in pages.paginate(Bucket=place.bucket, Prefix=place.key):
                for entry in page.get("Contents", []):
                    yield ObjectInfo(entry["Key"], entry["Size"], entry["ETag"].strip('"'))

    def current_versions(self, place: S3Uri) -> Iterator[ObjectInfo]:
        with _named(place):
            pages = self._s3.get_paginator("list_object_versions")
            for page in pages.paginate(Bucket=place.bucket, Prefix=place.key):
                for entry in page.get("Versions", []):
                    if entry["IsLatest"]:
                        etag, version_id = entry["ETag"].strip('"'), entry["VersionId"]
                        yield ObjectInfo(entry["Key"], entry["Size"], etag, version_id)

    def put(self, place: S3Uri, body: bytes, content_type: str = "application/json") -> None:
        with _named(place):
            self._s3.put_object(Bucket=place.bucket, Key=place.key, Body=body, ContentType=content_type)

    def put_if_absent(self, place: S3Uri, body: bytes, content_type: str = "application/json") -> bool:
        """Write unless there is one; a conflict with a write under way is tried again.

        Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html (412 when
        the key exists, 409 when another conditional write of it has not ended).
        """
        for last in (False, False, True):
            try:
                with _named(place):
                    self._s3.put_object(
                        Bucket=place.bucket, Key=place.key, Body=body, ContentType=content_type, IfNoneMatch="*"
                    )
                return True
            except ClientError as error:
                code = error.response["Error"]["Code"]
                if code == "PreconditionFailed":
                    return False
                if code != "ConditionalRequestConflict":
                    raise
                if last:
                    raise TryAgainError(f"{place} is being written by another call ({code})") from error
        raise AssertionError("unreachable: the last attempt returns or raises")

    def copy(self, source: S3Uri, target: S3Uri, version_id: str | None = None) -> None:
        """What was written in parts is copied in the same parts; a copy that was broken off goes on with those it has.

        Raises: TryAgainError, too, when another copy of the same object ended meanwhile, or this one is not the source.
        """
        wanted: CopySourceTypeDef = {"Bucket": source.bucket, "Key": source.key}
        if version_id is not None:
            wanted["VersionId"] = version_id
        with _named(source, version_id):
            head = self._s3.head_object(**wanted)
            etag, size_bytes = head["ETag"].strip('"'), head["ContentLength"]
            part_bytes = self._part_bytes(wanted, etag, size_bytes)
            if part_bytes is None or head.get("ServerSideEncryption", "AES256") != "AES256":
                # Of one part, at most 5 GB, which one CopyObject takes; or of parts that cannot be told or compared.
                self._s3.copy(wanted, target.bucket, target.key)
            else:
                _copy_parts(self._s3, wanted, target, _ranges(size_bytes, part_bytes), etag)

    def _part_bytes(self, wanted: CopySourceTypeDef, etag: str, size_bytes: int) -> int | None:
        """How large the parts are that an object was written in; None without parts, or when they are of many sizes."""
        _, _, count = etag.partition("-")
        if not count:
            return None
        part_bytes = self._s3.head_object(**wanted, PartNumber=1)["ContentLength"]
        return part_bytes if int(count) == -(-size_bytes // part_bytes) else None

    def _get(self, place: S3Uri, version_id: str | None) -> GetObjectOutputTypeDef:
        if version_id is None:
            return self._s3.get_object(Bucket=place.bucket, Key=place.key)
        return self._s3.get_object(Bucket=place.bucket, Key=place.key, VersionId=version_id)


def _ranges(size_bytes: int, part_bytes: int) -> list[str]:
    """The parts of an object, as a request says them: first and last byte."""
    return [f"bytes={at}-{min(at + part_bytes, size_bytes) - 1}" for at in range(0, size_bytes, part_bytes)]


def _copy_parts(s3: S3Client, wanted: CopySourceTypeDef, target: S3Uri, ranges: Sequence[str], etag: str) -> None:
    """Copy the parts that are not there, and make them the target if they add up to the source's ETag."""
    from concurrent.futures import ThreadPoolExecutor  # every function imports this module, one or two copy

    upload_id = _upload_under_way(s3, target)
    there = _parts(s3, target, upload_id)

    def copy_part(number: int) -> str:
        if number in there:
            return there[number]["ETag"]
        answer = s3.upload_part_copy(
            Bucket=target.bucket,
            Key=target.key,
            UploadId=upload_id,
            PartNumber=number,
            CopySource=wanted,
            CopySourceRange=ranges[number - 1],
        )
        return answer["CopyPartResult"]["ETag"]

    numbers = range(1, len(ranges) + 1)
    with ThreadPoolExecutor(PARTS_AT_ONCE) as pool:
        etags = dict(zip(numbers, pool.map(copy_part, numbers), strict=True))
    if _etag_of(etags.values()) != etag:
        s3.abort_multipart_upload(Bucket=target.bucket, Key=target.key, UploadId=upload_id)
        raise TryAgainError(f"the parts of {target} are not those of its source; they are given up and copied anew")
    parts: list[CompletedPartTypeDef] = [{"PartNumber": number, "ETag": etags[number]} for number in numbers]
    s3.complete_multipart_upload(
        Bucket=target.bucket, Key=target.key, UploadId=upload_id, MultipartUpload={"Parts": parts}
    )


def _upload_under_way(s3: S3Client, target: S3Uri) -> str:
    """The newest upload of an object that was begun and not ended, else a new one."""
    begun = s3.list_multipart_uploads(Bucket=target.bucket, Prefix=target.key).get("Uploads", [])
    own = [upload for upload in begun if upload["Key"] == target.key]
    if own:
        return max(own, key=lambda upload: upload["Initiated"])["UploadId"]
    return s3.create_multipart_upload(Bucket=target.bucket, Key=target.key)["UploadId"]


def _parts(s3: S3Client, target: S3Uri, upload_id: str) -> dict[int, PartTypeDef]:
    """The parts of an upload that are there, by number."""
    pages = s3.get_paginator("list_parts").paginate(Bucket=target.bucket, Key=target.key, UploadId=upload_id)
    return {part["PartNumber"]: part for page in pages for part in page.get("Parts", [])}


def _etag_of(etags: Iterable[str]) -> str:
    """The ETag of the object that parts make: S3 hashes each part, and their hashes.

    Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
    """
    hashes = [bytes.fromhex(etag.strip('"')) for etag in etags]
    return f"{hashlib.md5(b''.join(hashes), usedforsecurity=False).hexdigest()}-{len(hashes)}"


@contextmanager
def _named(place: S3Uri, version_id: str | None = None) -> Iterator[None]:
    """Say S3's refusals, and a body that breaks off, with the domain's errors."""
    try:
        yield
    except (HTTPClientError, IncompleteReadError) as error:
        raise TryAgainError(f"{place} broke off while it was read: {error}") from error
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code in MISSING or (version_id is not None and code in MISSING_VERSION):
            raise ObjectMissingError(f"{place} is not there ({code})") from error
        if code == ENDED_MEANWHILE:
            raise TryAgainError(f"another copy of {place} has ended meanwhile ({code})") from error
        if code in FORBIDDEN:
            raise ObjectForbiddenError(f"{place} may not be accessed ({code})") from error
        raise
