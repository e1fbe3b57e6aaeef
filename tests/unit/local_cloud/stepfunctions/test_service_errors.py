"""What errors of services are called: a Retry or Catch matches by these names."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_cloud.stepfunctions import service_errors


def _refusal(code: str) -> ClientError:
    answer: Any = {
        "Error": {"Code": code, "Message": "no"},
        "ResponseMetadata": {"HTTPStatusCode": 400, "RequestId": "r-1"},
    }
    return ClientError(answer, "Operation")


@pytest.mark.parametrize(
    ("service", "code", "name"),
    [
        ("batch", "ClientException", "ClientException"),
        ("batch", "TooManyRequestsException", "Base"),
        ("stepfunctions", "ExecutionAlreadyExists", "ExecutionAlreadyExistsException"),
        ("stepfunctions", "ThrottlingException", "Base"),
        ("dynamodb", "InternalServerError", "InternalServerErrorException"),
        ("dynamodb", "AccessDeniedException", "Base"),
    ],
)
def test_an_error_that_the_model_lacks_is_the_base_class(service: str, code: str, name: str) -> None:
    assert service_errors.exception_class(service, code, "Base") == name


@pytest.mark.parametrize(
    ("code", "name"),
    [("RequestLimitExceeded", "RequestLimitExceededException"), ("Whatever", "AmazonDynamoDBException")],
)
def test_dynamodb_calls_its_errors_by_class(code: str, name: str) -> None:
    assert service_errors.dynamodb_error(_refusal(code))[0] == f"DynamoDB.{name}"


@pytest.mark.parametrize(
    ("target", "code", "name"),
    [
        ("StateTaskServiceBatch._from_error", "TooManyRequestsException", "Batch.AWSBatchException"),
        ("StateTaskServiceBatch._from_error", "ServerException", "Batch.ServerException"),
        ("StateTaskServiceSfn._from_error", "ThrottlingException", "StepFunctions.AWSStepFunctionsException"),
        ("StateTaskServiceSfn._from_error", "InvalidName", "StepFunctions.InvalidNameException"),
    ],
)
def test_a_failed_task_has_the_name_in_the_history_and_for_its_catch(target: str, code: str, name: str) -> None:
    (replacement,) = [one for one in service_errors.REPLACEMENTS if one.target.endswith(target)]

    def original(*_: Any) -> Any:
        return SimpleNamespace(error_name=None, event_details={"taskFailedEventDetails": {"error": f"Batch.{code}"}})

    failure = replacement.build(original)(None, None, _refusal(code))
    assert failure.error_name.error_name == name
    assert failure.event_details["taskFailedEventDetails"]["error"] == name


@pytest.mark.parametrize(
    ("action", "code", "name"),
    [
        ("headObject", "404", "S3.NoSuchKeyException"),
        ("headBucket", "404", "S3.NoSuchBucketException"),
        ("headObject", "403", "S3.S3Exception"),
        ("getObject", "404", "S3.S3Exception"),
    ],
)
def test_a_head_request_names_what_is_missing(action: str, code: str, name: str) -> None:
    task = SimpleNamespace(resource=SimpleNamespace(api_name="s3", api_action=action))

    def original(*_: Any) -> Any:
        details = {"taskFailedEventDetails": {"error": "S3.S3Exception"}}
        return SimpleNamespace(error_name=SimpleNamespace(error_name="S3.S3Exception"), event_details=details)

    failure = service_errors._named_head_errors(original)(task, None, _refusal(code))
    assert failure.error_name.error_name == name
    assert failure.event_details["taskFailedEventDetails"]["error"] == name
