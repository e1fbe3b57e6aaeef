"""Putting a manifest where the cloud looks for it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cli import exit_codes, placeholders
from cli.cloud import Cloud
from cli.errors import CommandError
from cli.observe import drops
from cli.observe.drops import BATCH_FOLDER, Drop


def put(cloud: Cloud, path: Path, *, folder: str | None = None) -> Drop:
    """Expand the file's placeholders and put it under its key.

    Raises: CommandError if the place cannot be told from the file.
    """
    return put_text(cloud, *expanded(cloud, path, folder=folder))


def expanded(cloud: Cloud, path: Path, *, folder: str | None = None) -> tuple[str, str]:
    """The file with its placeholders expanded, and its key: under `manifests/<team>/`, or `_batch` for several runs.

    Only what is needed to find its place is looked at; the cloud decides whether it is accepted.

    Raises: CommandError if the place cannot be told from the file.
    """
    text = placeholders.expand(_read(path), cloud.outputs, place=str(path))
    key = f"manifests/{folder or _folder(text, path)}/{path.stem}.json"
    if not drops.is_unicode(key):
        raise _no_place(path, f"the key {key!a} has characters that are no Unicode text")
    return text, key


def put_text(cloud: Cloud, text: str, key: str) -> Drop:
    """Put a manifest under a key, and say which runs it asks for."""
    bucket = cloud.output("DataBucketName")
    now = datetime.now(UTC)
    answer = cloud.client("s3").put_object(Bucket=bucket, Key=key, Body=text.encode(), ContentType="application/json")
    return drops.of_object(bucket, key, answer["VersionId"], text, now)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(
            f"the manifest cannot be read: {error}",
            place=str(path),
            next_step="turbine drop FILE, where FILE is a JSON file",
            exit_code=exit_codes.REFUSED,
        ) from error


def _folder(text: str, path: Path) -> str:
    try:
        document: Any = json.loads(text)
    except ValueError as error:
        raise _no_place(path, f"it is not JSON: {error}") from error
    except RecursionError as error:
        raise _no_place(path, "it is nested too deeply to be read") from error
    if isinstance(document, dict) and isinstance(document.get("runs"), list):
        return BATCH_FOLDER
    team = document.get("team") if isinstance(document, dict) else None
    if not isinstance(team, str) or not team or "/" in team or team.startswith("."):
        raise _no_place(path, 'it has no "team"')
    return team


def _no_place(path: Path, why: str) -> CommandError:
    return CommandError(
        f"the manifest's place cannot be told: {why}",
        place=str(path),
        next_step="mend the file, or name the team with --team and let the cloud judge it",
        exit_code=exit_codes.REFUSED,
    )
