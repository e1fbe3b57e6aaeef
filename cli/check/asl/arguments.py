"""A Task's arguments against the service's own model: names, types, enums, lengths, ranges, patterns.

An expression is as good as what is known of its value: an object in JSONata has its keys checked, an unknown variable
nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from botocore.model import Shape

from cli.check.asl import services, values
from cli.check.asl.integrations import Integration
from cli.check.asl.report import Report
from cli.check.asl.structure import instead
from cli.check.asl.values import Array, Object, Scalar, Value, constant, expression_in
from cli.check.documents import Steps

_ALSO_REQUIRED = {"PutEventsRequestEntry": ("Source", "DetailType", "Detail")}
"""What the service refuses to do without though its model does not say so.

Source: https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsRequestEntry.html
"""
_ONE_OF = {"AttributeValue"}
"""Structures of which exactly one member is given."""

_KINDS = {
    "string": {"string"},
    "boolean": {"boolean"},
    "timestamp": {"string", "number"},
    **{kind: {"number"} for kind in services.NUMBERS},
    "structure": {"object"},
    "map": {"object"},
    "list": {"array"},
}
_WHOLE = ("integer", "long")


def check(
    template: Any, integration: Integration, evaluate: Callable[[str], Value], steps: Steps, report: Report
) -> None:
    """The arguments of one Task."""
    operation = integration.operation
    if operation is None or operation.input_shape is None:
        return
    _Check(integration, evaluate, report).given({} if template is None else template, operation.input_shape, steps, ())


class _Check:
    """One check of one Task. `way` is the names of members from the root, without indices."""

    def __init__(self, integration: Integration, evaluate: Callable[[str], Value], report: Report) -> None:
        self._integration = integration
        self._evaluate = evaluate
        self._report = report

    def given(self, template: Any, shape: Shape, steps: Steps, way: tuple[str, ...]) -> None:
        """A value as the YAML has it."""
        expression = expression_in(template)
        if expression is not None:
            self._known(self._evaluate(expression), shape, steps, way)
        elif way in self._integration.json_text:
            return
        elif isinstance(template, dict):
            fields = {key.removesuffix(".$"): (item, (*steps, key)) for key, item in template.items()}
            self._object(fields, False, shape, steps, way, self._given_field)
        elif isinstance(template, list):
            if self._is_kind(frozenset({"array"}), shape, steps):
                self._length(len(template), shape, steps)
                for index, item in enumerate(template):
                    self.given(item, _member(shape), (*steps, index), way)
        else:
            self._known(values.of_template(template, self._evaluate), shape, steps, way)

    def _given_field(self, item: tuple[Any, Steps], shape: Shape, _: Steps, way: tuple[str, ...]) -> None:
        template, steps = item
        if not str(steps[-1]).endswith(".$"):  # a path of JSONPath
            self.given(template, shape, steps, way)

    def _known(self, value: Value, shape: Shape, steps: Steps, way: tuple[str, ...]) -> None:
        """What is known of the value of an expression."""
        if way in self._integration.json_text or not self._is_kind(values.kinds(value), shape, steps):
            return
        for option in values.options(value):
            if isinstance(option, Object):
                fields = dict(option.fields)
                self._object(fields, option.rest is not None, shape, steps, way, self._known)
            elif isinstance(option, Array) and shape.type_name == "list":
                self._known(option.item, _member(shape), steps, way)
            elif isinstance(option, Scalar) and option.constants is not None:
                for one in option.constants:
                    self._constant(one, shape, steps)

    def _is_kind(self, kinds: frozenset[str] | None, shape: Shape, steps: Steps) -> bool:
        """Whether a value may be of a shape's type; a report if not."""
        wanted = _KINDS.get(shape.type_name)
        if kinds is None or wanted is None or getattr(shape, "is_document_type", False) or kinds & wanted:
            return True
        what = f"`{steps[-1]}` takes {_article(shape)}, not {' or '.join(sorted(kinds))}"
        self._report.add(steps, "argument-type", what, f"give {_article(shape)}")
        return False

    def _object(
        self,
        fields: Mapping[str, Any],
        is_open: bool,
        shape: Shape,
        steps: Steps,
        way: tuple[str, ...],
        check_field: Callable[[Any, Shape, Steps, tuple[str, ...]], None],
    ) -> None:
        if not self._is_kind(frozenset({"object"}), shape, steps):
            return
        if shape.type_name == "map":
            for key, item in fields.items():
                self._constant(key, shape.key, (*steps, key))  # type: ignore[attr-defined]
                check_field(item, shape.value, (*steps, key), (*way, key))  # type: ignore[attr-defined]
            return
        if shape.type_name != "structure" or getattr(shape, "is_document_type", False):
            return
        members = _members(shape)
        for name, item in fields.items():
            if name not in members:
                what = f"{self._operation()} takes no `{name}`{_within(way)}"
                self._report.add(
                    (*steps, name), "unknown-argument", what, instead(name, set(map(services.pascal, _raw(shape))))
                )
            else:
                check_field(item, members[name], (*steps, name), (*way, name))
        if not is_open:
            self._required(fields, shape, steps, way)

    def _required(self, fields: Mapping[str, Any], shape: Shape, steps: Steps, way: tuple[str, ...]) -> None:
        raw = _raw(shape)
        required = [*getattr(shape, "required_members", ()), *_ALSO_REQUIRED.get(shape.name, ())]
        for name in required:
            if not services.spellings(name) & set(fields):
                what = f"{self._operation()} needs `{services.pascal(name)}`{_within(way)}"
                self._report.add(steps, "missing-argument", what, f"add `{services.pascal(name)}`")
        is_choice = shape.name in _ONE_OF or getattr(shape, "is_tagged_union", False)
        if is_choice and len(fields) != 1:
            what = f"exactly one of {', '.join(map(services.pascal, raw))} is to be given, not {len(fields)}"
            self._report.add(steps, "argument-value", what, "keep one")

    def _constant(self, value: values.Constant, shape: Shape, steps: Steps) -> None:
        if not self._is_kind(values.kinds(constant(value)), shape, steps):
            return
        if isinstance(value, str):
            self._string(value, shape, steps)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            self._number(value, shape, steps)

    def _string(self, value: str, shape: Shape, steps: Steps) -> None:
        if shape.type_name != "string" or "${" in value:
            return
        choices = getattr(shape, "enum", None)
        if choices and value not in choices:
            self._refuse(steps, f"`{value}` is not one of {_some(choices)}", instead(value, set(choices)))
            return
        self._length(len(value), shape, steps)
        pattern = _pattern(shape.metadata.get("pattern"))
        if pattern is not None and not pattern.fullmatch(value):
            self._refuse(steps, f"`{value}` does not match {pattern.pattern}", "write it as the pattern wants")

    def _number(self, value: float, shape: Shape, steps: Steps) -> None:
        least, most = shape.metadata.get("min"), shape.metadata.get("max")
        if shape.type_name in _WHOLE and not float(value).is_integer():
            self._report.add(steps, "argument-type", f"`{steps[-1]}` takes a whole number, not {value}", "round it")
        elif (least is not None and value < least) or (most is not None and value > most):
            self._refuse(steps, f"{value} is not {_range(least, most)}", f"give a number {_range(least, most)}")

    def _length(self, length: int, shape: Shape, steps: Steps) -> None:
        least, most = shape.metadata.get("min"), shape.metadata.get("max")
        if (least is not None and length < least) or (most is not None and length > most):
            of = "items" if shape.type_name == "list" else "characters"
            self._refuse(
                steps, f"`{steps[-1]}` has {length} {of}, not {_range(least, most)}", f"give {_range(least, most)} {of}"
            )

    def _refuse(self, steps: Steps, what: str, mend: str) -> None:
        self._report.add(steps, "argument-value", what, mend)

    def _operation(self) -> str:
        operation = self._integration.operation
        return operation.name if operation is not None else ""


