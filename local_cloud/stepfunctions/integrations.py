"""The service integrations a Task may name: what moto lacks or gets wrong in them.

Clients speak to this cloud in the account of the execution's role. Every `.sync` can be cancelled. Errors carry the
names that AWS gives them, because a Catch matches by name.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/integrate-optimized.html
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError, ParamValidationError
from moto.stepfunctions.parser.api import HistoryEventType, TaskFailedEventDetails
from moto.stepfunctions.parser.asl.component.common.error_name.error_name import ErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import (
    FailureEvent,
    FailureEventException,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.credentials import StateCredentials
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.resource import ResourceCondition
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_callback import (
    StateTaskServiceCallback,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.state_task import StateTask
from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails
from moto.stepfunctions.parser.asl.utils.encoding import to_json_str

from local_cloud import aws_clients, settings
from local_cloud.authorization import handover
from local_cloud.authorization.evaluation import DeniedError
from local_cloud.authorization.handover import Taker
from local_cloud.replacements import Replacement
from local_cloud.stepfunctions import failures, jsonata, limits, service_errors
from local_cloud.stepfunctions.normalisation import to_json_values

_EXEC = "moto.stepfunctions.parser.asl.component.state.exec"
_SERVICES = f"{_EXEC}.state_task.service"
_PRINCIPAL = "states.amazonaws.com"
_NOT_TRUSTED = (
    f"Neither the global service principal {_PRINCIPAL}, nor the regional one is authorized to assume the provided "
    "role."
)
_STOPPED = "The Step Functions execution that started this was stopped"

_SDK_ERROR_NAMES = {
    "batch": "Batch",
    "cloudformation": "CloudFormation",
    "cloudwatch": "CloudWatch",
    "cloudwatchlogs": "CloudWatchLogs",
    "dynamodb": "DynamoDb",
    "ecr": "Ecr",
    "eventbridge": "EventBridge",
    "iam": "Iam",
    "kms": "Kms",
    "lambda": "Lambda",
    "s3": "S3",
    "sagemaker": "SageMaker",
    "scheduler": "Scheduler",
    "secretsmanager": "SecretsManager",
    "sfn": "Sfn",
    "sns": "Sns",
    "sqs": "Sqs",
    "ssm": "Ssm",
    "sts": "Sts",
}
"""Prefix of an `aws-sdk:` integration's errors: the name of the service's exception in AWS's Java SDK."""

_SAGEMAKER_JOBS: dict[str, tuple[str, str, str, str]] = {
    "createtransformjob": (
        "describe_transform_job",
        "stop_transform_job",
        "TransformJobName",
        "TransformJobStatus",
    ),
}
_SAGEMAKER_ERRORS = {"ConflictException", "ResourceInUse", "ResourceLimitExceeded", "ResourceNotFound"}
"""The errors the service's model has; all others are its general exception."""

_SAGEMAKER_ACTIONS = {"createtransformjob", "createmodel", "addtags"}


def client_for(region: str, service: str, state_credentials: Any = None) -> Any:
    """A client that speaks for the Task's role.

    Raises: ClientError in strict mode when the role does not trust Step Functions.
    """
    role_arn = getattr(state_credentials, "role_arn", None) or ""
    account = role_arn.split(":")[4] if role_arn.count(":") >= 5 else ""
    machine_arn = getattr(state_credentials, "machine_arn", "")
    taker = Taker(_PRINCIPAL, account or settings.current().account_id, machine_arn)
    try:
        session = handover.take(role_arn, "states", taker)
    except DeniedError as error:
        refusal: Any = {"Code": "AccessDeniedException", "Message": f"{_NOT_TRUSTED} ({error})"}
        metadata: Any = {"HTTPStatusCode": 400, "RequestId": "", "HTTPHeaders": {}, "RetryAttempts": 0, "HostId": ""}
        raise ClientError({"Error": refusal, "ResponseMetadata": metadata}, "AssumeRole") from error
    return aws_clients.client(service, region, account or None, session)


def machine_credentials(env: Any) -> Any:
    """What a machine's own work, outside of its Tasks, is done with: its role."""
    return _of_machine(env, StateCredentials(role_arn=env.aws_execution_details.role_arn))


