"""Arguments of services that their models forbid."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from botocore.loaders import Loader
from botocore.model import ServiceModel, Shape

from tests.mutation import trees
from tests.mutation.trees import Mutations, Steps

_SERVICES = {"states": "stepfunctions", "sfn": "stepfunctions"}
"""botocore's names of services that ARNs call otherwise."""


def _shape_of(state: Mapping[str, Any]) -> Shape | None:
    *_, service, action = state["Resource"].removesuffix(".sync:2").removesuffix(".sync").split(":")
    name = _SERVICES.get(service, service)
    model = ServiceModel(Loader().load_service_model(name, "service-2"), name)
    return model.operation_model(action[0].upper() + action[1:]).input_shape


def _modelled(tree: Any) -> Iterator[tuple[Steps, Any, Shape]]:
    """Every argument with its shape."""

    def within(value: Any, shape: Shape, steps: Steps) -> Iterator[tuple[Steps, Any, Shape]]:
        yield steps, value, shape
        if shape.type_name == "structure" and isinstance(value, dict):
            members = {name[0].upper() + name[1:]: member for name, member in shape.members.items()}  # type: ignore[attr-defined]
            for key, item in value.items():
                yield from within(item, members[key], (*steps, key))
        elif shape.type_name == "map" and isinstance(value, dict):
            for key, item in value.items():
                yield from within(item, shape.value, (*steps, key))  # type: ignore[attr-defined]
        elif shape.type_name == "list" and isinstance(value, list):
            for index, item in enumerate(value):
                yield from within(item, shape.member, (*steps, index))  # type: ignore[attr-defined]

    for steps, state in trees.states(tree):
        if state.get("Type") == "Task":
            shape = _shape_of(state)
            assert shape is not None
            yield from within(state["Arguments"], shape, (*steps, "Arguments"))


def _takes_json(steps: Steps) -> bool:
    return any(step in ("Payload", "Detail", "Input") for step in steps)


def dropped_arguments(tree: Any) -> Mutations:
    for steps, value, shape in _modelled(tree):
        for name in getattr(shape, "required_members", []):
            key = name[0].upper() + name[1:]
            if isinstance(value, dict) and key in value:
                yield f"{trees.place(steps)}/{key} away", trees.without(tree, (*steps, key))
        if shape.name == "PutEventsRequestEntry":
            for key in ("Source", "DetailType", "Detail"):
                yield f"{trees.place(steps)}/{key} away", trees.without(tree, (*steps, key))


def wrong_types(tree: Any) -> Mutations:
    wrong: dict[str, list[Any]] = {
        "string": [7, True, ["a"], {"a": "b"}, "{% $count([1]) %}", "{% true %}", "{% {'a': 1} %}"],
        "integer": ["7", True, [7], "{% '7' & '' %}"],
        "boolean": ["true", 1, "{% 'true' & '' %}"],
        "structure": ["text", 7, ["a"], "{% 'a' & 'b' %}"],
        "map": ["text", 7, ["a"], "{% 'a' & 'b' %}"],
        "list": ["text", 7, {"a": "b"}, "{% 'a' & 'b' %}"],
    }
    for steps, _, shape in _modelled(tree):
        if steps[-1] != "Arguments" and not _takes_json(steps):
            for value in wrong.get(shape.type_name, []):
                yield f"{trees.place(steps)} = {value!r}", trees.with_value(tree, steps, value)


def wrong_values(tree: Any) -> Mutations:
    """Outside an enum, a length, a range, a pattern."""
    for steps, value, shape in _modelled(tree):
        if _takes_json(steps):
            continue
        if getattr(shape, "enum", None) and isinstance(value, str):
            for other in (*trees.misspelt(value), value.upper() + "_"):
                yield f"{trees.place(steps)} = {other}", trees.with_value(tree, steps, other)
            yield (
                f"{trees.place(steps)} by expression",
                trees.with_value(tree, steps, "{% $states.input = 1 ? 'no' : 'never' %}"),
            )
        if shape.type_name == "string" and not getattr(shape, "enum", None):
            yield from _wrong_strings(tree, steps, shape)
        if shape.type_name == "integer":
            for bound, step in (("min", -1), ("max", 1)):
                if bound in shape.metadata and abs(shape.metadata[bound]) < 2**31 - 1:
                    yield (
                        f"{trees.place(steps)} past {bound}",
                        trees.with_value(tree, steps, shape.metadata[bound] + step),
                    )
        if shape.type_name == "list" and isinstance(value, list) and shape.metadata.get("min"):
            yield f"{trees.place(steps)} empty", trees.with_value(tree, steps, [])


def _wrong_strings(tree: Any, steps: Steps, shape: Shape) -> Mutations:
    longest, pattern = shape.metadata.get("max"), shape.metadata.get("pattern")
    if longest and longest < 5000:
        yield f"{trees.place(steps)} too long", trees.with_value(tree, steps, "x" * (longest + 1))
    if shape.metadata.get("min"):
        yield f"{trees.place(steps)} empty", trees.with_value(tree, steps, "")
    if pattern and pattern not in (".*", "[^\\n]*") and "\\p" not in pattern and not re.fullmatch(pattern, "/ no /"):
        yield f"{trees.place(steps)} off its pattern", trees.with_value(tree, steps, "/ no /")


def wrong_attribute_values(tree: Any) -> Mutations:
    """DynamoDB's values have exactly one type."""
    for steps, value, shape in _modelled(tree):
        if shape.name == "AttributeValue" and isinstance(value, dict):
            yield f"{trees.place(steps)} has two types", trees.with_value(tree, (*steps, "BOOL"), True)
            yield f"{trees.place(steps)} has none", trees.with_value(tree, steps, {})
