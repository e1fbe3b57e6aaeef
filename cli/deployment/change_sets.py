"""Create or update one stack through a change set, as `sam deploy` does, and wait for its end."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from botocore.exceptions import ClientError

from cli.errors import CommandError

Result = Literal["created", "updated", "unchanged"]
CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]
_FIRST_POLL_S, _SLOWEST_POLL_S = 0.1, 5.0
_NO_CHANGES = ("didn't contain changes", "no updates are to be performed", "no changes to deploy")


@dataclass(frozen=True)
class Template:
    """A template, given whole, or by its place in S3 when it is above the API's 51,200 bytes."""

    body: str | None = None
    url: str | None = None

    def arguments(self) -> dict[str, str]:
        return {"TemplateURL": self.url} if self.url is not None else {"TemplateBody": self.body or ""}


def apply(
    cloudformation: Any, stack: str, template: Template, parameters: Mapping[str, str], role_arn: str = ""
) -> Result:
    """Bring `stack` to `template`; a stack that is there already and the same is left alone.

    `role_arn`: the role that CloudFormation makes the resources in; "" for the caller's, or the stack's own by now.

    Raises: CommandError with the first resource that failed.
    """
    kind = _change_set_type(cloudformation, stack)
    name = f"turbine-{uuid.uuid4().hex[:12]}"
    cloudformation.create_change_set(
        StackName=stack,
        ChangeSetName=name,
        ChangeSetType=kind,
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in sorted(parameters.items())],
        Capabilities=CAPABILITIES,
        Tags=[{"Key": "turbine:stack", "Value": stack}],
        **template.arguments(),
        **({"RoleARN": role_arn} if role_arn else {}),
    )
    if not _has_changes(cloudformation, stack, name):
        cloudformation.delete_change_set(StackName=stack, ChangeSetName=name)
        return "unchanged"
    cloudformation.execute_change_set(StackName=stack, ChangeSetName=name)
    status = wait_stack(cloudformation, stack)
    if status not in ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"):
        raise _failure(cloudformation, stack, status)
    return "created" if kind == "CREATE" else "updated"


def delete(cloudformation: Any, stack: str) -> bool:
    """Delete a stack and wait; False if there was none."""
    stack_id = _stack_id(cloudformation, stack)
    if stack_id is None:
        return False
    cloudformation.delete_stack(StackName=stack)
    status = wait_stack(cloudformation, stack_id)
    if status != "DELETE_COMPLETE":
        raise _failure(cloudformation, stack, status)
    return True


def wait_stack(cloudformation: Any, stack: str) -> str:
    """The status in which the stack comes to rest; a stack that cannot be found any more is deleted."""
    pause_s = _FIRST_POLL_S
    while True:
        try:
            status = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"]
        except ClientError as error:
            if not _is_missing(error):
                raise
            return "DELETE_COMPLETE"
        if not status.endswith("IN_PROGRESS") or status == "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS":
            return str(status)
        time.sleep(pause_s)
        pause_s = min(pause_s * 1.5, _SLOWEST_POLL_S)


def _change_set_type(cloudformation: Any, stack: str) -> Literal["CREATE", "UPDATE"]:
    try:
        status = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"]
    except ClientError as error:
        if not _is_missing(error):
            raise
        return "CREATE"
    if status == "ROLLBACK_COMPLETE":
        # A first deployment that was rolled back left a name without resources, which cannot be updated.
        delete(cloudformation, stack)
        return "CREATE"
    return "CREATE" if status == "REVIEW_IN_PROGRESS" else "UPDATE"


def _stack_id(cloudformation: Any, stack: str) -> str | None:
    """A deleted stack is described under its id only, so waiting for a deletion needs the id."""
    try:
        return str(cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["StackId"])
    except ClientError as error:
        if not _is_missing(error):
            raise
        return None


def _is_missing(error: ClientError) -> bool:
    detail = error.response["Error"]
    return detail["Code"] == "ValidationError" and "does not exist" in detail["Message"]


def _has_changes(cloudformation: Any, stack: str, change_set: str) -> bool:
    """Wait until the change set is made; False if it says that nothing would change."""
    pause_s = _FIRST_POLL_S
    while True:
        description = cloudformation.describe_change_set(StackName=stack, ChangeSetName=change_set)
        status, reason = description["Status"], description.get("StatusReason", "")
        if status == "CREATE_COMPLETE":
            return True
        if status == "FAILED":
            if any(phrase in reason.lower() for phrase in _NO_CHANGES):
                return False
            raise CommandError(
                f"CloudFormation refused the change set: {reason}",
                place=f"stack {stack}, change set {change_set}",
                next_step="mend the template or the parameters it names, then deploy again",
            )
        time.sleep(pause_s)
        pause_s = min(pause_s * 1.5, _SLOWEST_POLL_S)


def _failure(cloudformation: Any, stack: str, status: str) -> CommandError:
    """The oldest failed event of the latest operation is the cause; the rest are its consequences."""
    events = cloudformation.describe_stack_events(StackName=stack)["StackEvents"]
    failed = [event for event in events if event.get("ResourceStatus", "").endswith("_FAILED")]
    first = failed[-1] if failed else {}
    resource = first.get("LogicalResourceId", "unknown resource")
    reason = first.get("ResourceStatusReason", "CloudFormation gave no reason")
    return CommandError(
        f"the deployment of stack {stack!r} failed at {resource}: {reason}",
        place=f"status {status}; `aws cloudformation describe-stack-events --stack-name {stack}`",
        next_step="mend the resource it names, then deploy again",
    )
