"""Reads templates, JSON or YAML with short intrinsics, and expands what SAM writes.

Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-anatomy.html
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import Any

import yaml
from moto.iam.models import iam_backends
from samtranslator.model.exceptions import InvalidDocumentException
from samtranslator.public.exceptions import InvalidDocumentException as PublicInvalidDocumentException
from samtranslator.translator.transform import transform

from local_cloud.cloudformation.errors import TemplateError

SAM = "AWS::Serverless-2016-10-31"
_SECTIONS = {
    "AWSTemplateFormatVersion",
    "Conditions",
    "Description",
    "Globals",
    "Mappings",
    "Metadata",
    "Outputs",
    "Parameters",
    "Resources",
    "Rules",
    "Transform",
}


_BaseLoader: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml's is ten times faster


class _Loader(_BaseLoader):
    """YAML as CloudFormation reads it: `!Ref` and its like are intrinsics, and a date stays text."""


def _intrinsic(loader: Any, tag: str, node: yaml.Node) -> dict[str, Any]:
    name = tag if tag in ("Ref", "Condition") else f"Fn::{tag}"
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
        if tag == "GetAtt":
            value = value.split(".", 1)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    return {name: value}


_Loader.add_multi_constructor("!", _intrinsic)
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def parse(text: str) -> dict[str, Any]:
    """Read a template.

    Raises: TemplateError.
    """
    try:
        template = json.loads(text) if text.lstrip().startswith("{") else yaml.load(text, Loader=_Loader)  # noqa: S506
    except (ValueError, yaml.YAMLError) as error:
        raise TemplateError(f"Template format error: {error}") from error
    if not isinstance(template, dict):
        raise TemplateError("Template format error: unsupported structure.")
    if unknown := sorted(set(template) - _SECTIONS):
        raise TemplateError(f"Invalid template property or properties {unknown}")
    if not template.get("Resources"):
        raise TemplateError("Template format error: At least one Resources member must be defined.")
    return template


def expand(template: dict[str, Any], parameters: Mapping[str, Any], account: str) -> dict[str, Any]:
    """Run the template's transform.

    Raises: TemplateError for SAM mistakes and for other transforms.
    """
    declared = template.get("Transform") or []
    names = declared if isinstance(declared, list) else [declared]
    if unknown := [name for name in names if name != SAM]:
        raise TemplateError(f"Transform {unknown[0]} is not emulated")
    if not names:
        return template
    try:
        expanded: dict[str, Any] = transform(
            copy.deepcopy(template), dict(parameters), _ManagedPolicies(account), passthrough_metadata=True
        )
    except (InvalidDocumentException, PublicInvalidDocumentException) as error:
        causes = "; ".join(cause.message for cause in error.causes)
        raise TemplateError(f"Transform {SAM} failed with: {error.message} {causes}") from error
    expanded.pop("Transform", None)
    return expanded


class _ManagedPolicies:
    """AWS's managed policies by name, which SAM templates may use."""

    def __init__(self, account: str) -> None:
        self._account = account

    def load(self) -> dict[str, str]:
        policies = iam_backends[self._account]["aws"].managed_policies.values()
        return {policy.name: policy.arn for policy in policies}
