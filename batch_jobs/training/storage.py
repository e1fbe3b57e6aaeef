"""S3 as the job sees it: its spec, and outputs that become visible by one marker written last."""

import hashlib
import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from training.errors import BadConfigurationError, LeaseHeldError

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef, GetObjectRequestTypeDef

SUCCESS_MARKER = "_SUCCESS"
# In memory while they are sent: what an upload takes does not grow with the file.
PART_BYTES = 16 * 1024 * 1024
PARTS_AT_ONCE = 4
MOST_PARTS = 10_000
CLIENT_CONFIG = Config(retries={"mode": "standard", "max_attempts": 5})

_GONE = {"NoSuchKey", "NoSuchVersion"}
_NOT_READABLE = {"NoSuchKey", "NoSuchBucket", "AccessDenied"}


class Storage:
    """Reads run specs, writes a run's outputs."""

    def __init__(self, client: "S3Client | None" = None) -> None:
        self._client = client or boto3.client("s3", config=CLIENT_CONFIG)
        self._files: dict[str, dict[str, Any]] = {}

    @property
    def client(self) -> "S3Client":
        """For what reads S3 in its own way, the shards."""
        return self._client

    def read_spec(self, uri: str) -> bytes:
        """Raises: BadConfigurationError when `uri` is no S3 URI or nothing is there."""
        bucket, key = split_uri(uri)
        try:
            return self._client.get_object(Bucket=bucket, Key=key)["Body"].read()
        except ClientError as error:
            if _code(error) not in _NOT_READABLE:
                raise
            raise BadConfigurationError(
                f"no run spec at {uri}, or none that the job's role may read ({_code(error)})",
                "point it at a run.json, or at an evaluation.json, of the job's own team",
            ) from error

    def download(self, uri: str, version_id: str | None, path: Path) -> bool:
        """One version of an object; False when it is gone."""
        bucket, key = split_uri(uri)
        request: GetObjectRequestTypeDef = {"Bucket": bucket, "Key": key}
        if version_id:
            request["VersionId"] = version_id
        try:
            answer = self._client.get_object(**request)
        except ClientError as error:
            if _code(error) not in _GONE:
                raise
            return False
        with path.open("wb") as file:
            for chunk in answer["Body"].iter_chunks(PART_BYTES):
                file.write(chunk)
        return True

    def is_finished(self, output_uri: str) -> bool:
        """Whether the run has its marker, found by a listing.

        For an object that is not there HeadObject answers 404 to those who may list the bucket, else 403, which it also
        answers to those who may not read. A job's role may list its team's prefix only, by a condition on s3:prefix;
        AWS does not say whether a HEAD, which has no prefix, fulfils it. A listing of that prefix does, and lists, too,
        show every write that has ended.
        Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html ("Permissions"),
        https://docs.aws.amazon.com/AmazonS3/latest/userguide/Welcome.html#ConsistencyModel
        """
        bucket, prefix = split_uri(output_uri)
        marker = prefix + SUCCESS_MARKER
        listed = self._client.list_objects_v2(Bucket=bucket, Prefix=marker, MaxKeys=1)
        # The first key with that prefix, if the marker is there, is the marker: nothing sorts before it.
        return any(entry["Key"] == marker for entry in listed.get("Contents", []))

    def require_unfinished(self, output_uri: str) -> None:
        """Raises: LeaseHeldError when another job of the run has committed."""
        if self.is_finished(output_uri):
            raise _already_finished(output_uri)

    def upload(self, folder: Path, names: list[str], output_uri: str) -> dict[str, dict[str, Any]]:
        """Write files; each as the marker will describe it, with the version of the object that is this job's."""
        bucket, prefix = split_uri(output_uri)
        for name in names:
            version_id = upload_file(self._client, folder / name, bucket, prefix + name)
            self._files[prefix + name] = describe_file(folder / name) | {"version_id": version_id}
        return {name: self._files[prefix + name] for name in names}

    def commit(
        self,
        names: list[str],
        output_uri: str,
        fencing: int = 0,
        earlier: Mapping[str, dict[str, Any]] | None = None,
    ) -> None:
        """Write the marker that makes the uploaded files a result; nothing may be written after it.

        The marker names each file's version: whatever a job that lost its lease still writes over a file changes
        nothing for those who read through the marker. `fencing` is the lease's number, `earlier` are files that this
        run has uploaded before, maybe in another attempt.

        Raises: LeaseHeldError when another job of the run has committed meanwhile.
        """
        bucket, prefix = split_uri(output_uri)
        files = {name: self._files[prefix + name] for name in names}
        marker = {"fencing": fencing, "files": files | dict(earlier or {})}
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


def upload_file(client: "S3Client", path: Path, bucket: str, key: str, tagging: str = "") -> str | None:
    """Write a file; its version's id, None in a bucket without versions. `tagging` is a query string, as S3 takes it.

    Not boto3's own upload_file, which does not tell the version.
    """
    # An empty one would already ask for a permission that results do not need.
    tags: _Tags = {"Tagging": tagging} if tagging else {}
    if path.stat().st_size > PART_BYTES:
        return _upload_parts(client, path, bucket, key, tags)
    with path.open("rb") as file:
        return client.put_object(Bucket=bucket, Key=key, Body=file, **tags).get("VersionId")


class _Tags(TypedDict, total=False):
    Tagging: str


def _upload_parts(client: "S3Client", path: Path, bucket: str, key: str, tags: _Tags) -> str | None:
    upload_id = client.create_multipart_upload(Bucket=bucket, Key=key, **tags)["UploadId"]
    size_bytes = path.stat().st_size
    part_bytes = max(PART_BYTES, -(-size_bytes // MOST_PARTS))

    def upload_part(number: int) -> "CompletedPartTypeDef":
        with path.open("rb") as file:
            file.seek((number - 1) * part_bytes)
            body = file.read(part_bytes)
        answer = client.upload_part(Bucket=bucket, Key=key, UploadId=upload_id, PartNumber=number, Body=body)
        return {"PartNumber": number, "ETag": answer["ETag"]}

    count = -(-size_bytes // part_bytes)
    try:
        with ThreadPoolExecutor(PARTS_AT_ONCE) as pool:
            parts = list(pool.map(upload_part, range(1, count + 1)))
        return client.complete_multipart_upload(
            Bucket=bucket, Key=key, UploadId=upload_id, MultipartUpload={"Parts": parts}
        ).get("VersionId")
    except BaseException:  # also an order to stop: the parts would be kept, and paid for, until the lifecycle rule
        client.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload_id)
        raise


def describe_file(path: Path) -> dict[str, Any]:
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
