"""The rule that asks whether a difference may be luck."""

from __future__ import annotations

import random
from typing import Any

import pytest
from pydantic import ValidationError

from turbine.domain.evaluation import EvaluationBlocks
from turbine.domain.rule import Rule
from turbine.domain.rules import RULES, Ruling, Sample, paired_bootstrap

BLOCKS, ROWS = 128, 1_000


def rule(**given: Any) -> Rule:
    fields = {"name": "paired_bootstrap", "metric": "accuracy", "direction": "maximize", "min_delta": 0.005}
    return Rule.model_validate(fields | given)


def sample(hits: list[bool], **more: float) -> Sample:
    """Of rows that were answered well or not; row i is in block i mod BLOCKS."""
    rows, columns = [0.0] * BLOCKS, [0.0] * BLOCKS
    for number, hit in enumerate(hits):
        rows[number % BLOCKS] += 1
        columns[number % BLOCKS] += hit
    blocks = EvaluationBlocks(columns={"rows": rows, "hits": columns})
    return Sample({"accuracy": sum(hits) / len(hits), **more}, blocks)


def pair(seed: int, mine: float, theirs: float, rows: int = ROWS) -> tuple[Sample, Sample]:
    """Two models that are right that often, and mostly on the same rows, as models of one data set are."""
    dice = random.Random(seed)
    difficulties = [dice.random() for _ in range(rows)]
    return tuple(  # type: ignore[return-value]
        sample([(dice.random() if dice.random() < 0.3 else hard) < level for hard in difficulties])
        for level in (mine, theirs)
    )


def judged(given: Rule, mine: Sample, theirs: Sample) -> Ruling:
    return RULES["paired_bootstrap"](given, mine, theirs)


@pytest.mark.parametrize(
    ("mine", "theirs", "decision"), [(0.93, 0.88, "promote"), (0.90, 0.90, "hold"), (0.88, 0.93, "reject")]
)
def test_what_is_beyond_luck_decides(mine: float, theirs: float, decision: str) -> None:
    ruling = judged(rule(), *pair(1, mine, theirs))
    assert ruling.decision == decision
    assert ruling.evidence is not None
    assert ruling.evidence.lower < ruling.delta < ruling.evidence.upper
    assert (ruling.evidence.rows, ruling.evidence.blocks, ruling.evidence.confidence) == (ROWS, BLOCKS, 0.95)


@pytest.mark.parametrize(
    ("won", "lost", "share", "decision"),
    [(3, 0, 1 / 8, "hold"), (4, 0, 1 / 16, "hold"), (5, 0, 1 / 32, "promote"), (7, 1, 9 / 256, "promote")],
)
def test_few_rows_that_differ_are_counted_out(won: int, lost: int, share: float, decision: str) -> None:
    """The interval alone would promote for three rows won and none lost: what luck gives one in eight."""
    rows = 100
    theirs = [number >= won for number in range(rows)]
    mine = [number < won or number < rows - lost for number in range(rows)]
    ruling = judged(rule(), sample(mine), sample(theirs))
    assert ruling.evidence is not None
    assert ruling.evidence.lower > 0
    assert ruling.evidence.share_exchanged == pytest.approx(share)
    assert ruling.decision == decision
    assert (f"{share:.4g} would come out as well" in ruling.why) == (decision == "hold")


def test_a_few_rows_lost_may_be_luck_too() -> None:
    theirs, mine = [True] * 100, [number >= 3 for number in range(100)]
    ruling = judged(rule(), sample(mine), sample(theirs))
    assert ruling.evidence is not None and ruling.evidence.upper < 0
    assert (ruling.decision, ruling.evidence.share_exchanged) == ("hold", 1 / 8)
    assert judged(rule(), sample([number >= 6 for number in range(100)]), sample(theirs)).decision == "reject"


@pytest.mark.parametrize(
    ("margin", "rows", "decision"), [(0.02, 148, "hold"), (0.02, 149, "promote"), (0.01, 298, "hold")]
)
def test_a_margin_wants_rows_enough_to_see_it(margin: float, rows: int, decision: str) -> None:
    same = sample([number % 20 != 0 for number in range(rows)])
    ruling = judged(rule(non_inferiority_margin=margin), same, same)
    assert ruling.decision == decision
    assert ("fewer than the" in ruling.why) == (decision == "hold")


FULL = [1.0] * 40


