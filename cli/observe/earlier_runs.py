"""Whether a manifest asks for what a run has done, or is doing: the same words on the same version of the data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from pydantic import ValidationError

from cli.cloud import Cloud
from cli.observe.artifacts import Artifacts
from cli.observe.drops import BATCH_FOLDER
from cli.observe.records import Records
from turbine.domain import document, uri
from turbine.domain import manifest as manifests
from turbine.domain.manifest import Manifest
from turbine.domain.rejection import ManifestFaultyError
from turbine.domain.run import Shard, dataset_version

LOOKED_AT = 500
"""So many of the newest runs of all teams: they come with one request or two."""
COMPARED = 8
"""So many of them, of the same team, dataset and recipe, are compared word by word."""
FAILED = frozenset({"FAILED", "ABORTED", "TIMED_OUT", "SUPERSEDED"})


class EarlierRun(NamedTuple):
    """A run of the same manifest on the same data, and what came of it."""

    run_id: str
    status: str
    decision: str | None


def find(cloud: Cloud, text: str, key: str) -> list[EarlierRun]:
    """The newest such run of each of the manifest's entries, none for what the cloud will refuse."""
    wanted = list(_wanted(text, key.split("/")[1], cloud.output("DataBucketName")))
    if not wanted:
        return []
    history = _History(cloud)
    found = [earlier for one in wanted if (earlier := history.find(one)) is not None]
    return list(dict.fromkeys(found))


def _wanted(text: str, folder: str, data_bucket: str) -> Iterator[Manifest]:
    try:
        if folder == BATCH_FOLDER:
            given = manifests.parse_batch(document.read_json(text.encode(), document.BATCH_SIZE_MAX_BYTES)).runs
        else:
            given = [document.read_json(text.encode())]
    except ManifestFaultyError:
        return
    for one in given:
        try:
            yield manifests.parse(one, None if folder == BATCH_FOLDER else folder, data_bucket)
        except ManifestFaultyError:
            continue


class _History:
    """The newest runs, each looked into once."""

    def __init__(self, cloud: Cloud) -> None:
        self._s3 = cloud.client("s3")
        self._records = Records(cloud)
        self._artifacts = Artifacts(cloud)
        self._runs = self._records.recent("run", LOOKED_AT)
        self._manifests: dict[str, Manifest | None] = {}
        self._versions: dict[tuple[str, str], str] = {}

    def find(self, wanted: Manifest) -> EarlierRun | None:
        names = {"team": wanted.team, "dataset": wanted.dataset.name, "recipe": wanted.recipe.name}
        alike = [str(run["run_id"]) for run in self._runs if names.items() <= run.items()]
        for run_id in alike[:COMPARED]:
            if self._manifest(wanted.team, run_id) != wanted:
                continue
            items = self._records.run(run_id)
            if items.status not in FAILED and self._is_of_same_data(wanted, run_id):
                return EarlierRun(run_id, items.status, items.verdict)
        return None

    def _manifest(self, team: str, run_id: str) -> Manifest | None:
        if run_id not in self._manifests:
            self._manifests[run_id] = _parsed(self._artifacts.document(team, run_id, "manifest.json"))
        return self._manifests[run_id]

    def _is_of_same_data(self, wanted: Manifest, run_id: str) -> bool:
        spec = self._artifacts.document(wanted.team, run_id, "run.json") or {}
        version: str | None = spec.get("dataset", {}).get("version")
        return version == self._version(wanted.dataset.source.uri, wanted.dataset.format)

    def _version(self, source_uri: str, shard_format: str) -> str:
        """The version that the data has now, as `prepare_training` will find it."""
        if (source_uri, shard_format) not in self._versions:
            place = uri.parse(source_uri)
            pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=place.bucket, Prefix=place.key)
            shards = [
                Shard(
                    bucket=place.bucket,
                    key=entry["Key"],
                    version_id="",
                    etag=entry["ETag"].strip('"'),
                    size_bytes=entry["Size"],
                )
                for page in pages
                for entry in page.get("Contents", [])
                if entry["Key"].endswith(f".{shard_format}")
            ]
            self._versions[source_uri, shard_format] = dataset_version(place.key, shards)
        return self._versions[source_uri, shard_format]


def _parsed(snapshot: dict[str, Any] | None) -> Manifest | None:
    """A run's snapshot of its manifest; None for one of another time, with other fields."""
    try:
        return None if snapshot is None else Manifest.model_validate(snapshot)
    except ValidationError:
        return None
