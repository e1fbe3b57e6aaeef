"""Which way a failed run goes on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from cli.observe.artifacts import Artifacts
from cli.observe.records import RunItems
from cli.operate import redrive

RUN = "vision-digits-0123456789ab"
ARN = f"arn:aws:states:us-east-1:123456789012:execution:turbine-run:{RUN}"


class StepFunctions:
    """One failed execution that can be redriven, and what is asked for it."""

    class exceptions:  # noqa: N801  botocore's name
        ExecutionDoesNotExist = ExecutionAlreadyExists = KeyError

    def __init__(self, *states: str) -> None:
        self._states = states
        self.asked: list[str] = []

    def describe_execution(self, executionArn: str) -> dict[str, Any]:  # noqa: N803
        given = json.dumps({"run_id": RUN, "attempt": 1})
        return {"executionArn": executionArn, "status": "FAILED", "redriveStatus": "REDRIVABLE", "input": given}

    def get_paginator(self, operation: str) -> StepFunctions:
        assert operation == "get_execution_history"
        return self

    def paginate(self, **given: Any) -> Iterator[dict[str, Any]]:
        assert given["reverseOrder"] is True
        yield {"events": [{"type": "ExecutionFailed"}, {"type": "TaskFailed"}]}
        for state in reversed(self._states):
            yield {"events": [{"type": "TaskStateEntered", "stateEnteredEventDetails": {"name": state}}]}

    def redrive_execution(self, executionArn: str) -> None:  # noqa: N803
        self.asked.append(f"redrive {executionArn}")

    def start_execution(self, **given: Any) -> dict[str, Any]:
        self.asked.append(f"start {given['name']}")
        return {"executionArn": f"{ARN}-a2"}


@pytest.fixture(autouse=True)
def _no_artifacts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Artifacts, "__init__", lambda *_: None)
    monkeypatch.setattr(Artifacts, "document", lambda *_: {"cause": {"kind": "schedule"}})


@pytest.mark.parametrize(
    ("states", "how"),
    [(("PublishArtifacts", "CompareModels"), "redrive"), (("CompareModels", "EvaluateChampion"), "attempt")],
)
def test_a_champion_that_could_not_be_measured_is_compared_afresh(states: tuple[str, ...], how: str) -> None:
    """Another may be champion by now, whom the state that failed knows nothing of."""
    stepfunctions = StepFunctions(*states)

    class Cloud:
        stack = "turbine"

        def client(self, _service: str) -> StepFunctions:
            return stepfunctions

        def output(self, _name: str) -> str:
            return "arn:aws:states:us-east-1:123456789012:stateMachine:turbine-run"

    outcome = {"status": "FAILED", "execution_arn": ARN, "order": "000001#000000#t"}
    items = RunItems(RUN, record={"team": "vision"}, claim={}, decision={}, package={}, outcome=outcome)
    cloud: Any = Cloud()
    gone_on = redrive.redrive(cloud, items)
    assert gone_on.how == how
    assert stepfunctions.asked == [f"redrive {ARN}" if how == "redrive" else f"start {RUN}-a2"]