def _raw(shape: Shape) -> Mapping[str, Shape]:
    members: Mapping[str, Shape] = getattr(shape, "members", {})
    return members


def _members(shape: Shape) -> dict[str, Shape]:
    """The members of a structure in every spelling that Step Functions takes."""
    return {spelling: member for name, member in _raw(shape).items() for spelling in services.spellings(name)}


def _member(shape: Shape) -> Shape:
    member: Shape = getattr(shape, "member", shape)
    return member


@lru_cache(maxsize=1024)
def _pattern(text: str | None) -> re.Pattern[str] | None:
    """A pattern of a model; None if Python's engine cannot read it (Unicode classes of Java)."""
    if not text or "\\p{" in text:
        return None
    try:
        return re.compile(text)
    except re.error:
        return None


def _article(shape: Shape) -> str:
    names = {
        "structure": "an object",
        "map": "an object",
        "list": "a list",
        "boolean": "true or false",
        "string": "a string",
    }
    return names.get(
        shape.type_name, "a number" if shape.type_name in _KINDS and shape.type_name != "timestamp" else "a time"
    )


def _within(way: tuple[str, ...]) -> str:
    return f" in {'.'.join(way)}" if way else ""


def _range(least: float | None, most: float | None) -> str:
    if least is None:
        return f"at most {most}"
    return f"at least {least}" if most is None else f"{least} to {most}"


def _some(choices: list[str]) -> str:
    shown = ", ".join(choices[:6])
    return f"{shown}, … ({len(choices)} in all)" if len(choices) > 6 else shown
