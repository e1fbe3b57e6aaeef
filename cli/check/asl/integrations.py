"""What a Task's Resource calls: which operation, by which pattern, what its errors are called, what it answers.

Names of errors: an error that the service's model has is called by its class in the SDK for Java; every other one, a
throttled or a forbidden call too, by the service's base class, which differs between the optimised integrations
(`Batch.AWSBatchException`) and those of the SDK (`SageMaker.SageMakerException`).

Source: https://docs.aws.amazon.com/step-functions/latest/dg/integrate-optimized.html and
https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache

from botocore.model import OperationModel

from cli.check.asl import services, values
from cli.check.asl.values import ANY, Value

CALL, SYNC, SYNC_2, TOKEN = "", "sync", "sync:2", "waitForTaskToken"
_ARN = re.compile(
    r"arn:aws[a-z-]*:states:::(?P<service>[^:]+):(?P<action>[A-Za-z]+)(?:\.(?P<pattern>[A-Za-z]+(?::2)?))?"
)
_SDK_ARN = re.compile(
    r"arn:aws[a-z-]*:states:::aws-sdk:(?P<service>[^:]+):(?P<action>[A-Za-z0-9]+)(?:\.(?P<pattern>.+))?"
)
_OWN_CODE = re.compile(r"arn:aws[a-z-]*:(lambda:[^:]*:[^:]*:function:|states:[^:]*:[^:]*:activity:).+")
_UNMODELLED = {"http", "apigateway", "eks", "elasticmapreduce", "emr-serverless", "databrew", "emr-containers"}
"""Services whose optimised integrations have arguments of their own, which no model describes."""


@dataclass(frozen=True)
class _Optimised:
    """An optimised integration. `json_text` are the fields that take JSON where the API wants its text."""

    botocore_name: str
    prefix: str
    base_errors: tuple[str, ...]
    actions: dict[str, tuple[str, ...]]
    own_errors: tuple[str, ...] = ()
    json_text: frozenset[tuple[str, ...]] = frozenset()


_JOBS = ["Training", "Transform", "Processing", "HyperParameterTuning", "Labeling"]
_OPTIMISED = {
    "lambda": _Optimised(
        "lambda", "Lambda", ("AWSLambdaException",), {"invoke": (CALL, TOKEN)},
        ("Lambda.Unknown", "Lambda.ClientExecutionTimeoutException", "Sandbox.Timedout"), frozenset({("Payload",)}),
    ),
    "batch": _Optimised("batch", "Batch", ("AWSBatchException",), {"submitJob": (CALL, SYNC)}),
    "dynamodb": _Optimised(
        "dynamodb", "DynamoDB", ("AmazonDynamoDBException",),
        dict.fromkeys(("getItem", "putItem", "updateItem", "deleteItem"), (CALL,)),
    ),
    "events": _Optimised(
        "events", "EventBridge", ("AmazonEventBridgeException", "EventBridgeException"), {"putEvents": (CALL, TOKEN)},
        ("EventBridge.FailedEntry",), frozenset({("Entries", "Detail")}),
    ),
    "states": _Optimised(
        "stepfunctions", "StepFunctions", ("AWSStepFunctionsException",),
        {"startExecution": (CALL, SYNC, SYNC_2, TOKEN)},
        ("StepFunctions.ExecutionLimitExceeded",), frozenset({("Input",)}),
    ),
    "sagemaker": _Optimised(
        "sagemaker", "SageMaker", ("AmazonSageMakerException",),
        {**{f"create{job}Job": (CALL, SYNC) for job in _JOBS},
         **dict.fromkeys(("createEndpoint", "createEndpointConfig", "createModel", "updateEndpoint"), (CALL,))},
    ),
    "ecs": _Optimised(
        "ecs", "ECS", ("AmazonECSException",), {"runTask": (CALL, SYNC, TOKEN)}, ("AmazonECS.Unknown", "ECS.Unknown")
    ),
    "sns": _Optimised(
        "sns", "SNS", ("AmazonSNSException",), {"publish": (CALL, TOKEN)}, (), frozenset({("Message",)})
    ),
    "sqs": _Optimised(
        "sqs", "SQS", ("AmazonSQSException",), {"sendMessage": (CALL, TOKEN)}, (), frozenset({("MessageBody",)})
    ),
    "glue": _Optimised("glue", "Glue", ("AWSGlueException",), {"startJobRun": (CALL, SYNC)}),
    "athena": _Optimised(
        "athena", "Athena", ("AmazonAthenaException",),
        {"startQueryExecution": (CALL, SYNC),
         **dict.fromkeys(("stopQueryExecution", "getQueryExecution", "getQueryResults"), (CALL,))},
    ),
    "codebuild": _Optimised(
        "codebuild", "CodeBuild", ("AWSCodeBuildException",),
        {**dict.fromkeys(("startBuild", "startBuildBatch"), (CALL, SYNC)),
         **dict.fromkeys(("stopBuild", "stopBuildBatch", "retryBuildBatch", "deleteBuildBatch", "batchDeleteBuilds",
                          "batchGetReports"), (CALL,))},
    ),
}  # fmt: skip
_COMMON = ("Throttl", "AccessDenied", "Validation", "InternalServer", "InternalService", "ServiceUnavailable")
"""How errors begin that a service's model may have without saying of which operation."""

