"""What a better model may not pay with: a second metric, the recall of a class, or a metric on some of the rows.

A mean hides a class that is found less often. `class_guardrail` looks at each class that has enough test rows, by what
the jobs have summed (`evaluation_blocks.json`). `slice_guardrails` do so by the values of a column: `slices`.
"""

from __future__ import annotations

from collections.abc import Mapping

from turbine.domain.evaluation import ClassLabel, EvaluationBlocks, fault
from turbine.domain.rule import ClassGuardrail, Rule
from turbine.domain.rules import slices
from turbine.domain.rules.ruling import ROUNDING, Ruling, Sample, improvement

Counts = Mapping[ClassLabel, tuple[float, float]]
"""Of each class: its test rows, and how many of them were named rightly."""


def look(rule: Rule, delta: float, challenger: Sample, opponent: Sample) -> Ruling | None:
    """A ruling where a guardrail is broken, or cannot be looked at; None where all is well.

    Raises: KeyError when a metric of the rule is missing on either side.
    """
    for guardrail in rule.guardrails:
        mine, theirs = challenger.metrics[guardrail.metric], opponent.metrics[guardrail.metric]
        if -improvement(guardrail.direction, mine, theirs) > guardrail.max_worsening + ROUNDING:
            broken = f"the guardrail {guardrail.metric} worsened from {theirs:.6g} to {mine:.6g}"
            return Ruling("reject", delta, f"{broken}, by more than {guardrail.max_worsening:g}")
    if rule.class_guardrail is not None and (
        ruling := _look_at_classes(rule.class_guardrail, delta, challenger.blocks, opponent.blocks)
    ):
        return ruling
    return slices.look(rule, delta, challenger, opponent)


def _look_at_classes(
    guardrail: ClassGuardrail, delta: float, mine: EvaluationBlocks | None, theirs: EvaluationBlocks | None
) -> Ruling | None:
    for whose, blocks in (("challenger", mine), ("champion", theirs)):
        if why := _unusable(blocks):
            return Ruling("hold", delta, f"but the {whose}'s recall of each class is not known: {why}")
    ours, others = _counts(mine), _counts(theirs)
    for name, (rows, hits) in ours.items():
        if rows < guardrail.min_rows:
            continue
        same_rows, other_hits = others.get(name, (0.0, 0.0))
        if rows != same_rows:
            return Ruling("hold", delta, f"but the two were not measured on the same rows of class {name}")
        if other_hits / rows - hits / rows > guardrail.max_worsening + ROUNDING:
            worse = f"the recall of class {name} worsened from {other_hits / rows:.6g} to {hits / rows:.6g}"
            return Ruling("reject", delta, f"{worse} on {rows:.0f} rows, by more than {guardrail.max_worsening:g}")
    return None


def _unusable(blocks: EvaluationBlocks | None) -> str | None:
    if blocks is None:
        return "there is no evaluation_blocks.json"
    if blocks.classes is None:
        return "evaluation_blocks.json names no classes (of at most 32)"
    counted = {name for name in blocks.columns if name.startswith("actual/")}
    if counted != {f"actual/{number}" for number in range(len(blocks.classes))}:
        return "evaluation_blocks.json does not count the classes that it names"
    return fault("balanced_accuracy", blocks)


def _counts(blocks: EvaluationBlocks | None) -> Counts:
    """None are counted where there are no blocks."""
    if blocks is None:
        return {}
    return {
        name: (sum(blocks.columns[f"actual/{number}"]), sum(blocks.columns[f"hits/{number}"]))
        for number, name in enumerate(blocks.classes or [])
    }
