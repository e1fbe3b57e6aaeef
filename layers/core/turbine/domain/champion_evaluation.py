"""A champion measured on the test split of its challenger: what the job is told, and what it leaves.

Data that has changed has another test split, and models compare only on one. So the job `EvaluateChampion`
(`batch_jobs/training/evaluate_champion.py`) puts the champion to the challenger's rows, and leaves the same files as a
run below `runs/<team>/<challenger>/champions/<champion>/`. The same is done for a champion whose numbers are so old
that CloudWatch has dropped them, and for one whose evaluation is not summed by a column that the rule asks for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

from turbine.domain.metrics import Metrics, Scores
from turbine.domain.run import MetricsTarget, Record, RunSpec

SPEC_FILE = "evaluation.json"
_MODEL_FILES = ("config.json", "model.safetensors")

# Hourly points live for 455 days; one that expires between a look and the next would be waited for in vain.
# Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_concepts.html
POINTS_LIVE = timedelta(days=455 - 14)


class ChampionMetrics(Record):
    """`metrics.json` of an evaluation. With an `obstacle` the champion could not be measured, and `test` is empty."""

    schema_version: Literal[1]
    run_id: str
    champion_run_id: str
    split_id: str
    test: Scores
    obstacle: str | None
    published_at: datetime


class MeasurementWanted(Record):
    """The answer of `compare_models` that is no verdict yet: the machine runs the job, and asks again."""

    decision: Literal["measure"] = "measure"
    run_id: str
    team: str
    champion_version: int
    champion_run_id: str
    evaluation_uri: str
    reason: str


def why_wanted(challenger: Metrics, champion: Metrics, now: datetime, unsliced: Sequence[str] = ()) -> str | None:
    """Why the champion's own numbers will not do; None when they will.

    `unsliced`: columns by whose values its challenger's evaluation is summed and its own is not.
    """
    if champion.split_id != challenger.split_id:
        return (
            f"The challenger was measured on test split {challenger.split_id}, "
            f"the champion {champion.run_id} on {champion.split_id}."
        )
    if now - champion.published_at > POINTS_LIVE:
        return f"CloudWatch keeps no number for as long as the champion {champion.run_id} is old."
    if unsliced:
        return f"The evaluation of the champion {champion.run_id} is not summed by {', '.join(map(repr, unsliced))}."
    return None


def folder(champion_run_id: str) -> str:
    """Where an evaluation lies within the challenger's run."""
    return f"champions/{champion_run_id}/"


def target(spec: RunSpec, champion_run_id: str) -> MetricsTarget:
    """Where the champion's metrics on the challenger's rows go: they are none of its own run's."""
    dimensions = {**spec.metrics.dimensions, "ChampionRunId": champion_run_id}
    return MetricsTarget(namespace=spec.metrics.namespace, dimensions=dimensions)


def spec_document(spec: RunSpec, champion: RunSpec, files: Mapping[str, Any]) -> dict[str, Any]:
    """`evaluation.json`. `files` are those of the marker of the champion's run."""
    described = {name: files[f"model/{name}"] for name in _MODEL_FILES}
    return {
        "schema_version": 1,
        "run_id": spec.run_id,
        "team": spec.team,
        "champion": {"run_id": champion.run_id, "model_uri": f"{champion.output_uri}model/", "files": described},
        "dataset": spec.dataset.model_dump(mode="json"),
        "split": spec.split.model_dump(mode="json"),
        "output_uri": f"{spec.output_uri}{folder(champion.run_id)}",
        "metrics": target(spec, champion.run_id).model_dump(mode="json"),
    }
