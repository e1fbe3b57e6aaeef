"""Promote what is better by at least `min_delta`, reject what is worse by as much, hold the rest.

The delta is in the metric's own unit and positive when the challenger is the better one, whichever
direction the metric has. A guardrail is a second metric that may not worsen by more than its limit.

Source: the minimum effect size of a superiority test, with a hold zone of the same width on both
sides of zero (ICH E9, 3.3.2, https://database.ich.org/sites/default/files/E9_Guideline.pdf).
"""

from __future__ import annotations

from collections.abc import Mapping

from turbine.domain.rule import Rule
from turbine.domain.rules.ruling import Ruling, Sample

# 0.975 - 0.970 is 0.0050000000000000044, other pairs fall below 0.005: a delta that equals the
# limit in decimals must not fail it in binary.
ROUNDING = 1e-12


def judge(rule: Rule, challenger: Sample, opponent: Sample) -> Ruling:
    """Judge test metrics of a challenger against those of an opponent (the champion, or the baseline).

    Raises: KeyError when a metric of the rule is missing on either side.
    """
    delta = improvement(rule.direction, challenger.metrics[rule.metric], opponent.metrics[rule.metric])
    if broken := broken_guardrail(rule, challenger.metrics, opponent.metrics):
        return Ruling("reject", delta, broken)
    if delta >= rule.min_delta - ROUNDING:
        return Ruling("promote", delta, f"better by {delta:.6g}, at least the {rule.min_delta:g} required")
    if delta <= -rule.min_delta + ROUNDING:
        return Ruling("reject", delta, f"worse by {-delta:.6g}, at least the {rule.min_delta:g} that rejects")
    return Ruling("hold", delta, f"a difference of {delta:+.6g}, less than the {rule.min_delta:g} required")


def broken_guardrail(rule: Rule, challenger: Mapping[str, float], opponent: Mapping[str, float]) -> str | None:
    """The first guardrail that a challenger breaks, in a part of a sentence."""
    for guardrail in rule.guardrails:
        mine, theirs = challenger[guardrail.metric], opponent[guardrail.metric]
        if -improvement(guardrail.direction, mine, theirs) > guardrail.max_worsening + ROUNDING:
            return (
                f"the guardrail {guardrail.metric} worsened from {theirs:.6g} to {mine:.6g}, "
                f"by more than {guardrail.max_worsening:g}"
            )
    return None


def improvement(direction: str, challenger: float, opponent: float) -> float:
    """How much better the challenger is, in the metric's unit; negative when worse."""
    return opponent - challenger if direction == "minimize" else challenger - opponent
