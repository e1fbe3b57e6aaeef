"""Checkpoints in S3: what counts is there, and counts when its marker is."""

import io
from typing import TYPE_CHECKING, Any

from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

from training.checkpoint.marker import MARKER_FILE, STATE_FILE, CheckpointId, Marker, UnusableError
from training.storage import split_uri

if TYPE_CHECKING:
    from pathlib import Path

    from mypy_boto3_s3.client import S3Client

# A lifecycle rule expires what carries this tag.
TAGGING = "turbine-kind=checkpoint"
# Few threads: they share the cores with training, and one connection alone moves about 90 MB/s.
_TRANSFER = TransferConfig(
    multipart_threshold=64 * 1024 * 1024, multipart_chunksize=32 * 1024 * 1024, max_concurrency=4
)
# Answers that are about one object, not about S3 or our rights: gone, or moved to an archive.
_GONE = {"404", "NoSuchKey", "NotFound", "InvalidObjectState"}


class Bucket:
    """The prefix `checkpoints/` of one run."""

    def __init__(self, client: "S3Client", output_uri: str) -> None:
        self._client = client
        self._bucket, prefix = split_uri(output_uri)
        self._prefix = f"{prefix}checkpoints/"
        self.uri = f"s3://{self._bucket}/{self._prefix}"

    def uri_of(self, checkpoint: CheckpointId) -> str:
        return f"{self.uri}{checkpoint.name}/"

    def found(self) -> dict[CheckpointId, bool]:
        """Every checkpoint there, and whether it is complete."""
        found: dict[CheckpointId, bool] = {}
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=self._prefix)
        for page in pages:
            for entry in page.get("Contents", []):
                name, _, file = entry["Key"].removeprefix(self._prefix).partition("/")
                checkpoint = CheckpointId.parse(name)
                if checkpoint is not None:
                    found[checkpoint] = found.get(checkpoint, False) or file == MARKER_FILE
        return found

    def upload_state(self, checkpoint: CheckpointId, body: memoryview) -> None:
        """From memory: the local disk need not read what it has just written."""
        self._client.upload_fileobj(
            io.BufferedReader(_Reader(body)),
            self._bucket,
            self._key(checkpoint, STATE_FILE),
            {"Tagging": TAGGING},
            Config=_TRANSFER,
        )

    def put_marker(self, checkpoint: CheckpointId, marker: Marker) -> None:
        self._client.put_object(
            Bucket=self._bucket,
            Key=self._key(checkpoint, MARKER_FILE),
            Body=marker.to_json(),
            ContentType="application/json",
            Tagging=TAGGING,
        )

    def read_marker(self, checkpoint: CheckpointId) -> Marker:
        """Raises: UnusableError when it is gone or makes no sense."""
        try:
            answer = self._client.get_object(Bucket=self._bucket, Key=self._key(checkpoint, MARKER_FILE))
        except ClientError as error:
            raise _unusable("its marker", error) from error
        return Marker.from_json(answer["Body"].read(), checkpoint)

    def download_state(self, checkpoint: CheckpointId, path: "Path") -> None:
        """Raises: UnusableError when it is gone."""
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._client.download_file(self._bucket, self._key(checkpoint, STATE_FILE), str(path), Config=_TRANSFER)
        except ClientError as error:
            raise _unusable("its state", error) from error

    def remove(self, checkpoint: CheckpointId) -> None:
        """The marker first: what is left when this breaks off does not look complete."""
        for file in (MARKER_FILE, STATE_FILE):
            self._client.delete_object(Bucket=self._bucket, Key=self._key(checkpoint, file))

    def _key(self, checkpoint: CheckpointId, file: str) -> str:
        return f"{self._prefix}{checkpoint.name}/{file}"


def _unusable(what: str, error: ClientError) -> Exception:
    """`error` itself when it says nothing about the checkpoint: training from the start would be the wrong answer."""
    code = error.response["Error"]["Code"]
    return UnusableError(f"{what} is not there ({code})") if code in _GONE else error


class _Reader(io.RawIOBase):
    """A file over memory that is not copied, except for the part that is being sent."""

    def __init__(self, body: memoryview) -> None:
        self._body = body
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: len(self._body)}[whence]
        self._position = origin + offset
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: Any) -> int:
        piece = self._body[self._position : self._position + len(buffer)]
        buffer[: len(piece)] = piece
        self._position += len(piece)
        return len(piece)
