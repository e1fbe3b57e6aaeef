"""Which permissions a call needs: IAM actions on resources, with the condition keys that the call fulfils.

An operation that is not in the table needs the action of its own name on every resource: what this cloud does not know
better it lets nobody do who may not do it everywhere.

Source: https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from local_cloud.authorization import s3_permissions
from local_cloud.authorization.access import EVERYTHING, Access
from local_cloud.authorization.calls import Call
from local_cloud.authorization.tables import partition_key

_PREFIXES = {"monitoring": "cloudwatch", "email": "ses"}
"""Of services whose actions do not begin with their signing name."""
_FIELD = re.compile(r"\{(\w+)\}")

ALWAYS = frozenset({"sts:GetCallerIdentity"})
"""What everybody may ask. Source: https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html"""

_RESOURCES: dict[str, str] = {
    **dict.fromkeys(
        (
            *("cloudformation:CreateChangeSet", "cloudformation:ExecuteChangeSet", "cloudformation:DeleteChangeSet"),
            *("cloudformation:DescribeChangeSet", "cloudformation:DescribeStacks", "cloudformation:DeleteStack"),
            *("cloudformation:DescribeStackEvents", "cloudformation:DescribeStackResource"),
            *("cloudformation:DescribeStackResources", "cloudformation:GetTemplate"),
        ),
        "stack/{StackName}/*",
    ),
    "dynamodb:Scan": "table/{TableName}",
    "dynamodb:DescribeTable": "table/{TableName}",
    "states:StartExecution": "{stateMachineArn}",
    "states:DescribeStateMachine": "{stateMachineArn}",
    "states:ListExecutions": "{stateMachineArn}",
    "states:DescribeExecution": "{executionArn}",
    "states:GetExecutionHistory": "{executionArn}",
    "states:StopExecution": "{executionArn}",
    "states:RedriveExecution": "{executionArn}",
    "lambda:GetFunction": "function:{FunctionName}",
    "sns:Publish": "{TopicArn}",
    "logs:GetLogEvents": "log-group:{logGroupName}:log-stream:{logStreamName}",
    "logs:CreateLogStream": "log-group:{logGroupName}:log-stream:{logStreamName}",
    "logs:PutLogEvents": "log-group:{logGroupName}:log-stream:{logStreamName}",
    "logs:FilterLogEvents": "log-group:{logGroupName}",
    "logs:DescribeLogStreams": "log-group:{logGroupName}",
    "events:PutRule": "rule/{Name}",
    "events:DescribeRule": "rule/{Name}",
    "sagemaker:CreateModel": "model/{ModelName}",
    "sagemaker:DescribeModel": "model/{ModelName}",
    "sagemaker:DeleteModel": "model/{ModelName}",
    "sagemaker:CreateTransformJob": "transform-job/{TransformJobName}",
    "sagemaker:DescribeTransformJob": "transform-job/{TransformJobName}",
    "sagemaker:StopTransformJob": "transform-job/{TransformJobName}",
    "sagemaker:DescribeModelPackageGroup": "model-package-group/{ModelPackageGroupName}",
    "sagemaker:DescribeModelPackage": "model-package/{ModelPackageName}",
    "sagemaker:UpdateModelPackage": "{ModelPackageArn}",
    "batch:TerminateJob": "job/{jobId}",
    "batch:CancelJob": "job/{jobId}",
    "sts:AssumeRole": "{RoleArn}",
}
"""The one resource of an operation whose action has its name: fields are parameters, one that is an ARN stays alone."""

_TAGGED: dict[str, tuple[str, str]] = {
    "sagemaker:CreateModel": ("sagemaker:AddTags", "model/{ModelName}"),
    "sagemaker:CreateTransformJob": ("sagemaker:AddTags", "transform-job/{TransformJobName}"),
    # The job has no id yet.
    "batch:SubmitJob": ("batch:TagResource", "job/*"),
}
"""What a call needs besides when it gives tags."""

_PASSED: dict[str, tuple[str, str]] = {
    "cloudformation:CreateChangeSet": ("RoleARN", "cloudformation.amazonaws.com"),
    "cloudformation:CreateStack": ("RoleARN", "cloudformation.amazonaws.com"),
    "cloudformation:UpdateStack": ("RoleARN", "cloudformation.amazonaws.com"),
    "cloudformation:DeleteStack": ("RoleARN", "cloudformation.amazonaws.com"),
    "sagemaker:CreateModel": ("ExecutionRoleArn", "sagemaker.amazonaws.com"),
    "lambda:CreateFunction": ("Role", "lambda.amazonaws.com"),
    "lambda:UpdateFunctionConfiguration": ("Role", "lambda.amazonaws.com"),
    "states:CreateStateMachine": ("roleArn", "states.amazonaws.com"),
    "states:UpdateStateMachine": ("roleArn", "states.amazonaws.com"),
    "events:PutTargets": ("RoleArn", "events.amazonaws.com"),
    "events:PutRule": ("RoleArn", "events.amazonaws.com"),
    "scheduler:CreateSchedule": ("RoleArn", "scheduler.amazonaws.com"),
    "scheduler:UpdateSchedule": ("RoleArn", "scheduler.amazonaws.com"),
    "batch:RegisterJobDefinition": ("jobRoleArn", "ecs-tasks.amazonaws.com"),
}
"""Where a call hands a role to a service, however deep in its parameters, and to which."""


def needed(call: Call) -> list[Access]:
    """All that a call needs; each must be allowed."""
    if call.service in ("s3", "s3express"):
        return s3_permissions.needed(call)
    name = f"{_PREFIXES.get(call.service, call.service)}:{call.operation or '(unknown)'}"
    if name in ALWAYS:
        return []
    own = _SPECIAL[name](call) if name in _SPECIAL else [_plain(call, name)]
    return [*own, *_tagging(call, name), *_passing(call, name)]


def _plain(call: Call, name: str) -> Access:
    template = _RESOURCES.get(name)
    return Access(name, _arn(call, template) if template else EVERYTHING, _tag_context(call))


def _arn(call: Call, template: str, **more: str) -> str:
    """A resource's ARN. A caller who gives no name asks for none, which nobody may; an ARN that he gives is it."""
    given = {name: more.get(name) or call.text(name) for name in _FIELD.findall(template)}
    filled = _FIELD.sub(lambda found: given[found[1]], template)
    for value in given.values():
        if value.startswith("arn:"):
            return value
    service = "cloudwatch" if call.service == "monitoring" else call.service
    return f"arn:aws:{service}:{call.region}:{call.account}:{filled}"


