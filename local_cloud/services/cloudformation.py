"""CloudFormation's API on this cloud's own engine."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from moto.cloudformation.exceptions import CloudFormationError, ValidationError
from moto.cloudformation.responses import CloudFormationResponse as Request
from moto.core.responses import ActionResult, EmptyResult

from local_cloud.cloudformation import operations
from local_cloud.cloudformation.descriptions import (
    change_set_summary,
    shown_events,
    shown_parameters,
    shown_resources,
    shown_stack,
    shown_template,
    template_summary,
)
from local_cloud.cloudformation.errors import TemplateError
from local_cloud.cloudformation.operations import (
    NO_CHANGES,
    STORE,
    MissingCapabilityError,
    has_changes,
    in_background,
    new_change_set,
    new_context,
    prepare,
    read_template,
)
from local_cloud.cloudformation.stacks import ChangeSet, Pending, Prepared, Stack
from local_cloud.cloudformation.templates import parse
from local_cloud.replacements import Replacement

_UPDATABLE = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "CREATE_FAILED")


class AlreadyExistsError(CloudFormationError):
    """A living stack has the name."""

    code = "AlreadyExistsException"


class InsufficientCapabilitiesError(CloudFormationError):
    """The caller did not agree to IAM resources."""

    code = "InsufficientCapabilitiesException"


class ChangeSetNotFoundError(CloudFormationError):
    """No such change set."""

    code = "ChangeSetNotFoundException"


class InvalidChangeSetStatusError(CloudFormationError):
    """The change set cannot be executed."""

    code = "InvalidChangeSetStatusException"


def create_stack(request: Request) -> ActionResult:
    """CreateStack."""
    name, capabilities = request._get_param("StackName"), _capabilities(request)
    context = new_context(name, request.current_account, request.region, capabilities)
    prepared = _prepare(request, context, None)
    on_failure = request._get_param("OnFailure", "ROLLBACK")
    stack = Stack(context, "CREATE_IN_PROGRESS", tags=_tags(request) or {})
    stack.disable_rollback = _flag(request, "DisableRollback") or on_failure == "DO_NOTHING"
    stack.termination_protection = _flag(request, "EnableTerminationProtection")
    # Else a crash could leave a stack that is being created for ever.
    in_background(stack, Pending(prepared, delete_on_failure=on_failure == "DELETE"), lambda: _add(stack))
    return ActionResult({"StackId": context.stack_id})


def update_stack(request: Request) -> ActionResult:
    """UpdateStack."""
    stack = _find(request)
    _check_updatable(stack)
    prepared = _prepare(request, _with_capabilities(stack, request), stack)
    tags = _tags(request)
    if not has_changes(stack, prepared, tags):
        raise ValidationError(message=NO_CHANGES)
    in_background(stack, Pending(prepared, tags))
    return ActionResult({"StackId": stack.context.stack_id})


def delete_stack(request: Request) -> EmptyResult:
    """DeleteStack; a stack that does not exist is no error."""
    name = request._get_param("StackName")
    stack = STORE.find(request.current_account, request.region, name)
    if stack is None or stack.status == "DELETE_COMPLETE":
        return EmptyResult()
    if stack.termination_protection:
        raise ValidationError(message=f"Stack [{name}] cannot be deleted while TerminationProtection is enabled")
    if stack.in_progress:
        raise _busy(stack)
    retained = request._get_param("RetainResources") or []

    def accept() -> None:
        for logical_id in retained:
            if logical_id in stack.resources:
                stack.resources[logical_id].keep_on_delete = True

    in_background(stack, Pending(), accept)
    return EmptyResult()


def create_change_set(request: Request) -> ActionResult:
    """CreateChangeSet."""
    name, kind = request._get_param("ChangeSetName"), request._get_param("ChangeSetType", "UPDATE")
    stack_name, capabilities = request._get_param("StackName"), _capabilities(request)
    if kind not in ("CREATE", "UPDATE"):
        raise ValidationError(message=f"ChangeSetType {kind} is not emulated")
    for ignored in ("ImportExistingResources", "ResourcesToImport", "OnStackFailure", "RollbackConfiguration"):
        if request._get_param(ignored) not in (None, "false", "False", False):
            raise ValidationError(message=f"CreateChangeSet: {ignored} is not emulated")
    stack = STORE.find(request.current_account, request.region, stack_name)
    if kind == "UPDATE":
        stack = _find(request)
        _check_updatable(stack)
        context = _with_capabilities(stack, request)
        prepared = _prepare(request, context, stack)
    else:
        if stack is not None and stack.status not in ("REVIEW_IN_PROGRESS", "DELETE_COMPLETE"):
            raise ValidationError(
                message=f"Stack [{stack_name}] already exists and cannot be created again with the changeSet [{name}]."
            )
        context = new_context(stack_name, request.current_account, request.region, capabilities)
        prepared = _prepare(request, context, None)
        if stack is None:
            stack = Stack(context, "REVIEW_IN_PROGRESS")
            _add(stack)
            stack.set_status("REVIEW_IN_PROGRESS", "User Initiated")
    change_set = new_change_set(
        name,
        stack,
        kind,
        prepared,
        description=request._get_param("Description", ""),
        tags=_tags(request) or {},
        capabilities=capabilities,
    )
    return ActionResult({"Id": change_set.change_set_id, "StackId": stack.context.stack_id})


def describe_change_set(request: Request) -> ActionResult:
    """DescribeChangeSet."""
    found = _find_change_set(request)
    parameters = shown_parameters(found.prepared)
    return ActionResult(
        {
            **change_set_summary(found),
            "Parameters": parameters,
            "Tags": [{"Key": key, "Value": value} for key, value in found.tags.items()],
            "Capabilities": sorted(found.capabilities),
            "Changes": [{"Type": "Resource", "ResourceChange": change} for change in found.changes],
        }
    )


def list_change_sets(request: Request) -> ActionResult:
    """ListChangeSets."""
    return ActionResult({"Summaries": [change_set_summary(found) for found in STORE.change_sets(_find(request))]})


def execute_change_set(request: Request) -> EmptyResult:
    """ExecuteChangeSet."""
    found = _find_change_set(request)
    if found.execution_status != "AVAILABLE":
        raise InvalidChangeSetStatusError(
            f"ChangeSet [{found.change_set_id}] cannot be executed in its current status of [{found.status}]"
        )
    stack = found.stack
    if stack.in_progress:
        raise _busy(stack)

    def accept() -> None:
        found.execution_status = "EXECUTE_COMPLETE"
        stack.disable_rollback = _flag(request, "DisableRollback")

    in_background(stack, Pending(found.prepared, found.tags), accept)
    return EmptyResult()


def delete_change_set(request: Request) -> EmptyResult:
    """DeleteChangeSet."""
    STORE.drop_change_set(_find_change_set(request))
    return EmptyResult()


def describe_stacks(request: Request) -> ActionResult:
    """DescribeStacks."""
    if request._get_param("StackName"):
        return ActionResult({"Stacks": [shown_stack(_find(request))]})
    stacks = STORE.all(request.current_account, request.region)
    return ActionResult({"Stacks": [shown_stack(stack) for stack in stacks if stack.status != "DELETE_COMPLETE"]})


def list_stacks(request: Request) -> ActionResult:
    """ListStacks."""
    wanted = request._get_param("StackStatusFilter") or []
    stacks = [
        stack for stack in STORE.all(request.current_account, request.region) if not wanted or stack.status in wanted
    ]
    keys = {"StackId", "StackName", "CreationTime", "LastUpdatedTime", "DeletionTime", "StackStatus"}
    keys |= {"StackStatusReason", "ParentId", "RootId"}
    return ActionResult(
        {"StackSummaries": [{k: v for k, v in shown_stack(stack).items() if k in keys} for stack in stacks]}
    )


def list_stack_resources(request: Request) -> ActionResult:
    """ListStackResources."""
    stack = _find(request)
    return ActionResult(
        {
            "StackResourceSummaries": [
                {**shown, "LastUpdatedTimestamp": shown.pop("Timestamp")} for shown in shown_resources(stack)
            ]
        }
    )


def describe_stack_resources(request: Request) -> ActionResult:
    """DescribeStackResources."""
    logical_id = request._get_param("LogicalResourceId")
    stack = _find(request)
    shown = [item for item in shown_resources(stack) if logical_id in (None, item["LogicalResourceId"])]
    named = {"StackName": stack.context.name, "StackId": stack.context.stack_id}
    return ActionResult({"StackResources": [{**named, **item} for item in shown]})


def describe_stack_resource(request: Request) -> ActionResult:
    """DescribeStackResource."""
    stack, logical_id = _find(request), request._get_param("LogicalResourceId")
    shown = next((item for item in shown_resources(stack) if item["LogicalResourceId"] == logical_id), None)
    if shown is None:
        raise ValidationError(message=f"Resource {logical_id} does not exist for stack {stack.context.name}")
    metadata = json.dumps(dict(stack.resources[logical_id].desired.metadata))
    detail = {"StackName": stack.context.name, "StackId": stack.context.stack_id, "Metadata": metadata}
    return ActionResult({"StackResourceDetail": {**detail, **shown, "LastUpdatedTimestamp": shown.pop("Timestamp")}})


def describe_stack_events(request: Request) -> ActionResult:
    """DescribeStackEvents."""
    return ActionResult({"StackEvents": shown_events(_find(request))})


def get_template(request: Request) -> ActionResult:
    """GetTemplate, as submitted or with its transforms done."""
    by_change_set = request._get_param("ChangeSetName")
    prepared = _find_change_set(request).prepared if by_change_set else _deployed(_find(request))
    processed = request._get_param("TemplateStage", "Original") == "Processed"
    body = shown_template(json.dumps(prepared.template) if processed else prepared.source, request.region)
    return ActionResult({"TemplateBody": body, "StagesAvailable": ["Original", "Processed"]})


def get_template_summary(request: Request) -> ActionResult:
    """GetTemplateSummary."""
    if request._get_param("StackName") and not _template_given(request):
        template = parse(_deployed(_find(request)).source)
    else:
        template = _refusing(lambda: parse(_source(request, None)))
    return ActionResult(template_summary(template))


def validate_template(request: Request) -> ActionResult:
    """ValidateTemplate."""
    summary = get_template_summary(request).result
    parameters = [
        {key: value for key, value in parameter.items() if key != "ParameterType"}
        for parameter in summary["Parameters"]
    ]
    shown = {key: summary[key] for key in ("Capabilities", "DeclaredTransforms", "Description") if key in summary}
    return ActionResult({**shown, "Parameters": parameters})


def list_exports(request: Request) -> ActionResult:
    """ListExports."""
    return ActionResult(
        {
            "Exports": [
                {"ExportingStackId": stack.context.stack_id, "Name": name, "Value": value}
                for stack in STORE.all(request.current_account, request.region)
                for name, value in stack.exports().items()
            ]
        }
    )


def _prepare(request: Request, context: Any, stack: Stack | None) -> Prepared:
    previous = stack.prepared if stack is not None else None
    given: dict[str, str] = {}
    for parameter in request._get_param("Parameters") or []:
        key = parameter["ParameterKey"]
        if parameter.get("UsePreviousValue"):
            if previous is None:
                raise ValidationError(message=f"Parameter {key}: there is no previous value")
            if key in previous.given:
                given[key] = previous.given[key]
        elif "ParameterValue" in parameter:
            given[key] = str(parameter["ParameterValue"])
    return _refusing(lambda: prepare(_source(request, previous), given, context))


def _source(request: Request, previous: Prepared | None) -> str:
    if _flag(request, "UsePreviousTemplate"):
        if previous is None:
            raise TemplateError("there is no previous template")
        return previous.source
    if url := request._get_param("TemplateURL"):
        return read_template(url, request.current_account, request.region)
    if body := request._get_param("TemplateBody"):
        return str(body)
    raise TemplateError("Either Template URL or Template Body must be specified.")


def _template_given(request: Request) -> bool:
    return bool(request._get_param("TemplateBody") or request._get_param("TemplateURL"))


def _refusing(work: Callable[[], Any]) -> Any:
    try:
        return work()
    except MissingCapabilityError as error:
        raise InsufficientCapabilitiesError(str(error)) from error
    except TemplateError as error:
        raise ValidationError(message=str(error)) from error


def _add(stack: Stack) -> None:
    try:
        STORE.add(stack)
    except KeyError as error:
        raise AlreadyExistsError(f"Stack [{stack.context.name}] already exists") from error


def _find(request: Request) -> Stack:
    name = request._get_param("StackName")
    stack = STORE.find(request.current_account, request.region, name)
    if stack is None:
        raise ValidationError(message=f"Stack with id {name} does not exist")
    return stack


def _find_change_set(request: Request) -> ChangeSet:
    name, stack_name = request._get_param("ChangeSetName"), request._get_param("StackName")
    stack = STORE.find(request.current_account, request.region, stack_name) if stack_name else None
    found = STORE.find_change_set(name, stack)
    if found is None:
        raise ChangeSetNotFoundError(f"ChangeSet [{name}] does not exist")
    return found


def _deployed(stack: Stack) -> Prepared:
    if stack.prepared is None:
        raise ValidationError(message=f"Stack {stack.context.name} is in {stack.status} state and has no template")
    return stack.prepared


def _check_updatable(stack: Stack) -> None:
    if stack.in_progress:
        raise _busy(stack)
    if stack.status not in _UPDATABLE:
        raise ValidationError(
            message=f"Stack:{stack.context.stack_id} is in {stack.status} state and can not be updated."
        )


def _busy(stack: Stack) -> ValidationError:
    return ValidationError(message=f"Stack:{stack.context.stack_id} is in {stack.status} state and can not be updated.")


def _with_capabilities(stack: Stack, request: Request) -> Any:
    context = stack.context
    stack.context = type(context)(
        context.name, context.stack_id, context.account, context.region, _capabilities(request)
    )
    return stack.context


def _capabilities(request: Request) -> frozenset[str]:
    return frozenset(request._get_param("Capabilities") or [])


def _tags(request: Request) -> dict[str, str] | None:
    given = request._get_param("Tags")
    return {tag["Key"]: tag["Value"] for tag in given} if given is not None else None


def _flag(request: Request, name: str) -> bool:
    return str(request._get_param(name, False)).lower() == "true"


_OPERATIONS: tuple[Callable[[Request], Any], ...] = (
    create_stack,
    update_stack,
    delete_stack,
    create_change_set,
    describe_change_set,
    list_change_sets,
    execute_change_set,
    delete_change_set,
    describe_stacks,
    list_stacks,
    list_stack_resources,
    describe_stack_resources,
    describe_stack_resource,
    describe_stack_events,
    get_template,
    get_template_summary,
    validate_template,
    list_exports,
)
_RESPONSES = "moto.cloudformation.responses:CloudFormationResponse"


def _standing_in(operation: Callable[[Request], Any]) -> Replacement:
    return Replacement(
        target=f"{_RESPONSES}.{operation.__name__}",
        build=lambda _: operation,
        why="moto skips resource types it does not know, loses properties and cannot update in place",
    )


REPLACEMENTS: list[Replacement] = [
    *(_standing_in(operation) for operation in _OPERATIONS),
    Replacement(
        target=f"{_RESPONSES}.RESPONSE_KEY_PATH_TO_TRANSFORMER",
        build=lambda _: {},
        why="moto turns its models into replies with it; this cloud's replies are ready",
    ),
]

KEPT = {"cloudformation": (STORE.kept, STORE.restore)}
"""State that is in no backend: how it is read, and how what was written is put back."""


def kept_spaces() -> set[str]:
    """Where the answers are that no collection holds."""
    return operations.answers()


def resume() -> None:
    """Carry out the operations that were under way when the cloud was killed."""
    operations.resume_all()
