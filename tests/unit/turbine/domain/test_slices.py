"""A metric on the rows of each value of a column: a better model may not be worse for any of them."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from turbine.domain import team, verdict
from turbine.domain.evaluation import EvaluationBlocks
from turbine.domain.metrics import Measured
from turbine.domain.rejection import ManifestFaultyError
from turbine.domain.rule import Rule
from turbine.domain.rules import RULES, Ruling, Sample, slices

GUARDRAIL: dict[str, Any] = {"column": "site", "metric": "accuracy", "max_worsening": 0.02, "min_rows": 30}
RULE: dict[str, Any] = {
    "name": "min_delta",
    "metric": "accuracy",
    "direction": "maximize",
    "min_delta": 0.01,
    "slice_guardrails": [GUARDRAIL],
}
ROWS = {"A": 200, "B": 100, "C": 12}
CHAMPION = {"A": 160, "B": 90, "C": 10}


def sliced(hits: dict[str | None, int], rows: dict[str | None, int], folded: int = 0) -> dict[str, Any]:
    """The sums by a column as its job leaves them; with `folded` the last one is of other values."""
    names: list[str | None] = list(rows)
    columns = {"rows": [float(rows[name]) for name in names], "hits": [float(hits[name]) for name in names]}
    return {"values": names[:-1] if folded else names, "folded": folded, "columns": columns}


def sample(hits: dict[Any, int], rows: dict[Any, int] = ROWS, folded: int = 0, **changes: Any) -> Sample:
    """A model by how many rows of each site it names rightly; one block holds them all."""
    every, found = float(sum(rows.values())), float(sum(hits.values()))
    document = {
        "columns": {"rows": [every], "hits": [found]},
        "slices": {"site": sliced(hits, rows, folded)},
    }
    return Sample({"accuracy": found / every}, EvaluationBlocks.model_validate(document | changes))


def judge(challenger: Sample, champion: Sample, **changes: Any) -> Ruling:
    rule = Rule.model_validate(RULE | changes)
    return RULES[rule.name](rule, challenger, champion)


def guarded(**changes: Any) -> dict[str, Any]:
    return {"slice_guardrails": [GUARDRAIL | changes]}


@pytest.mark.parametrize("name", ["min_delta", "paired_bootstrap"])
def test_a_site_that_is_worse_off_rejects_a_better_model(name: str) -> None:
    ruling = judge(sample({"A": 190, "B": 85, "C": 10}), sample(CHAMPION), name=name)
    assert ruling.decision == "reject" and ruling.delta > 0
    assert ruling.why == "the accuracy where 'site' is 'B' worsened from 0.9 to 0.85 on 100 rows, by more than 0.02"


def test_without_the_guardrail_the_same_model_is_promoted() -> None:
    better = sample({"A": 190, "B": 85, "C": 10})
    assert judge(better, sample(CHAMPION), slice_guardrails=[]).decision == "promote"


@pytest.mark.parametrize(
    ("hits", "changes", "decision"),
    [
        ({"A": 190, "B": 88, "C": 10}, {}, "promote"),
        ({"A": 190, "B": 87, "C": 10}, {}, "reject"),
        ({"A": 190, "B": 87, "C": 10}, {"max_worsening": 0.03}, "promote"),
        ({"A": 190, "B": 90, "C": 0}, {}, "promote"),
        ({"A": 190, "B": 90, "C": 0}, {"min_rows": 13}, "promote"),
        ({"A": 190, "B": 90, "C": 0}, {"min_rows": 12}, "reject"),
        ({"A": 190, "B": 89, "C": 10}, {"max_worsening": 0.0}, "reject"),
        ({"A": 160, "B": 90, "C": 10}, {"max_worsening": 0.0}, "hold"),
        ({"A": 190, "B": 0, "C": 0}, {"min_rows": 201}, "reject"),
    ],
)
def test_the_limit_and_the_smallest_slice(hits: dict[Any, int], changes: dict[str, Any], decision: str) -> None:
    assert judge(sample(hits), sample(CHAMPION), **guarded(**changes)).decision == decision


def test_the_slice_that_is_worst_off_is_named() -> None:
    ruling = judge(sample({"A": 150, "B": 80, "C": 10}), sample(CHAMPION))
    assert ruling.why == (
        "the accuracy where 'site' is 'B' worsened from 0.9 to 0.8 on 100 rows, by more than 0.02, as it did on 1 more"
    )


def test_rows_without_a_value_and_rarer_values_are_slices_too() -> None:
    rows = {None: 50, "A": 200, "others": 40}
    champion = sample({None: 50, "A": 100, "others": 40}, rows, folded=7)
    missing = judge(sample({None: 40, "A": 150, "others": 40}, rows, folded=7), champion)
    assert missing.why.startswith("the accuracy where 'site' is missing worsened from 1 to 0.8 on 50 rows")
    rarer = judge(sample({None: 50, "A": 150, "others": 30}, rows, folded=7), champion)
    assert rarer.why.startswith("the accuracy where 'site' is one of 7 rarer values worsened from 1 to 0.75 on 40 rows")


def test_slices_are_matched_by_name_and_not_by_place() -> None:
    turned = sample({"C": 10, "B": 90, "A": 160}, {"C": 12, "B": 100, "A": 200})
    assert judge(sample({"A": 190, "B": 90, "C": 10}), turned).decision == "promote"
    assert "'B' worsened from 0.9 to 0.85" in judge(sample({"A": 190, "B": 85, "C": 10}), turned).why


def test_a_metric_to_minimize_worsens_upwards() -> None:
    def of(squares: dict[str, float]) -> Sample:
        columns = {"rows": [100.0, 100.0], "squared_error": list(squares.values())}
        total = {"rows": [200.0], "squared_error": [sum(squares.values())]}
        slices_of = {"site": {"values": list(squares), "columns": columns}}
        blocks = EvaluationBlocks.model_validate({"columns": total, "slices": slices_of})
        return Sample({"rmse": (total["squared_error"][0] / 200) ** 0.5}, blocks)

    rule = {"metric": "rmse", "direction": "minimize", **guarded(metric="rmse", max_worsening=0.5)}
    champion = of({"A": 900.0, "B": 100.0})
    assert judge(of({"A": 100.0, "B": 225.0}), champion, **rule).decision == "promote"
    ruling = judge(of({"A": 100.0, "B": 400.0}), champion, **rule)
    assert ruling.why.startswith("the rmse where 'site' is 'B' worsened from 1 to 2 on 100 rows")


@pytest.mark.parametrize("whose", ["challenger", "champion"])
@pytest.mark.parametrize(
    ("broken", "why"),
    [
        (Sample({"accuracy": 260 / 312}), "run left no evaluation_blocks.json"),
        (sample(CHAMPION, slices={}), "evaluation_blocks.json has no sums by 'site'"),
        (
            sample(CHAMPION, slices={"site": sliced({"A": 260}, {"A": 311})}),
            "sums by 'site' do not add up to its metrics.json",
        ),
        (
            sample(CHAMPION, slices={"site": sliced({"A": 200, "B": 50}, {"A": 200, "B": 112})}),
            "sums by 'site' do not add up to its metrics.json",
        ),
        (
            sample(CHAMPION, slices={"site": {"values": ["A"], "columns": {"rows": [312.0]}}}),
            "sums by 'site' are of no use: accuracy cannot be put together from its columns",
        ),
        (
            sample(CHAMPION, slices={"site": sliced({"A": 260, "B": 0}, {"A": 312, "B": 0})}),
            "sums by 'site' are of no use: a slice has no rows, or none of any class",
        ),
        (
            sample(CHAMPION, slices={"site": sliced({"A": 201, "B": 59}, {"A": 200, "B": 112})}),
            "sums by 'site' are of no use: a block counts more than it has rows",
        ),
    ],
)
def test_what_cannot_be_looked_at_holds(broken: Sample, why: str, whose: str) -> None:
    pair = (broken, sample(CHAMPION)) if whose == "challenger" else (sample(CHAMPION), broken)
    ruling = judge(*pair)
    assert (ruling.decision, ruling.why) == ("hold", f"but accuracy by 'site' cannot be judged: the {whose}'s {why}")


@pytest.mark.parametrize(
    ("rows", "folded"),
    [({"A": 200, "B": 99, "C": 13}, 0), ({"A": 200, "B": 100, "D": 12}, 0), (ROWS, 5)],
    ids=["other counts", "another value", "another fold"],
)
def test_other_rows_hold(rows: dict[Any, int], folded: int) -> None:
    other = sample(dict(zip(rows, (160, 90, 10), strict=True)), rows, folded)
    ruling = judge(sample(CHAMPION), other)
    assert ruling.decision == "hold" and "the two were not measured on the same rows where 'site' is" in ruling.why


def test_a_slice_without_a_row_of_any_class_is_no_mean_of_nothing() -> None:
    columns = {
        "rows": [50.0, 50.0],
        "actual/0": [50.0, 0.0],
        "predicted/0": [50.0, 50.0],
        "hits/0": [50.0, 0.0],
    }
    total = {name: [sum(column)] for name, column in columns.items()}
    document = {"columns": total, "classes": ["x"], "slices": {"site": {"values": ["A", "B"], "columns": columns}}}
    broken = Sample({"balanced_accuracy": 1.0}, EvaluationBlocks.model_validate(document))
    rule = {"metric": "balanced_accuracy", **guarded(metric="balanced_accuracy")}
    assert "a slice has no rows, or none of any class" in judge(broken, broken, **rule).why


@pytest.mark.parametrize(
    "document",
    [
        {"values": ["A", "A"], "columns": {"rows": [1, 1]}},
        {"values": ["A"], "columns": {"rows": [1, 1]}},
        {"values": ["A"], "folded": 2, "columns": {"rows": [1]}},
        {"values": ["A" * 129], "columns": {"rows": [1]}},
        {"values": [str(number) for number in range(33)], "columns": {"rows": [1] * 33}},
    ],
)
def test_sums_that_fit_no_values_are_refused(document: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        EvaluationBlocks.model_validate({"columns": {"rows": [1]}, "slices": {"site": document}})


def test_a_file_of_before_slices_is_read() -> None:
    assert EvaluationBlocks.model_validate({"columns": {"rows": [1]}}).slices == {}


def side(of: Sample, run_id: str) -> verdict.Side:
    measured = {
        name: Measured(cloudwatch=number, file=number, period_s=60, timestamp=None)
        for name, number in of.metrics.items()
    }
    return verdict.Side(run_id=run_id, split_id="s", metrics=measured)


def decided(challenger: Sample, champion: Sample | None, **changes: Any) -> verdict.Verdict:
    return verdict.decide(
        side(challenger, "new"),
        None if champion is None else side(champion, "old"),
        rule=Rule.model_validate(RULE | changes),
        team="clinic",
        baseline={"accuracy": 0.1},
        champion_version=1,
        decided_at="now",
        blocks=(challenger.blocks, None if champion is None else champion.blocks),
    )


def test_the_verdict_holds_every_number_and_says_what_was_not_judged() -> None:
    made = decided(sample({"A": 190, "B": 91, "C": 3}), sample(CHAMPION))
    assert made.decision == "promote"
    assert made.reason.endswith("required; not judged: where 'site' is 'C' (12), with fewer than 30 rows.")
    (seen,) = made.slices
    assert (seen.column, seen.metric, seen.max_worsening, seen.min_rows) == ("site", "accuracy", 0.02, 30)
    assert [(one.value, one.rows, one.challenger, one.champion, one.is_judged) for one in seen.slices] == [
        ("A", 200, 0.95, 0.8, True),
        ("B", 100, 0.91, 0.9, True),
        ("C", 12, 0.25, 10 / 12, False),
    ]
    assert verdict.Verdict.model_validate_json(made.model_dump_json()) == made


def test_a_rejection_has_the_numbers_too() -> None:
    made = decided(sample({"A": 190, "B": 85, "C": 10}), sample(CHAMPION))
    assert made.decision == "reject"
    assert made.reason.startswith("Rejected: accuracy 0.913462 against the champion's 0.833333, the accuracy where")
    assert made.slices[0].slices[1].challenger == 0.85


def test_a_first_model_has_nothing_to_worsen() -> None:
    made = decided(sample({"A": 190, "B": 0, "C": 0}), None)
    assert (made.decision, made.slices) == ("promote", [])


def test_a_metric_that_a_guardrail_needs_and_nobody_measured_holds() -> None:
    made = decided(sample(CHAMPION), sample(CHAMPION), **guarded(metric="log_loss"))
    assert (made.decision, made.slices) == ("hold", [])
    assert "the rule needs log_loss, which the challenger new did not measure" in made.reason


def test_many_small_slices_are_counted_and_long_names_cut() -> None:
    rows: dict[Any, int] = {"A" * 128: 5, "B\n": 4, None: 3, "D": 2, "E": 1}
    made = decided(sample(rows, rows), sample(dict.fromkeys(rows, 1), rows))
    assert made.reason.endswith(f"'{'A' * 39}…' (5), 'B\\n' (4), missing (3) and 2 more, with fewer than 30 rows.")


@pytest.mark.parametrize(
    ("guardrails", "words"),
    [
        ([GUARDRAIL, GUARDRAIL], "slice_guardrails has accuracy by site twice"),
        ([GUARDRAIL | {"column": f"c{number}"} for number in range(5)], "at most 4"),
        ([GUARDRAIL | {"column": ""}], "at least 1 character"),
        ([GUARDRAIL | {"max_worsening": -0.1}], "greater than or equal to 0"),
        ([GUARDRAIL | {"min_rows": 0}], "greater than or equal to 1"),
    ],
)
def test_a_faulty_guardrail_is_refused(guardrails: list[dict[str, Any]], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Rule.model_validate(RULE | {"slice_guardrails": guardrails})


TEAM = """
team: clinic
recipe: {name: tabular_classifier}
dataset: {name: d, source: {type: s3, uri: "s3://data/datasets/clinic/d/"}, format: parquet, target: diagnosis}
rule:
  name: min_delta
  metric: accuracy
  direction: maximize
  min_delta: 0.01
  slice_guardrails: [{column: %s, metric: %s, max_worsening: 0.02}]
