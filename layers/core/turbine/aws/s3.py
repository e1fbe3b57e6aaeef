"""S3 as the object store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError, HTTPClientError, IncompleteReadError

from turbine.aws.clients import client
from turbine.domain.errors import ObjectForbiddenError, ObjectMissingError, TryAgainError
from turbine.domain.uri import S3Uri
from turbine.ports import ObjectInfo

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CopySourceTypeDef, GetObjectOutputTypeDef

CHUNK_BYTES = 1024 * 1024
# HEAD has no body, so its errors are bare status codes; 405 is a delete marker asked for by version.
MISSING = frozenset({"404", "405", "NoSuchKey", "NoSuchVersion", "NotFound", "MethodNotAllowed"})
# A malformed version id is one that never was.
MISSING_VERSION = frozenset({"400", "InvalidArgument", "NoSuchVersion"})
FORBIDDEN = frozenset({"403", "AccessDenied"})


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
        wanted: CopySourceTypeDef = {"Bucket": source.bucket, "Key": source.key}
        if version_id is not None:
            wanted["VersionId"] = version_id
        with _named(source, version_id):
            # The managed transfer copies in parts above 5 GB, which a single CopyObject refuses.
            self._s3.copy(wanted, target.bucket, target.key)

    def _get(self, place: S3Uri, version_id: str | None) -> GetObjectOutputTypeDef:
        if version_id is None:
            return self._s3.get_object(Bucket=place.bucket, Key=place.key)
        return self._s3.get_object(Bucket=place.bucket, Key=place.key, VersionId=version_id)


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
        if code in FORBIDDEN:
            raise ObjectForbiddenError(f"{place} may not be accessed ({code})") from error
        raise