def _of_machine(env: Any, credentials: Any) -> Any:
    """Credentials that know for which machine the role is taken on: a role's trust may name it."""
    credentials.machine_arn = env.states.context_object.context_object_data["StateMachine"]["Id"]
    return credentials


def _credentials(original: Callable[..., Any]) -> Callable[..., Any]:
    def eval_state_credentials(self: Any, env: Any) -> Any:
        return _of_machine(env, original(self, env))

    return eval_state_credentials


def _task_failed(task: Any, env: Any, error: str, cause: str) -> FailureEvent:
    return FailureEvent(
        env=env,
        error_name=ErrorName(error),
        event_type=HistoryEventType.TaskFailed,
        event_details=EventDetails(
            taskFailedEventDetails=TaskFailedEventDetails(
                error=error,
                cause=cause,
                resource=task._get_sfn_resource(),
                resourceType=task._get_sfn_resource_type(),
            )
        ),
    )


class SageMakerTask(StateTaskServiceCallback):
    """`arn:aws:states:::sagemaker:createTransformJob[.sync]`, `createModel` and `addTags`.

    Source: https://docs.aws.amazon.com/step-functions/latest/dg/connect-sagemaker.html
    """

    def __init__(self) -> None:
        super().__init__(supported_integration_patterns={ResourceCondition.WaitForTaskToken, ResourceCondition.Sync})

    def _get_supported_parameters(self) -> set[str] | None:
        # None is "not a valid resource ARN", the empty set accepts what the service's model has.
        return set() if self.resource.api_action.lower() in _SAGEMAKER_ACTIONS else None

    def _from_error(self, env: Any, ex: Exception) -> FailureEvent:
        if not isinstance(ex, ClientError):
            return super()._from_error(env=env, ex=ex)
        code = ex.response["Error"]["Code"]
        known = code in _SAGEMAKER_ERRORS
        name = f"{code.removesuffix('Exception')}Exception" if known else "AmazonSageMakerException"
        return _task_failed(self, env, f"SageMaker.{name}", ex.response["Error"]["Message"])

    def _eval_service_task(
        self,
        env: Any,
        resource_runtime_part: Any,
        normalised_parameters: dict[str, Any],
        state_credentials: Any,
    ) -> None:
        client = client_for(resource_runtime_part.region, "sagemaker", state_credentials)
        response = getattr(client, self._get_boto_service_action())(**normalised_parameters)
        response.pop("ResponseMetadata", None)
        env.stack.append(response)

    def _build_sync_resolver(
        self,
        env: Any,
        resource_runtime_part: Any,
        normalised_parameters: dict[str, Any],
        state_credentials: Any,
    ) -> Callable[[], Any]:
        started = env.stack.pop()
        describe, stop, name_key, status_key = _SAGEMAKER_JOBS[self.resource.api_action.lower()]
        client = client_for(resource_runtime_part.region, "sagemaker", state_credentials)
        name = {name_key: normalised_parameters[name_key]}

        def resolve() -> dict[str, Any] | None:
            job = getattr(client, describe)(**name)
            job.pop("ResponseMetadata", None)
            if job[status_key] not in ("Completed", "Failed", "Stopped"):
                return None
            to_json_values(job, dates_as_text=False)
            if job[status_key] == "Completed":
                return job
            raise FailureEventException(_task_failed(self, env, "States.TaskFailed", to_json_str(job)))

        return _cancellable(resolve, started["TransformJobArn"], lambda: getattr(client, stop)(**name))

    def _normalise_response(
        self,
        response: Any,
        boto_service_name: str | None = None,  # noqa: ARG002  moto's signature
        service_action_name: str | None = None,  # noqa: ARG002
    ) -> None:
        """Keep SageMaker's own names, which are PascalCase already (MaxPayloadInMB)."""
        to_json_values(response, dates_as_text=False)


def _cancellable(resolve: Callable[[], Any], waits_for: str, cancel: Callable[[], Any]) -> Callable[[], Any]:
    """`resolve` with the key under which the end of what it waits for is announced, and how to cancel that."""

    @functools.wraps(resolve)
    def resolver() -> Any:
        return resolve()

    resolver.waits_for = waits_for  # type: ignore[attr-defined]
    resolver.cancel = cancel  # type: ignore[attr-defined]
    return resolver


