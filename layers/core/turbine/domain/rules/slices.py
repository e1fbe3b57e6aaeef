"""No group of rows may pay for a better mean: a metric on each value of a column, such as a site, a device or a sex.

Both models' jobs have summed their evaluation by the values of the column, on the same test rows. A slice with fewer
than `min_rows` of them is left out, and the verdict says so: on a handful of rows luck decides. What cannot be looked
at holds the challenger.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from turbine.domain.evaluation import EvaluationBlocks, SliceSums, fault, needed, value
from turbine.domain.recipes import direction_of
from turbine.domain.rule import Rule, SliceGuardrail
from turbine.domain.rules.ruling import ROUNDING, Ruling, Sample, SliceEvidence, SliceNumbers, improvement

NAMED_MAX = 3
SHOWN_MAX = 40
"""Characters of a value that a sentence shows."""
_SUMMED_TWICE = 1e-6
"""Both sum the same rows, in another order."""


class _Slice(NamedTuple):
    """Its key in both evaluations: a value, or how many are folded into it."""

    value: str | None
    folded: int


def look(rule: Rule, delta: float, challenger: Sample, opponent: Sample) -> Ruling | None:
    """A ruling where a slice is worse than allowed, or cannot be looked at; None where all is well.

    Raises: KeyError when a metric of the rule is missing on either side.
    """
    for guardrail in rule.slice_guardrails:
        seen = compare(guardrail, challenger, opponent)
        if isinstance(seen, str):
            return Ruling(
                "hold", delta, f"but {guardrail.metric} by {_shown(guardrail.column)} cannot be judged: {seen}"
            )
        broken = [numbers for numbers in seen.slices if numbers.is_judged and _worsening(seen, numbers) > 0]
        if broken:
            return Ruling("reject", delta, _complaint(seen, broken))
    return None


def evidence(rule: Rule, challenger: Sample, opponent: Sample) -> tuple[SliceEvidence, ...]:
    """Every number that `look` may have used."""
    seen = (compare(guardrail, challenger, opponent) for guardrail in rule.slice_guardrails)
    return tuple(one for one in seen if not isinstance(one, str))


def left_out(seen: tuple[SliceEvidence, ...]) -> str:
    """Which slices had too few rows to be judged, as the end of a sentence; empty when none."""
    by_column = {(one.column, one.min_rows): one for one in seen}
    parts = list(filter(None, map(_left_out, by_column.values())))
    return f"; not judged: {'; '.join(parts)}" if parts else ""


def compare(guardrail: SliceGuardrail, challenger: Sample, opponent: Sample) -> SliceEvidence | str:
    """The two on every slice, or why that is not known.

    Raises: KeyError when the guardrail's metric is missing on either side.
    """
    sums = []
    for whose, sample in (("challenger", challenger), ("champion", opponent)):
        found = _sums(guardrail, sample.blocks, sample.metrics)
        if isinstance(found, str):
            return f"the {whose}'s {found}"
        sums.append(_by_slice(found))
    mine, theirs = sums
    for key in dict.fromkeys([*mine, *theirs]):
        if key not in mine or key not in theirs or mine[key]["rows"] != theirs[key]["rows"]:
            return f"the two were not measured on the same rows {_where(guardrail.column, *key)}"
    return SliceEvidence(
        column=guardrail.column,
        metric=guardrail.metric,
        max_worsening=guardrail.max_worsening,
        min_rows=guardrail.min_rows,
        slices=[
            SliceNumbers(
                value=key.value,
                folded=key.folded,
                rows=round(mine[key]["rows"]),
                challenger=value(guardrail.metric, mine[key]),
                champion=value(guardrail.metric, theirs[key]),
                is_judged=mine[key]["rows"] >= guardrail.min_rows,
            )
            for key in sorted(mine, key=lambda key: -mine[key]["rows"])
        ],
    )


def _sums(guardrail: SliceGuardrail, blocks: EvaluationBlocks | None, metrics: Mapping[str, float]) -> SliceSums | str:
    """A model's sums by the guardrail's column, or what is wrong with them."""
    if blocks is None:
        return "run left no evaluation_blocks.json"
    sums = blocks.slices.get(guardrail.column)
    if sums is None:
        return f"evaluation_blocks.json has no sums by {_shown(guardrail.column)}"
    problem = fault(guardrail.metric, sums) or _empty(guardrail.metric, sums)
    if problem:
        return f"sums by {_shown(guardrail.column)} are of no use: {problem}"
    measured = metrics[guardrail.metric]
    again = value(guardrail.metric, {name: sums.totals[name] for name in needed(guardrail.metric, sums.columns)})
    if sums.row_count != blocks.row_count or not math.isclose(
        again, measured, rel_tol=_SUMMED_TWICE, abs_tol=_SUMMED_TWICE
    ):
        return f"sums by {_shown(guardrail.column)} do not add up to its metrics.json"
    return sums


def _empty(metric: str, sums: SliceSums) -> str | None:
    """Whether a slice has nothing that a mean could be taken of."""
    names = needed(metric, sums.columns)
    classes = [name for name in names if name.startswith("actual/")]
    for place, rows in enumerate(sums.columns["rows"]):
        if rows <= 0 or (classes and not any(sums.columns[name][place] for name in classes)):
            return "a slice has no rows, or none of any class"
    return None


def _by_slice(sums: SliceSums) -> dict[_Slice, dict[str, float]]:
    keys = [_Slice(name, 0) for name in sums.values] + ([_Slice(None, sums.folded)] if sums.folded else [])
    return {key: {name: column[place] for name, column in sums.columns.items()} for place, key in enumerate(keys)}


def _worsening(seen: SliceEvidence, numbers: SliceNumbers) -> float:
    """By how much more than allowed; negative or 0 where that is well."""
    worse = -improvement(direction_of(seen.metric), numbers.challenger, numbers.champion)
    return worse - seen.max_worsening - ROUNDING


def _complaint(seen: SliceEvidence, broken: list[SliceNumbers]) -> str:
    """Of the slice that is worst off."""
    worst = max(broken, key=lambda numbers: _worsening(seen, numbers))
    others = f", as it did on {len(broken) - 1} more" if len(broken) > 1 else ""
    return (
        f"the {seen.metric} {_where(seen.column, worst.value, worst.folded)} worsened from {worst.champion:.6g} "
        f"to {worst.challenger:.6g} on {worst.rows} rows, by more than {seen.max_worsening:g}{others}"
    )


def _left_out(seen: SliceEvidence) -> str:
    few = [numbers for numbers in seen.slices if not numbers.is_judged]
    if not few:
        return ""
    named = ", ".join(_named(numbers) for numbers in few[:NAMED_MAX])
    more = f" and {len(few) - NAMED_MAX} more" if len(few) > NAMED_MAX else ""
    return f"where {_shown(seen.column)} is {named}{more}, with fewer than {seen.min_rows} rows"


def _named(numbers: SliceNumbers) -> str:
    return f"{_value(numbers.value, numbers.folded)} ({numbers.rows})"


def _where(column: str, name: str | None, folded: int) -> str:
    return f"where {_shown(column)} is {_value(name, folded)}"


def _value(name: str | None, folded: int) -> str:
    if folded:
        return f"one of {folded} rarer values"
    return "missing" if name is None else _shown(name)


def _shown(text: str) -> str:
    """As it may stand in a sentence: in quotes, without control characters, and cut."""
    return repr(text if len(text) <= SHOWN_MAX else f"{text[: SHOWN_MAX - 1]}…")