def _tagging(call: Call, name: str) -> Iterator[Access]:
    if name in _TAGGED and (call.parameters.get("Tags") or call.parameters.get("tags")):
        action, template = _TAGGED[name]
        yield Access(action, _arn(call, template), _tag_context(call))


def _passing(call: Call, name: str) -> Iterator[Access]:
    """Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html"""
    if name in _PASSED:
        parameter, service = _PASSED[name]
        for role in sorted(set(_values(call.parameters, parameter))):
            yield Access("iam:PassRole", role, {"iam:passedtoservice": [service]})


def _values(given: Any, name: str) -> Iterator[str]:
    """The texts under a name, at any depth."""
    if isinstance(given, Mapping):
        for key, value in given.items():
            if key == name and isinstance(value, str) and value:
                yield value
            yield from _values(value, name)
    elif isinstance(given, list):
        for one in given:
            yield from _values(one, name)


def _tag_context(call: Call) -> dict[str, list[str]]:
    """Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/access_tags.html"""
    given = call.parameters.get("Tags") or call.parameters.get("tags") or {}
    if isinstance(given, list):
        given = {str(one.get("Key")): str(one.get("Value")) for one in given if isinstance(one, Mapping)}
    if not isinstance(given, Mapping) or not given:
        return {}
    named = {f"aws:requesttag/{key.lower()}": [str(value)] for key, value in given.items()}
    return {**named, "aws:tagkeys": list(map(str, given))}


_EQUALS = re.compile(r"(#?\w+)\s*=\s*(:\w+)")


def _query_table(call: Call) -> list[Access]:
    """Of a table the partition that is read is a leading key; which one a condition sees of an index is not known."""
    index = call.text("IndexName")
    table = _arn(call, "table/{TableName}")
    if index:
        return [Access(f"dynamodb:{call.operation}", f"{table}/index/{index}", {})]
    return [Access(f"dynamodb:{call.operation}", table, _leading_keys(call, _compared(call)))]


def _compared(call: Call) -> dict[str, Any]:
    """What a query's key condition wants each attribute to equal, as an item's key."""
    names = call.parameters.get("ExpressionAttributeNames") or {}
    values = call.parameters.get("ExpressionAttributeValues") or {}
    pairs = _EQUALS.findall(call.text("KeyConditionExpression"))
    return {names.get(name, name): values.get(value) for name, value in pairs}


def _item(call: Call) -> list[Access]:
    """An item by its key; what stands under the table's partition key is what a condition on leading keys sees.

    Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html
    """
    key = call.parameters.get("Key") or call.parameters.get("Item") or {}
    return [Access(f"dynamodb:{call.operation}", _arn(call, "table/{TableName}"), _leading_keys(call, key))]


