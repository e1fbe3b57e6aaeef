"""What a team drops to have a model trained, and what a manifest is refused for by its words alone.

Whether its URIs lead anywhere is asked later, by `usecases.prepare_training`.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)

from turbine.domain import uri
from turbine.domain.names import DatasetName, Team
from turbine.domain.recipes import OWN_SCRIPT, RECIPES
from turbine.domain.rejection import Fault, ManifestFaultyError, fault, faults_of

NODES_MAX = 7
# As many as the largest host has GPUs or, without any, cores that are worth a process.
PROCESSES_MAX = 64
BATCH_MAX = 1000
HYPERPARAMETERS_MAX = 32
HYPERPARAMETERS_MAX_BYTES = 4096
PUBLISHED_EPOCHS_MAX = 20
DEFAULT_SEED = 7

ShortText = Annotated[str, StringConstraints(min_length=1, max_length=128)]
Uri = Annotated[str, StringConstraints(min_length=6, max_length=1024)]
Epoch = Annotated[int, Field(ge=1, le=10_000)]
LAST_EPOCH = "last"
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class Part(BaseModel):
    """A part of a document from outside: no unknown field, no silent conversion."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, defer_build=True)


# Also the ending of the shards' names. A tar holds images: docs/contracts.md, "The training job".
ShardFormat = Literal["parquet", "tar"]


class Source(Part):
    """Where a dataset's shards lie: a prefix, or one object."""

    type: Literal["s3"]
    uri: Uri

    @field_validator("uri")
    @classmethod
    def _is_s3(cls, value: str) -> str:
        uri.parse(value)
        return value


class Dataset(Part):
    """The data to train on; `sha256` is that of the shards' bytes, one after the other in key order."""

    name: DatasetName
    source: Source
    format: ShardFormat
    target: ShortText
    sha256: Sha256 | None = None


class Recipe(Part):
    """A recipe by name; the job checks the hyperparameters' names and types, here only their size.

    `publish_epochs`: after which epochs the model is published besides the one that the run ends with. `last` is the
    epoch after which training ended, which early stopping knows only then.
    """

    name: str
    hyperparameters: dict[str, JsonValue] = Field(default_factory=dict, max_length=HYPERPARAMETERS_MAX)
    publish_epochs: Annotated[
        list[Epoch | Literal["last"]], Field(max_length=PUBLISHED_EPOCHS_MAX, default_factory=list)
    ]

    @field_validator("name")
    @classmethod
    def _is_known(cls, value: str) -> str:
        if value not in RECIPES:
            raise ValueError(f"{value!r} is not a recipe: use one of {', '.join(RECIPES)}")
        return value

    @field_validator("publish_epochs")
    @classmethod
    def _are_named_once(cls, value: list[int | str]) -> list[int | str]:
        numbers = sorted({epoch for epoch in value if isinstance(epoch, int)})
        if value != [*numbers, *([LAST_EPOCH] if LAST_EPOCH in value else [])]:
            raise ValueError(f"write each epoch once, in growing order, and {LAST_EPOCH!r} at the end")
        return value

    @model_validator(mode="after")
    def _has_epochs(self) -> Recipe:
        if self.publish_epochs and self.name == OWN_SCRIPT:
            raise ValueError("publish_epochs is for recipes: nobody but a team's own script knows its epochs")
        return self

    @field_validator("hyperparameters")
    @classmethod
    def _is_small(cls, value: dict[str, JsonValue]) -> dict[str, JsonValue]:
        if len(json.dumps(value)) > HYPERPARAMETERS_MAX_BYTES:
            raise ValueError(f"more than {HYPERPARAMETERS_MAX_BYTES} bytes of hyperparameters")
        return value


class Compute(Part):
    """How much of the fleet a run may use, and how its job works there.

    `processes_per_node`: one a GPU if not given. Checkpoints come every so many seconds or steps; if neither is given,
    as often as their cost and the interruptions to expect make best.
    """

    nodes: Literal["auto"] | Annotated[int, Field(ge=1, le=NODES_MAX)] = "auto"
    max_cost_usd: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    processes_per_node: Annotated[int, Field(ge=1, le=PROCESSES_MAX)] | None = None
    checkpoint_every_s: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    checkpoint_every_steps: Annotated[int, Field(ge=1)] | None = None

    @model_validator(mode="after")
    def _one_cadence(self) -> Compute:
        if self.checkpoint_every_s is not None and self.checkpoint_every_steps is not None:
            raise ValueError("give checkpoint_every_s or checkpoint_every_steps, not both")
        return self


