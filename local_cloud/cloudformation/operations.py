"""CloudFormation's operations, without their wire format: what may start, and what runs in the background."""

from __future__ import annotations

import logging
import re
import threading
import urllib.parse
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import ClientError

from local_cloud import intents
from local_cloud.aws_clients import client
from local_cloud.cloudformation.engine import Deployment, delete_stack, pseudo_parameters
from local_cloud.cloudformation.errors import ResourceError, TemplateError
from local_cloud.cloudformation.intrinsics import Resolver, Scope
from local_cloud.cloudformation.parameters import resolve as resolve_parameters
from local_cloud.cloudformation.resources import RESOURCE_TYPES
from local_cloud.cloudformation.resources.base import Created, Desired, Resource, StackContext
from local_cloud.cloudformation.stacks import ChangeSet, Pending, Prepared, Stack, StackStore
from local_cloud.cloudformation.templates import parse
from local_cloud.cloudformation.transforms import expand
from local_cloud.durability import commits
from local_cloud.durability.tracked import changes as changes_to_write

_LOG = logging.getLogger("local_cloud.cloudformation")
STORE = StackStore()
ANSWER_WITHIN_S = 20.0
"""Operations answer when they are done, or after this time, so that short ones need no waiter."""

NO_CHANGES = "No updates are to be performed."
NO_CHANGE_SET = "The submitted information didn't contain changes. Submit different information to create a change set."
_IAM_TYPES = {"AWS::IAM::Role", "AWS::IAM::Policy", "AWS::IAM::ManagedPolicy", "AWS::IAM::InstanceProfile"}
_IAM_NAMES = ("RoleName", "ManagedPolicyName", "InstanceProfileName")
_KEPT_AS = "cloudformation"
"""The cell that stacks are written as."""


class MissingCapabilityError(TemplateError):
    """The template makes IAM resources and the caller did not agree to that."""


class NestedStack(Resource):
    """A stack in a stack: made, changed and deleted with its parent.

    Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-cloudformation-stack.html
    """

    type_name = "AWS::CloudFormation::Stack"
    replaces_on_update = False
    _KNOWN = ("TemplateURL", "Parameters", "Tags", "TimeoutInMinutes")

    def create(self, desired: Desired) -> Created:
        desired.only(*self._KNOWN)
        parent = desired.stack
        token = self._token(desired)
        context = new_context(desired.name(128), parent.account, parent.region, parent.capabilities, token)
        stack = Stack(context, "CREATE_IN_PROGRESS", tags=desired.tags(), parent_id=parent.stack_id)
        owner = STORE.find(parent.account, parent.region, parent.stack_id)
        stack.root_id = (owner.root_id or parent.stack_id) if owner else parent.stack_id
        prepared = self._prepare(desired, context)
        STORE.add(stack)
        if not deploy(stack, prepared, token):
            delete_stack(stack, TYPES)
            raise ResourceError(
                f"Embedded stack {context.stack_id} was not successfully created: {stack_reason(stack)}"
            )
        return self._created(stack)

    def update(self, desired: Desired, old: Created, before: Mapping[str, Any]) -> Created:
        del before
        desired.only(*self._KNOWN)
        stack = self._find(desired, old)
        prepared = self._prepare(desired, stack.context)
        if changes(stack, prepared) and not deploy(stack, prepared, self._token(desired)):
            raise ResourceError(f"Embedded stack {old.physical_id} was not successfully updated: {stack_reason(stack)}")
        return self._created(stack)

    def delete(self, desired: Desired, old: Created) -> None:
        stack = self._find(desired, old)
        if stack.status != "DELETE_COMPLETE" and not delete_stack(stack, TYPES):
            raise ResourceError(f"Embedded stack {old.physical_id} was not successfully deleted: {stack.reason}")

    @staticmethod
    def _token(desired: Desired) -> str:
        return f"{desired.token}.{desired.logical_id}"

    @staticmethod
    def _prepare(desired: Desired, context: StackContext) -> Prepared:
        given = {
            name: ",".join(map(str, value)) if isinstance(value, list) else _text(value)
            for name, value in (desired.properties.get("Parameters") or {}).items()
        }
        source = read_template(str(desired.properties["TemplateURL"]), context.account, context.region)
        return prepare(source, given, context)

    @staticmethod
    def _find(desired: Desired, old: Created) -> Stack:
        stack = STORE.find(desired.stack.account, desired.stack.region, old.physical_id)
        if stack is None:
            raise ResourceError(f"Stack with id {old.physical_id} does not exist")
        return stack

    @staticmethod
    def _created(stack: Stack) -> Created:
        outputs = {f"Outputs.{name}": output["OutputValue"] for name, output in stack.outputs.items()}
        return Created(stack.context.stack_id, outputs)


TYPES: dict[str, Resource] = {**RESOURCE_TYPES, NestedStack.type_name: NestedStack()}


