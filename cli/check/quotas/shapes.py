"""What botocore's models bound in a request: lengths of texts, lists and maps, sizes of numbers.

The models are what AWS publishes and what the SDKs are generated from; botocore itself checks lower bounds only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from botocore.model import Shape

from cli.check.asl import services


class Bounded(NamedTuple):
    """A value that a model bounds from above. `way` is `Tags[].Value`; the names of members as the model has them."""

    way: str
    most: int
    unit: str
    actual: int


def request_shape(service: str, operation: str) -> Shape:
    """The input of an operation, by botocore's names."""
    shape = services.model(service).operation_model(operation).input_shape
    assert shape is not None, f"{service}.{operation} takes nothing"
    return shape


def most(service: str, operation: str, *way: str) -> int:
    """The largest that a member of a request may be; `way` leads to it through structures, lists (`[]`) and maps."""
    shape: Any = request_shape(service, operation)
    for name in way:
        if name == "[]":
            shape = shape.member
        elif name in ("{key}", "{value}"):
            shape = getattr(shape, name[1:-1])
        else:
            shape = shape.members[name]
    return int(shape.metadata["max"])


def bounded(shape: Any, value: Any, way: str = "") -> Iterator[Bounded]:
    """Every part of a value that the shape bounds. Members may be written as Step Functions and CloudFormation do."""
    kind = shape.type_name
    if kind == "structure" and isinstance(value, Mapping):
        members = {services.pascal(name): name for name in shape.members}
        for key, inner in value.items():
            name = members.get(services.pascal(str(key)))
            if name is not None:
                yield from bounded(shape.members[name], inner, f"{way}.{name}" if way else name)
    elif kind == "list" and isinstance(value, list):
        yield from _of(shape, way, "entries", len(value))
        for inner in value:
            yield from bounded(shape.member, inner, f"{way}[]")
    elif kind == "map" and isinstance(value, Mapping):
        yield from _of(shape, way, "entries", len(value))
        for key, inner in value.items():
            yield from bounded(shape.key, key, f"{way}{{key}}")
            yield from bounded(shape.value, inner, f"{way}{{value}}")
    elif kind == "string" and isinstance(value, str):
        yield from _of(shape, way, "characters", len(value))
    elif kind in services.NUMBERS and isinstance(value, int) and not isinstance(value, bool):
        yield from _of(shape, way, "", value)


def _of(shape: Any, way: str, unit: str, actual: int) -> Iterator[Bounded]:
    if "max" in shape.metadata:
        yield Bounded(way, int(shape.metadata["max"]), unit, actual)
