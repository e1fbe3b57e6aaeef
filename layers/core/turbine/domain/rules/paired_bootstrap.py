"""Promote what is better beyond the luck of the test split's draw, reject what is worse beyond it, hold the rest.

Blocks of the test split's rows are drawn with replacement, the same for both models, and the improvement is measured on
each draw. Its quantiles at 1 - `confidence` and at `confidence` are one-sided bounds: by chance alone, at most one
comparison in 1 / (1 - `confidence`) promotes a model that is no better. Without `non_inferiority_margin` the lower
bound must lie above zero and the improvement itself reach `min_delta`; with it the lower bound must lie above minus the
margin, so that a model which is as good, and newer or smaller, is promoted too.

A margin is given away once. What a promotion may have cost, its lower bound below zero, is off the margin of those
after it, until a better model earns it back: however many follow each other, none is worse than the best of them by
more than the margin, each step at `confidence`.

The interval is true to its level where many rows differ, and too sure of itself where few do: three rows won and none
lost would do. So a model is only called better if luck could not have had it so: were the two alike, each block on
which they differ might as well have been the other's, and of all such exchanges at most 1 - `confidence` may come out
as well. Where two models are alike but for luck that share is exact however few they are (all exchanges of up to 11
blocks are made, else as many are drawn). It is no test of equal means: a model that is a little better nearly always
and very much worse now and then is called better by a split without the latter.

Guardrails are as in `min_delta`: on the values themselves, and first.

Source: exchanges: R. A. Fisher, The Design of Experiments (1935), 21; B. Phipson, G. Smyth, Permutation P-values
should never be zero (2010). Bounds: B. Efron, R. Tibshirani, An Introduction to the Bootstrap (1993), ch. 13
(percentile interval) and 8 (pairs); non-inferiority: ICH E9, 3.3.2, https://database.ich.org/sites/default/files/E9_Guideline.pdf.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping

from turbine.domain.evaluation import EvaluationBlocks, fault, needed, renumbered, value
from turbine.domain.rule import Rule
from turbine.domain.rules import guardrails
from turbine.domain.rules.ruling import ROUNDING, Evidence, Ruling, Sample, improvement

RESAMPLES = 2_000
EXCHANGES_ENUMERATED = 11
FEWEST_BLOCKS = 30
"""With fewer to draw from the quantiles mean nothing."""
_SUMMED_TWICE = 1e-6
"""Both sum the same rows, in another order."""


def judge(rule: Rule, challenger: Sample, opponent: Sample) -> Ruling:
    """Judge a challenger against the champion. Raises: KeyError when a metric of the rule is missing on either side."""
    delta = improvement(rule.direction, challenger.metrics[rule.metric], opponent.metrics[rule.metric])
    if ruling := guardrails.look(rule, delta, challenger, opponent):
        return ruling
    mine, theirs = challenger.blocks, opponent.blocks
    if mine is None or theirs is None:
        whose = "challenger" if mine is None else "champion"
        return Ruling("hold", delta, f"but the {whose} left no evaluation_blocks.json to draw from")
    if mine.columns["rows"] != theirs.columns["rows"]:
        return Ruling("hold", delta, "but the two were not measured on the same rows")
    for whose, blocks, metrics in (("challenger", mine, challenger.metrics), ("champion", theirs, opponent.metrics)):
        if wrong := fault(rule.metric, blocks):
            return Ruling("hold", delta, f"but the {whose}'s evaluation_blocks.json is of no use: {wrong}")
        if not _adds_up(rule.metric, blocks, metrics):
            return Ruling(
                "hold", delta, f"but the {whose}'s evaluation_blocks.json does not add up to its metrics.json"
            )
    theirs = renumbered(theirs, mine.classes)
    names = needed(rule.metric, mine.columns)
    by_class = any("/" in name for name in names)
    if names != needed(rule.metric, theirs.columns) or (by_class and mine.classes != theirs.classes):
        return Ruling("hold", delta, "but the two were not measured on the same classes")
    left = _margin_left(rule, opponent.margin_spent)
    fewest = max(rule.min_rows, _fewest_for_margin(rule.confidence, rule.non_inferiority_margin))
    if mine.row_count < fewest:
        return Ruling("hold", delta, f"but {mine.row_count} test rows are fewer than the {fewest} required")
    filled = sum(rows > 0 for rows in mine.columns["rows"])
    if filled < FEWEST_BLOCKS:
        return Ruling(
            "hold", delta, f"but the test rows fill {filled} blocks, fewer than the {FEWEST_BLOCKS} to draw from"
        )
    if mine.row_count < _fewest_for_margin(rule.confidence, left):
        left = None  # these rows cannot show so little: only a better model is promoted
    seen = measure(rule, mine, theirs)
    if rule.non_inferiority_margin is not None:
        seen = seen.model_copy(update={"margin_spent": max(0.0, opponent.margin_spent - seen.lower)})
    return _decide(rule, delta, seen, left)


def _margin_left(rule: Rule, spent: float) -> float | None:
    """What those before have left of the margin; None without one, and when nothing is left."""
    if rule.non_inferiority_margin is None or rule.non_inferiority_margin - spent <= ROUNDING:
        return None
    return rule.non_inferiority_margin - spent


def _fewest_for_margin(confidence: float, margin: float | None) -> int:
    """With fewer rows a model that is worse by the margin loses none of them more often than the level allows."""
    if margin is None or not 0 < margin < 1:
        return 0
    return math.ceil(math.log(1 - confidence) / math.log(1 - margin))


def _adds_up(metric: str, blocks: EvaluationBlocks, metrics: Mapping[str, float]) -> bool:
    """Whether the blocks are of the evaluation whose metric is judged."""
    totals = {name: sum(blocks.columns[name]) for name in needed(metric, blocks.columns)}
    return math.isclose(value(metric, totals), metrics[metric], rel_tol=_SUMMED_TWICE, abs_tol=_SUMMED_TWICE)


def measure(rule: Rule, mine: EvaluationBlocks, theirs: EvaluationBlocks, resamples: int = RESAMPLES) -> Evidence:
    """The bounds of the improvement. The same for the same evaluations, whoever asks and how often."""
    drawn = sorted(_improvements(rule, mine, theirs, resamples))
    return Evidence(
        rows=mine.row_count,
        blocks=sum(rows > 0 for rows in mine.columns["rows"]),
        resamples=resamples,
        confidence=rule.confidence,
        lower=_quantile(drawn, 1 - rule.confidence),
        upper=_quantile(drawn, rule.confidence),
        share_better=sum(number > 0 for number in drawn) / len(drawn),
        share_exchanged=_share_exchanged(rule, mine, theirs, resamples),
    )


def _decide(rule: Rule, delta: float, seen: Evidence, margin: float | None) -> Ruling:
    """`margin`: what is left of the rule's."""
    bounds = f"between {seen.lower:+.6g} and {seen.upper:+.6g}, each at {rule.confidence:.4g}"
    if margin is not None:
        if seen.lower > -margin:
            why = f"a difference {bounds}: not worse by the margin of {_margin_text(rule, margin)}"
            return Ruling("promote", delta, why, seen)
    elif seen.lower > 0 and seen.share_exchanged > 1 - rule.confidence + ROUNDING:
        share = f"of all exchanges of the rows on which they differ {seen.share_exchanged:.4g} would come out as well"
        return Ruling("hold", delta, f"better by {delta:.6g}, but {share}, more than {1 - rule.confidence:.4g}", seen)
    elif seen.lower > 0 and delta >= rule.min_delta - ROUNDING:
        return Ruling("promote", delta, f"better by {delta:.6g}, {bounds}", seen)
    if seen.upper < 0 and seen.share_exchanged > 1 - rule.confidence + ROUNDING:
        return Ruling("hold", delta, f"worse by {-delta:.6g}, a difference {bounds}, which may be luck", seen)
    if seen.upper < 0 and delta <= -rule.min_delta + ROUNDING:
        return Ruling("reject", delta, f"worse by {-delta:.6g}, a difference {bounds}", seen)
    if seen.lower > 0:
        return Ruling("hold", delta, f"better, {bounds}, but by less than the {rule.min_delta:g} required", seen)
    spent = "" if rule.non_inferiority_margin is None else f"; the margin is {_margin_text(rule, margin)}"
    return Ruling("hold", delta, f"a difference {bounds}, which may be luck{spent}", seen)


