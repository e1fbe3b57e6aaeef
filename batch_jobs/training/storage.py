"""S3 as the job sees it: pinned reads, and outputs that become visible by one marker written last."""

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from training.errors import BadConfigurationError, BadDataError, LeaseHeldError
from training.spec import Shard

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client
    from mypy_boto3_s3.type_defs import GetObjectRequestTypeDef

SUCCESS_MARKER = "_SUCCESS"
CLIENT_CONFIG = Config(retries={"mode": "standard", "max_attempts": 5})

_MISSING = {"404", "NoSuchKey", "NoSuchBucket", "NoSuchVersion", "NotFound"}
_DATASET_MEND = "restore the data set, or drop the manifest again to pin what is there now"


class Storage:
    """Reads run specs and shards, writes a run's outputs."""

    def __init__(self, client: "S3Client | None" = None) -> None:
        self._client = client or boto3.client("s3", config=CLIENT_CONFIG)

    def read_spec(self, uri: str) -> bytes:
        """Raises: BadConfigurationError when `uri` is no S3 URI or nothing is there."""
        bucket, key = split_uri(uri)
        try:
            return self._client.get_object(Bucket=bucket, Key=key)["Body"].read()
        except ClientError as error:
            if _code(error) not in _MISSING:
                raise
            raise BadConfigurationError(f"no run spec at {uri}", "point TURBINE_RUN_SPEC at a run.json") from error

    def read_shard(self, shard: Shard) -> bytes:
        """The shard's bytes, checked to be the ones the run was pinned to.

        Raises: BadDataError naming the shard when it is gone, or its size or ETag differ.
        """
        request: GetObjectRequestTypeDef = {"Bucket": shard.bucket, "Key": shard.key}
        if shard.version_id:
            request["VersionId"] = shard.version_id
        try:
            answer = self._client.get_object(**request)
        except ClientError as error:
            if _code(error) not in _MISSING:
                raise
            raise BadDataError(f"shard {shard.uri} is not there ({_code(error)})", _DATASET_MEND) from error
        etag, expected_etag = answer["ETag"].strip('"'), shard.etag.strip('"')
        if etag != expected_etag:
            raise BadDataError(f"shard {shard.uri} has ETag {etag}, the run pinned {expected_etag}", _DATASET_MEND)
        body = answer["Body"].read()
        if len(body) != shard.size_bytes:
            raise BadDataError(
                f"shard {shard.uri} has {len(body)} bytes, the run pinned {shard.size_bytes}", _DATASET_MEND
            )
        return body

    def is_finished(self, output_uri: str) -> bool:
        bucket, prefix = split_uri(output_uri)
        try:
            self._client.head_object(Bucket=bucket, Key=prefix + SUCCESS_MARKER)
        except ClientError as error:
            if _code(error) not in _MISSING:
                raise
            return False
        return True

    def require_unfinished(self, output_uri: str) -> None:
        """Raises: LeaseHeldError when another job of the run has committed."""
        if self.is_finished(output_uri):
            raise _already_finished(output_uri)

    def upload(self, folder: Path, names: list[str], output_uri: str) -> None:
        bucket, prefix = split_uri(output_uri)
        for name in names:
            self._client.upload_file(str(folder / name), bucket, prefix + name)

    def commit(self, folder: Path, names: list[str], output_uri: str) -> None:
        """Write the marker that makes the uploaded files a result; nothing may be written after it.

        Raises: LeaseHeldError when another job of the run has committed meanwhile.
        """
        bucket, prefix = split_uri(output_uri)
        marker = {"files": {name: describe_file(folder / name) for name in names}}
        try:
            self._client.put_object(
                Bucket=bucket,
                Key=prefix + SUCCESS_MARKER,
                Body=json.dumps(marker, indent=1).encode(),
                ContentType="application/json",
                IfNoneMatch="*",
            )
        except ClientError as error:
            if _code(error) not in {"PreconditionFailed", "ConditionalRequestConflict"}:
                raise
            raise _already_finished(output_uri) from error


def _already_finished(output_uri: str) -> LeaseHeldError:
    return LeaseHeldError(
        f"another job has already finished this run: {output_uri}{SUCCESS_MARKER} exists",
        "nothing to do: the run has its result",
    )


def describe_file(path: Path) -> dict[str, str | int]:
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return {"sha256": sha256, "size_bytes": path.stat().st_size}


def split_uri(uri: str) -> tuple[str, str]:
    """`s3://bucket/a/b` as (bucket, `a/b`). Raises: BadConfigurationError for anything else."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    if not uri.startswith("s3://") or not bucket or not key:
        raise BadConfigurationError(f"{uri!r} is not an S3 URI", "write it as s3://BUCKET/KEY")
    return bucket, key


def _code(error: ClientError) -> str:
    return error.response["Error"]["Code"]
