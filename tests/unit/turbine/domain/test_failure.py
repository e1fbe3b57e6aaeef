"""What an end is taken for: one class, and a next step with a command."""

from __future__ import annotations

from typing import get_args

import pytest

from turbine.domain import errors
from turbine.domain.failure import FailureClass, classify, next_step

DENIED = "User: arn:aws:sts::1:assumed-role/r is not authorized to perform: s3:GetObject on resource: x"


@pytest.mark.parametrize(
    ("error", "cause", "expected"),
    [
        ("TrainingDataError", "Batch job 1: no rows", "data"),
        ("TrainingConfigurationError", "", "configuration"),
        ("TrainingBugError", "Batch job 1: division by zero", "code"),
        ("TrainingBugError", DENIED, "code"),
        ("TrainingOutOfMemoryError", "", "out_of_memory"),
        ("TrainingTimedOutError", "", "timeout"),
        ("TrainingInterruptedError", "Host EC2 (instance i-0) terminated.", "host_reclaim"),
        ("TrainingFailedError", "Batch job 1: Host EC2 (instance i-0) terminated.", "host_reclaim"),
        ("TrainingFailedError", "Batch job 1: CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY", "capacity"),
        ("TrainingFailedError", "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT", "configuration"),
        ("TrainingFailedError", f"Batch job 1: {DENIED}", "permission"),
        ("TrainingFailedError", "Batch job 1: it failed without a reason", "unknown"),
        ("States.TaskFailed", '{"Container": {"Reason": "OutOfMemoryError: Container killed"}}', "out_of_memory"),
        ("States.Timeout", "", "timeout"),
        ("Sandbox.Timedout", "", "timeout"),
        ("TryAgainError", "DynamoDB is busy", "throttling"),
        ("Lambda.TooManyRequestsException", "Rate Exceeded", "throttling"),
        ("DynamoDB.ProvisionedThroughputExceededException", "", "throttling"),
        ("StepFunctions.ExecutionLimitExceededException", "", "throttling"),
        ("Batch.AWSBatchException", DENIED, "permission"),
        ("SageMaker.AccessDeniedException", "", "permission"),
        ("ArtifactCorruptError", "", "code"),
        ("States.QueryEvaluationError", "", "code"),
        ("ChampionKeepsChanging", "", "unknown"),
        (None, None, "unknown"),
    ],
)
def test_a_failure_has_a_class(error: str | None, cause: str | None, expected: FailureClass) -> None:
    assert classify("FAILED", error, cause) == expected


@pytest.mark.parametrize(
    ("status", "expected"), [("SUCCEEDED", None), ("ABORTED", "stopped"), ("TIMED_OUT", "timeout")]
)
def test_an_end_without_a_failure_of_its_own_has_one_by_its_status(status: str, expected: FailureClass | None) -> None:
    assert classify(status, "Stopped", "TrainingDataError: said by a person") == expected


@pytest.mark.parametrize("kind", get_args(FailureClass))
def test_each_class_says_what_to_type(kind: FailureClass) -> None:
    said = next_step(kind, "vision-digits-1") or ""
    assert "turbine redrive vision-digits-1" in said or "turbine drop FILE" in said
    assert next_step(None, "vision-digits-1") is None


def test_every_training_error_has_a_class_of_its_own() -> None:
    kinds = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, errors.TrainingError)]
    telling = [one for one in kinds if one not in (errors.TrainingError, errors.TrainingFailedError)]
    assert len(telling) >= 6
    assert "unknown" not in {classify("FAILED", one.__name__, "") for one in telling}
