"""The limits by which everything is measured, each with its unit and where it stands.

A limit that botocore's model of a service knows is read from there when it is asked for. The others are AWS's
documentation's. Where AWS has raised one lately, or raises it on request, the value is the one that every account has.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from cli.check.quotas import shapes

_DOCS = "https://docs.aws.amazon.com"
_BATCH = f"{_DOCS}/batch/latest/userguide/service_limits.html"
_BATCH_DEFINITION = f"{_DOCS}/batch/latest/userguide/job_definition_parameters.html"
_BUCKET_NAMES = f"{_DOCS}/AmazonS3/latest/userguide/bucketnamingrules.html"
_BUCKET_POLICIES = f"{_DOCS}/AmazonS3/latest/userguide/bucket-policies.html"
_DYNAMODB = f"{_DOCS}/amazondynamodb/latest/developerguide/ServiceQuotas.html"
_EVENTS = f"{_DOCS}/eventbridge/latest/userguide/eb-quota.html"
_GET_METRICS = f"{_DOCS}/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html"
_IAM = f"{_DOCS}/IAM/latest/UserGuide/reference_iam-quotas.html"
_LAMBDA = f"{_DOCS}/lambda/latest/dg/gettingstarted-limits.html"
_OBJECT_KEYS = f"{_DOCS}/AmazonS3/latest/userguide/object-keys.html"
_OVERRIDES = f"{_DOCS}/AmazonECS/latest/APIReference/API_TaskOverride.html"
_PUT_METRICS = f"{_DOCS}/AmazonCloudWatch/latest/APIReference/API_PutMetricData.html"
_SCHEDULER = f"{_DOCS}/scheduler/latest/UserGuide/scheduler-quotas.html"
_SNS = f"{_DOCS}/sns/latest/api/API_Publish.html"
_STACKS = f"{_DOCS}/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html"
_STATES = f"{_DOCS}/step-functions/latest/dg/service-quotas.html"
_SUBMIT_JOB = f"{_DOCS}/batch/latest/APIReference/API_SubmitJob.html"
_TRANSFORM = f"{_DOCS}/sagemaker/latest/APIReference/API_CreateTransformJob.html"
_VARIABLES = f"{_DOCS}/step-functions/latest/dg/workflow-variables.html"


@dataclass(frozen=True)
class Limit:
    """One limit of AWS's. `source` is a page, or the member of botocore's model."""

    key: str
    what: str
    value: int
    unit: str
    source: str


_OF_MODELS = (
    ("payload", "input, arguments, result or output of a state", "bytes", "stepfunctions.StartExecution.input"),
    ("definition", "definition of a machine, substituted", "characters", "stepfunctions.CreateStateMachine.definition"),
    ("execution-name", "name of an execution", "characters", "stepfunctions.StartExecution.name"),
    ("machine-name", "name of a machine", "characters", "stepfunctions.CreateStateMachine.name"),
    ("error-name", "name of an error that ends an execution", "characters", "stepfunctions.SendTaskFailure.error"),
    ("cause", "cause of a failure", "characters", "stepfunctions.SendTaskFailure.cause"),
    ("role-name", "name that a template gives a role", "characters", "iam.CreateRole.RoleName"),
    ("rule-name", "name that a template gives a rule", "characters", "events.PutRule.Name"),
    ("schedule-name", "name of a schedule", "characters", "scheduler.CreateSchedule.Name"),
    ("group-name", "name of a package group", "characters", "sagemaker.CreateModelPackageGroup.ModelPackageGroupName"),
    ("transform-name", "name of a transform job", "characters", "sagemaker.CreateTransformJob.TransformJobName"),
    ("model-name", "name of a SageMaker model", "characters", "sagemaker.CreateModel.ModelName"),
    ("metadata", "metadata of a package", "entries", "sagemaker.CreateModelPackage.CustomerMetadataProperties"),
    ("dimensions", "dimensions of a metric", "entries", "cloudwatch.PutMetricData.MetricData.[].Dimensions"),
)
_DOCUMENTED = (
    Limit("history", "longest history of an execution", 25_000, "events", _STATES),
    Limit("variables", "variables that one state assigns", 262_144, "bytes", _VARIABLES),
    Limit("inline-map", "concurrency that an inline Map asks for", 40, "at once", _STATES),
    Limit("function-payload", "request or reply of a function that is waited for", 6 * 1024**2, "bytes", _LAMBDA),
    Limit("function-event", "event that a rule hands to a function", 262_144, "bytes", _EVENTS),
    Limit("function-environment", "environment of a function", 4096, "bytes", _LAMBDA),
    Limit("function-timeout", "timeout of a function", 900, "s", _LAMBDA),
    Limit("function-memory", "memory of a function", 10_240, "MB", _LAMBDA),
    Limit("function-layers", "layers of a function", 5, "layers", _LAMBDA),
    Limit("function-name", "name that a template gives a function", 64, "characters", _LAMBDA),
    Limit("template-size", "template in S3, transformed", 1024**2, "bytes", _STACKS),
    Limit("template-inline", "template in the request (a team's)", 51_200, "bytes", _STACKS),
    Limit("template-resources", "resources of a template, transformed", 500, "resources", _STACKS),
    Limit("template-parameters", "parameters of a template", 200, "parameters", _STACKS),
    Limit("template-outputs", "outputs of a template", 200, "outputs", _STACKS),
    Limit("stack-name", "name of a stack", 128, "characters", _STACKS),
    Limit("parameter-value", "value of a team stack's parameter", 4096, "bytes", _STACKS),
    Limit("role-inline-policies", "inline policies of a role together", 10_240, "characters", _IAM),
    Limit("role-trust", "trust policy of a role", 2048, "characters", _IAM),
    Limit("managed-policy", "managed policy", 6144, "characters", _IAM),
    Limit("role-managed-policies", "managed policies of a role", 10, "policies", _IAM),
    Limit("bucket-policy", "policy of a bucket", 20 * 1024, "bytes", _BUCKET_POLICIES),
    Limit("bucket-name", "name of a bucket that the command makes", 63, "characters", _BUCKET_NAMES),
    Limit("object-key", "key of an object", 1024, "bytes", _OBJECT_KEYS),
    Limit("event-entry", "event on the bus", 262_144, "bytes", _EVENTS),
    Limit("event-pattern", "pattern of a rule", 2048, "characters", _EVENTS),
    Limit("rule-targets", "targets of a rule", 5, "targets", _EVENTS),
    Limit("bus-rules", "rules on the bus, Step Functions' own too", 300, "rules", _EVENTS),
    Limit("schedules", "schedules of all teams", 1_000_000, "schedules", _SCHEDULER),
    Limit("job-name", "name of a job", 128, "characters", _SUBMIT_JOB),
    Limit("job-request", "request that submits a job", 30 * 1024, "bytes", _BATCH),
    Limit("job-overrides", "overrides of a job's container", 8192, "characters", _OVERRIDES),
    Limit("job-definition", "job definition", 24 * 1024, "bytes", _BATCH),
    Limit("job-definition-name", "name of a job definition", 128, "characters", _BATCH_DEFINITION),
    Limit("job-exits", "evaluateOnExit rules of a job definition", 5, "rules", _BATCH_DEFINITION),
    Limit("job-attempts", "attempts of a job", 10, "attempts", _BATCH_DEFINITION),
    Limit("job-queues", "job queues", 50, "queues", _BATCH),
    Limit("compute-environments", "compute environments", 50, "environments", _BATCH),
    Limit("queue-environments", "compute environments of a queue", 3, "environments", _BATCH),
    Limit("roles", "roles of all stacks and teams", 1000, "roles", _IAM),
    Limit("stacks", "stacks, one a team", 2000, "stacks", _STACKS),
    Limit("transform-payload", "MaxPayloadInMB x MaxConcurrentTransforms", 100, "MB", _TRANSFORM),
    Limit("item", "item of a table", 400 * 1024, "bytes", _DYNAMODB),
    Limit("partition-key", "partition key of an item", 2048, "bytes", _DYNAMODB),
    Limit("sort-key", "sort key of an item", 1024, "bytes", _DYNAMODB),
    Limit("notification", "message to a topic, or dead letter", 262_144, "bytes", _SNS),
    Limit("subject", "subject of a message", 100, "characters", _SNS),
    Limit("metric-queries", "queries of one GetMetricData", 500, "queries", _GET_METRICS),
    Limit("metric-data", "metrics of one PutMetricData", 1000, "metrics", _PUT_METRICS),
)


@cache
def table() -> dict[str, Limit]:
    """Every limit that has a name here, by key; what models bound besides is named by `of_model`."""
    return {limit.key: limit for limit in (*_modelled(), *_DOCUMENTED)}


def of_model(service: str, operation: str, found: shapes.Bounded) -> Limit:
    """The limit of a request's member."""
    member = f"{service}.{operation}.{found.way}"
    return Limit(member, member, found.most, found.unit, "botocore")


def _modelled() -> Iterable[Limit]:
    for key, what, unit, member in _OF_MODELS:
        service, operation, *way = member.split(".")
        yield Limit(key, what, shapes.most(service, operation, *way), unit, f"botocore: {member}")
