"""Executions of the machines: which states they went through, when, and how each ended."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

SpanStatus = Literal["running", "succeeded", "failed", "caught"]
TaskKind = Literal["batch", "lambda", "sagemaker", "states", "dynamodb", "events", "other"]
_KINDS: tuple[TaskKind, ...] = ("batch", "lambda", "sagemaker", "states", "dynamodb", "events")


@dataclass(frozen=True)
class StateSpan:
    """One visit of one state."""

    name: str
    entered_at: datetime
    left_at: datetime | None
    status: SpanStatus
    kind: TaskKind = "other"
    attempts: int = 1
    job_id: str | None = None

    def duration_s(self, until: datetime | None = None) -> float:
        """Seconds from entering to leaving, or to `until` while it runs."""
        end = self.left_at or until or self.entered_at
        return (end - self.entered_at).total_seconds()


@dataclass(frozen=True)
class Execution:
    """One execution, with its state visits in order."""

    arn: str
    status: str
    started_at: datetime
    stopped_at: datetime | None
    spans: tuple[StateSpan, ...]
    error: str | None = None
    cause: str | None = None

    @property
    def current(self) -> StateSpan | None:
        """The state it is in, or was in last."""
        return self.spans[-1] if self.spans else None


def read(stepfunctions: Any, arn: str) -> Execution:
    """One execution and its history."""
    return of_events(stepfunctions.describe_execution(executionArn=arn), history(stepfunctions, arn))


def history(stepfunctions: Any, arn: str) -> list[dict[str, Any]]:
    """Every event of an execution, in their order."""
    pages = stepfunctions.get_paginator("get_execution_history").paginate(executionArn=arn, includeExecutionData=True)
    return [event for page in pages for event in page["events"]]


def last_state(stepfunctions: Any, arn: str) -> str | None:
    """The state that an execution entered last, read from the end of its history; None before the first."""
    pages = stepfunctions.get_paginator("get_execution_history").paginate(
        executionArn=arn, reverseOrder=True, includeExecutionData=False
    )
    entered = (event["stateEnteredEventDetails"] for page in pages for event in page["events"] if _enters(event))
    first = next(entered, None)
    return None if first is None else str(first["name"])


def _enters(event: dict[str, Any]) -> bool:
    return "stateEnteredEventDetails" in event


def of_events(description: dict[str, Any], events: list[dict[str, Any]]) -> Execution:
    """An execution from what DescribeExecution and its history say."""
    return Execution(
        arn=description["executionArn"],
        status=description["status"],
        started_at=description["startDate"],
        stopped_at=description.get("stopDate"),
        spans=tuple(spans_of(events)),
        error=description.get("error"),
        cause=description.get("cause"),
    )


def execution_arn(machine_arn: str, name: str) -> str:
    """The ARN of a named execution, which Step Functions forms from its machine's."""
    return f"{machine_arn.replace(':stateMachine:', ':execution:', 1)}:{name}"


def spans_of(events: list[dict[str, Any]]) -> list[StateSpan]:
    """The visits of states, from history events in their order.

    An event belongs to the state on its chain of `previousEventId`; so parallel branches do not mix.
    A visit is `caught` when its state failed and the machine went on from there.
    """
    spans: dict[int, StateSpan] = {}
    state_of_event: dict[int, int] = {}
    for event in events:
        number, kind = event["id"], event["type"]
        if kind.endswith("StateEntered"):
            name = event["stateEnteredEventDetails"]["name"]
            spans[number] = StateSpan(name, event["timestamp"], None, "running")
            state_of_event[number] = number
            continue
        owner = state_of_event.get(event.get("previousEventId", 0))
        if owner is None:
            continue
        state_of_event[number] = owner
        spans[owner] = _after(spans[owner], kind, event)
        if kind.endswith("StateExited"):
            del state_of_event[number]
    return list(spans.values())


def _after(span: StateSpan, kind: str, event: dict[str, Any]) -> StateSpan:
    """The visit after one more of its events."""
    if kind.endswith("StateExited"):
        status: SpanStatus = "caught" if span.status == "failed" else "succeeded"
        return replace(span, left_at=event["timestamp"], status=status)
    if kind == "TaskScheduled":
        again = 0 if span.kind == "other" else 1
        return replace(
            span,
            kind=_task_kind(event.get("taskScheduledEventDetails", {}).get("resourceType", "")),
            attempts=span.attempts + again,
            status="running",
            left_at=None,
        )
    if kind == "TaskSubmitted":
        return replace(span, job_id=_job_id(event.get("taskSubmittedEventDetails", {}).get("output")) or span.job_id)
    if kind.endswith(("Failed", "TimedOut", "Aborted")):
        return replace(span, left_at=event["timestamp"], status="failed")
    return span


def _task_kind(resource_type: str) -> TaskKind:
    return next((kind for kind in _KINDS if kind == resource_type), "other")


def _job_id(output: str | None) -> str | None:
    """The Batch job that a `.sync` Task reported when it submitted it."""
    try:
        value = json.loads(output or "{}")
    except ValueError:
        return None
    return value.get("JobId") if isinstance(value, dict) else None