def new_context(
    name: str, account: str, region: str, capabilities: frozenset[str], token: str | None = None
) -> StackContext:
    """The identity of a new stack; with a token the same whenever it is made again."""
    unique = uuid.uuid4() if token is None else uuid.uuid5(uuid.NAMESPACE_OID, token)
    stack_id = f"arn:aws:cloudformation:{region}:{account}:stack/{name}/{unique}"
    return StackContext(name, stack_id, account, region, capabilities)


def prepare(source: str, given: Mapping[str, str], context: StackContext) -> Prepared:
    """Read, transform and check a template before anything is touched.

    Raises: TemplateError, MissingCapabilityError.
    """
    raw = parse(source)
    read = parameter_reader(context.account, context.region)
    values = resolve_parameters(raw, given, read)
    known = {**given, **{name: value for name, value in values.items() if name not in given}}
    template = expand(raw, known | _sam_pseudo(context), context.account)
    unsupported = sorted(
        f"{logical_id} ({declared.get('Type')})"
        for logical_id, declared in template["Resources"].items()
        if declared.get("Type") not in TYPES
    )
    if unsupported:
        raise TemplateError(f"Template format error: Unrecognized resource types: [{', '.join(unsupported)}]")
    _check_capabilities(template, context.capabilities)
    return Prepared(source, template, dict(given), values)


def deploy(stack: Stack, prepared: Prepared, token: str) -> bool:
    """Create or update a stack, here and now; whether it worked."""
    context = stack.context
    deployment = Deployment(
        stack,
        prepared,
        token,
        TYPES,
        parameter_reader(context.account, context.region),
        lambda name: import_value(context, name),
    )
    return deployment.run()


def in_background(stack: Stack, pending: Pending, accept: Callable[[], None] = lambda: None) -> None:
    """Run an operation, and come back when it is done or when the caller has waited long enough.

    `accept` changes what says that the operation was asked for: written with what is to be done, or not at all.
    """
    with commits.together():
        accept()
        STORE.begin(stack, pending)
        changes_to_write.note_service(_KEPT_AS)
    commits.keep()  # what is to be made, before anything is: after a crash it is found by that
    thread = threading.Thread(target=_carry_out, args=(stack,), daemon=True, name=f"stack-{stack.context.name}")
    thread.start()
    thread.join(ANSWER_WITHIN_S)


def resume_all() -> None:
    """Carry out what was under way when the cloud was killed, from its start: what was called is not called again."""
    for stack in STORE.everything():
        if stack.pending is not None and stack.parent_id is None:
            _LOG.info("stack %s: its operation goes on", stack.context.name)
            STORE.begin_again(stack)
            threading.Thread(target=_carry_out, args=(stack,), daemon=True).start()


def _carry_out(stack: Stack) -> None:
    pending = stack.pending
    if pending is None:
        return
    whose = f"{intents.STACK}{pending.token}"
    try:
        with intents.meant(whose, stack.context.name):
            _operate(stack, pending)
    except Exception as error:  # noqa: BLE001
        # The operation's thread has nobody above it: the stack must not stay in progress for ever.
        _LOG.exception("stack %s: the operation broke", stack.context.name)
        stack.set_status(f"{stack.status.split('_')[0]}_FAILED", f"Internal failure: {error}")
    _end(stack, whose)
    commits.keep(None)


def _end(stack: Stack, whose: str) -> None:
    """The operation is over, and nobody asks for the answers that it got: written in one commit, whoever makes it.

    Another thread's may come first. With the answers gone and the operation still there, a crash then would have it
    done again from its start, without anything that tells what it has made.
    """
    with commits.together():
        STORE.end(stack)
        changes_to_write.note_service(_KEPT_AS)
        intents.forget(whose)


def answers() -> set[str]:
    """Where the answers are that operations which are under way got."""
    return {intents.space_of(f"{intents.STACK}{one.pending.token}") for one in STORE.everything() if one.pending}


def _operate(stack: Stack, pending: Pending) -> None:
    if pending.prepared is None:
        delete_stack(stack, TYPES)
        return
    before = stack.tags
    if pending.tags is not None:
        stack.tags = dict(pending.tags)
    if deploy(stack, pending.prepared, pending.token):
        return
    stack.tags = before
    if pending.delete_on_failure:
        delete_stack(stack, TYPES)


def changes(stack: Stack, prepared: Prepared) -> list[dict[str, Any]]:
    """What a deployment would do to each resource, as DescribeChangeSet shows it; outputs count too."""
    old = _fingerprints(stack.prepared, stack.context) if stack.prepared is not None else {}
    new = _fingerprints(prepared, stack.context)
    found = []
    for name in [*new, *(name for name in old if name not in new)]:
        if old.get(name) == new.get(name):
            continue
        action = "Add" if name not in old else "Remove" if name not in new else "Modify"
        item = stack.resources.get(name)
        found.append(
            {
                "Action": action,
                "LogicalResourceId": name,
                "ResourceType": (new.get(name) or old[name])["Type"],
                **({"PhysicalResourceId": item.created.physical_id} if item else {}),
                **({"Replacement": "False", "Scope": ["Properties"], "Details": []} if action == "Modify" else {}),
            }
        )
    return found