def _evaluate_arguments(self: Any, env: Any) -> dict[str, Any]:
    """The Task's Arguments.

    Raises: ValueError naming the arguments that the integration does not take; FailureEventException as
    States.QueryEvaluationError where an expression gives no object.
    """
    if self.parargs is None:
        return {}
    self.parargs.eval(env=env)
    arguments: dict[str, Any] = env.stack.pop()
    if not isinstance(arguments, dict):
        expression = self.parargs.template_eval_component.literal_value
        cause = jsonata.wrong_type(expression, "Arguments", "object", arguments)
        raise failures.evaluation_error(env, cause, "Arguments")
    supported = self._get_supported_parameters()
    unsupported = sorted(set(arguments) - supported) if supported else []
    if unsupported:
        raise ValueError(f"The field '{unsupported[0]}' is not supported by {self.resource.resource_arn}")
    limits.check_arguments(env, self.name, arguments)
    return arguments


def _with_sagemaker(original: Callable[[str], Any]) -> Callable[[str], Any]:
    def state_task_service_for(service_name: str) -> Any:
        return SageMakerTask() if service_name == "sagemaker" else original(service_name)

    return state_task_service_for


def _cancelling(stop: Callable[[Any, str], None], service: str, id_key: str) -> Callable[..., Any]:
    """Wrap a resolver's builder so that what it waits for can be stopped by the id in the submission's output."""

    def wrap(original: Callable[..., Any]) -> Callable[..., Any]:
        def build(
            self: Any,
            env: Any,
            resource_runtime_part: Any,
            normalised_parameters: Any,
            state_credentials: Any,
        ) -> Callable[[], Any]:
            started = env.stack[-1][id_key]
            resolve = original(self, env, resource_runtime_part, normalised_parameters, state_credentials)
            client = client_for(resource_runtime_part.region, service, state_credentials)
            return _cancellable(resolve, started, lambda: stop(client, started))

        return build

    return wrap


def _terminate_job(client: Any, job_id: str) -> None:
    client.terminate_job(jobId=job_id, reason=_STOPPED)


def _stop_execution(client: Any, execution_arn: str) -> None:
    client.stop_execution(executionArn=execution_arn, cause=_STOPPED)


def _sdk_error_name(original: Any) -> Any:
    def normalise_service_error_name(service_name: str) -> str:
        known = _SDK_ERROR_NAMES.get(service_name.lower())
        return known or original.__func__(service_name)

    return staticmethod(normalise_service_error_name)


def _refused_parameters(original: Callable[..., Any]) -> Callable[..., Any]:
    """What botocore refuses before it calls is the service's own general error on AWS."""

    def from_error(self: Any, env: Any, ex: Exception) -> Any:
        if isinstance(ex, ParamValidationError):
            service = self._normalise_service_error_name(self.resource.api_name)
            return _task_failed(self, env, f"{service}.{service}Exception", str(ex))
        return original(self, env, ex)

    return from_error


def _only_client_errors(original: Callable[..., Any]) -> Callable[..., Any]:
    def from_error(self: Any, env: Any, ex: Exception) -> Any:
        if isinstance(ex, FailureEventException | TimeoutError):
            return StateTask._from_error(self, env, ex)
        return original(self, env, ex)

    return from_error


def _events_errors(original: Callable[..., Any]) -> Callable[..., Any]:
    def from_error(self: Any, env: Any, ex: Exception) -> Any:
        if isinstance(ex, ClientError):
            error = ex.response["Error"]
            name = service_errors.exception_class("events", error["Code"], "AmazonEventBridgeException")
            return _task_failed(self, env, f"EventBridge.{name}", error["Message"])
        if isinstance(getattr(ex, "cause", None), dict):
            ex.cause = to_json_str(ex.cause)  # type: ignore[attr-defined]
        return original(self, env, ex)

    return from_error


def _attach_batch_variables(original: Any) -> Any:
    """Mark a job as started by Step Functions; a multi-node job takes no container overrides."""

    def attach(parameters: dict[str, Any]) -> None:
        if "NodeOverrides" not in parameters:
            original.__func__(parameters)

    return staticmethod(attach)