def _margin_text(rule: Rule, left: float | None) -> str:
    """The margin, and what is left of it where champions before have spent some."""
    if left is None or rule.non_inferiority_margin is None:
        return f"{rule.non_inferiority_margin:g}, all of it given away by promotions before, or all that rows can show"
    if rule.non_inferiority_margin - left <= ROUNDING:
        return f"{left:g}"
    return f"{rule.non_inferiority_margin:g}, of which promotions before have left {left:.6g}"


def _improvements(rule: Rule, mine: EvaluationBlocks, theirs: EvaluationBlocks, resamples: int) -> Iterator[float]:
    filled = [number for number, rows in enumerate(mine.columns["rows"]) if rows]
    pairs = [
        {
            name: [side.columns[name][number] for number in filled].__getitem__
            for name in needed(rule.metric, side.columns)
        }
        for side in (mine, theirs)
    ]
    dice, places = random.Random(0), range(len(filled))  # noqa: S311  not for secrets
    for _ in range(resamples):
        drawn = dice.choices(places, k=len(filled))
        values = [
            value(rule.metric, {name: sum(map(column, drawn)) for name, column in columns.items()}) for columns in pairs
        ]
        yield improvement(rule.direction, *values)


def _share_exchanged(rule: Rule, mine: EvaluationBlocks, theirs: EvaluationBlocks, resamples: int) -> float:
    """The share of exchanges of blocks between the two that come out as well for the one that is ahead, or better."""
    names = needed(rule.metric, mine.columns)
    differing = [
        number
        for number in range(len(mine.columns["rows"]))
        if any(mine.columns[name][number] != theirs.columns[name][number] for name in names)
    ]
    sums = [{name: sum(side.columns[name]) for name in names} for side in (mine, theirs)]
    gaps = {name: [theirs.columns[name][n] - mine.columns[name][n] for n in differing] for name in names}
    observed = improvement(rule.direction, *(value(rule.metric, side) for side in sums))

    def is_as_good(exchanged: list[int]) -> bool:
        moved = {name: sum(map(column.__getitem__, exchanged)) for name, column in gaps.items()}
        ours = {name: sums[0][name] + moved[name] for name in names}
        others = {name: sums[1][name] - moved[name] for name in names}
        again = improvement(rule.direction, value(rule.metric, ours), value(rule.metric, others))
        return again >= observed - ROUNDING if observed >= 0 else again <= observed + ROUNDING

    if len(differing) <= EXCHANGES_ENUMERATED:
        everyone = range(2 ** len(differing))
        return sum(is_as_good(_chosen(bits, len(differing))) for bits in everyone) / len(everyone)
    dice = random.Random(1)  # noqa: S311  not for secrets
    as_good = sum(is_as_good(_chosen(dice.getrandbits(len(differing)), len(differing))) for _ in range(resamples))
    return (1 + as_good) / (1 + resamples)


def _chosen(bits: int, count: int) -> list[int]:
    return [number for number in range(count) if bits >> number & 1]


def _quantile(ordered: list[float], share: float) -> float:
    """The smallest number that at least `share` of all are not above."""
    return ordered[min(len(ordered) - 1, max(0, round(share * len(ordered)) - 1))]
