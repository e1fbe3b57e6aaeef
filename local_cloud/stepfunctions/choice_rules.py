"""What a Choice state's rules must look like: their nesting, and a value of the type that its comparison is of.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/state-choice.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from local_cloud.stepfunctions import timestamps
from local_cloud.stepfunctions.diagnostics import SCHEMA, Diagnostic

_COMPARISON = re.compile(r"(?P<kind>Is|String|Numeric|Boolean|Timestamp)[A-Z]\w*")
_VALUES: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "Is": ("true or false", lambda value: isinstance(value, bool)),
    "Boolean": ("true or false", lambda value: isinstance(value, bool)),
    "String": ("a string", lambda value: isinstance(value, str)),
    "Numeric": ("a number", lambda value: isinstance(value, int | float) and not isinstance(value, bool)),
    "Timestamp": ("an ISO-8601 timestamp", lambda value: timestamps.parse(value) is not None),
}


def check(rules: Any, where: str, language: str) -> Iterator[Diagnostic]:
    """What is wrong with a state's Choices."""
    if not isinstance(rules, list) or not rules:
        yield Diagnostic(SCHEMA, "Choices must be an array with at least one rule", where)
        return
    for index, rule in enumerate(rules):
        place = f"{where}[{index}]"
        if not isinstance(rule, dict) or "Next" not in rule:
            yield Diagnostic(SCHEMA, "These fields are required: [Next]", place)
        elif language == "JSONPath":
            yield from _rule(rule, place)


def _rule(rule: Mapping[str, Any], place: str) -> Iterator[Diagnostic]:
    for field in ("And", "Or"):
        if field in rule:
            yield from _operands(rule[field], f"{place}/{field}")
    if "Not" in rule:
        yield from _operand(rule["Not"], f"{place}/Not")
    for name, value in rule.items():
        match = _COMPARISON.fullmatch(name)
        if match is None:
            continue
        wanted, fits = _VALUES[match["kind"]]
        if name.endswith("Path"):
            wanted, fits = "a path", _is_path
        if not fits(value):
            yield Diagnostic(SCHEMA, f"Value must be {wanted}", f"{place}/{name}")


def _operands(rules: Any, place: str) -> Iterator[Diagnostic]:
    if not isinstance(rules, list) or not rules:
        yield Diagnostic(SCHEMA, "Value must be an array with at least one rule", place)
        return
    for index, rule in enumerate(rules):
        yield from _operand(rule, f"{place}[{index}]")


def _operand(rule: Any, place: str) -> Iterator[Diagnostic]:
    if not isinstance(rule, dict):
        yield Diagnostic(SCHEMA, "Value must be a rule", place)
        return
    if "Next" in rule:
        yield Diagnostic(SCHEMA, "Field is not supported", f"{place}/Next")
    yield from _rule(rule, place)


def _is_path(value: Any) -> bool:
    return isinstance(value, str) and value.startswith("$")
