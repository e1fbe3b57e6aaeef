"""A team is data: its defaults, the rule its models are judged by, its budget and its schedule."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, StringConstraints, ValidationError, model_validator

from turbine.domain.manifest import (
    DEFAULT_SEED,
    NODES_MAX,
    Compute,
    Dataset,
    InferenceInput,
    Manifest,
    Part,
    Recipe,
    place_faults,
)
from turbine.domain.names import Team
from turbine.domain.recipes import RECIPES
from turbine.domain.rejection import ManifestFaultyError, fault, faults_of
from turbine.domain.rule import Positive, Rule, rule_metrics

# Each team has a rule on the bus, which may have 300, and three roles in an account that may have 1,000.
TEAMS_MAX = 280
PRIORITY_MAX = 9999
"""Source: AWS Batch API, SubmitJob.schedulingPriorityOverride."""


class Budget(Part):
    """What a run and all runs of a week may spend, and an hour's price where it is not the list price."""

    max_cost_usd_per_run: Positive
    max_cost_usd_per_week: Annotated[
        Positive | None, Field(description="Of all runs that were accepted in an ISO week (UTC), as estimated.")
    ] = None
    instance_usd_per_hour: Positive | None = None


class Schedule(Part):
    """When the team is trained without being asked; without one it is part of the fleet's schedule."""

    cron: Annotated[str, StringConstraints(min_length=9, max_length=100)]
    timezone: Annotated[str, StringConstraints(min_length=1, max_length=50)] = "UTC"


class TeamCompute(Part):
    """How the team's runs take their place in the fleet; a manifest's own number of nodes comes before it.

    `priority`: AWS Batch's, the greater starts first among runs that wait together; without one the plan gives it.
    """

    nodes: Literal["auto"] | Annotated[int, Field(ge=1, le=NODES_MAX)] = "auto"
    priority: Annotated[int, Field(ge=0, le=PRIORITY_MAX)] | None = None


class TeamFile(Part):
    """`config/teams/<team>.yaml`."""

    team: Team
    recipe: Recipe
    dataset: Dataset | None = None
    rule: Rule
    budget: Budget
    compute: TeamCompute = Field(default_factory=TeamCompute)
    schedule: Schedule | None = None
    inference: InferenceInput | None = None
    work_cpu_hours: Annotated[float, Field(ge=0.001, le=1_000_000, allow_inf_nan=False)] | None = None
    seed: Annotated[int, Field(ge=0, lt=2**31)] = DEFAULT_SEED

    @model_validator(mode="after")
    def _slices_are_not_by_the_target(self) -> TeamFile:
        if self.dataset is not None and self.dataset.target in self.rule.slice_columns:
            raise ValueError(f"slice_guardrails are by {self.dataset.target}, the target: use class_guardrail")
        return self

    @model_validator(mode="after")
    def _metrics_exist(self) -> TeamFile:
        measured = RECIPES[self.recipe.name]
        for metric in rule_metrics(self.rule):
            if metric not in measured:
                raise ValueError(f"rule uses {metric}, but {self.recipe.name} measures {', '.join(measured)}")
        return self


def parse(body: bytes) -> TeamFile:
    """Read a team file. Raises: ManifestFaultyError with every fault found."""
    try:
        document: Any = yaml.safe_load(body)  # libyaml's loader is faster, and deep nesting crashes the process
    except yaml.YAMLError as error:
        problem = f"is not YAML: {' '.join(str(error).split())}"
        raise ManifestFaultyError([fault("(team file)", problem, "correct the team file")]) from error
    try:
        return TeamFile.model_validate(document)
    except ValidationError as error:
        raise ManifestFaultyError(faults_of(error)) from error


def scheduled_manifest(team: TeamFile, data_bucket: str) -> Manifest:
    """The manifest that a schedule drops for a team.

    Raises: ManifestFaultyError when the team file names no dataset, or data that is not the team's.
    """
    if team.dataset is None:
        mend = f"add dataset to config/teams/{team.team}.yaml and type: turbine teams apply"
        raise ManifestFaultyError([fault("dataset", "is missing in the team file", mend)])
    faults = place_faults(team.team, "dataset.source.uri", team.dataset.source.uri, data_bucket)
    if team.inference is not None:
        faults += place_faults(team.team, "inference.uri", team.inference.uri, data_bucket)
    if faults:
        raise ManifestFaultyError(faults)
    return Manifest(
        schema_version=1,
        team=team.team,
        dataset=team.dataset,
        recipe=team.recipe,
        compute=Compute(),
        inference=team.inference,
        seed=team.seed,
    )
