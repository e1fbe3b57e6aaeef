"""Make a finished run's artifacts findable for ever: checked, in the DVC remote, with their provenance.

Nothing large passes through the function: the archive is hashed as it streams by, and DVC copies it
from bucket to bucket. `published.json` ends the work; where it lies already, it is the answer. Then the
event, and `announced.json`, so that a retry sends what is missing and nothing again.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any, NamedTuple

import turbine
from turbine.domain import uri
from turbine.domain.errors import ArtifactCorruptError, ArtifactMissingError, ObjectMissingError
from turbine.domain.metrics import Metrics
from turbine.domain.run import RunReference, RunSpec
from turbine.domain.uri import S3Uri
from turbine.ports import Clock, DataVersioning, EventBus, ObjectStore, TrackedFile
from turbine.usecases import published_epochs
from turbine.usecases.run_files import RunFiles

ARCHIVE = "model.tar.gz"
PROMISED = (ARCHIVE, "metrics.json", "evaluation.parquet", "model/model.safetensors", "model/config.json")


class Hashes(NamedTuple):
    """What an object's bytes hash to, and how many they are."""

    sha256: str
    md5: str
    size_bytes: int


@dataclass(frozen=True)
class PublishArtifacts:
    """The function `publish_artifacts`, and the job `publishing` for what outgrows it."""

    artifact_bucket: str
    training_image_uri: str
    store: ObjectStore
    versioning: DataVersioning
    bus: EventBus
    clock: Clock
    most_bytes: int | None = None

    def __call__(self, reference: RunReference) -> dict[str, Any]:
        """Publish a run, once; or leave it to a job, where its files have more than `most_bytes`.

        Raises: ArtifactMissingError, ArtifactCorruptError, EventRefusedError.
        """
        files = RunFiles(self.store, self.artifact_bucket)
        marker = files.place(reference.team, reference.run_id, "published.json")
        published = files.find_json(marker)
        if published is None:
            if self.most_bytes is not None and (size_bytes := self._size_bytes(reference, files)) > self.most_bytes:
                return {"is_published": False, "size_bytes": size_bytes}
            self._publish(reference, files, marker)
            published = json.loads(self.store.read(marker))
        self._announce(reference, files, published)
        return _answer(published)

    def _publish(self, reference: RunReference, files: RunFiles, marker: S3Uri) -> None:
        spec = files.spec(reference.spec_uri)
        prefix = uri.parse(spec.output_uri)
        checked = self._check_files(prefix)
        tracked = self._track(prefix, ARCHIVE, checked[ARCHIVE])
        metrics = files.metrics(spec.team, spec.run_id)
        validation = {str(epoch.epoch): epoch.validation for epoch in metrics.epochs}
        found = published_epochs.archives(checked)
        epochs = {
            "epochs": {
                epoch: _tracked(prefix, name, self._track(prefix, name, checked[name]))
                | {"validation": validation.get(epoch, {})}
                for epoch, name in found.items()
            },
            "epochs_not_reached": published_epochs.not_reached(spec.recipe, found),
        }
        provenance = _provenance(spec, metrics, tracked, self.training_image_uri)
        self._put(prefix / "provenance.json", provenance | epochs)
        self._put(marker, self._published(prefix, tracked) | epochs)

    def _announce(self, reference: RunReference, files: RunFiles, published: dict[str, Any]) -> None:
        """Tell of the trained model. Two invocations at the same moment may both tell; none tells too little."""
        announced = files.place(reference.team, reference.run_id, "announced.json")
        if files.find_json(announced) is not None:
            return
        self.bus.publish(
            "ModelTrained",
            {
                "schema_version": 1,
                "team": reference.team,
                "run_id": reference.run_id,
                "metrics": files.metrics(reference.team, reference.run_id).test,
                "dvc": published["dvc"],
            },
        )
        self._put(announced, {"schema_version": 1, "announced_at": self.clock().isoformat(timespec="milliseconds")})

    def _check_files(self, prefix: S3Uri) -> dict[str, Hashes]:
        """Compare every file with what the job recorded; answer their hashes."""
        recorded = self._recorded(prefix)
        absent = [name for name in PROMISED if name not in recorded]
        if absent:
            raise ArtifactMissingError(f"{prefix}_SUCCESS does not list {', '.join(absent)}.")
        return {name: self._check_file(prefix / name, entry) for name, entry in recorded.items()}

    def _size_bytes(self, reference: RunReference, files: RunFiles) -> int:
        prefix = uri.parse(files.spec(reference.spec_uri).output_uri)
        return sum(entry["size_bytes"] for entry in self._recorded(prefix).values())

    def _recorded(self, prefix: S3Uri) -> dict[str, dict[str, Any]]:
        """The files that the job's last act names."""
        try:
            marker = json.loads(self.store.read(prefix / "_SUCCESS"))
        except ObjectMissingError as error:
            raise ArtifactMissingError(
                f"{prefix}_SUCCESS is missing: the training job did not finish, though Batch says so."
            ) from error
        return dict(marker["files"])

    def _check_file(self, place: S3Uri, recorded: dict[str, Any]) -> Hashes:
        version_id = recorded.get("version_id")
        try:
            size_bytes = self.store.head(place, version_id).size_bytes
            if size_bytes != recorded["size_bytes"]:
                raise ArtifactCorruptError(
                    f"{place} has {size_bytes} bytes, the training job wrote {recorded['size_bytes']}."
                )
            hashes = self._hashes(place, version_id)
        except ObjectMissingError as error:
            raise ArtifactMissingError(f"{place} is missing, though the training job wrote it.") from error
        if hashes.sha256 != recorded["sha256"]:
            raise ArtifactCorruptError(
                f"{place} has SHA-256 {hashes.sha256}, the training job wrote {recorded['sha256']}."
            )
        self._bring_back(place, version_id)
        return hashes

    def _bring_back(self, place: S3Uri, version_id: str | None) -> None:
        """Make the marker's version the current one again, for DVC and for people, who read by name.

        A job that lost its lease may have written over it.
        """
        if version_id is not None and self.store.head(place).version_id != version_id:
            self.store.copy(place, place, version_id)

    def _hashes(self, place: S3Uri, version_id: str | None) -> Hashes:
        sha256, md5, size_bytes = hashlib.sha256(), hashlib.md5(usedforsecurity=False), 0
        for chunk in self.store.stream(place, version_id):
            sha256.update(chunk)
            md5.update(chunk)
            size_bytes += len(chunk)
        return Hashes(sha256.hexdigest(), md5.hexdigest(), size_bytes)

    def _track(self, prefix: S3Uri, name: str, archive: Hashes) -> TrackedFile:
        """Put an archive into the DVC remote and the pointer beside it."""
        tracked = self.versioning.track(prefix / name, S3Uri(self.artifact_bucket, "dvc"))
        if (tracked.md5, tracked.size_bytes) != (archive.md5, archive.size_bytes):
            raise ArtifactCorruptError(
                f"{prefix}{name} changed while it was copied: DVC read MD5 {tracked.md5} "
                f"and {tracked.size_bytes} bytes, expected {archive.md5} and {archive.size_bytes}."
            )
        self.store.put(prefix / f"{name}.dvc", tracked.pointer, "application/yaml")
        return tracked

    def _published(self, prefix: S3Uri, tracked: TrackedFile) -> dict[str, Any]:
        return {
            "schema_version": 1,
            **_tracked(prefix, ARCHIVE, tracked),
            "provenance_uri": f"{prefix}provenance.json",
            "metrics_uri": f"{prefix}metrics.json",
            "published_at": self.clock().isoformat(timespec="milliseconds"),
        }

    def _put(self, place: S3Uri, document: dict[str, Any]) -> None:
        """Write once: a second invocation leaves the first one's answer."""
        self.store.put_if_absent(place, json.dumps(document, indent=2).encode())


