"""What a rule is given of each model, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

from turbine.domain.evaluation import EvaluationBlocks
from turbine.domain.run import Record

Decision = Literal["promote", "hold", "reject"]


class Sample(NamedTuple):
    """A model's test metrics, and what they are made of where the rule asks for that."""

    metrics: Mapping[str, float]
    blocks: EvaluationBlocks | None = None


class Evidence(Record):
    """What a bootstrap saw of the improvement; bounds are one-sided, each at `confidence`, in the metric's unit.

    `share_exchanged`: of all exchanges of the blocks on which the two differ, those that come out as well. Verdicts of
    before it was looked at say 0.
    """

    rows: int
    blocks: int
    resamples: int
    confidence: float
    lower: float
    upper: float
    share_better: float
    share_exchanged: float = 0.0


class Ruling(NamedTuple):
    """A decision, the improvement it rests on (positive is better), and why in a part of a sentence."""

    decision: Decision
    delta: float
    why: str
    evidence: Evidence | None = None
