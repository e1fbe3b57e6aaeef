"""Promote what is better by at least `min_delta`, reject what is worse by as much, hold the rest.

The delta is in the metric's own unit and positive when the challenger is the better one, whichever
direction the metric has. Guardrails come first.

Source: the minimum effect size of a superiority test, with a hold zone of the same width on both
sides of zero (ICH E9, 3.3.2, https://database.ich.org/sites/default/files/E9_Guideline.pdf).
"""

from __future__ import annotations

from turbine.domain.rule import Rule
from turbine.domain.rules import guardrails
from turbine.domain.rules.ruling import ROUNDING, Ruling, Sample, improvement


def judge(rule: Rule, challenger: Sample, opponent: Sample) -> Ruling:
    """Judge test metrics of a challenger against those of an opponent (the champion, or the baseline).

    Raises: KeyError when a metric of the rule is missing on either side.
    """
    delta = improvement(rule.direction, challenger.metrics[rule.metric], opponent.metrics[rule.metric])
    if ruling := guardrails.look(rule, delta, challenger, opponent):
        return ruling
    if delta >= rule.min_delta - ROUNDING:
        return Ruling("promote", delta, f"better by {delta:.6g}, at least the {rule.min_delta:g} required")
    if delta <= -rule.min_delta + ROUNDING:
        return Ruling("reject", delta, f"worse by {-delta:.6g}, at least the {rule.min_delta:g} that rejects")
    return Ruling("hold", delta, f"a difference of {delta:+.6g}, less than the {rule.min_delta:g} required")
