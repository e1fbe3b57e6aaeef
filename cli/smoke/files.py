"""The files that a run published, read back and hashed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cli.cloud import Cloud
from cli.observe.artifacts import Artifacts

_CHUNK_BYTES = 1 << 20
_ARCHIVE = "model.tar.gz"


@dataclass(frozen=True)
class CheckedFiles:
    """`sound` have the SHA-256 that the job's marker names; `damaged` do not. `dvc`: the archive in the DVC remote."""

    sound: Sequence[str]
    damaged: Sequence[str]
    dvc_md5: str | None
    dvc_is_sound: bool

    @property
    def are_all_sound(self) -> bool:
        return bool(self.sound) and not self.damaged and self.dvc_is_sound


def check_files(cloud: Cloud, artifacts: Artifacts, team: str, run_id: str) -> CheckedFiles | None:
    """None before the run has published."""
    marker = artifacts.document(team, run_id, "_SUCCESS")
    published = artifacts.document(team, run_id, "published.json")
    if marker is None or published is None:
        return None
    s3, bucket = cloud.client("s3"), cloud.output("ArtifactBucketName")
    prefix = artifacts.run_prefix(team, run_id)
    files: Mapping[str, Mapping[str, Any]] = marker["files"]
    sound = {
        name: _sha256(s3, Bucket=bucket, Key=prefix + name, VersionId=entry["version_id"]) == entry["sha256"]
        for name, entry in files.items()
    }
    md5 = published["dvc"]["md5"]
    content = _digest(s3, "md5", Bucket=bucket, Key=f"dvc/files/md5/{md5[:2]}/{md5[2:]}")
    return CheckedFiles(
        sound=[name for name, is_sound in sound.items() if is_sound],
        damaged=[name for name, is_sound in sound.items() if not is_sound],
        dvc_md5=md5,
        dvc_is_sound=content == md5,
    )


def _sha256(s3: Any, **place: str) -> str:
    return _digest(s3, "sha256", **place)


def _digest(s3: Any, algorithm: str, **place: str) -> str:
    found = hashlib.new(algorithm, usedforsecurity=False)
    for chunk in s3.get_object(**place)["Body"].iter_chunks(_CHUNK_BYTES):
        found.update(chunk)
    return found.hexdigest()
