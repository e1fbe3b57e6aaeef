"""Which event patterns AWS takes: what it would refuse at PutRule is refused here, by name.

Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html and
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns.html
"""

from __future__ import annotations

import ipaddress
import json
import math
from collections.abc import Callable
from typing import Any

LARGEST_NUMBER = 5.0e9
MOST_COMBINATIONS = 1_000
_LOWER, _UPPER = (">", ">="), ("<", "<=")


class InvalidPatternError(ValueError):
    """A pattern that AWS refuses, or that this cloud cannot evaluate."""


def parse(text: str) -> dict[str, Any]:
    """A pattern from its JSON text, checked. Raises: InvalidPatternError naming the place."""
    try:
        pattern = json.loads(text, object_pairs_hook=_without_duplicates)
    except ValueError as error:
        raise InvalidPatternError(str(error)) from error
    validate(pattern)
    return dict(pattern)


def validate(pattern: Any) -> None:
    """Raises: InvalidPatternError naming the place."""
    if not isinstance(pattern, dict) or not pattern:
        raise InvalidPatternError("Filter is not an object, or has no field")
    combinations = _validate_object(pattern, "")
    if combinations > MOST_COMBINATIONS:
        raise InvalidPatternError(f"Rule is too complex: {combinations} combinations of $or, {MOST_COMBINATIONS} go")


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise InvalidPatternError(f"Path `{name}` cannot be allowed multiple times")
        found[name] = value
    return found


def is_or(key: str, value: Any) -> bool:
    """Whether a field is the operator `$or`; with fewer than two objects it is a field of that name, as on AWS."""
    return key == "$or" and isinstance(value, list) and len(value) > 1 and all(isinstance(one, dict) for one in value)


def _validate_object(pattern: dict[str, Any], place: str) -> int:
    """How many combinations of `$or` branches an object stands for."""
    combinations = 1
    for key, value in pattern.items():
        here = f"{place}.{key}" if place else key
        if is_or(key, value):
            combinations *= sum(_validate_object(part, here) for part in value)
        elif isinstance(value, dict):
            if not value:
                raise InvalidPatternError(f"Empty objects are not allowed: '{here}'")
            combinations *= _validate_object(value, here)
        elif isinstance(value, list) and value:
            for entry in value:
                _validate_entry(entry, here)
        else:
            raise InvalidPatternError(f"'{here}' must be an object or a non-empty array")
    return combinations


def _validate_entry(entry: Any, place: str) -> None:
    if isinstance(entry, list):
        raise InvalidPatternError(f"'{place}' holds an array in an array")
    if not isinstance(entry, dict):
        return
    if len(entry) != 1:
        raise InvalidPatternError(
            f"Only one key allowed in match expression: '{place}' has {', '.join(entry) or 'none'}"
        )
    name, argument = next(iter(entry.items()))
    if name not in _CHECKS:
        raise InvalidPatternError(f"Unrecognized match type {name} in '{place}'")
    try:
        _CHECKS[name](argument)
    except ValueError as error:
        raise InvalidPatternError(f"'{place}': {name}: {error}") from error


def _text(argument: Any) -> None:
    if not isinstance(argument, str):
        raise ValueError(f"{json.dumps(argument)} is not a string")


def _affix(argument: Any) -> None:
    """A prefix or suffix: text, or `{"equals-ignore-case": text}`."""
    if isinstance(argument, dict):
        if list(argument) != ["equals-ignore-case"]:
            raise ValueError(f"unrecognized match type {', '.join(argument)}")
        argument = argument["equals-ignore-case"]
    _text(argument)


def _wildcard(argument: Any) -> None:
    _text(argument)
    position, star_before = 0, False
    while position < len(argument):
        letter = argument[position]
        if letter == "\\":
            if argument[position + 1 : position + 2] not in ("*", "\\"):
                raise ValueError(f"Invalid escape character at pos {position}")
            position += 1
        elif letter == "*" and star_before:
            raise ValueError(f"Consecutive wildcard characters at pos {position - 1}")
        star_before = letter == "*"
        position += 1


def _numeric(argument: Any) -> None:
    if not isinstance(argument, list) or len(argument) not in (2, 4):
        raise ValueError("expected [operator, number] or [operator, number, operator, number]")
    for limit in argument[1::2]:
        if isinstance(limit, bool) or not isinstance(limit, int | float) or not math.isfinite(limit):
            raise ValueError(f"{json.dumps(limit)} is not a number")
        if abs(limit) > LARGEST_NUMBER:
            raise ValueError(f"Value must be between -{LARGEST_NUMBER:g} and {LARGEST_NUMBER:g}, inclusive")
    if len(argument) == 2:
        if argument[0] not in ("=", *_LOWER, *_UPPER):
            raise ValueError(f"Unrecognized numeric range operator: {argument[0]}")
        return
    if argument[0] not in _LOWER or argument[2] not in _UPPER:
        raise ValueError(f"Bad numeric range operator: {argument[0]} and {argument[2]}")
    if argument[1] >= argument[3]:
        raise ValueError("Bottom must be less than top")


def _anything_but(argument: Any) -> None:
    if isinstance(argument, dict):
        if len(argument) != 1 or next(iter(argument)) not in _NEGATED:
            raise ValueError(f"unsupported match type {', '.join(argument) or 'none'}")
        name, inner = next(iter(argument.items()))
        values = inner if isinstance(inner, list) else [inner]
        for value in values:
            _NEGATED[name](value)
        if not values or (name in ("prefix", "suffix") and "" in values):
            raise ValueError(f"null {name} is not allowed")
        return
    values = argument if isinstance(argument, list) else [argument]
    texts = [isinstance(value, str) for value in values]
    numbers = [isinstance(value, int | float) and not isinstance(value, bool) for value in values]
    if not values or not (all(texts) or all(numbers)):
        raise ValueError("expected strings only or numbers only")


def _exists(argument: Any) -> None:
    if not isinstance(argument, bool):
        raise ValueError("expected true or false")


def _cidr(argument: Any) -> None:
    _text(argument)
    ipaddress.ip_network(argument, strict=False)


_NEGATED: dict[str, Callable[[Any], None]] = {
    "prefix": _affix,
    "suffix": _affix,
    "equals-ignore-case": _text,
    "wildcard": _wildcard,
}
_CHECKS: dict[str, Callable[[Any], None]] = {
    "prefix": _affix,
    "suffix": _affix,
    "equals-ignore-case": _text,
    "wildcard": _wildcard,
    "anything-but": _anything_but,
    "numeric": _numeric,
    "exists": _exists,
    "cidr": _cidr,
}
