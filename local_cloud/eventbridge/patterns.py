"""Event patterns: which events a rule takes.

A pattern with a filter that is not known here is refused when the rule is made, never ignored.
Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
"""

from __future__ import annotations

import ipaddress
import operator
import re
from collections.abc import Callable, Iterator
from typing import Any

_MISSING = object()
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    "=": operator.eq,
    ">=": operator.ge,
    ">": operator.gt,
}


class InvalidPatternError(ValueError):
    """A pattern that AWS refuses, or that this cloud cannot evaluate."""


def validate(pattern: Any) -> None:
    """Raises: InvalidPatternError naming the place."""
    if not isinstance(pattern, dict) or not pattern:
        raise InvalidPatternError("Event pattern is not valid. Reason: it must be a JSON object with a field")
    _validate_object(pattern, "")


def matches(pattern: dict[str, Any], event: dict[str, Any]) -> bool:
    """Whether a validated pattern takes an event."""
    return _matches_object(pattern, event)


def _validate_object(pattern: dict[str, Any], place: str) -> None:
    for key, value in pattern.items():
        here = f"{place}.{key}" if place else key
        if key == "$or":
            if not isinstance(value, list) or not all(isinstance(part, dict) for part in value):
                raise InvalidPatternError(f"Event pattern is not valid. Reason: {here} must be a list of objects")
            for part in value:
                _validate_object(part, here)
        elif isinstance(value, dict):
            if not value:
                raise InvalidPatternError(f"Event pattern is not valid. Reason: Empty objects are not allowed: {here}")
            _validate_object(value, here)
        elif isinstance(value, list) and value:
            for entry in value:
                _validate_filter(entry, here)
        else:
            raise InvalidPatternError(
                f"Event pattern is not valid. Reason: '{here}' must be an object or a non-empty array"
            )


def _validate_filter(entry: Any, place: str) -> None:
    if not isinstance(entry, dict):
        if isinstance(entry, list):
            raise InvalidPatternError(f"Event pattern is not valid. Reason: '{place}' holds an array in an array")
        return
    if len(entry) != 1 or next(iter(entry)) not in _FILTERS:
        raise InvalidPatternError(f"Event pattern is not valid. Reason: Unrecognized match type in '{place}': {entry}")
    name, argument = next(iter(entry.items()))
    try:
        _FILTERS[name]("", argument)
        if name == "numeric":
            _numeric(0, argument)
    except (TypeError, ValueError, KeyError, AttributeError, IndexError) as error:
        raise InvalidPatternError(f"Event pattern is not valid. Reason: '{place}': {name}: {error}") from error


def _matches_object(pattern: dict[str, Any], value: Any) -> bool:
    if isinstance(value, list):
        return any(_matches_object(pattern, part) for part in value)
    fields = value if isinstance(value, dict) else {}
    return all(_matches_field(key, wanted, fields) for key, wanted in pattern.items())


def _matches_field(key: str, wanted: Any, fields: dict[str, Any]) -> bool:
    if key == "$or":
        return any(_matches_object(part, fields) for part in wanted)
    if isinstance(wanted, dict):
        return _matches_object(wanted, fields.get(key, {}))
    values = list(_leaves(fields.get(key, _MISSING)))
    return any(_matches_filter(entry, values) for entry in wanted)


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, list):
        for part in value:
            yield from _leaves(part)
    elif value is not _MISSING and not isinstance(value, dict):
        yield value


def _matches_filter(entry: Any, values: list[Any]) -> bool:
    if not isinstance(entry, dict):
        return any(_equal(entry, value) for value in values)
    name, argument = next(iter(entry.items()))
    if name == "exists":
        return bool(values) is argument
    return any(_FILTERS[name](value, argument) for value in values)


def _equal(wanted: Any, value: Any) -> bool:
    # JSON tells true from 1; Python does not.
    return isinstance(wanted, bool) == isinstance(value, bool) and wanted == value


def _text_filter(test: Callable[[str, str], bool]) -> Callable[[Any, Any], bool]:
    def apply(value: Any, argument: Any) -> bool:
        if isinstance(argument, list):
            return sum(apply(value, one) for one in argument) > 0  # every part, so that each is checked
        if isinstance(argument, dict):
            if set(argument) != {"equals-ignore-case"}:
                raise ValueError(f"unknown match type {argument}")
            return isinstance(value, str) and test(value.lower(), argument["equals-ignore-case"].lower())
        if not isinstance(argument, str):
            raise TypeError(f"{argument!r} is not a string")
        return isinstance(value, str) and test(value, argument)

    return apply


def _same_ignoring_case(value: str, wanted: str) -> bool:
    return value.lower() == wanted.lower()


def _wildcard(value: str, wanted: str) -> bool:
    if "**" in wanted:
        raise ValueError("consecutive wildcard characters")
    parts = [re.escape(part) for part in re.split(r"(?<!\\)\*", wanted)]
    return re.fullmatch(".*".join(parts).replace(r"\\\*", r"\*"), value, re.DOTALL) is not None


def _numeric(value: Any, argument: Any) -> bool:
    if not isinstance(argument, list) or len(argument) not in (2, 4):
        raise ValueError("expected [operator, number] or [operator, number, operator, number]")
    tests = [(_COMPARE[argument[i]], float(argument[i + 1])) for i in range(0, len(argument), 2)]
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return all(compare(value, limit) for compare, limit in tests)


def _anything_but(value: Any, argument: Any) -> bool:
    if isinstance(argument, dict):
        name, inner = next(iter(argument.items()))
        if name not in ("prefix", "suffix", "wildcard", "equals-ignore-case"):
            raise ValueError(f"unknown match type {name}")
        return not _FILTERS[name](value, inner)
    refused = argument if isinstance(argument, list) else [argument]
    if any(isinstance(one, dict | list) for one in refused):
        raise ValueError("expected strings or numbers")
    return not any(_equal(one, value) for one in refused)


def _exists(_: Any, argument: Any) -> bool:
    if not isinstance(argument, bool):
        raise TypeError("expected true or false")
    return argument


def _cidr(value: Any, argument: Any) -> bool:
    network = ipaddress.ip_network(argument)
    try:
        return ipaddress.ip_address(value) in network
    except ValueError:
        return False  # a field that is not an address is no error of the pattern


_FILTERS: dict[str, Callable[[Any, Any], bool]] = {
    "prefix": _text_filter(str.startswith),
    "suffix": _text_filter(str.endswith),
    "equals-ignore-case": _text_filter(_same_ignoring_case),
    "wildcard": _text_filter(_wildcard),
    "anything-but": _anything_but,
    "numeric": _numeric,
    "exists": _exists,
    "cidr": _cidr,
}
