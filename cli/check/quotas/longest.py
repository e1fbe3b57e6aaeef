"""The longest that names and texts can be, read from what bounds them: patterns, JSON Schemas, template parameters."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

import botocore.session
from pydantic import BaseModel

from turbine.domain import names

PARAMETER_MAX = 4096
"""A parameter's value. Source: cloudformation-limits.html, "Parameter value"."""
STACK_NAME_MAX = 128
ACCOUNT = "9" * 12
MODEL_VERSION = CHAMPION_VERSION = 99_999_999
"""Eight digits, as the history's keys have."""
REDRIVES = 1000
"""Source: https://docs.aws.amazon.com/step-functions/latest/dg/redrive-executions.html"""
WORST = "\x01"
"""The character that takes most room in JSON: six bytes, `\\u0001`."""


class UnboundedError(ValueError):
    """Nothing bounds a text, list or mapping."""


def of_pattern(pattern: str, most: int = PARAMETER_MAX) -> str:
    """The longest text of the letter `a` that matches. Raises: UnboundedError if that is as long as `most`."""
    compiled = re.compile(pattern)
    fitting = [length for length in range(most + 1) if compiled.fullmatch("a" * length)]
    if not fitting or fitting[-1] == most:
        raise UnboundedError(f"{pattern} bounds no text")
    return "a" * fitting[-1]


def team() -> str:
    """The longest name of a team."""
    return of_pattern(names.TEAM_PATTERN)


def dataset() -> str:
    """The longest name of a dataset."""
    return of_pattern(names.DATASET_PATTERN)


@cache
def region() -> str:
    """The longest name of a Region in AWS's ordinary partition."""
    return max(botocore.session.get_session().get_available_regions("ec2"), key=len)


def schema_bound(model: type[BaseModel], *way: str) -> int:
    """The bound of a field in a model's JSON Schema: characters of a text, entries of a list or a mapping.

    Raises: UnboundedError.
    """
    schema = model.model_json_schema()
    node: Mapping[str, Any] = schema
    for name in way:
        node = _inner(node, name, schema)
    found = [_bound(one) for one in _options(node, schema)]
    if not found or None in found:
        raise UnboundedError(f"{model.__name__}.{'.'.join(way)} has no largest size")
    return max(one for one in found if one is not None)


def _inner(node: Mapping[str, Any], name: str, schema: Mapping[str, Any]) -> Mapping[str, Any]:
    for option in _options(node, schema):
        if name == "[]" and "items" in option:
            return dict(option["items"])
        if name == "{value}" and "additionalProperties" in option:
            return dict(option["additionalProperties"])
        if name == "{key}" and "additionalProperties" in option:
            return option.get("propertyNames") or {"type": "string"}
        if name in (option.get("properties") or {}):
            return dict(option["properties"][name])
    raise KeyError(name)


def _options(node: Mapping[str, Any], schema: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The alternatives of a node, without null."""
    if "$ref" in node:
        return _options(schema["$defs"][node["$ref"].rpartition("/")[2]], schema)
    if "anyOf" in node:
        return [one for part in node["anyOf"] for one in _options(part, schema)]
    return [] if node.get("type") == "null" else [node]


def _bound(node: Mapping[str, Any]) -> int | None:
    if "const" in node:
        return len(str(node["const"]))
    if "enum" in node:
        return max(len(str(one)) for one in node["enum"])
    for key in ("maxLength", "maxItems", "maxProperties"):
        if key in node:
            return int(node[key])
    return len(of_pattern(node["pattern"])) if "pattern" in node else None


def parameters(template: Mapping[str, Any]) -> dict[str, Any]:
    """The longest value of every parameter that a template takes: its largest number, its longest text."""
    return {name: _parameter(given) for name, given in (template.get("Parameters") or {}).items()}


def _parameter(given: Mapping[str, Any]) -> Any:
    if given["Type"] == "Number":
        return given.get("MaxValue", max(int(given.get("Default", 0)), 10**9 - 1))
    if "AllowedValues" in given:
        return max(given["AllowedValues"], key=lambda value: len(str(value)))
    try:
        return of_pattern(given["AllowedPattern"])
    except (KeyError, UnboundedError):
        return "a" * int(given.get("MaxLength", PARAMETER_MAX))


def stack_name(template: Mapping[str, Any]) -> str:
    """The longest name of the main stack: what `TurbineStack` of the nested template takes."""
    given = (template.get("Parameters") or {}).get("TurbineStack") or {}
    try:
        return of_pattern(given["AllowedPattern"], STACK_NAME_MAX)
    except (KeyError, UnboundedError):
        return "a" * int(given.get("MaxLength", STACK_NAME_MAX))
