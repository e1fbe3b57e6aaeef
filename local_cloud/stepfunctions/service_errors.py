"""What a Task's error is called when a service refuses the call: Retry and Catch match by these names.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/connect-ddb.html and
https://docs.aws.amazon.com/step-functions/latest/dg/supported-services-awssdk.html
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError
from moto.stepfunctions.parser.asl.component.common.error_name.error_name import ErrorName
from moto.stepfunctions.parser.asl.component.state.exec.state_task.lambda_eval_utils import LambdaFunctionErrorException

from local_cloud.aws_clients import service_model
from local_cloud.replacements import Replacement

_TABLE_NAME = re.compile(r"[a-zA-Z0-9_.-]+|arn:.+")
_LAMBDA = "moto.stepfunctions.parser.asl.component.state.exec.state_task.state_task_lambda"
_SERVICES = "moto.stepfunctions.parser.asl.component.state.exec.state_task.service"


_HEAD_ERRORS = {("s3", "headobject"): "S3.NoSuchKeyException", ("s3", "headbucket"): "S3.NoSuchBucketException"}


def exception_class(service: str, code: str, base: str) -> str:
    """What the SDK calls an error: its class if the service's model has the error, else the service's `base` class.

    A throttled or forbidden call is in few models.
    """
    if code not in {shape.name for shape in service_model(service).error_shapes}:
        return base
    return code if code.endswith("Exception") else f"{code}Exception"


def dynamodb_error(client_error: ClientError) -> tuple[str, str]:
    """Error and cause of the optimised DynamoDB integration."""
    code, cause = _code_and_cause(client_error, "AmazonDynamoDBv2")
    return f"DynamoDB.{exception_class('dynamodb', code, 'AmazonDynamoDBException')}", cause


def lambda_error(client_error: ClientError) -> tuple[str, str]:
    """Error and cause of a function that could not be called."""
    code, cause = _code_and_cause(client_error, "AWSLambda")
    return f"Lambda.{exception_class('lambda', code, 'AWSLambdaException')}", cause


def _code_and_cause(client_error: ClientError, service: str) -> tuple[str, str]:
    """An error's code, and what the SDK says of it."""
    error, answer = client_error.response["Error"], client_error.response["ResponseMetadata"]
    details = (
        f"Service: {service}; Status Code: {answer['HTTPStatusCode']}; Error Code: {error['Code']}; "
        f"Request ID: {answer['RequestId']}; Proxy: null"
    )
    return error["Code"], f"{error['Message']} ({details})"


def _unknown_lambda_error(ex: Exception) -> tuple[str, str] | None:
    """Error and cause of a function that failed and returned no type of error, None for any other failure."""
    if not isinstance(ex, LambdaFunctionErrorException):
        return None
    payload = json.loads(ex.payload)
    if isinstance(payload, dict) and "errorType" in payload:
        return None
    reason = "The cause could not be determined because Lambda did not return an error type."
    return "Lambda.Unknown", f"{reason} Returned payload: {ex.payload}"


def _failed_function(original: Callable[..., Any]) -> Callable[..., Any]:
    def from_error(self: Any, env: Any, ex: Exception) -> Any:
        failure = original(self, env, ex)
        named = lambda_error(ex) if isinstance(ex, ClientError) else _unknown_lambda_error(ex)
        if named is not None:
            error, cause = named
            failure.error_name = ErrorName(error)
            (details,) = failure.event_details.values()
            details |= {"error": error, "cause": cause}
        return failure

    return from_error