_CLIENT_USERS = [
    f"{_EXEC}.state_map.result_writer.resource_eval.resource_eval_s3",
    f"{_EXEC}.state_map.item_reader.eval.resource_eval_s3",
    f"{_EXEC}.state_task.lambda_eval_utils",
    *(
        f"{_SERVICES}.state_task_service_{name}"
        for name in (
            "unsupported glue events ecs sqs sfn dynamodb batch sns aws_sdk".split()  # noqa: SIM905
        )
    ),
]

REPLACEMENTS: list[Replacement] = [
    *(
        Replacement(
            target=f"{module}:boto_client_for",
            build=lambda _: client_for,
            why="always speaks for the default account, and makes a new client for every Task",
        )
        for module in _CLIENT_USERS
    ),
    Replacement(
        target=f"{_EXEC}.state_task.state_task_factory:state_task_service_for",
        build=_with_sagemaker,
        why="SageMaker jobs are unsupported: .sync returns at once",
    ),
    Replacement(
        target=f"{_EXEC}.state_task.state_task:StateTask._eval_state_credentials",
        build=_credentials,
        why="does not say for which machine a role is taken on, which the role's trust may be bound to",
    ),
    Replacement(
        target=f"{_EXEC}.state_task.state_task:StateTask._eval_parameters",
        build=lambda _: _evaluate_arguments,
        why="arguments that an integration does not take are dropped silently",
    ),
    Replacement(
        target=f"{_SERVICES}.state_task_service_batch:StateTaskServiceBatch._build_sync_resolver",
        build=_cancelling(_terminate_job, "batch", "JobId"),
        why="a stopped execution leaves its job running",
    ),
    *(
        Replacement(
            target=f"{_SERVICES}.state_task_service_sfn:StateTaskServiceSfn.{name}",
            build=_cancelling(_stop_execution, "stepfunctions", "ExecutionArn"),
            why="a stopped execution leaves its child running",
        )
        for name in ("_build_sync_resolver", "_build_sync2_resolver")
    ),
    Replacement(
        target=f"{_SERVICES}.state_task_service_batch:_SUPPORTED_API_PARAM_BINDINGS",
        build=lambda original: {
            "submitjob": original["submitjob"]
            | {"NodeOverrides", "SchedulingPriorityOverride", "ShareIdentifier", "PropagateTags"}
        },
        why="arguments that SubmitJob takes are dropped silently",
    ),
    Replacement(
        target=f"{_SERVICES}.state_task_service_batch:StateTaskServiceBatch._attach_aws_environment_variables",
        build=_attach_batch_variables,
        why="adds container overrides to multi-node jobs, which take none",
    ),
    Replacement(
        target=f"{_SERVICES}.state_task_service_aws_sdk:StateTaskServiceAwsSdk._normalise_service_error_name",
        build=_sdk_error_name,
        why="error names are cased wrongly (s3. for S3.), so that a Catch misses",
    ),
    Replacement(
        target=f"{_SERVICES}.state_task_service_aws_sdk:StateTaskServiceAwsSdk._from_error",
        build=_refused_parameters,
        why="parameters of a wrong type end as States.Runtime, which no Catch sees",
    ),
    Replacement(
        target=f"{_SERVICES}.state_task_service_dynamodb:StateTaskServiceDynamoDB._from_error",
        build=_only_client_errors,
        why="a timeout and a failed expression end as DynamoDB.AmazonDynamoDBException",
    ),
    *(
        Replacement(
            target=f"{module}:CustomErrorName",
            build=lambda _: ErrorName,
            why="a States. error of an item, a branch or a Fail state fails the whole machine with States.Runtime",
        )
        for module in (
            f"{_EXEC}.state_map.iteration.iteration_worker",
            f"{_EXEC}.state_parallel.branches_decl",
            "moto.stepfunctions.parser.asl.component.state.fail.state_fail",
        )
    ),
    Replacement(
        target=f"{_SERVICES}.state_task_service_events:StateTaskServiceEvents._from_error",
        build=_events_errors,
        why="a refused call ends as States.Runtime, which no Catch sees; FailedEntry's cause is an object, not text",
    ),
]
