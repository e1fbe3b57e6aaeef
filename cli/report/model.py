"""What a report shows. Plain data: where it was read is the caller's business."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from cli.observe.executions import Execution


@dataclass(frozen=True)
class Epoch:
    """One epoch of a training job's `metrics.json`."""

    number: int
    train_loss: float
    validation_loss: float
    validation: Mapping[str, float]


@dataclass(frozen=True)
class Comparison:
    """One metric on the test split: the challenger's, the champion's and the trivial model's value."""

    metric: str
    challenger: float | None
    champion: float | None
    baseline: float | None
    decides: bool


@dataclass(frozen=True)
class Predictions:
    """Where a promoted model's predictions lie, how many, and the first of them."""

    uri: str
    records: int
    sample: Sequence[str] = ()


@dataclass(frozen=True)
class RunReport:
    """One run, from its data to its predictions."""

    team: str
    round: int
    run_id: str
    status: str
    verdict: str | None
    reason: str
    recipe: str
    rule: Mapping[str, Any]
    comparisons: Sequence[Comparison]
    delta: float | None
    data_version: str
    provenance: Mapping[str, str]
    epochs: Sequence[Epoch] = ()
    predictions: Predictions | None = None
    executions: Sequence[Execution] = ()

    @property
    def label(self) -> str:
        return f"{self.team}, round {self.round}"


@dataclass(frozen=True)
class Report:
    """A whole report. `split_s`: seconds of the command by phase; `work_s`: Task seconds by kind."""

    title: str
    created_at: datetime
    wall_s: float
    runs: Sequence[RunReport]
    definition: Mapping[str, Any]
    machine_name: str
    split_s: Mapping[str, float] = field(default_factory=dict)
    work_s: Mapping[str, float] = field(default_factory=dict)

    def rounds_of(self, team: str) -> list[RunReport]:
        return sorted((run for run in self.runs if run.team == team), key=lambda run: run.round)

    @property
    def teams(self) -> list[str]:
        return list(dict.fromkeys(run.team for run in self.runs))
