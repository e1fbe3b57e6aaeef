"""Event patterns: which events a rule takes. `pattern_syntax` says which patterns there are.

Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
"""

from __future__ import annotations

import functools
import ipaddress
import operator
import re
from collections.abc import Callable, Iterator
from typing import Any

from local_cloud.eventbridge.pattern_syntax import is_or

_MISSING = object()
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    "=": operator.eq,
    ">=": operator.ge,
    ">": operator.gt,
}


def matches(pattern: dict[str, Any], event: dict[str, Any]) -> bool:
    """Whether a validated pattern takes an event."""
    return _matches_object(pattern, event)


def _matches_object(pattern: dict[str, Any], value: Any) -> bool:
    if isinstance(value, list):
        # All fields of a pattern must hold within one element; in a list of no objects every field is missing.
        parts = [part for part in value if isinstance(part, dict | list)]
        return any(_matches_object(pattern, part) for part in parts or [{}])
    fields = value if isinstance(value, dict) else {}
    return all(_matches_field(key, wanted, fields) for key, wanted in pattern.items())


def _matches_field(key: str, wanted: Any, fields: dict[str, Any]) -> bool:
    if is_or(key, wanted):
        return any(_matches_object(part, fields) for part in wanted)
    if isinstance(wanted, dict):
        return _matches_object(wanted, fields.get(key, {}))
    values = list(_leaves(fields.get(key, _MISSING)))
    return any(_matches_entry(entry, values) for entry in wanted)


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, list):
        for part in value:
            yield from _leaves(part)
    elif value is not _MISSING and not isinstance(value, dict):
        yield value


def _matches_entry(entry: Any, values: list[Any]) -> bool:
    if not isinstance(entry, dict):
        return any(_equal(entry, value) for value in values)
    name, argument = next(iter(entry.items()))
    if name == "exists":
        return bool(values) is argument
    return any(_FILTERS[name](value, argument) for value in values)


def _equal(wanted: Any, value: Any) -> bool:
    # EventBridge compares what is written: 1 is neither true nor 1.0.
    return type(wanted) is type(value) and bool(wanted == value)


def _affix(test: Callable[[str, str], bool]) -> Callable[[Any, Any], bool]:
    def apply(value: Any, argument: Any) -> bool:
        if not isinstance(value, str):
            return False
        if isinstance(argument, dict):
            return test(value.lower(), argument["equals-ignore-case"].lower())
        return test(value, argument)

    return apply


def _same_ignoring_case(value: Any, wanted: str) -> bool:
    return isinstance(value, str) and value.lower() == wanted.lower()


def _wildcard(value: Any, wanted: str) -> bool:
    return isinstance(value, str) and _compiled(wanted).fullmatch(value) is not None


@functools.lru_cache(maxsize=1_000)
def _compiled(wildcard: str) -> re.Pattern[str]:
    parts = re.findall(r"\\[*\\]|\*|[^*\\]+", wildcard)
    return re.compile("".join(".*" if part == "*" else re.escape(_unescaped(part)) for part in parts), re.DOTALL)


def _unescaped(part: str) -> str:
    return part[1] if part.startswith("\\") else part


def _numeric(value: Any, argument: list[Any]) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return all(_COMPARE[argument[i]](value, argument[i + 1]) for i in range(0, len(argument), 2))


def _anything_but(value: Any, argument: Any) -> bool:
    if isinstance(argument, dict):
        name, inner = next(iter(argument.items()))
        return not any(_FILTERS[name](value, one) for one in (inner if isinstance(inner, list) else [inner]))
    return not any(_equal(one, value) for one in (argument if isinstance(argument, list) else [argument]))


def _cidr(value: Any, argument: str) -> bool:
    if not isinstance(value, str):
        return False
    try:
        return ipaddress.ip_address(value) in ipaddress.ip_network(argument, strict=False)
    except ValueError:
        return False  # a field that is not an address is no error of the pattern


_FILTERS: dict[str, Callable[[Any, Any], bool]] = {
    "prefix": _affix(str.startswith),
    "suffix": _affix(str.endswith),
    "equals-ignore-case": _same_ignoring_case,
    "wildcard": _wildcard,
    "anything-but": _anything_but,
    "numeric": _numeric,
    "cidr": _cidr,
}
