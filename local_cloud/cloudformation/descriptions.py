"""How stacks, their resources and their history look in replies."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from local_cloud.cloudformation.stacks import ChangeSet, Prepared, Stack

_NESTED_ON_LOOPBACK = re.compile(r"""(TemplateURL["']?\s*:\s*["']?)http://(?:127\.0\.0\.1|localhost):\d+/""")


def shown_stack(stack: Stack) -> dict[str, Any]:
    """A stack as DescribeStacks shows it."""
    optional = {
        "StackStatusReason": stack.reason or None,
        "LastUpdatedTime": stack.updated_at,
        "DeletionTime": stack.deleted_at,
        "ParentId": stack.parent_id,
        "RootId": stack.root_id,
        "Description": stack.prepared.template.get("Description") if stack.prepared else None,
    }
    return {
        "StackId": stack.context.stack_id,
        "StackName": stack.context.name,
        "CreationTime": stack.created_at,
        "StackStatus": stack.status,
        "DisableRollback": stack.disable_rollback,
        "EnableTerminationProtection": stack.termination_protection,
        "NotificationARNs": [],
        "Capabilities": sorted(stack.context.capabilities),
        "Parameters": shown_parameters(stack.prepared),
        "Outputs": list(stack.outputs.values()),
        "Tags": [{"Key": key, "Value": value} for key, value in stack.tags.items()],
        **{key: value for key, value in optional.items() if value is not None},
    }


def shown_parameters(prepared: Prepared | None) -> list[dict[str, str]]:
    """A deployment's parameters; secret ones are starred."""
    if prepared is None:
        return []
    declared = prepared.template.get("Parameters") or {}
    return [
        {"ParameterKey": name, "ParameterValue": "****" if declared.get(name, {}).get("NoEcho") else text}
        for name, text in (
            (name, prepared.given.get(name, str(spec.get("Default", "")))) for name, spec in declared.items()
        )
    ]


def shown_resources(stack: Stack) -> list[dict[str, Any]]:
    """A stack's resources by logical id."""
    return [
        {
            "LogicalResourceId": logical_id,
            "PhysicalResourceId": item.created.physical_id,
            "ResourceType": item.desired.type_name,
            "Timestamp": item.changed_at,
            "ResourceStatus": item.status,
            **({"ResourceStatusReason": item.reason} if item.reason else {}),
        }
        for logical_id, item in sorted(stack.resources.items())
    ]


def change_set_summary(found: ChangeSet) -> dict[str, Any]:
    """A change set as ListChangeSets shows it."""
    return {
        "ChangeSetName": found.name,
        "ChangeSetId": found.change_set_id,
        "StackId": found.stack.context.stack_id,
        "StackName": found.stack.context.name,
        "Description": found.description,
        "CreationTime": found.created_at,
        "ExecutionStatus": found.execution_status,
        "Status": found.status,
        **({"StatusReason": found.reason} if found.reason else {}),
    }


def shown_events(stack: Stack) -> list[dict[str, Any]]:
    """A stack's history, the newest first."""
    return [
        {
            "StackId": stack.context.stack_id,
            "StackName": stack.context.name,
            "EventId": event.event_id,
            "LogicalResourceId": event.logical_id,
            "PhysicalResourceId": event.physical_id,
            "ResourceType": event.type_name,
            "Timestamp": event.at,
            "ResourceStatus": event.status,
            **({"ResourceStatusReason": event.reason} if event.reason else {}),
        }
        for event in reversed(stack.events)
    ]


def shown_template(text: str, region: str) -> str:
    """A template's text with nested templates at AWS's addresses.

    `sam deploy` writes the address of the S3 that it talks to, which is this cloud's; `sam delete` reads AWS's only.
    """
    return _NESTED_ON_LOOPBACK.sub(rf"\g<1>https://s3.{region}.amazonaws.com/", text)


def template_summary(template: Mapping[str, Any]) -> dict[str, Any]:
    """What GetTemplateSummary says of a template as submitted."""
    types = sorted({str(item.get("Type")) for item in template["Resources"].values()})
    declared = template.get("Transform") or []
    return {
        "Parameters": [
            {
                "ParameterKey": name,
                "ParameterType": spec.get("Type", "String"),
                "NoEcho": bool(spec.get("NoEcho", False)),
                **({"DefaultValue": str(spec["Default"])} if "Default" in spec else {}),
                **({"Description": spec["Description"]} if "Description" in spec else {}),
            }
            for name, spec in (template.get("Parameters") or {}).items()
        ],
        "ResourceTypes": types,
        "Capabilities": ["CAPABILITY_IAM"] if any("::IAM::" in kind for kind in types) else [],
        "DeclaredTransforms": declared if isinstance(declared, list) else [declared],
        "Version": template.get("AWSTemplateFormatVersion", "2010-09-09"),
        **({"Description": template["Description"]} if "Description" in template else {}),
    }
