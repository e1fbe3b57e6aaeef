"""The files of a run, read as what they are."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from turbine.domain import uri
from turbine.domain.errors import ArtifactCorruptError, ArtifactMissingError, ObjectMissingError
from turbine.domain.evaluation import EvaluationBlocks
from turbine.domain.metrics import Metrics
from turbine.domain.run import RunSpec, run_prefix
from turbine.domain.uri import S3Uri
from turbine.ports import ObjectStore

EVALUATION_BLOCKS = "evaluation_blocks.json"


@dataclass(frozen=True)
class RunFiles:
    """The folders `runs/<team>/<run_id>/` of the artifact bucket."""

    store: ObjectStore
    bucket: str

    def place(self, team: str, run_id: str, name: str) -> S3Uri:
        """Where a file of a run lies."""
        return S3Uri(self.bucket, run_prefix(team, run_id) + name)

    def spec(self, spec_uri: str) -> RunSpec:
        """The run spec at a URI."""
        return RunSpec.model_validate_json(self._read(uri.parse(spec_uri)))

    def find_spec(self, team: str, run_id: str) -> RunSpec | None:
        """The run spec of a run, None before it is prepared."""
        try:
            body = self.store.read(self.place(team, run_id, "run.json"))
        except ObjectMissingError:
            return None
        return RunSpec.model_validate_json(body)

    def metrics(self, team: str, run_id: str) -> Metrics:
        """What a run measured. Raises: ArtifactMissingError, ArtifactCorruptError."""
        place = self.place(team, run_id, "metrics.json")
        body = self._read(place, self.version(team, run_id, "metrics.json"))
        try:
            return Metrics.model_validate_json(body)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            field = ".".join(str(part)[:64] for part in first["loc"])
            raise ArtifactCorruptError(
                f"{place} cannot be read: {field}: {first['msg']}. Mend what the job writes and start a new run."
            ) from error

    def evaluation_blocks(self, team: str, run_id: str) -> EvaluationBlocks | None:
        """What a run's test metrics are made of; None for a run that left no such file."""
        version = self.version(team, run_id, EVALUATION_BLOCKS)
        try:
            body = self.store.read(self.place(team, run_id, EVALUATION_BLOCKS), version)
        except ObjectMissingError:
            return None
        try:
            return EvaluationBlocks.model_validate_json(body)
        except ValidationError as error:
            raise ArtifactCorruptError(
                f"{self.place(team, run_id, EVALUATION_BLOCKS)} cannot be read: "
                f"{error.errors(include_url=False)[0]['msg']}. Mend what the job writes and start a new run."
            ) from error

    def marker(self, team: str, run_id: str) -> Any | None:
        """`_SUCCESS`, None before the training job has committed its result."""
        return self.find_json(self.place(team, run_id, "_SUCCESS"))

    def version(self, team: str, run_id: str, name: str) -> str | None:
        """The version that the marker names of a file: a job that lost its lease may have written a newer one.

        None for a marker that names none.
        """
        recorded = (self.marker(team, run_id) or {}).get("files", {}).get(name, {})
        version_id: str | None = recorded.get("version_id")
        return version_id

    def find_json(self, place: S3Uri) -> Any | None:
        """A JSON document, None where there is none."""
        try:
            return json.loads(self.store.read(place))
        except ObjectMissingError:
            return None

    def _read(self, place: S3Uri, version_id: str | None = None) -> bytes:
        try:
            return self.store.read(place, version_id)
        except ObjectMissingError as error:
            raise ArtifactMissingError(
                f"{place} is missing: the training job did not finish. See its log: turbine show RUN"
            ) from error