class InferenceInput(Part):
    """What the winner predicts: input lines, the field that identifies one, labels where they exist.

    `labels` is one JSON Lines object, `{"label": …}` a line in the order of the input.
    """

    uri: Uri
    format: Literal["jsonl", "csv"]
    id: ShortText | None = None
    labels: Uri | None = None

    @field_validator("uri", "labels")
    @classmethod
    def _is_s3(cls, value: str | None) -> str | None:
        if value is not None:
            uri.parse(value)
        return value

    @model_validator(mode="after")
    def _labels_fit(self) -> InferenceInput:
        if self.labels is not None and self.format != "jsonl":
            raise ValueError("labels can be compared with jsonl answers only: set format to 'jsonl'")
        return self


class Manifest(Part):
    """One run that a team asks for."""

    schema_version: Literal[1]
    team: Team
    dataset: Dataset
    recipe: Recipe
    compute: Compute = Field(default_factory=Compute)
    inference: InferenceInput | None = None
    seed: Annotated[int, Field(ge=0, lt=2**31)] = DEFAULT_SEED


class BatchManifest(Part):
    """Several runs in one drop; each entry stands alone, so its shape is checked on its own later."""

    schema_version: Literal[1]
    runs: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=BATCH_MAX)]


class InferenceManifest(Part):
    """Predictions that a team asks for, by its champion."""

    schema_version: Literal[1]
    team: Team
    input: InferenceInput
    id: ShortText | None = None


Document = TypeVar("Document", bound=Part)


def parse(document: Any, team: str | None, data_bucket: str) -> Manifest:
    """Check one manifest; `team` is the one in its key, or None where the key names none.

    Raises: ManifestFaultyError with every fault found.
    """
    manifest = _validated(Manifest, document)
    faults = [*_other_team(manifest.team, team), *_places(manifest, data_bucket)]
    if faults:
        raise ManifestFaultyError(faults)
    return manifest


def parse_batch(document: Any) -> BatchManifest:
    """Check the frame of a batch manifest. Raises: ManifestFaultyError."""
    return _validated(BatchManifest, document)


def parse_inference(document: Any, team: str, data_bucket: str) -> InferenceManifest:
    """Check one inference manifest. Raises: ManifestFaultyError with every fault found."""
    manifest = _validated(InferenceManifest, document)
    faults = [
        *_other_team(manifest.team, team),
        *_input_places(manifest.team, "input", manifest.input, data_bucket),
    ]
    if faults:
        raise ManifestFaultyError(faults)
    return manifest


def _validated(kind: type[Document], document: Any) -> Document:
    if not isinstance(document, dict):
        raise ManifestFaultyError([fault("(file)", "is not a JSON object", "wrap it in { … } (docs/schemas)")])
    try:
        return kind.model_validate(document)
    except ValidationError as error:
        raise ManifestFaultyError(faults_of(error)) from error


def _other_team(given: str, keyed: str | None) -> list[Fault]:
    if keyed is None or given == keyed:
        return []
    problem = f"is {given!r}, but the manifest lies under {keyed}/"
    return [fault("team", problem, f"set team to {keyed!r}, or drop the manifest under {given}/")]


def _places(manifest: Manifest, data_bucket: str) -> list[Fault]:
    faults = place_faults(manifest.team, "dataset.source.uri", manifest.dataset.source.uri, data_bucket)
    if manifest.inference is not None:
        faults += _input_places(manifest.team, "inference", manifest.inference, data_bucket)
    return faults


def _input_places(team: str, name: str, given: InferenceInput, data_bucket: str) -> list[Fault]:
    faults = place_faults(team, f"{name}.uri", given.uri, data_bucket)
    if given.labels is not None:
        faults += place_faults(team, f"{name}.labels", given.labels, data_bucket)
    return faults


def place_faults(team: str, field: str, given: str, data_bucket: str) -> list[Fault]:
    """A team reads below its own prefix of the data bucket, and nowhere else."""
    place = uri.parse(given)
    allowed = f"s3://{data_bucket}/datasets/{team}/"
    if place.bucket == data_bucket and place.key.startswith(f"datasets/{team}/"):
        return []
    return [fault(field, f"points to {given}, outside the team's own place", f"put the data below {allowed}")]
