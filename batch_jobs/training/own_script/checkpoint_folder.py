"""The checkpoints of a script: folders that it renames into place, copied to S3 while it trains on.

A checkpoint is a folder `step-<number>` that appears whole, since the script writes it under another name and renames
it. A thread uploads its files, and then a marker with their checksums, which makes them count:

    checkpoints/<fencing, 8 digits>-<step, 12 digits>/<file>…
    checkpoints/<fencing, 8 digits>-<step, 12 digits>/_COMPLETE

Names, marker and the order of age are those of training.checkpoint. Its classes are not: they write one file of
tensors from memory and know what is in it, here are whatever files a script likes.
"""

import json
import re
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from training.checkpoint.bucket import TAGGING
from training.checkpoint.marker import MARKER_FILE, CheckpointId, UnusableError, superseded
from training.errors import BadConfigurationError
from training.log import log_event
from training.storage import describe_file, split_uri, upload_file

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

KEEP = 2
LOOK_EVERY_S = 1.0

_GONE = {"404", "NoSuchKey", "NotFound"}
_ON_DISK = re.compile(r"step-(\d{1,12})")


class CheckpointFolder:
    """`folder` on disk and its copies below `output_uri`. `fingerprint`: of all that a checkpoint depends on."""

    def __init__(
        self, client: "S3Client", output_uri: str, folder: Path, fingerprint: str, fencing: int, keep: int = KEEP
    ) -> None:
        self._client = client
        self._bucket, prefix = split_uri(output_uri)
        self._prefix = f"{prefix}checkpoints/"
        self._folder = folder
        self._fingerprint = fingerprint
        self._fencing = fencing
        self._keep = keep
        self._newest_step = -1

    def restore(self) -> int | None:
        """Put the newest complete checkpoint back under the name it had; its step, None if there is none.

        Raises: BadConfigurationError when it was made by another script, with other arguments or on other data.
        """
        for checkpoint, files in sorted(self._found().items(), reverse=True):
            if MARKER_FILE not in files:
                continue
            try:
                name = self._fetch(checkpoint)
            except UnusableError as error:
                log_event("checkpoint_skipped", step=checkpoint.step, fencing=checkpoint.fencing, reason=str(error))
                continue
            self._newest_step = checkpoint.step
            log_event("resumed", step=checkpoint.step, folder=name)
            return checkpoint.step
        return None

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Copy what appears while the body runs, and what is there at its end, whether the body fails or not."""
        over = threading.Event()
        thread = threading.Thread(target=self._watch, args=(over,), name="checkpoints", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _watch(self, over: threading.Event) -> None:
        is_over = False
        while not is_over:
            is_over = over.wait(LOOK_EVERY_S)  # looks once more when it is
            try:
                self.upload_newest()
            # Training goes on: it is tried again at the next look, and only the way back to a checkpoint grows.
            except Exception as error:  # noqa: BLE001 - any reason at all
                log_event("checkpoint_not_uploaded", error=type(error).__name__, message=str(error))

    def upload_newest(self) -> None:
        """Copy the folder of the highest step, unless that is done, and drop all but the last ones, here and there."""
        folders = self._folders()
        step = max(folders, default=-1)
        if step <= self._newest_step:
            return
        started_s = time.monotonic()
        checkpoint = CheckpointId(self._fencing, step)
        size_bytes = self._put(folders[step], checkpoint)
        self._newest_step = step
        commit_s = round(time.monotonic() - started_s, 3)
        log_event("checkpoint", step=step, fencing=self._fencing, size_bytes=size_bytes, commit_s=commit_s)
        self._prune(checkpoint)
        for old in sorted(folders)[: -self._keep]:
            shutil.rmtree(folders[old])

    def _folders(self) -> dict[int, Path]:
        """The checkpoints on disk by step."""
        found = {path: _ON_DISK.fullmatch(path.name) for path in self._folder.iterdir() if path.is_dir()}
        return {int(match[1]): path for path, match in found.items() if match}

    def _put(self, folder: Path, checkpoint: CheckpointId) -> int:
        """The files, then the marker; their size in bytes."""
        names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
        for name in names:
            upload_file(self._client, folder / name, self._bucket, self._key(checkpoint, name), TAGGING)
        files = {name: describe_file(folder / name) for name in names}
        marker = {
            "schema_version": 1,
            "fencing": checkpoint.fencing,
            "step": checkpoint.step,
            "fingerprint": self._fingerprint,
            "folder": folder.name,
            "files": files,
        }
        self._client.put_object(
            Bucket=self._bucket,
            Key=self._key(checkpoint, MARKER_FILE),
            Body=json.dumps(marker, indent=1).encode(),
            ContentType="application/json",
            Tagging=TAGGING,
        )
        return sum(entry["size_bytes"] for entry in files.values())

    def _fetch(self, checkpoint: CheckpointId) -> str:
        """Bring a checkpoint to disk, and rename it into place when it is whole; its folder's name.

        Raises: UnusableError when it is not.
        """
        marker = self._marker(checkpoint)
        if marker["fingerprint"] != self._fingerprint:
            raise BadConfigurationError(
                f"the checkpoint of step {checkpoint.step} was made by another script, with other arguments or data",
                "start a new run: a checkpoint continues only what it was made by",
            )
        arriving = self._folder.with_name("arriving")
        if arriving.exists():  # what has come of one that was not whole
            shutil.rmtree(arriving)
        for name, described in marker["files"].items():
            path = arriving / name
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                self._client.download_file(self._bucket, self._key(checkpoint, name), str(path))
            except ClientError as error:
                raise _unusable(name, error) from error
            if describe_file(path) != described:
                raise UnusableError(f"{name} is not what was uploaded")
        arriving.rename(self._folder / marker["folder"])
        return str(marker["folder"])

    def _marker(self, checkpoint: CheckpointId) -> dict[str, Any]:
        try:
            answer = self._client.get_object(Bucket=self._bucket, Key=self._key(checkpoint, MARKER_FILE))
            marker: dict[str, Any] = json.loads(answer["Body"].read())
        except ClientError as error:
            raise _unusable(MARKER_FILE, error) from error
        except ValueError as error:
            raise UnusableError(f"its marker cannot be read ({error})") from error
        if missing := {"fingerprint", "folder", "files"} - marker.keys():
            raise UnusableError(f"its marker lacks {sorted(missing)}: a recipe's checkpoint")
        return marker

    def _prune(self, committed: CheckpointId) -> None:
        found = self._found()
        complete = {checkpoint: MARKER_FILE in files for checkpoint, files in found.items()}
        for checkpoint in superseded(complete, committed, self._keep):
            # The marker first: what is left when this breaks off does not look complete.
            for file in sorted(found[checkpoint], key=lambda file: file != MARKER_FILE):
                self._client.delete_object(Bucket=self._bucket, Key=self._key(checkpoint, file))

    def _found(self) -> dict[CheckpointId, set[str]]:
        """The files of every checkpoint in S3, whole or not."""
        found: dict[CheckpointId, set[str]] = {}
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=self._prefix)
        for key in (entry["Key"] for page in pages for entry in page.get("Contents", [])):
            name, _, file = key.removeprefix(self._prefix).partition("/")
            checkpoint = CheckpointId.parse(name)
            if checkpoint is not None:
                found.setdefault(checkpoint, set()).add(file)
        return found

    def _key(self, checkpoint: CheckpointId, file: str) -> str:
        return f"{self._prefix}{checkpoint.name}/{file}"


def _unusable(file: str, error: ClientError) -> Exception:
    """`error` itself when it is about S3 or our rights: training from the start would be the wrong answer to it."""
    code = error.response["Error"]["Code"]
    return UnusableError(f"{file} is not there ({code})") if code in _GONE else error
