"""The recall of each class: a better model may not find one of them less often."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from turbine.domain.evaluation import EvaluationBlocks
from turbine.domain.rule import Rule
from turbine.domain.rules import RULES, Sample

RULE: dict[str, Any] = {
    "name": "min_delta",
    "metric": "accuracy",
    "direction": "maximize",
    "min_delta": 0.01,
    "class_guardrail": {"max_worsening": 0.05, "min_rows": 20},
}
BENIGN, MALIGNANT, RARE = 200, 40, 10


def sample(benign: int, malignant: int, rare: int = 10, **changes: Any) -> Sample:
    """A model by how many of each class it finds; 50 blocks, in the first of which all is counted."""
    hits, rows = benign + malignant + rare, BENIGN + MALIGNANT + RARE
    counts = {"actual": (BENIGN, MALIGNANT, RARE), "hits": (benign, malignant, rare)}
    missed = rows - hits
    columns = {f"{kind}/{number}": [float(value)] for kind, by in counts.items() for number, value in enumerate(by)}
    columns |= {f"predicted/{number}": [float(by)] for number, by in enumerate((benign + missed, malignant, rare))}
    columns |= {"rows": [float(rows)], "hits": [float(hits)]}
    blocks = {"classes": ["benign", "malignant", "rare"], "columns": columns} | changes
    return Sample({"accuracy": hits / rows}, EvaluationBlocks.model_validate(blocks))


def judge(challenger: Sample, champion: Sample, **changes: Any) -> Any:
    rule = Rule.model_validate(RULE | changes)
    return RULES[rule.name](rule, challenger, champion)


@pytest.mark.parametrize("name", ["min_delta", "paired_bootstrap"])
def test_a_class_that_is_found_less_often_rejects_a_better_model(name: str) -> None:
    ruling = judge(sample(198, 30), sample(180, 34), name=name)
    assert ruling.decision == "reject" and ruling.delta > 0
    assert ruling.why == "the recall of class malignant worsened from 0.85 to 0.75 on 40 rows, by more than 0.05"


def test_within_the_limit_the_rule_decides() -> None:
    assert judge(sample(198, 32), sample(180, 34)).decision == "promote"
    assert judge(sample(181, 34), sample(180, 34)).decision == "hold"


def test_a_class_with_few_rows_is_left_out() -> None:
    better = sample(198, 34, rare=5)
    assert judge(better, sample(180, 34)).decision == "promote"
    small = {"class_guardrail": {"max_worsening": 0.05, "min_rows": 10}}
    assert "class rare worsened from 1 to 0.5 on 10 rows" in judge(better, sample(180, 34), **small).why


def test_classes_are_matched_by_name_and_not_by_number() -> None:
    champion = sample(180, 34)
    assert champion.blocks is not None
    there, columns = champion.blocks.columns, dict(champion.blocks.columns)
    for kind in ("actual", "predicted", "hits"):
        columns |= {f"{kind}/0": there[f"{kind}/1"], f"{kind}/1": there[f"{kind}/0"]}
    turned = Sample(champion.metrics, EvaluationBlocks(classes=["malignant", "benign", "rare"], columns=columns))
    assert judge(sample(198, 32), turned).decision == "promote"
    assert "malignant worsened from 0.85 to 0.75" in judge(sample(198, 30), turned).why


def test_a_class_that_only_the_champion_knows_changes_nothing() -> None:
    champion = sample(180, 34)
    assert champion.blocks is not None
    more = {f"{kind}/3": [0.0] for kind in ("actual", "predicted", "hits")}
    wider = EvaluationBlocks(
        classes=["benign", "malignant", "rare", "gone"], columns={**champion.blocks.columns, **more}
    )
    assert judge(sample(198, 32), Sample(champion.metrics, wider)).decision == "promote"


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        (Sample({"accuracy": 0.9}), "there is no evaluation_blocks.json"),
        (sample(198, 34, classes=None), "evaluation_blocks.json names no classes (of at most 32)"),
        (sample(198, 34, classes=["benign"]), "evaluation_blocks.json does not count the classes that it names"),
    ],
)
@pytest.mark.parametrize("whose", ["challenger", "champion"])
def test_what_cannot_be_looked_at_holds(changed: Sample, why: str, whose: str) -> None:
    pair = (changed, sample(180, 34)) if whose == "challenger" else (sample(198, 34), changed)
    ruling = judge(*pair)
    assert (ruling.decision, ruling.why) == ("hold", f"but the {whose}'s recall of each class is not known: {why}")


def test_other_rows_of_a_class_hold() -> None:
    champion = sample(180, 34)
    assert champion.blocks is not None
    columns = {**champion.blocks.columns, "actual/1": [39.0]}
    other = EvaluationBlocks(classes=champion.blocks.classes, columns=columns)
    ruling = judge(sample(198, 34), Sample(champion.metrics, other))
    assert ruling.decision == "hold" and "not measured on the same rows of class malignant" in ruling.why


def test_a_regressor_has_no_classes() -> None:
    with pytest.raises(ValidationError, match="class_guardrail is for classifiers, and rmse is none of their metrics"):
        Rule.model_validate(RULE | {"metric": "rmse", "direction": "minimize"})
