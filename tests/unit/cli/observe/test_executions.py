from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from cli.observe.executions import StateSpan, execution_arn, spans_of

START = datetime(2026, 11, 23, 20, 0, tzinfo=UTC)


def _events(*described: tuple[int, str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Events of (previous id, type, details), one a second, numbered from 1."""
    return [
        {"id": number, "previousEventId": previous, "type": kind, "timestamp": START + timedelta(seconds=number)} | more
        for number, (previous, kind, more) in enumerate(described, start=1)
    ]


def _entered(name: str) -> dict[str, Any]:
    return {"stateEnteredEventDetails": {"name": name}}


def _scheduled(resource_type: str) -> dict[str, Any]:
    return {"taskScheduledEventDetails": {"resourceType": resource_type}}


def test_a_batch_task_has_its_kind_its_job_and_its_time() -> None:
    (span,) = spans_of(
        _events(
            (0, "ExecutionStarted", {}),
            (0, "TaskStateEntered", _entered("Train")),
            (2, "TaskScheduled", _scheduled("batch")),
            (3, "TaskStarted", {}),
            (4, "TaskSubmitted", {"taskSubmittedEventDetails": {"output": '{"JobId": "job-1"}'}}),
            (5, "TaskSucceeded", {}),
            (6, "TaskStateExited", {}),
        )
    )
    assert (span.name, span.kind, span.job_id, span.status) == ("Train", "batch", "job-1", "succeeded")
    assert span.duration_s() == 5


def test_a_retry_is_a_second_attempt_of_the_same_visit() -> None:
    (span,) = spans_of(
        _events(
            (0, "TaskStateEntered", _entered("Compare")),
            (1, "TaskScheduled", _scheduled("lambda")),
            (2, "TaskFailed", {}),
            (3, "TaskScheduled", _scheduled("lambda")),
        )
    )
    assert (span.attempts, span.status, span.left_at) == (2, "running", None)
    assert span.duration_s(START + timedelta(seconds=11)) == 10


def test_a_caught_failure_and_one_that_ends_the_execution_differ() -> None:
    caught, failed = spans_of(
        _events(
            (0, "TaskStateEntered", _entered("Claim")),
            (1, "TaskScheduled", _scheduled("dynamodb")),
            (2, "TaskFailed", {}),
            (3, "TaskStateExited", {}),
            (4, "TaskStateEntered", _entered("Train")),
            (5, "TaskScheduled", _scheduled("batch")),
            (6, "TaskTimedOut", {}),
            (7, "ExecutionFailed", {}),
        )
    )
    assert (caught.name, caught.status) == ("Claim", "caught")
    assert (failed.name, failed.status) == ("Train", "failed")


def test_states_in_parallel_do_not_mix() -> None:
    """The events of two branches alternate; only the chain of previous ids tells them apart."""
    first, second = spans_of(
        _events(
            (0, "PassStateEntered", _entered("A")),
            (0, "TaskStateEntered", _entered("B")),
            (2, "TaskScheduled", _scheduled("lambda")),
            (1, "PassStateExited", {}),
            (3, "TaskFailed", {}),
        )
    )
    assert (first.name, first.status, first.duration_s()) == ("A", "succeeded", 3)
    assert (second.name, second.status, second.kind) == ("B", "failed", "lambda")


def test_an_execution_arn_is_formed_from_its_machines() -> None:
    machine = "arn:aws:states:us-east-1:123456789012:stateMachine:RunMachine"
    assert execution_arn(machine, "run-1") == "arn:aws:states:us-east-1:123456789012:execution:RunMachine:run-1"


def test_a_visit_that_has_not_ended_has_no_time_yet() -> None:
    assert StateSpan("A", START, None, "running").duration_s() == 0
