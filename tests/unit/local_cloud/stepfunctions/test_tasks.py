"""What a Task's failure is called, and which of its fields can fail."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

LAMBDA = "arn:aws:lambda:us-east-1:123456789012:function:"
INVOKE = "arn:aws:states:::lambda:invoke"
PASS = {"Type": "Pass", "End": True}
Run = Callable[..., dict[str, Any]]


def task(name: str, *, by_arn: bool, **fields: Any) -> dict[str, Any]:
    called = {"Resource": LAMBDA + name} if by_arn else {"Resource": INVOKE, "Parameters": {"FunctionName": name}}
    return {"Type": "Task", "End": True, **called, **fields}


def caught(state: dict[str, Any], *errors: str, **fields: Any) -> dict[str, Any]:
    states = {"Work": {**state, "Catch": [{"ErrorEquals": [*errors], "Next": "Caught"}]}, "Caught": PASS}
    return {"StartAt": "Work", "States": states, **fields}


@pytest.mark.parametrize("by_arn", [True, False])
@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("missing", "Lambda.ResourceNotFoundException"),
        ("forbidden", "Lambda.AWSLambdaException"),
        ("fail", "Broken"),
        ("nameless", "Lambda.Unknown"),
    ],
)
def test_a_function_that_fails(run: Run, name: str, error: str, by_arn: bool) -> None:
    assert run(task(name, by_arn=by_arn))["error"] == error
    found = run(caught(task(name, by_arn=by_arn), error))
    assert found["output"]["Error"] == error


def test_arguments_of_an_integration_are_an_object(run: Run) -> None:
    found = run({"QueryLanguage": "JSONata", "Type": "Task", "Resource": INVOKE, "Arguments": "{% 1 %}", "End": True})
    assert found["error"] == "States.QueryEvaluationError"
    assert found["types"][-2:] == ["EvaluationFailed", "ExecutionFailed"]


def test_arguments_of_a_parallel_state_can_be_caught(run: Run) -> None:
    branch = {"StartAt": "Inner", "States": {"Inner": PASS}}
    state = {"Type": "Parallel", "Arguments": "{% $nothing %}", "Branches": [branch], "End": True}
    found = run(caught(state, "States.QueryEvaluationError", QueryLanguage="JSONata"))
    assert found["output"]["Error"] == "States.QueryEvaluationError"
    assert "ParallelStateStarted" not in found["types"]