def _leading_keys(call: Call, key: Any, table: str = "") -> dict[str, list[str]]:
    name = partition_key(table or call.text("TableName"), call.account, call.region)
    value = key.get(name) if isinstance(key, Mapping) and name else None
    return {"dynamodb:leadingkeys": [str(next(iter(value.values())))]} if isinstance(value, Mapping) and value else {}


_TRANSACTED = {"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "ConditionCheck": "ConditionCheckItem"}


def _transaction(call: Call) -> list[Access]:
    """Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis-iam.html"""
    found = []
    for item in call.parameters.get("TransactItems") or []:
        for kind, given in item.items():
            table = str(given.get("TableName", ""))
            told = _leading_keys(call, given.get("Key") or given.get("Item") or {}, table)
            action = f"dynamodb:{_TRANSACTED.get(kind, 'GetItem')}"
            resource = _arn(call, "table/{TableName}", TableName=table)
            found.append(Access(action, resource, {**told, "dynamodb:enclosingoperation": [call.operation]}))
    return found or [Access(f"dynamodb:{call.operation}", EVERYTHING, {})]


def _submit_job(call: Call) -> list[Access]:
    """The definition as the caller names it: without a revision, it is the definition's own ARN."""
    return [
        Access("batch:SubmitJob", _arn(call, "job-definition/{jobDefinition}"), _tag_context(call)),
        Access("batch:SubmitJob", _arn(call, "job-queue/{jobQueue}"), _tag_context(call)),
    ]


def _put_events(call: Call) -> list[Access]:
    """Each entry by itself.

    Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-conditions.html
    """
    entries = [entry for entry in call.parameters.get("Entries") or [{}] if isinstance(entry, Mapping)]
    told = {
        (str(entry.get("EventBusName") or "default"), str(entry.get("Source")), str(entry.get("DetailType")))
        for entry in entries
    }
    return [
        Access(
            "events:PutEvents",
            _arn(call, "event-bus/{bus}", bus=bus),
            {"events:source": [source], "events:detail-type": [kind]},
        )
        for bus, source, kind in sorted(told)
    ]


def _put_targets(call: Call) -> list[Access]:
    return [Access("events:PutTargets", _arn(call, "rule/{Rule}"), {})]


def _put_metric_data(call: Call) -> list[Access]:
    return [Access("cloudwatch:PutMetricData", EVERYTHING, {"cloudwatch:namespace": [call.text("Namespace")]})]


def _packages(call: Call) -> list[Access]:
    """All of a group: a package's version is not known before it is made, nor are those that a list will hold."""
    group = call.text("ModelPackageGroupName").rpartition("/")[2]
    packages = _arn(call, "model-package/{group}/*", group=group)
    own = Access(f"sagemaker:{call.operation}", packages, _tag_context(call))
    is_tagging = call.operation == "CreateModelPackage" and call.parameters.get("Tags")
    return [own, Access("sagemaker:AddTags", packages, _tag_context(call))] if is_tagging else [own]


def _invoke(call: Call) -> list[Access]:
    qualifier = call.text("Qualifier")
    arn = _arn(call, "function:{FunctionName}")
    return [Access("lambda:InvokeFunction", f"{arn}:{qualifier}" if qualifier else arn, {})]


def _queue(call: Call) -> list[Access]:
    """A queue's URL ends in its account and name."""
    parts = urlsplit(call.text("QueueUrl")).path.strip("/").split("/")
    account, name = (parts[-2], parts[-1]) if len(parts) > 1 else (call.account, call.text("QueueName"))
    return [Access(f"sqs:{call.operation}", f"arn:aws:sqs:{call.region}:{account}:{name}", {})]


_SPECIAL: dict[str, Callable[[Call], list[Access]]] = {
    "dynamodb:Query": _query_table,
    **dict.fromkeys(("dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"), _item),
    **dict.fromkeys(("dynamodb:TransactWriteItems", "dynamodb:TransactGetItems"), _transaction),
    "batch:SubmitJob": _submit_job,
    "events:PutEvents": _put_events,
    "events:PutTargets": _put_targets,
    "cloudwatch:PutMetricData": _put_metric_data,
    "lambda:Invoke": _invoke,
    **dict.fromkeys(("sagemaker:CreateModelPackage", "sagemaker:ListModelPackages"), _packages),
    **dict.fromkeys(
        (
            *("sqs:SendMessage", "sqs:SendMessageBatch", "sqs:ReceiveMessage", "sqs:DeleteMessage"),
            *("sqs:GetQueueUrl", "sqs:GetQueueAttributes"),
        ),
        _queue,
    ),
}
