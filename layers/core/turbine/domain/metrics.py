"""What a run measured: `metrics.json` is the truth, CloudWatch its published copy.

Decides with which period an old value must be asked for, and whether both values agree.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from turbine.domain.run import Record

# The job puts the file's own double; a repeated put of the same value averages to within one unit
# in the last place. Anything farther apart is another value.
RELATIVE_TOLERANCE = 1e-9

# Each is a metric in CloudWatch and an entry of the package's metadata, of which SageMaker takes 50 in all; a verdict
# with both models' values passes through Step Functions.
SCORES_MAX = 32
Score = Annotated[str, StringConstraints(min_length=1, max_length=64)]
Scores = Annotated[dict[Score, float], Field(max_length=SCORES_MAX)]

_MINUTE_POINTS_LIVE = timedelta(days=15)
_FIVE_MINUTE_POINTS_LIVE = timedelta(days=63)


class EpochEnd(Record):
    """An entry of `epochs`: `elapsed_s` is the training time until then, over all attempts."""

    epoch: int = 0
    validation: dict[str, float] = Field(default_factory=dict)
    elapsed_s: float


class Metrics(Record):
    """`metrics.json`. `duration_s` is the last attempt's."""

    schema_version: Literal[1]
    run_id: str
    team: str
    recipe: str
    seed: int
    dataset_version: str
    split_id: str
    rows: dict[str, int]
    parameters: int
    test: Scores
    validation: Scores
    baseline: Scores
    published_at: datetime
    duration_s: float
    epochs: tuple[EpochEnd, ...] = ()
    environment: dict[str, Any]

    @property
    def worked_s(self) -> float:
        """How long the run worked, also where earlier attempts did a part of it."""
        return max([self.duration_s, *(epoch.elapsed_s for epoch in self.epochs)])


class Point(Record):
    """A metric's value in CloudWatch."""

    value: float
    timestamp: datetime


class Measured(Record):
    """One metric, from both places."""

    cloudwatch: float | None
    file: float
    period_s: int
    timestamp: datetime | None

    def agrees(self) -> bool:
        """Whether CloudWatch shows the value of the file."""
        return self.cloudwatch is not None and math.isclose(
            self.cloudwatch, self.file, rel_tol=RELATIVE_TOLERANCE, abs_tol=0.0
        )


def period_s(age: timedelta) -> int:
    """The finest period that CloudWatch still keeps for a value of this age.

    Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_concepts.html
    (1-minute points for 15 days, 5-minute points for 63 days, hourly points for 15 months). A day
    is kept off each limit, so that a request made at the limit still finds its value.
    """
    margin = timedelta(days=1)
    if age < _MINUTE_POINTS_LIVE - margin:
        return 60
    if age < _FIVE_MINUTE_POINTS_LIVE - margin:
        return 300
    return 3600


def floor_to(moment: datetime, period: int) -> datetime:
    """The start of the period that `moment` is in. Units: `period` in seconds."""
    seconds = int(moment.timestamp())
    return datetime.fromtimestamp(seconds - seconds % period, UTC)
