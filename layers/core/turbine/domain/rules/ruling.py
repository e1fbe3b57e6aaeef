"""What a rule is given of each model, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

from turbine.domain.evaluation import EvaluationBlocks
from turbine.domain.run import Record

# 0.975 - 0.970 is 0.0050000000000000044, other pairs fall below 0.005: a delta that equals the
# limit in decimals must not fail it in binary.
ROUNDING = 1e-12

Decision = Literal["promote", "hold", "reject"]


class Sample(NamedTuple):
    """A model's test metrics, and what they are made of where the rule asks for that.

    `margin_spent`, of a champion: by how much it may be worse than the best before it, in the metric's unit.
    """

    metrics: Mapping[str, float]
    blocks: EvaluationBlocks | None = None
    margin_spent: float = 0.0


class Evidence(Record):
    """What a bootstrap saw of the improvement; bounds are one-sided, each at `confidence`, in the metric's unit.

    `share_exchanged`: of all exchanges of the blocks on which the two differ, those that come out as well. Verdicts of
    before it was looked at say 0. `margin_spent`: by how much the challenger, once promoted, may be worse than the best
    champion before it, as far as non-inferiority allowed it.
    """

    rows: int
    blocks: int
    resamples: int
    confidence: float
    lower: float
    upper: float
    share_better: float
    share_exchanged: float = 0.0
    margin_spent: float = 0.0


class SliceNumbers(Record):
    """The two models on the rows of one value, None being that of rows without one.

    With `folded` on those of so many other values together. With too few rows they were not judged.
    """

    value: str | None
    folded: int = 0
    rows: int
    challenger: float
    champion: float
    is_judged: bool


class SliceEvidence(Record):
    """What a guardrail on slices looked at, the slices with most rows first."""

    column: str
    metric: str
    max_worsening: float
    min_rows: int
    slices: list[SliceNumbers]


class Ruling(NamedTuple):
    """A decision, the improvement it rests on (positive is better), and why in a part of a sentence."""

    decision: Decision
    delta: float
    why: str
    evidence: Evidence | None = None
    slices: tuple[SliceEvidence, ...] = ()


def improvement(direction: str, challenger: float, opponent: float) -> float:
    """How much better the challenger is, in the metric's unit; negative when worse."""
    return opponent - challenger if direction == "minimize" else challenger - opponent
