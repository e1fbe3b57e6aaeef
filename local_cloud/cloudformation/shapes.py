"""Turns resource properties into the parameters of an API operation, by the service's own model.

CloudFormation writes `JobQueueName` where Batch's API says `jobQueueName`, and passes numbers as text. A property
that the operation does not have is refused, so that nothing a template asks for is dropped in silence.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape

from local_cloud.aws_clients import service_model
from local_cloud.cloudformation.errors import ResourceError, UnsupportedPropertyError


def to_request(service: str, operation: str, properties: Mapping[str, Any], type_name: str) -> dict[str, Any]:
    """The request of `operation` (as the API names it) with the given properties.

    Raises: UnsupportedPropertyError, ResourceError for a value of the wrong kind.
    """
    shape = _input_shape(service, operation)
    request: dict[str, Any] = _convert(shape, dict(properties), type_name, "")
    return request


@functools.lru_cache(maxsize=256)
def _input_shape(service: str, operation: str) -> Shape:
    shape = service_model(service).operation_model(operation).input_shape
    if shape is None:
        raise ValueError(f"{service} {operation} takes no parameters")
    return shape


def _convert(shape: Shape, value: Any, type_name: str, path: str) -> Any:
    if isinstance(shape, StructureShape) and not getattr(shape, "is_document_type", False):
        return _convert_structure(shape, value, type_name, path)
    if isinstance(shape, ListShape):
        values = value if isinstance(value, list) else [value]
        return [_convert(shape.member, part, type_name, f"{path}[]") for part in values]
    if isinstance(shape, MapShape):
        if not isinstance(value, dict):
            raise ResourceError(f"{type_name}: {path} must be a map")
        return {key: _convert(shape.value, part, type_name, f"{path}.{key}") for key, part in value.items()}
    return _convert_scalar(shape.type_name, value, type_name, path)


def _convert_structure(shape: StructureShape, value: Any, type_name: str, path: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ResourceError(f"{type_name}: {path} must be an object")
    members = {name.lower(): name for name in shape.members}
    converted = {}
    for key, part in value.items():
        here = f"{path}.{key}" if path else key
        name = members.get(key.lower())
        if name is None:
            raise UnsupportedPropertyError(type_name, here)
        converted[name] = _convert(shape.members[name], part, type_name, here)
    return converted


def _convert_scalar(kind: str, value: Any, type_name: str, path: str) -> Any:
    try:
        if kind in ("integer", "long"):
            return int(value)
        if kind in ("float", "double"):
            return float(value)
        if kind == "boolean":
            return value if isinstance(value, bool) else {"true": True, "false": False}[str(value).lower()]
    except (ValueError, TypeError, KeyError) as error:
        raise ResourceError(f"{type_name}: {path} must be a {kind}, not {value!r}") from error
    if kind == "string":
        if isinstance(value, dict | list):
            return json.dumps(value)
        return ("true" if value else "false") if isinstance(value, bool) else str(value)
    return value
