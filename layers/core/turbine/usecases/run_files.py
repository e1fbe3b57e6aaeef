"""The files of a run, read as what they are.

Most functions read some of them: the shapes of the others are imported by those who ask for them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from turbine.domain import uri
from turbine.domain.errors import ArtifactCorruptError, ArtifactMissingError, ObjectMissingError
from turbine.domain.run import RunSpec, run_prefix
from turbine.domain.uri import S3Uri
from turbine.ports import ObjectStore

if TYPE_CHECKING:
    from turbine.domain.champion_evaluation import ChampionMetrics
    from turbine.domain.evaluation import EvaluationBlocks
    from turbine.domain.metrics import Metrics

EVALUATION_BLOCKS = "evaluation_blocks.json"


M = TypeVar("M", bound=BaseModel)


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
        from turbine.domain.metrics import Metrics

        place = self.place(team, run_id, "metrics.json")
        return _validated(Metrics, self._read(place, self.version(team, run_id, "metrics.json")), place)

    def champion_metrics(self, team: str, run_id: str, champion_run_id: str) -> ChampionMetrics | None:
        """What the champion measured on the run's test split, None before that. Raises: ArtifactCorruptError."""
        from turbine.domain import champion_evaluation
        from turbine.domain.champion_evaluation import ChampionMetrics

        folder = champion_evaluation.folder(champion_run_id)
        if self.marker(team, run_id, folder) is None:
            return None
        place = self.place(team, run_id, f"{folder}metrics.json")
        return _validated(ChampionMetrics, self._read(place, self.version(team, run_id, "metrics.json", folder)), place)

    def evaluation_blocks(self, team: str, run_id: str, folder: str = "") -> EvaluationBlocks | None:
        """What a run's test metrics, or in `folder` a champion's, are made of; None where there is no such file."""
        from turbine.domain.evaluation import EvaluationBlocks

        place = self.place(team, run_id, folder + EVALUATION_BLOCKS)
        version = self.version(team, run_id, EVALUATION_BLOCKS, folder)
        try:
            return _validated(EvaluationBlocks, self.store.read(place, version), place)
        except ObjectMissingError:
            return None

    def marker(self, team: str, run_id: str, folder: str = "") -> Any | None:
        """`_SUCCESS`, None before the training job, or in `folder` that of an evaluation, has committed its result."""
        return self.find_json(self.place(team, run_id, f"{folder}_SUCCESS"))

    def version(self, team: str, run_id: str, name: str, folder: str = "") -> str | None:
        """The version that the marker names of a file: a job that lost its lease may have written a newer one.

        None for a marker that names none.
        """
        recorded = (self.marker(team, run_id, folder) or {}).get("files", {}).get(name, {})
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


def _validated(kind: type[M], body: bytes, place: S3Uri) -> M:
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part)[:64] for part in first["loc"])
        where = f"{field}: " if field else ""
        raise ArtifactCorruptError(
            f"{place} cannot be read: {where}{first['msg']}. Mend what the job writes and start a new run."
        ) from error
