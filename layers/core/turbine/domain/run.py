"""One run: its specification, pinned once and read by everything that works for the run."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from turbine.domain import names
from turbine.domain.cause import Cause
from turbine.domain.manifest import InferenceInput, Manifest, ShardFormat
from turbine.domain.rule import Rule

NAMESPACE = "Turbine/Training"
VALIDATION_FRACTION = 0.15
TEST_FRACTION = 0.2
TURN_S = 15
"""How much later than the others a run is submitted that is planned to wait: the time from a plan to a job, at most.

A run's machine submits its job after a claim and a few states; a Lambda's cold start is in it.
"""
DEFAULT_PRIORITY = 5000
"""Of a run that was prepared before there was a plan."""


class Record(BaseModel):
    """A part of a document that we wrote ourselves: newer fields do not stop an older reader."""

    model_config = ConfigDict(extra="ignore", frozen=True, defer_build=True)


class Shard(Record):
    """One version of one object of a dataset."""

    bucket: str
    key: str
    version_id: str
    etag: str
    size_bytes: int


class PinnedDataset(Record):
    """A dataset as it was when the run was prepared; `slices`: the columns by whose values the evaluation is summed."""

    name: str
    version: str
    format: ShardFormat
    target: str
    slices: tuple[str, ...] = ()
    shards: tuple[Shard, ...]


class Split(Record):
    """Which rows are for validation and test; models compare only on the same split.

    `id` names the rows of a version of the data; the salt and a row's features decide its part in every version.
    """

    id: str
    salt: str
    validation: float
    test: float


class SpecRecipe(Record):
    """The recipe a job runs."""

    name: str
    hyperparameters: dict[str, JsonValue]
    publish_epochs: list[int | Literal["last"]] = Field(default_factory=list)


class Compute(Record):
    """How many instances the job spans, and what the manifest says of the processes and checkpoints there."""

    nodes: Annotated[int, Field(ge=1)]
    processes_per_node: int | None = None
    checkpoint_every_s: float | None = None
    checkpoint_every_steps: int | None = None


class Planned(Record):
    """The run's place in the fleet's plan when it was prepared: what was expected, not what came.

    `priority` is AWS Batch's: the greater starts first. Without `may_use_spot` it goes on demand at once.
    """

    priority: int
    planned_at: str
    starts_at: str
    ends_at: str
    hours: float
    cost_usd: float
    may_use_spot: bool = True


class MetricsTarget(Record):
    """Where the job publishes its metrics."""

    namespace: str
    dimensions: dict[str, str]


class RunSpec(Record):
    """`run.json`."""

    schema_version: Literal[1]
    run_id: str
    team: str
    created_at: str
    cause: Cause
    dataset: PinnedDataset
    split: Split
    recipe: SpecRecipe
    seed: int
    compute: Compute
    plan: Planned | None = None
    output_uri: str
    metrics: MetricsTarget
    rule: Rule
    inference: InferenceInput | None


class RunReference(Record):
    """How the machine names a run to a function."""

    run_id: str
    team: str
    spec_uri: str


def dataset_version(source_key: str, shards: Iterable[Shard]) -> str:
    """The first 16 hex of SHA-256 over the sorted shards' relative key, etag and size.

    Keys are relative to the source, so the same data under another prefix has the same version.
    """
    folder = source_key.rpartition("/")[0] + "/" if "/" in source_key else ""
    parts: list[str | int] = []
    for shard in sorted(shards, key=lambda shard: shard.key):
        parts += [shard.key.removeprefix(folder), shard.etag, shard.size_bytes]
    return names.digest(parts)[:16]


def split_of(team: str, version: str) -> Split:
    """The split of a version of a dataset, salted by the team: a row is in the same part wherever the team has it."""
    identity = names.digest([team, version, str(VALIDATION_FRACTION), str(TEST_FRACTION)])[:16]
    return Split(id=identity, salt=team, validation=VALIDATION_FRACTION, test=TEST_FRACTION)


def run_prefix(team: str, run_id: str) -> str:
    """The folder of a run in the artifact bucket, ending in a slash."""
    return f"runs/{team}/{run_id}/"


def spec_of(
    manifest: Manifest,
    *,
    cause: Cause,
    run_id: str,
    shards: tuple[Shard, ...],
    source_key: str,
    rule: Rule,
    nodes: int,
    plan: Planned | None,
    artifact_bucket: str,
    created_at: str,
) -> RunSpec:
    """Pin everything a run depends on."""
    version = dataset_version(source_key, shards)
    return RunSpec(
        schema_version=1,
        run_id=run_id,
        team=manifest.team,
        created_at=created_at,
        cause=cause,
        dataset=PinnedDataset(
            name=manifest.dataset.name,
            version=version,
            format=manifest.dataset.format,
            target=manifest.dataset.target,
            slices=rule.slice_columns,
            shards=shards,
        ),
        split=split_of(manifest.team, version),
        recipe=SpecRecipe(
            name=manifest.recipe.name,
            hyperparameters=manifest.recipe.hyperparameters,
            publish_epochs=manifest.recipe.publish_epochs,
        ),
        seed=manifest.seed,
        compute=Compute(
            nodes=nodes,
            processes_per_node=manifest.compute.processes_per_node,
            checkpoint_every_s=manifest.compute.checkpoint_every_s,
            checkpoint_every_steps=manifest.compute.checkpoint_every_steps,
        ),
        plan=plan,
        output_uri=f"s3://{artifact_bucket}/{run_prefix(manifest.team, run_id)}",
        metrics=MetricsTarget(namespace=NAMESPACE, dimensions={"Team": manifest.team, "RunId": run_id}),
        rule=rule,
        inference=manifest.inference,
    )


def prepared(spec: RunSpec) -> dict[str, Any]:
    """What the `training` machine needs to start a run; the rest of the run's input follows from these names."""
    plan = spec.plan
    on_demand = {} if plan is None or plan.may_use_spot else {"spot": False}
    return {
        "run_id": spec.run_id,
        "team": spec.team,
        "nodes": spec.compute.nodes,
        "priority": DEFAULT_PRIORITY if plan is None else plan.priority,
        "wait_s": TURN_S if plan is not None and plan.starts_at > plan.planned_at else 0,
        **on_demand,
    }
