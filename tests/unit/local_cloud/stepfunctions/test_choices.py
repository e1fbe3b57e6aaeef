"""Which comparisons hold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from local_cloud.stepfunctions.choices import COMPARISONS


@pytest.mark.parametrize(
    ("name", "variable", "value", "holds"),
    [
        ("NumericEquals", 1, 1.0, True),
        ("NumericEquals", True, 1, False),
        ("NumericEquals", "1", 1, False),
        ("NumericLessThan", 1, 2, True),
        ("NumericGreaterThanEquals", 1, "0", False),
        ("StringEquals", "a", "a", True),
        ("StringLessThan", "a", "b", True),
        ("StringGreaterThan", None, "a", False),
        ("BooleanEquals", True, True, True),
        ("BooleanEquals", 1, True, False),
        ("TimestampEquals", "2016-03-14T01:59:00Z", "2016-03-14T02:59:00+01:00", True),
        ("TimestampEquals", "2016-03-14T01:59:00.5Z", "2016-03-14T01:59:00.500Z", True),
        ("TimestampLessThan", "2016-03-14T01:59:00Z", "2016-03-14T01:59:00.001Z", True),
        ("TimestampEquals", "2016-03-14 01:59:00Z", "2016-03-14 01:59:00Z", False),
        ("StringMatches", "log-2026.txt", "log-*.txt", True),
        ("StringMatches", "a*b", r"a\*b", True),
        ("StringMatches", "axb", r"a\*b", False),
        ("StringMatches", r"a\b", r"a\\b", True),
        ("StringMatches", "[a]", "[a]", True),
        ("StringMatches", "a", "[a]", False),
        ("StringMatches", "A", "a", False),
        ("IsNull", None, True, True),
        ("IsNull", 0, True, False),
        ("IsNull", 0, False, True),
        ("IsNumeric", True, True, False),
        ("IsTimestamp", "2016-03-14T01:59:00-05:00", True, True),
        ("IsTimestamp", "2016-03-14T25:59:00Z", True, False),
        ("IsTimestamp", "2016-03-14T01:59:00", True, False),
        ("IsPresent", None, True, True),
        ("IsBoolean", "true", False, True),
        ("IsString", "", True, True),
    ],
)
def test_comparison(name: str, variable: Any, value: Any, holds: bool) -> None:
    assert COMPARISONS[name](variable, value) is holds


def choice(rule: dict[str, Any], **fields: Any) -> dict[str, Any]:
    state = {"Type": "Choice", "Choices": [{**rule, "Next": "End"}], "Default": "End", **fields}
    return {"StartAt": "Look", "States": {"Look": state, "End": {"Type": "Pass", "End": True}}}


@pytest.mark.parametrize(
    "rule",
    [
        {"Variable": "$.a", "NumericEquals": 5},
        {"Not": {"Variable": "$.b", "IsPresent": True}},
    ],
)
def test_a_rule_that_decides_assigns_its_variables(run: Callable[..., dict[str, Any]], rule: dict[str, Any]) -> None:
    machine = choice({**rule, "Assign": {"x.$": "$.a", "name.$": "$$.State.Name"}}, Assign={"x": "default"})
    machine["States"]["End"]["Parameters"] = {"x.$": "$x", "name.$": "$name"}
    assert run(machine, {"a": 5})["output"] == {"x": 5, "name": "Look"}


@pytest.mark.parametrize(("is_present", "error"), [(True, None), (False, "States.Runtime")])
def test_only_presence_can_be_asked_of_a_missing_path_of_the_context(
    run: Callable[..., dict[str, Any]], is_present: bool, error: str | None
) -> None:
    comparison = {"IsPresent": False} if is_present else {"IsNull": True}
    found = run(choice({"Variable": "$$.Execution.Nothing", **comparison}, Default="End"))
    assert found["error"] == error