@pytest.mark.parametrize(
    ("metric", "columns", "words"),
    [
        ("macro_f1", {"hits/abc": FULL, "actual/abc": FULL, "predicted/abc": FULL}, "names no class by its number"),
        ("accuracy", {"rows": [0.0] * 40, "hits": [0.0] * 40}, "it has no rows"),
        ("macro_f1", {"hits/1": [0.0] * 40, "actual/1": [0.0] * 40, "predicted/1": FULL}, "none of its rows is of any"),
        ("rmse", {"squared_error": [-1.0] * 40}, "squared_error is negative"),
        ("accuracy", {"hits": [2.0] * 40}, "counts more than it has rows"),
        ("log_loss", {"hits": FULL}, "log_loss cannot be put together"),
    ],
)
def test_blocks_that_make_no_sense_hold_and_say_why(metric: str, columns: dict[str, list[float]], words: str) -> None:
    bad = Sample({metric: 1.0}, EvaluationBlocks(columns={"rows": FULL} | columns))
    direction = "minimize" if metric in ("rmse", "log_loss") else "maximize"
    ruling = judged(rule(metric=metric, direction=direction), bad, bad)
    assert ruling.decision == "hold"
    assert words in ruling.why


def test_models_of_other_classes_are_not_compared() -> None:
    def of_classes(*numbers: int) -> Sample:
        share = [1.0 / len(numbers)] * 40
        columns = {f"{kind}/{number}": share for number in numbers for kind in ("actual", "predicted", "hits")}
        return Sample({"macro_f1": 1.0}, EvaluationBlocks(columns={"rows": FULL, **columns}))

    ruling = judged(rule(metric="macro_f1", min_rows=2), of_classes(0, 1), of_classes(0))
    assert (ruling.decision, "same classes" in ruling.why) == ("hold", True)


def test_many_exchanges_are_drawn_and_never_none() -> None:
    ruling = judged(rule(), *pair(1, 0.95, 0.85))
    assert ruling.evidence is not None
    assert ruling.evidence.share_exchanged == 1 / 2001


def test_the_same_evaluations_give_the_same_bounds() -> None:
    mine, theirs = pair(2, 0.91, 0.90)
    assert judged(rule(), mine, theirs) == judged(rule(), mine, theirs)


def test_a_sure_but_small_gain_is_held() -> None:
    hits = [True] * 900 + [False] * 100
    ruling = judged(rule(min_delta=0.05), sample([True] * 920 + [False] * 80), sample(hits))
    assert (ruling.decision, "by less than the 0.05" in ruling.why) == ("hold", True)


def test_as_good_is_enough_where_a_margin_says_so() -> None:
    mine, theirs = pair(3, 0.90, 0.90)
    assert judged(rule(), mine, theirs).decision == "hold"
    assert judged(rule(non_inferiority_margin=0.05), mine, theirs).decision == "promote"
    worse, good = pair(3, 0.80, 0.90)
    assert judged(rule(non_inferiority_margin=0.05), worse, good).decision == "reject"


def test_pairing_is_what_sees_a_small_gain() -> None:
    """The same two models, but the champion's rows dealt anew: the same difference may then be luck."""
    theirs = [number % 10 != 0 for number in range(ROWS)]
    mine = [hit or number % 50 == 0 for number, hit in enumerate(theirs)]
    assert judged(rule(), sample(mine), sample(theirs)).decision == "promote"
    random.Random(1).shuffle(theirs)
    assert judged(rule(), sample(mine), sample(theirs)).decision == "hold"


def test_what_cannot_be_drawn_is_held_and_said() -> None:
    mine, theirs = pair(4, 0.99, 0.5)
    fewer = sample([True] * 90)
    crowded = Sample({"accuracy": 0.5}, EvaluationBlocks(columns={"rows": [200], "hits": [100]}))
    for challenger, champion, given, why in (
        (Sample(mine.metrics), theirs, rule(), "challenger left no evaluation_blocks.json"),
        (mine, Sample(theirs.metrics), rule(), "champion left no evaluation_blocks.json"),
        (mine, fewer, rule(), "not measured on the same rows"),
        (
            mine._replace(metrics={"accuracy": 0.999}),
            theirs,
            rule(),
            "challenger's evaluation_blocks.json does not add up",
        ),
        (mine, theirs._replace(metrics={"accuracy": 0.4}), rule(), "champion's evaluation_blocks.json does not add up"),
        (crowded, crowded, rule(), "fill 1 blocks, fewer than the 30"),
        (fewer, fewer, rule(), "90 test rows are fewer than the 100 required"),
        (
            Sample({"macro_f1": 0.9}, mine.blocks),
            Sample({"macro_f1": 0.1}, theirs.blocks),
            rule(metric="macro_f1"),
            "put",
        ),
    ):
        ruling = judged(given, challenger, champion)
        assert (ruling.decision, why in ruling.why) == ("hold", True), ruling


def test_a_broken_guardrail_rejects_whatever_was_won() -> None:
    guardrails = [{"metric": "log_loss", "direction": "minimize", "max_worsening": 0.02}]
    mine, theirs = pair(5, 0.95, 0.85)
    mine, theirs = (
        mine._replace(metrics={**mine.metrics, "log_loss": 0.3}),
        theirs._replace(metrics={**theirs.metrics, "log_loss": 0.1}),
    )
    assert judged(rule(guardrails=guardrails), mine, theirs).decision == "reject"