def has_changes(stack: Stack, prepared: Prepared, tags: Mapping[str, str] | None) -> bool:
    """Whether a deployment would change anything at all."""
    if stack.prepared is None or changes(stack, prepared):
        return True
    same_outputs = stack.prepared.template.get("Outputs") == prepared.template.get("Outputs")
    same_values = stack.prepared.values == prepared.values
    return not (same_outputs and same_values) or (tags is not None and dict(tags) != stack.tags)


def _fingerprints(prepared: Prepared, context: StackContext) -> dict[str, Any]:
    """Each active resource with its parameters filled in, and names for what other resources will be."""
    resolver = Resolver(
        Scope(
            template=prepared.template,
            parameters=prepared.values,
            pseudo=pseudo_parameters(context),
            ref=lambda name: f"<{name}>",
            attribute=lambda name, attribute: f"<{name}.{attribute}>",
            read_parameter=lambda name: f"<ssm {name}>",
            import_value=lambda name: f"<import {name}>",
        )
    )
    return {
        name: {
            "Type": declared["Type"],
            "Properties": resolver.resolve(declared.get("Properties") or {}),
            "Metadata": resolver.resolve(declared.get("Metadata") or {}),
        }
        for name, declared in prepared.template["Resources"].items()
        if "Condition" not in declared or resolver.condition(declared["Condition"])
    }


def read_template(url: str, account: str, region: str) -> str:
    """The text at an S3 address, in any of the forms that tools write.

    Raises: TemplateError.
    """
    place = urllib.parse.urlparse(url)
    path = urllib.parse.unquote(place.path).lstrip("/")
    virtual = re.match(r"(.+)\.s3[.-]", place.netloc)
    if url.startswith("s3://"):
        # Not a URL: its key is neither quoted nor cut at `?` and `#`.
        bucket, _, key = url.removeprefix("s3://").partition("/")
    elif virtual:
        bucket, key = virtual[1], path
    elif place.scheme in ("http", "https") and "/" in path:
        bucket, key = path.split("/", 1)
    else:
        raise TemplateError(f"TemplateURL must be a supported URL: {url}")
    try:
        body: bytes = client("s3", region, account).get_object(Bucket=bucket, Key=key)["Body"].read()
    except ClientError as error:
        raise TemplateError(f"S3 error: {error.response['Error'].get('Message')}: {url}") from error
    return body.decode()


def parameter_reader(account: str, region: str) -> Callable[[str], str]:
    """Reads SSM parameters for templates."""

    def read(name: str) -> str:
        try:
            parameter = client("ssm", region, account).get_parameter(Name=name, WithDecryption=True)["Parameter"]
        except ClientError as error:
            raise TemplateError(f"Unable to fetch parameter [{name}] from parameter store") from error
        return str(parameter["Value"])

    return read


def import_value(context: StackContext, name: str) -> str:
    """Another stack's export. Raises: TemplateError."""
    for stack in STORE.all(context.account, context.region):
        if name in stack.exports():
            return stack.exports()[name]
    raise TemplateError(f"No export named {name} found.")


def stack_reason(stack: Stack) -> str:
    """Why an operation failed: the first failure in its history, else the status reason."""
    failures = [event for event in stack.events if event.status.endswith("_FAILED") and event.reason]
    return f"{failures[0].logical_id}: {failures[0].reason}" if failures else stack.reason


def new_change_set(name: str, stack: Stack, kind: str, prepared: Prepared, **described: Any) -> ChangeSet:
    """Plan an operation; one without changes is FAILED, as on AWS."""
    context = stack.context
    change_set_id = f"arn:aws:cloudformation:{context.region}:{context.account}:changeSet/{name}/{uuid.uuid4()}"
    found = changes(stack, prepared)
    useful = has_changes(stack, prepared, described.get("tags"))
    change_set = ChangeSet(
        name,
        change_set_id,
        stack,
        kind,
        prepared,
        found,
        status="CREATE_COMPLETE" if useful else "FAILED",
        execution_status="AVAILABLE" if useful else "UNAVAILABLE",
        reason="" if useful else NO_CHANGE_SET,
        **described,
    )
    STORE.add_change_set(change_set)
    return change_set


def _check_capabilities(template: Mapping[str, Any], given: frozenset[str]) -> None:
    """Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html"""
    iam = [item for item in template["Resources"].values() if item["Type"] in _IAM_TYPES]
    named = any(name in (item.get("Properties") or {}) for item in iam for name in _IAM_NAMES)
    if named and "CAPABILITY_NAMED_IAM" not in given:
        raise MissingCapabilityError("Requires capabilities : [CAPABILITY_NAMED_IAM]")
    if iam and not given & {"CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"}:
        raise MissingCapabilityError("Requires capabilities : [CAPABILITY_IAM]")


def _sam_pseudo(context: StackContext) -> dict[str, str]:
    return {
        "AWS::AccountId": context.account,
        "AWS::Partition": "aws",
        "AWS::Region": context.region,
        "AWS::StackName": context.name,
    }


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