budget: {max_cost_usd_per_run: 60}
"""


def test_a_team_file_names_slices() -> None:
    rule = team.parse((TEAM % ("site", "log_loss")).encode()).rule
    assert rule.slice_columns == ("site",) and rule.slice_guardrails[0].min_rows == 30


@pytest.mark.parametrize(
    ("column", "metric", "words"),
    [
        ("site", "rmse", "rule uses rmse, but tabular_classifier measures accuracy"),
        ("diagnosis", "accuracy", "slice_guardrails are by diagnosis, the target: use class_guardrail"),
    ],
)
def test_a_team_file_with_slices_that_cannot_be_is_refused(column: str, metric: str, words: str) -> None:
    with pytest.raises(ManifestFaultyError) as caught:
        team.parse((TEAM % (column, metric)).encode())
    assert words in caught.value.faults[0].problem


def test_evidence_is_what_look_judges_by() -> None:
    rule = Rule.model_validate(RULE)
    challenger, champion = sample({"A": 190, "B": 85, "C": 10}), sample(CHAMPION)
    (seen,) = slices.evidence(rule, challenger, champion)
    assert seen == slices.compare(rule.slice_guardrails[0], challenger, champion)
    assert slices.evidence(rule, challenger, Sample(champion.metrics)) == ()
