"""Brings a stack from one template to the next, and back when that fails.

Resources are made in the order of their references. When one fails, what was done is undone in reverse, and the
stack ends in a rollback status with the reason of the failure in its history.
Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/stack-failure-options.html
"""

from __future__ import annotations

import graphlib
import logging
from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from local_cloud import crash_points, intents
from local_cloud.cloudformation.errors import ResourceError, TemplateError
from local_cloud.cloudformation.intrinsics import Resolver, Scope, references
from local_cloud.cloudformation.resources.base import Created, Desired, Resource, StackContext
from local_cloud.cloudformation.stacks import Prepared, Stack, StackResource, now

_LOG = logging.getLogger("local_cloud.cloudformation")
_FAILURES = (ClientError, BotoCoreError, ResourceError, TemplateError, KeyError, TypeError, ValueError)
"""What a resource type may raise on a template's mistakes; the message becomes the status reason."""

_POLICIES = ("Delete", "Retain", "RetainExceptOnCreate", "Snapshot")


class Deployment:
    """One create or update of one stack.

    Done again with the same token, as after a crash, its calls get the answers that they got, and it goes the same way.
    """

    def __init__(
        self,
        stack: Stack,
        prepared: Prepared,
        token: str,
        types: Mapping[str, Resource],
        read_parameter: Callable[[str], str],
        import_value: Callable[[str], str],
    ) -> None:
        self._stack = stack
        self._prepared = prepared
        self._token = token
        self._types = types
        self._undo: list[tuple[str, Callable[[], None]]] = []
        self._replaced: list[tuple[str, StackResource]] = []
        self._resolver = Resolver(
            Scope(
                template=prepared.template,
                parameters=prepared.values,
                pseudo=pseudo_parameters(stack.context),
                ref=self._ref,
                attribute=self._attribute,
                read_parameter=read_parameter,
                import_value=import_value,
            )
        )

    def run(self) -> bool:
        """Do it; whether the stack is now as the template wants it."""
        stack = self._stack
        verb = "UPDATE" if stack.prepared is not None else "CREATE"
        stack.set_status(f"{verb}_IN_PROGRESS", "User Initiated")
        if verb == "UPDATE":
            stack.updated_at = now()
        try:
            active = self._active()
            for logical_id in _order(active):
                self._bring(logical_id, active[logical_id])
            outputs = self._outputs()
        except _FAILURES as error:
            self._roll_back(verb, _reason(error))
            return False
        stack.outputs = outputs
        if verb == "UPDATE":
            stack.set_status("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
            self._clean_up(active)
        stack.prepared = self._prepared
        stack.set_status(f"{verb}_COMPLETE")
        return True

    def _active(self) -> dict[str, dict[str, Any]]:
        return {
            logical_id: declared
            for logical_id, declared in self._prepared.template["Resources"].items()
            if "Condition" not in declared or self._resolver.condition(declared["Condition"])
        }

    def _bring(self, logical_id: str, declared: Mapping[str, Any]) -> None:
        """Make one resource as it is declared; the failure names it."""
        stack, type_name = self._stack, str(declared["Type"])
        old = stack.resources.get(logical_id)
        physical = old.created.physical_id if old else ""
        try:
            desired = Desired(
                logical_id,
                type_name,
                self._resolver.resolve(declared.get("Properties") or {}),
                self._resolver.resolve(declared.get("Metadata") or {}),
                stack.context,
                self._token,
            )
            if old is None or old.desired.type_name != type_name:
                self._create(desired, declared, old)
            elif (old.desired.properties, old.desired.metadata) != (desired.properties, desired.metadata):
                self._change(desired, declared, old)
            else:
                self._set_policies(old, declared)
        except _FAILURES as error:
            verb = "UPDATE" if old else "CREATE"
            stack.note(logical_id, physical, type_name, f"{verb}_FAILED", _reason(error))
            raise ResourceError(f"{logical_id} ({type_name}): {_reason(error)}") from error

    def _create(self, desired: Desired, declared: Mapping[str, Any], old: StackResource | None) -> None:
        stack = self._stack
        stack.note(desired.logical_id, "", desired.type_name, "CREATE_IN_PROGRESS")
        resource = self._types[desired.type_name]
        with intents.step(f"{desired.logical_id}.create"):
            made = StackResource(desired, resource.create(desired), "CREATE_COMPLETE")
        crash_points.arrive("resource-made")
        self._set_policies(made, declared)
        stack.resources[desired.logical_id] = made
        stack.note(desired.logical_id, made.created.physical_id, desired.type_name, "CREATE_COMPLETE")

        def undo() -> None:
            physical = made.created.physical_id
            if declared.get("DeletionPolicy") == "Retain":  # AWS retains on rollback too
                stack.note(desired.logical_id, physical, desired.type_name, "DELETE_SKIPPED")
            elif not delete_resource(stack, desired.logical_id, made, self._types, "undo"):
                raise ResourceError(made.reason)
            if old is None:
                stack.resources.pop(desired.logical_id, None)
            else:
                stack.resources[desired.logical_id] = old

        self._undo.append((desired.logical_id, undo))
        if old is not None:
            self._replaced.append((desired.logical_id, old))

    def _change(self, desired: Desired, declared: Mapping[str, Any], old: StackResource) -> None:
        resource, before = self._types[desired.type_name], old.desired.properties
        is_as_it_was = desired.properties == before and resource.replaces_on_update  # only the metadata changed
        if not is_as_it_was and resource.replaces(desired, before):
            self._create(desired, declared, old)
            return
        stack = self._stack
        stack.note(desired.logical_id, old.created.physical_id, desired.type_name, "UPDATE_IN_PROGRESS")
        if is_as_it_was:
            created = old.created
        else:
            with intents.step(f"{desired.logical_id}.update"):
                created = resource.update(desired, old.created, before)
            crash_points.arrive("resource-made")
        changed = StackResource(desired, created, "UPDATE_COMPLETE")
        self._set_policies(changed, declared)
        stack.resources[desired.logical_id] = changed
        stack.note(desired.logical_id, created.physical_id, desired.type_name, "UPDATE_COMPLETE")

        def undo() -> None:
            back = old.created
            if not is_as_it_was:
                with intents.step(f"{desired.logical_id}.undo"):
                    back = resource.update(old.desired, created, desired.properties)
            stack.resources[desired.logical_id] = StackResource(
                old.desired, back, "UPDATE_COMPLETE", "", old.keep_on_delete, old.keep_on_replace
            )

        self._undo.append((desired.logical_id, undo))

    def _clean_up(self, active: Mapping[str, Any]) -> None:
        """Delete what was replaced and what the template no longer has. A failure is noted, not fatal, as on AWS."""
        stack = self._stack
        gone = [(name, item) for name, item in stack.resources.items() if name not in active]
        for logical_id, item in [*reversed(self._replaced), *reversed(gone)]:
            is_replaced = logical_id in active
            if not (item.keep_on_replace if is_replaced else item.keep_on_delete):
                delete_resource(stack, logical_id, item, self._types, "clean-up")
            if not is_replaced:
                stack.resources.pop(logical_id, None)

    def _roll_back(self, verb: str, reason: str) -> None:
        stack = self._stack
        _LOG.error("stack %s: %s failed: %s", stack.context.name, verb, reason)
        prefix = "ROLLBACK" if verb == "CREATE" else "UPDATE_ROLLBACK"
        if verb == "CREATE" and stack.disable_rollback:
            stack.prepared = self._prepared
            stack.set_status("CREATE_FAILED", reason)
            return
        stack.set_status(f"{prefix}_IN_PROGRESS", reason)
        failed = []
        for logical_id, undo in reversed(self._undo):
            try:
                undo()
            except _FAILURES as error:
                failed.append(f"{logical_id} ({_reason(error)})")
        if verb == "CREATE":
            stack.prepared = self._prepared
        outcome = "FAILED" if failed else "COMPLETE"
        explained = f"{reason}; could not be undone: {', '.join(failed)}" if failed else reason
        stack.set_status(f"{prefix}_{outcome}", explained)

    def _outputs(self) -> dict[str, dict[str, Any]]:
        outputs: dict[str, dict[str, Any]] = {}
        for name, declared in (self._prepared.template.get("Outputs") or {}).items():
            if "Condition" in declared and not self._resolver.condition(declared["Condition"]):
                continue
            value = self._resolver.resolve(declared["Value"])
            if isinstance(value, dict | list):
                raise TemplateError(f"Template format error: Output {name} is malformed: it must be a string")
            outputs[name] = {"OutputKey": name, "OutputValue": str(value)}
            if "Description" in declared:
                outputs[name]["Description"] = declared["Description"]
            if "Export" in declared:
                outputs[name]["ExportName"] = self._resolver.resolve(declared["Export"]["Name"])
        return outputs

    def _set_policies(self, item: StackResource, declared: Mapping[str, Any]) -> None:
        for name in ("DeletionPolicy", "UpdateReplacePolicy"):
            if declared.get(name, "Delete") not in _POLICIES:
                raise TemplateError(f"Template error: {name} {declared[name]} is not valid")
        item.keep_on_delete = str(declared.get("DeletionPolicy", "")).startswith("Retain")
        item.keep_on_replace = str(declared.get("UpdateReplacePolicy", "")).startswith("Retain")

    def _ref(self, name: str) -> str:
        return self._made(name).physical_id

    def _attribute(self, name: str, attribute: str) -> Any:
        made = self._made(name)
        if attribute not in made.attributes:
            type_name = self._stack.resources[name].desired.type_name
            raise TemplateError(
                f"Template error: resource {name} ({type_name}) does not support "
                f"attribute type {attribute} in Fn::GetAtt"
            )
        return made.attributes[attribute]

    def _made(self, name: str) -> Created:
        if name not in self._stack.resources:
            raise TemplateError(f"Template format error: Unresolved resource dependencies [{name}]")
        return self._stack.resources[name].created


def delete_stack(stack: Stack, types: Mapping[str, Resource]) -> bool:
    """Delete what a stack has, except what it retains; whether all went."""
    stack.set_status("DELETE_IN_PROGRESS", "User Initiated")
    failed = []
    for logical_id in reversed(_deletion_order(stack)):
        item = stack.resources[logical_id]
        if item.keep_on_delete:
            stack.note(logical_id, item.created.physical_id, item.desired.type_name, "DELETE_SKIPPED")
        elif not delete_resource(stack, logical_id, item, types, "delete"):
            failed.append(logical_id)
            continue
        stack.resources.pop(logical_id)
    if failed:
        reason = f"The following resource(s) failed to delete: [{', '.join(failed)}]."
        stack.set_status("DELETE_FAILED", reason)
        return False
    stack.outputs = {}
    stack.deleted_at = now()
    stack.set_status("DELETE_COMPLETE")
    return True


def delete_resource(
    stack: Stack, logical_id: str, item: StackResource, types: Mapping[str, Resource], step: str
) -> bool:
    """Delete one resource and note it; whether it went. One that is gone already is a success."""
    type_name, physical = item.desired.type_name, item.created.physical_id
    stack.note(logical_id, physical, type_name, "DELETE_IN_PROGRESS")
    try:
        with intents.step(f"{logical_id}.{step}"):
            types[type_name].delete(item.desired, item.created)
        crash_points.arrive("resource-deleted")
    except _FAILURES as error:
        if not _is_gone(error):
            _LOG.error("stack %s: deleting %s failed: %s", stack.context.name, logical_id, error)
            item.status, item.reason = "DELETE_FAILED", _reason(error)
            stack.note(logical_id, physical, type_name, "DELETE_FAILED", _reason(error))
            return False
    stack.note(logical_id, physical, type_name, "DELETE_COMPLETE")
    return True


def pseudo_parameters(context: StackContext) -> dict[str, Any]:
    """Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/pseudo-parameter-reference.html"""
    return {
        "AWS::AccountId": context.account,
        "AWS::NotificationARNs": [],
        "AWS::Partition": "aws",
        "AWS::Region": context.region,
        "AWS::StackId": context.stack_id,
        "AWS::StackName": context.name,
        "AWS::URLSuffix": "amazonaws.com",
    }


def _order(active: Mapping[str, Mapping[str, Any]]) -> list[str]:
    graph: dict[str, set[str]] = {}
    for logical_id, declared in active.items():
        after = declared.get("DependsOn") or []
        named = set(after if isinstance(after, list) else [after])
        named |= set(references(declared.get("Properties") or {}))
        graph[logical_id] = {name for name in named if name in active and name != logical_id}
    try:
        return list(graphlib.TopologicalSorter(graph).static_order())
    except graphlib.CycleError as error:
        raise TemplateError(f"Circular dependency between resources: {error.args[1]}") from error


def _deletion_order(stack: Stack) -> list[str]:
    declared = stack.prepared.template["Resources"] if stack.prepared else {}
    known = {name: declared[name] for name in stack.resources if name in declared}
    return [*_order(known), *(name for name in stack.resources if name not in known)]


def _reason(error: Exception) -> str:
    if isinstance(error, ClientError):
        detail = error.response["Error"]
        return f"{detail.get('Message')} (Service: {error.operation_name}, Error: {detail.get('Code')})"
    if isinstance(error, KeyError):
        return f"required property or key {error} is missing"
    return str(error)


def _is_gone(error: Exception) -> bool:
    if not isinstance(error, ClientError):
        return False
    code = str(error.response["Error"].get("Code", ""))
    return any(word in code for word in ("NotFound", "NoSuch", "NonExistent", "DoesNotExist"))