_SYNC_RESULTS = {
    "SubmitJob": ("DescribeJobs", "jobs"),
    "StartExecution": ("DescribeExecution", None),
    **{f"Create{job}Job": (f"Describe{job}Job", None) for job in _JOBS},
}
"""What a `.sync` Task answers: the description of what it waited for."""


@dataclass(frozen=True)
class Integration:
    """What a Task calls. `operation` is None where no model describes it: own code, or arguments of its own kind."""

    kind: str
    pattern: str
    operation: OperationModel | None
    errors: frozenset[str]
    json_text: frozenset[tuple[str, ...]] = frozenset()

    @property
    def is_function(self) -> bool:
        """Whether a Lambda function runs."""
        return self.kind in ("lambda", "function")

    @property
    def is_execution(self) -> bool:
        """Whether an execution of another machine is started."""
        return self.operation is not None and self.operation.name == "StartExecution"


class ResourceError(Exception):
    """A Resource that Step Functions does not know. `mend` says what there is instead."""

    def __init__(self, what: str, mend: str) -> None:
        super().__init__(what)
        self.mend = mend


@lru_cache(maxsize=512)
def of(resource: str) -> Integration:
    """What a Resource calls. Raises: ResourceError."""
    if _OWN_CODE.fullmatch(resource):
        return Integration("function" if ":lambda:" in resource else "activity", CALL, None, frozenset())
    if match := _SDK_ARN.fullmatch(resource):
        return _sdk(match["service"], match["action"], match["pattern"] or CALL)
    if match := _ARN.fullmatch(resource):
        return _optimised(match["service"], match["action"], match["pattern"] or CALL)
    raise ResourceError(f"`{resource}` is no ARN of an integration", "write arn:aws:states:::SERVICE:ACTION[.sync]")


def _optimised(service: str, action: str, pattern: str) -> Integration:
    if service in _UNMODELLED:
        return Integration(service, pattern, None, frozenset())
    known = _OPTIMISED.get(service)
    if known is None:
        raise ResourceError(
            f"there is no optimised integration `{service}`", f"use one of {', '.join(_OPTIMISED)}, or aws-sdk"
        )
    if action not in known.actions:
        raise ResourceError(f"`{service}` has no action `{action}`", f"use one of {', '.join(known.actions)}")
    if pattern not in known.actions[action]:
        forms = ", ".join(f"{action}.{one}" if one else action for one in known.actions[action])
        raise ResourceError(f"`{service}:{action}` has no form `.{pattern}`", f"use one of {forms}")
    operation = services.operation(services.model(known.botocore_name), action)
    modelled = _modelled(operation)
    names = [*modelled, *known.base_errors, "SdkClientException"]
    errors = frozenset({f"{known.prefix}.{name}" for name in names} | set(known.own_errors))
    return Integration(service, pattern, operation, errors, known.json_text)


def _sdk(service: str, action: str, pattern: str) -> Integration:
    model = services.by_sdk_name(service)
    if model is None:
        raise ResourceError(
            f"the SDK has no service `{service}`", "write the SDK's name of the service, such as sfn or eventbridge"
        )
    operation = services.operation(model, action)
    if operation is None:
        raise ResourceError(f"`{service}` has no action `{action}`", f"use {_nearest(action, services.actions(model))}")
    if pattern not in (CALL, TOKEN):
        raise ResourceError(f"SDK integrations have no form `.{pattern}`", "leave it out, or use .waitForTaskToken")
    prefix = services.sdk_prefix(model)
    names = [*_modelled(operation), f"{prefix}Exception", "SdkClientException"]
    return Integration("aws-sdk", pattern, operation, frozenset(f"{prefix}.{name}" for name in names))


def _modelled(operation: OperationModel | None) -> list[str]:
    """The classes of an operation's errors, and of those of its service that any operation may raise."""
    if operation is None:
        return []
    common = [shape for shape in operation.service_model.error_shapes if shape.name.startswith(_COMMON)]
    return [services.exception_name(shape.name) for shape in (*operation.error_shapes, *common)]


def _nearest(name: str, known: list[str]) -> str:
    return " or ".join(get_close_matches(name, known, 3)) or "an action that there is"


@lru_cache(maxsize=512)
def result(integration: Integration) -> Value:
    """What `$states.result` is after the Task, as far as the models say."""
    operation = integration.operation
    if operation is None or integration.pattern == TOKEN:
        return ANY
    if integration.pattern == CALL:
        return _answer(integration, operation)
    described = _SYNC_RESULTS.get(operation.name)
    if described is None:
        return ANY
    name, member = described
    shape = operation.service_model.operation_model(name).output_shape
    found = services.value_of(shape)
    if member is not None:
        found = values.item_of(values.field_of(found, services.pascal(member)))
    if operation.name != "StartExecution" or not isinstance(found, values.Object):
        return found
    text = {"Input": ANY, "Output": ANY} if integration.pattern == SYNC_2 else {}
    return values.of_object({**dict(found.fields), **text})


def _answer(integration: Integration, operation: OperationModel) -> Value:
    if operation.output_shape is None:
        return values.of_object({})
    found = services.value_of(operation.output_shape)
    if integration.kind == "aws-sdk" or not isinstance(found, values.Object):
        return found
    extra: dict[str, Value] = {"SdkHttpMetadata": ANY, "SdkResponseMetadata": ANY}
    if integration.kind == "lambda":
        extra["Payload"] = ANY
    return values.of_object({**dict(found.fields), **extra})
