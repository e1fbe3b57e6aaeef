from __future__ import annotations

import pytest

from turbine.domain.rule import Rule
from turbine.domain.rules import RULES, Sample

ACCURACY = Rule.model_validate({"name": "min_delta", "metric": "accuracy", "direction": "maximize", "min_delta": 0.005})
RMSE = Rule.model_validate({"name": "min_delta", "metric": "rmse", "direction": "minimize", "min_delta": 1.0})
GUARDED = Rule.model_validate(
    {
        **ACCURACY.model_dump(),
        "guardrails": [{"metric": "log_loss", "direction": "minimize", "max_worsening": 0.02}],
    }
)


@pytest.mark.parametrize(
    ("mine", "theirs", "decision"),
    [
        (0.975, 0.970, "promote"),
        (0.905, 0.900, "promote"),
        (0.305, 0.300, "promote"),  # 0.0050000000000000044 or 0.00499…: equal in decimals
        (0.835, 0.830, "promote"),
        (0.9749, 0.970, "hold"),
        (0.970, 0.970, "hold"),
        (0.9651, 0.970, "hold"),
        (0.965, 0.970, "reject"),
    ],
)
def test_the_delta_decides(mine: float, theirs: float, decision: str) -> None:
    assert RULES["min_delta"](ACCURACY, Sample({"accuracy": mine}), Sample({"accuracy": theirs})).decision == decision


@pytest.mark.parametrize(("mine", "decision"), [(54.0, "promote"), (54.5, "hold"), (55.9, "hold"), (56.0, "reject")])
def test_less_is_better_where_the_metric_says_so(mine: float, decision: str) -> None:
    ruling = RULES["min_delta"](RMSE, Sample({"rmse": mine}), Sample({"rmse": 55.0}))
    assert ruling.decision == decision
    assert ruling.delta == pytest.approx(55.0 - mine)


@pytest.mark.parametrize(("log_loss", "decision"), [(0.12, "promote"), (0.121, "reject"), (0.05, "promote")])
def test_a_broken_guardrail_rejects_whatever_was_won(log_loss: float, decision: str) -> None:
    mine = {"accuracy": 0.99, "log_loss": log_loss}
    ruling = RULES["min_delta"](GUARDED, Sample(mine), Sample({"accuracy": 0.97, "log_loss": 0.1}))
    assert ruling.decision == decision
    assert ("guardrail" in ruling.why) == (decision == "reject")


def test_a_direction_that_does_not_fit_its_metric_is_refused() -> None:
    with pytest.raises(ValueError, match="rmse is to minimize"):
        Rule.model_validate({**RMSE.model_dump(), "direction": "maximize"})
