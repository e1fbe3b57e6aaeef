"""A model's published files, brought from the DVC remote to this machine and checked on the way."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from cli import exit_codes
from cli.cloud import Cloud
from cli.errors import CommandError
from cli.observe.artifacts import Artifacts

ARCHIVE, POINTER, PROVENANCE = "model.tar.gz", "model.tar.gz.dvc", "provenance.json"
CHUNK_BYTES = 1024 * 1024


class Pulled(NamedTuple):
    """What came to a folder; `was_there` if the archive had been there already."""

    archive: Path
    md5: str
    size_bytes: int
    was_there: bool


def pull(cloud: Cloud, team: str, run_id: str, folder: Path, epoch: int | None = None) -> Pulled:
    """Bring a run's archive, with its DVC pointer and its provenance, into a folder. What is cut off leaves no archive.

    With an `epoch` the archive is that of the model as it was then.

    Raises: CommandError when the run has published nothing or no such epoch, when the content is gone or is not what
    the pointer says, and when another file of that name is in the way.
    """
    artifacts = Artifacts(cloud)
    published = artifacts.document(team, run_id, "published.json")
    if published is None:
        raise CommandError(
            f"run {run_id} has published no model",
            place=artifacts.uri(team, run_id, "published.json"),
            next_step=f"`turbine show {run_id}` says how far it came",
            exit_code=exit_codes.REFUSED,
        )
    dvc = _of_epoch(run_id, published, epoch)["dvc"]
    md5, size_bytes = str(dvc["md5"]), int(dvc["size_bytes"])
    archive = folder / ARCHIVE
    was_there = _is_there(archive, md5)
    folder.mkdir(parents=True, exist_ok=True)
    if not was_there:
        _download(cloud, f"dvc/files/md5/{md5[:2]}/{md5[2:]}", archive, md5, size_bytes)
    beside = "" if epoch is None else f"model/epochs/{epoch}/"
    for name, place in ((POINTER, f"{beside}{POINTER}"), (PROVENANCE, PROVENANCE)):
        _write(folder / name, [artifacts.read(team, run_id, place)])
    return Pulled(archive, md5, size_bytes, was_there)


def _of_epoch(run_id: str, published: Mapping[str, Any], epoch: int | None) -> Mapping[str, Any]:
    """What was published of an epoch; of the run itself for None. Raises: CommandError when nothing was."""
    if epoch is None:
        return published
    epochs: Mapping[str, Any] = published.get("epochs") or {}
    if str(epoch) not in epochs:
        there = f"it has published {', '.join(epochs)}" if epochs else "it has published none"
        raise CommandError(
            f"run {run_id} has not published epoch {epoch}: {there}",
            next_step="name one of those, or leave --epoch out; recipe.publish_epochs names those of the next run",
            exit_code=exit_codes.REFUSED,
        )
    one: Mapping[str, Any] = epochs[str(epoch)]
    return one


def _is_there(archive: Path, md5: str) -> bool:
    """Whether a former pull has brought it. Raises: CommandError when something else has its name."""
    if not archive.exists():
        return False
    with archive.open("rb") as file:
        found = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    if found != md5:
        raise CommandError(
            f"{archive} is another model, and is left as it is: its MD5 is {found}, not {md5}",
            next_step="name another folder, or move it away",
            exit_code=exit_codes.REFUSED,
        )
    return True


def _download(cloud: Cloud, key: str, archive: Path, md5: str, size_bytes: int) -> None:
    bucket = cloud.output("ArtifactBucketName")
    place = f"s3://{bucket}/{key}"
    try:
        body = cloud.client("s3").get_object(Bucket=bucket, Key=key)["Body"]
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("NoSuchKey", "404", "AccessDenied"):
            raise
        raise CommandError(
            f"the model's content is not there, or not for you to read ({error.response['Error']['Code']})",
            place=place,
            next_step="restore that object's version, or pull another version of the model",
        ) from error
    digest, received = hashlib.md5(usedforsecurity=False), 0

    def checked() -> Any:
        nonlocal received
        for chunk in body.iter_chunks(CHUNK_BYTES):
            digest.update(chunk)
            received += len(chunk)
            yield chunk
        if (digest.hexdigest(), received) != (md5, size_bytes):
            raise CommandError(
                f"{received} bytes with MD5 {digest.hexdigest()} came, instead of {size_bytes} with {md5}",
                place=place,
                next_step="type the command again; if it stays so, restore that object's version",
            )

    _write(archive, checked())


def _write(path: Path, chunks: Any) -> None:
    """All of it under its name, or nothing."""
    handle, part = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            for chunk in chunks:
                file.write(chunk)
        Path(part).chmod(0o644)
        Path(part).replace(path)
    except BaseException:  # an interrupt too
        Path(part).unlink()
        raise
