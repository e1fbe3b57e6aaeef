"""The decision about one challenger, with everything needed to read it later."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

from pydantic import Field

from turbine.domain.evaluation import EvaluationBlocks
from turbine.domain.metrics import Measured
from turbine.domain.rule import Rule, rule_metrics
from turbine.domain.rules import RULES, Evidence, Ruling, Sample, min_delta, slices
from turbine.domain.rules.ruling import Decision, SliceEvidence
from turbine.domain.run import Record

PAST_TENSE: Mapping[str, str] = {"promote": "promoted", "hold": "held", "reject": "rejected"}
_VERBS: Mapping[str, str] = {"promote": "Promoted", "hold": "Held", "reject": "Rejected"}


Blocks = tuple[EvaluationBlocks | None, EvaluationBlocks | None]
"""The challenger's and the champion's, for a rule that draws from them."""


class Side(Record):
    """A model as it stood in the comparison.

    `source` is the URI of the metrics.json that holds the numbers: the run's own, or that of the champion's evaluation
    on the challenger's test split. With an `obstacle` it could not be measured there.
    """

    run_id: str
    split_id: str
    metrics: dict[str, Measured]
    source: str = ""
    obstacle: str | None = None


class Verdict(Record):
    """`decision.json`; `delta` is positive when the challenger is the better one."""

    schema_version: Literal[1] = 1
    run_id: str
    team: str
    decision: Decision
    reason: str
    rule: Rule
    champion_version: int
    challenger: Side
    champion: Side | None
    baseline: dict[str, float]
    delta: float | None
    evidence: Evidence | None = None
    slices: list[SliceEvidence] = Field(default_factory=list)
    decided_at: str


def missing(*sides: Side | None) -> list[str]:
    """What CloudWatch does not show yet, as `<run>: test_<metric>`."""
    return [
        f"{side.run_id}: test_{name}"
        for side in sides
        if side is not None
        for name, measured in side.metrics.items()
        if measured.cloudwatch is None
    ]


def decide(
    challenger: Side,
    champion: Side | None,
    *,
    rule: Rule,
    team: str,
    baseline: Mapping[str, float],
    champion_version: int,
    decided_at: str,
    blocks: Blocks = (None, None),
    margin_spent: float = 0.0,
) -> Verdict:
    """Judge by the rule, unless something forbids a comparison: then hold and say what.

    `margin_spent`: by how much the champion may be worse than the best before it (`margin_spent_by`).
    """
    obstacle = _obstacle(challenger, champion, rule, baseline)
    judged = None if obstacle else _judge(challenger, champion, rule, baseline, blocks, margin_spent)
    return Verdict(
        run_id=challenger.run_id,
        team=team,
        decision=judged.decision if judged else "hold",
        reason=judged.why if judged else str(obstacle),
        rule=rule,
        champion_version=champion_version,
        challenger=challenger,
        champion=champion,
        baseline=dict(baseline),
        delta=judged.delta if judged else None,
        evidence=judged.evidence if judged else None,
        slices=list(judged.slices) if judged else [],
        decided_at=decided_at,
    )


def margin_spent_by(made: Verdict, rule: Rule) -> float:
    """What a champion's own promotion left spent of a margin, for a challenger of `rule`; 0 by another metric."""
    is_same = (made.rule.metric, made.rule.direction) == (rule.metric, rule.direction)
    return made.evidence.margin_spent if made.evidence is not None and is_same else 0.0


def _judge(
    challenger: Side,
    champion: Side | None,
    rule: Rule,
    baseline: Mapping[str, float],
    blocks: Blocks,
    margin_spent: float,
) -> Ruling:
    mine = _values(challenger)
    if champion is None:
        return _judge_first(rule, mine, baseline)
    theirs = _values(champion)
    samples = Sample(mine, blocks[0]), Sample(theirs, blocks[1], margin_spent)
    ruling, looked_at = RULES[rule.name](rule, *samples), slices.evidence(rule, *samples)
    reason = (
        f"{_VERBS[ruling.decision]}: {rule.metric} {mine[rule.metric]:.6g} against the champion's "
        f"{theirs[rule.metric]:.6g}, {ruling.why}{slices.left_out(looked_at)}."
    )
    return ruling._replace(why=reason, slices=looked_at)


def _judge_first(rule: Rule, mine: Mapping[str, float], baseline: Mapping[str, float]) -> Ruling:
    """A first model must beat the majority class or the mean; there is nothing to hold it for."""
    # Guardrails protect what a champion has reached; a first model has nothing to worsen. Of the baseline there are
    # no rows to draw: the difference itself decides.
    ruling = min_delta.judge(
        rule.model_copy(update={"guardrails": [], "class_guardrail": None, "slice_guardrails": []}),
        Sample(mine),
        Sample(baseline),
    )
    decision: Decision = "promote" if ruling.decision == "promote" else "reject"
    verb = _VERBS[decision]
    reason = (
        f"{verb} without a champion to compare with: {rule.metric} {mine[rule.metric]:.6g} against the "
        f"baseline's {baseline[rule.metric]:.6g}, {ruling.why}."
    )
    return Ruling(decision, ruling.delta, reason)


def _obstacle(challenger: Side, champion: Side | None, rule: Rule, baseline: Mapping[str, float]) -> str | None:
    return next(_obstacles(challenger, champion, rule, baseline), None)


def _obstacles(challenger: Side, champion: Side | None, rule: Rule, baseline: Mapping[str, float]) -> Iterator[str]:
    """What forbids a comparison, as whole sentences."""
    if champion is not None and champion.obstacle is not None:
        yield (
            f"Held: the champion {champion.run_id} cannot be measured on the challenger's test split "
            f"{challenger.split_id}: {champion.obstacle}. turbine promote replaces it by hand."
        )
    sides = [("challenger", challenger)] + ([("champion", champion)] if champion is not None else [])
    for metric in rule_metrics(rule):
        for who, side in sides:
            if metric not in side.metrics:
                yield f"Held: the rule needs {metric}, which the {who} {side.run_id} did not measure."
    if champion is None and rule.metric not in baseline:
        yield f"Held: the rule needs {rule.metric}, which was not measured for the baseline."
    for who, side in sides:
        for metric, measured in side.metrics.items():
            if measured.cloudwatch is None:
                yield (
                    f"Held: CloudWatch shows no test_{metric} of the {who} {side.run_id}, "
                    f"while metrics.json says {measured.file!r}."
                )
            elif not measured.agrees():
                yield (
                    f"Held: test_{metric} of the {who} {side.run_id} is {measured.cloudwatch!r} "
                    f"in CloudWatch but {measured.file!r} in metrics.json."
                )
    if champion is not None and champion.split_id != challenger.split_id:
        yield (
            f"Held: the challenger was measured on test split {challenger.split_id}, "
            f"the champion {champion.run_id} on {champion.split_id}."
        )


def _values(side: Side) -> dict[str, float]:
    return {name: measured.file for name, measured in side.metrics.items()}
