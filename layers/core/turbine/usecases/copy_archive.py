"""Copy a model's archive to where the prediction side may read it: a place named by the run, so once a run."""

from __future__ import annotations

from dataclasses import dataclass

from turbine.domain import registry, uri
from turbine.domain.errors import ObjectMissingError
from turbine.domain.run import RunReference
from turbine.domain.uri import S3Uri
from turbine.ports import ObjectStore
from turbine.usecases.run_files import RunFiles

ARCHIVE = "model.tar.gz"


@dataclass(frozen=True)
class CopyArchive:
    """From bucket to bucket; nothing passes through the caller."""

    artifact_bucket: str
    store: ObjectStore

    def __call__(self, reference: RunReference) -> S3Uri:
        """The copy, made unless it is there. Raises: ObjectMissingError without an archive."""
        files = RunFiles(self.store, self.artifact_bucket)
        spec = files.spec(reference.spec_uri)
        source = uri.parse(spec.output_uri) / ARCHIVE
        target = S3Uri(self.artifact_bucket, registry.archive_key(spec.team, spec.run_id))
        version = files.version(spec.team, spec.run_id, ARCHIVE)
        try:
            copied = self.store.head(target).etag == self.store.head(source, version).etag
        except ObjectMissingError:
            copied = False
        if not copied:
            self.store.copy(source, target, version)
        return target