def test_a_model_that_is_no_better_is_seldom_promoted() -> None:
    """A share of `benchmarks/comparison.py`. Choosing the better number promotes half of them: the control."""
    pairs, lucky, higher = 120, 0, 0
    for seed in range(pairs):
        mine, theirs = pair(seed, 0.9, 0.9, rows=400)
        assert mine.blocks and theirs.blocks
        seen = paired_bootstrap.measure(rule(), mine.blocks, theirs.blocks, resamples=200)
        lucky += seen.lower > 0
        higher += mine.metrics["accuracy"] > theirs.metrics["accuracy"]
    assert lucky <= 0.05 * pairs + 3 * (0.05 * 0.95 * pairs) ** 0.5
    assert higher > 0.35 * pairs


def test_a_margin_belongs_to_this_rule() -> None:
    with pytest.raises(ValidationError, match="non_inferiority_margin is for the rule paired_bootstrap"):
        rule(name="min_delta", non_inferiority_margin=0.1)


def balanced(names: list[str], hits: list[float]) -> Sample:
    """Of classes with two rows a block each, of which such shares were named rightly."""
    columns = {"rows": [2.0 * len(names)] * BLOCKS}
    for number, share in enumerate(hits):
        columns |= {f"actual/{number}": [2.0] * BLOCKS, f"predicted/{number}": [2.0] * BLOCKS}
        columns[f"hits/{number}"] = [2.0 * share] * BLOCKS
    value = sum(hits) / len(hits)
    return Sample({"balanced_accuracy": value}, EvaluationBlocks(classes=[*names], columns=columns))


def test_classes_are_compared_by_their_names() -> None:
    """Class number 0 of one may be number 1 of the other: a program of a team's own numbers them as it likes."""
    given = rule(metric="balanced_accuracy")
    mine = balanced(["no", "yes"], [1.0, 1.0])
    in_order, turned = balanced(["no", "yes"], [0.5, 1.0]), balanced(["yes", "no"], [1.0, 0.5])
    assert judged(given, mine, in_order).decision == "promote"
    assert judged(given, mine, turned) == judged(given, mine, in_order)
    ruling = judged(given, mine, balanced(["no", "perhaps"], [0.5, 1.0]))
    assert (ruling.decision, "same classes" in ruling.why) == ("hold", True)


def test_a_margin_is_given_away_once() -> None:
    """What promotions before may have cost is off the margin, and a better model earns it back."""
    given = rule(non_inferiority_margin=0.05)
    mine, theirs = pair(3, 0.90, 0.90)
    first = judged(given, mine, theirs)
    assert first.evidence is not None
    assert first.evidence.margin_spent == pytest.approx(-first.evidence.lower)
    assert 0.01 < first.evidence.margin_spent < 0.05
    after = theirs._replace(margin_spent=0.05 - first.evidence.margin_spent / 2)
    held = judged(given, mine, after)
    assert held.decision == "hold"
    assert "the margin is 0.05, of which promotions before have left 0.0" in held.why
    gone = judged(given, mine, theirs._replace(margin_spent=0.05))
    assert (gone.decision, "all of it given away" in gone.why) == ("hold", True)
    better, worse = pair(1, 0.93, 0.88)
    earned = judged(given, better, worse._replace(margin_spent=0.05))
    assert earned.decision == "promote"
    assert earned.evidence is not None
    assert earned.evidence.margin_spent == pytest.approx(0.05 - earned.evidence.lower)
    assert earned.evidence.margin_spent < 0.05


@pytest.mark.parametrize("spent", [0.0, 0.0475, 0.0499, 0.05])
def test_a_better_model_is_promoted_whatever_is_left_of_the_margin(spent: float) -> None:
    """Too few rows to see what is left of it must not hold the one model that could earn it back."""
    better, worse = pair(1, 0.93, 0.88)
    assert judged(rule(non_inferiority_margin=0.05), better, worse._replace(margin_spent=spent)).decision == "promote"


def test_a_chain_of_models_that_are_a_little_worse_ends_within_the_margin() -> None:
    """Each is worse than the one before by less than the margin; all together by much more."""
    given, level, spent, promoted = rule(non_inferiority_margin=0.03), 0.90, 0.0, []
    for seed in range(12):
        mine, theirs = pair(seed, level - 0.008, level, rows=4_000)
        ruling = judged(given, mine, theirs._replace(margin_spent=spent))
        if ruling.decision == "promote":
            assert ruling.evidence is not None
            level, spent = level - 0.008, ruling.evidence.margin_spent
            promoted.append(seed)
    assert 1 <= len(promoted) <= 3
    assert level >= 0.90 - 0.03
    unbound = [judged(given, *pair(seed, 0.892, 0.90, rows=4_000)).decision for seed in range(12)]
    assert unbound.count("promote") >= 10