def _called_by_class(service: str, prefix: str, base: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A wrapper of an integration's `_from_error`: the failure is called as the SDK calls the service's error."""

    def wrap(original: Callable[..., Any]) -> Callable[..., Any]:
        def from_error(self: Any, env: Any, ex: Exception) -> Any:
            failure = original(self, env, ex)
            if isinstance(ex, ClientError):
                name = f"{prefix}.{exception_class(service, ex.response['Error']['Code'], base)}"
                failure.error_name = ErrorName(name)
                failure.event_details["taskFailedEventDetails"]["error"] = name
            return failure

        return from_error

    return wrap


def _check_table_name(parameters: dict[str, Any]) -> None:
    """Raises: ClientError as DynamoDB answers a name that no table can have; moto looks for such a table."""
    name = parameters.get("TableName")
    if not isinstance(name, str) or _TABLE_NAME.fullmatch(name):
        return
    message = (
        f"1 validation error detected: Value '{name}' at 'tableName' failed to satisfy constraint: "
        "Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+"
    )
    answer: Any = {
        "Error": {"Code": "ValidationException", "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": 400, "RequestId": str(uuid.uuid4())},
    }
    raise ClientError(answer, "DynamoDB")


def _checking_table_name(original: Callable[..., None]) -> Callable[..., None]:
    def evaluate(
        self: Any, env: Any, resource_runtime_part: Any, normalised_parameters: Any, state_credentials: Any
    ) -> None:
        if self.resource.api_name == "dynamodb":
            _check_table_name(normalised_parameters)
        original(self, env, resource_runtime_part, normalised_parameters, state_credentials)

    return evaluate


def _named_head_errors(original: Callable[..., Any]) -> Callable[..., Any]:
    """The answer to a HEAD request has no body and so no error code; the SDK knows what was not found all the same."""

    def from_error(self: Any, env: Any, ex: Exception) -> Any:
        failure = original(self, env, ex)
        action = (self.resource.api_name, self.resource.api_action.lower())
        if isinstance(ex, ClientError) and ex.response["Error"]["Code"] == "404" and action in _HEAD_ERRORS:
            failure.error_name = ErrorName(_HEAD_ERRORS[action])
            failure.event_details["taskFailedEventDetails"]["error"] = _HEAD_ERRORS[action]
        return failure

    return from_error


def _with_host_id(original: Callable[..., Any]) -> Callable[..., Any]:
    """Every answer of S3 has a second id, which moto does not send."""

    def from_error(self: Any, env: Any, ex: Exception) -> Any:
        if isinstance(ex, ClientError) and self.resource.api_name == "s3":
            answer = ex.response["ResponseMetadata"]
            answer["HostId"] = answer.get("HostId") or uuid.uuid4().hex
        return original(self, env, ex)

    return from_error


REPLACEMENTS: list[Replacement] = [
    Replacement(
        target=f"{_LAMBDA}:StateTaskLambda._from_error",
        build=_failed_function,
        why="a function that cannot be called is an error called Exception, which no Retry of a real machine names",
    ),
    Replacement(
        target=f"{_SERVICES}.state_task_service_lambda:StateTaskServiceLambda._from_error",
        build=_failed_function,
        why="errors are called by their code; a failure without a type is called Exception",
    ),
    Replacement(
        target=f"{_SERVICES}.state_task_service_dynamodb:StateTaskServiceDynamoDB._error_cause_from_client_error",
        build=lambda _: staticmethod(dynamodb_error),
        why="errors that DynamoDB's model does not have are called by their code",
    ),
    Replacement(
        target=f"{_SERVICES}.state_task_service_batch:StateTaskServiceBatch._from_error",
        build=_called_by_class("batch", "Batch", "AWSBatchException"),
        why="errors are called by their code (Batch.TooManyRequestsException), which no Retry of a real machine names",
    ),
    Replacement(
        target=f"{_SERVICES}.state_task_service_sfn:StateTaskServiceSfn._from_error",
        build=_called_by_class("stepfunctions", "StepFunctions", "AWSStepFunctionsException"),
        why="the same (StepFunctions.ThrottlingExceptionException)",
    ),
    *(
        Replacement(
            target=f"{_SERVICES}.{module}._eval_service_task",
            build=_checking_table_name,
            why="an impossible table name is a missing table",
        )
        for module in (
            "state_task_service_dynamodb:StateTaskServiceDynamoDB",
            "state_task_service_aws_sdk:StateTaskServiceAwsSdk",
        )
    ),
    Replacement(
        target=f"{_SERVICES}.state_task_service_aws_sdk:StateTaskServiceAwsSdk._from_error",
        build=_with_host_id,
        why="causes of S3's errors lack the extended request id",
    ),
    Replacement(
        target=f"{_SERVICES}.state_task_service_aws_sdk:StateTaskServiceAwsSdk._from_error",
        build=_named_head_errors,
        why="an object that is not there is S3.S3Exception to headObject",
    ),
]
