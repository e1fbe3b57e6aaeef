"""Computed numbers of a wrong type or out of range: a Catch sees those of expressions, none those at paths."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

ECHO = "arn:aws:lambda:us-east-1:123456789012:function:echo"
TASK = {"Type": "Task", "Resource": ECHO, "End": True}
WAIT = {"Type": "Wait", "End": True}
MAP = {"Type": "Map", "ItemProcessor": {"StartAt": "I", "States": {"I": {"Type": "Pass", "End": True}}}, "End": True}
DISTRIBUTED = {
    **MAP,
    "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, **MAP["ItemProcessor"]},  # type: ignore[dict-item]
}
Run = Callable[..., dict[str, Any]]

TIMEOUTS = ["x", 0, -1, 1.5, None, True, 100_000_000]
COUNTS = ["1", -1, 1.5, None, True, {}]


@pytest.mark.parametrize(
    ("state", "field", "value"),
    [
        *((TASK, "TimeoutSeconds", value) for value in TIMEOUTS),
        *((TASK, "HeartbeatSeconds", value) for value in TIMEOUTS),
        *((WAIT, "Seconds", value) for value in ["1", -1, 1.5, None, True, [], 100_000_000]),
        *((MAP, "MaxConcurrency", value) for value in COUNTS),
        *((MAP, "ToleratedFailureCount", value) for value in COUNTS),
        *((MAP, "ToleratedFailurePercentage", value) for value in ["1", -1, 100.5, None, True]),
    ],
)
def test_an_expression_that_gives_no_such_number(run: Run, state: dict[str, Any], field: str, value: Any) -> None:
    items = {"Items": [1]} if state["Type"] == "Map" else {}
    found = run({"QueryLanguage": "JSONata", **state, **items, field: "{% $states.input.x %}"}, {"x": value})
    assert (found["status"], found["error"]) == ("FAILED", "States.QueryEvaluationError")
    assert found["types"].count("EvaluationFailed") == 1


@pytest.mark.parametrize(
    ("state", "field", "value"),
    [
        *((TASK, "TimeoutSecondsPath", value) for value in [*TIMEOUTS, 2.0]),
        *((TASK, "HeartbeatSecondsPath", value) for value in [*TIMEOUTS, 2.0]),
        *((WAIT, "SecondsPath", value) for value in (True, 1.5, 0.0)),
        (WAIT, "SecondsPath", 100_000_000),
        *((MAP, name, True) for name in ("MaxConcurrencyPath", "ToleratedFailureCountPath")),
        (MAP, "ToleratedFailurePercentagePath", True),
        (MAP, "MaxConcurrencyPath", -1),
    ],
)
def test_a_path_that_leads_to_no_such_number(run: Run, state: dict[str, Any], field: str, value: Any) -> None:
    items = {"ItemsPath": "$.items"} if state["Type"] == "Map" else {}
    found = run({**state, **items, field: "$.x"}, {"x": value, "items": [1]})
    assert (found["status"], found["error"]) == ("FAILED", "States.Runtime")
    assert found["types"][-1] == "ExecutionFailed"
    assert "EvaluationFailed" not in found["types"]


@pytest.mark.parametrize("field", ["TimeoutSeconds", "HeartbeatSeconds"])
def test_numbers_that_are_taken(run: Run, field: str) -> None:
    computed = {"QueryLanguage": "JSONata", **TASK, field: "{% $states.input.x %}"}
    assert run(computed, {"x": 5})["status"] == "SUCCEEDED"
    for value in (5, "5"):
        assert run({**TASK, f"{field}Path": "$.x"}, {"x": value})["status"] == "SUCCEEDED"


@pytest.mark.parametrize("expression", ["{% $states.input.x %}", "{% $states.input.x / 1 %}", "{% 3.0 - 1 %}"])
def test_a_number_of_an_expression_is_whole_whatever_it_came_from(run: Run, expression: str) -> None:
    """JSONata has one kind of number. A path gives what stands there, which has to be written as an integer."""
    for state, field in ((TASK, "TimeoutSeconds"), (TASK, "HeartbeatSeconds"), (MAP, "MaxConcurrency")):
        items = {"Items": [1]} if state["Type"] == "Map" else {}
        computed = {"QueryLanguage": "JSONata", **state, **items, field: expression}
        assert run(computed, {"x": 2.0})["status"] == "SUCCEEDED"
    assert run({"QueryLanguage": "JSONata", **WAIT, "Seconds": "{% 2 * 0.5 - 1 %}"})["status"] == "SUCCEEDED"


def test_a_computed_count_of_tolerated_failures_is_no_percentage(run: Run) -> None:
    fail = {"StartAt": "No", "States": {"No": {"Type": "Fail"}}}
    processor = {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, **fail}
    state = {**MAP, "ItemProcessor": processor, "Items": [1], "ToleratedFailureCount": "{% $states.input.x %}"}
    assert run({"QueryLanguage": "JSONata", **state}, {"x": 1})["status"] == "SUCCEEDED"


@pytest.mark.parametrize("value", ["x", -1, 1.5, True, None])
def test_a_batch_has_a_whole_number_of_items(run: Run, value: Any) -> None:
    by_path = {**DISTRIBUTED, "ItemsPath": "$.items", "ItemBatcher": {"MaxItemsPerBatchPath": "$.x"}}
    assert run(by_path, {"x": value, "items": [1, 2]})["error"] == "States.Runtime"
    batcher = {"MaxItemsPerBatch": "{% $states.input.x %}"}
    computed = {"QueryLanguage": "JSONata", **DISTRIBUTED, "Items": [1, 2], "ItemBatcher": batcher}
    assert run(computed, {"x": value})["error"] == "States.QueryEvaluationError"


def test_a_batchs_limit_at_a_path_may_be_text(run: Run) -> None:
    state = {**DISTRIBUTED, "ItemsPath": "$.items", "ItemBatcher": {"MaxItemsPerBatchPath": "$.x"}}
    assert run(state, {"x": "2", "items": [1, 2, 3]})["output"] == [{"Items": [1, 2]}, {"Items": [3]}]