def _tracked(prefix: S3Uri, name: str, tracked: TrackedFile) -> dict[str, Any]:
    return {
        "model_data_uri": f"{prefix}{name}",
        "dvc": {"path": tracked.path, "md5": tracked.md5, "size_bytes": tracked.size_bytes},
        "dvc_file_uri": f"{prefix}{name}.dvc",
    }


def _provenance(spec: RunSpec, metrics: Metrics, tracked: TrackedFile, image: str) -> dict[str, Any]:
    """Everything this model came from."""
    return {
        "schema_version": 1,
        "run_id": spec.run_id,
        "team": spec.team,
        "cause": spec.cause.model_dump(mode="json"),
        "manifest_uri": f"{spec.output_uri}manifest.json",
        "spec_uri": f"{spec.output_uri}run.json",
        "dataset": spec.dataset.model_dump(mode="json"),
        "split": spec.split.model_dump(mode="json"),
        "recipe": spec.recipe.model_dump(mode="json"),
        "seed": spec.seed,
        "metrics": {"test": metrics.test, "validation": metrics.validation, "baseline": metrics.baseline},
        "environment": metrics.environment,
        "image": image,
        "code_version": turbine.__version__,
        "model": {"dvc_path": tracked.path, "md5": tracked.md5, "size_bytes": tracked.size_bytes},
    }


def _answer(published: dict[str, Any]) -> dict[str, Any]:
    told = {name: published[name] for name in ("model_data_uri", "dvc", "provenance_uri", "metrics_uri")}
    return {"is_published": True, **told}
