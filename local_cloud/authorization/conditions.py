"""The Condition element of a policy's statement, and the wildcards of all its elements.

Refused by name: the operators for dates and bytes, which nobody here uses. A condition that cannot be evaluated never
holds by accident.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html and
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html
"""

from __future__ import annotations

import functools
import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Context = Mapping[str, Sequence[str]]
"""What is known of a request, by condition key in lower case; a key that is not there was not in the request."""

_ARN_PARTS = 6
_VARIABLE = re.compile(r"\$\{([^}]*)\}")


class NotEmulatedConditionError(ValueError):
    """A condition operator that AWS evaluates and this cloud does not."""


def like(pattern: str, text: str) -> bool:
    """Whether a text matches a pattern with `*` and `?`, letter by letter."""
    return _regex(pattern).fullmatch(text) is not None


def like_arn(pattern: str, arn: str) -> bool:
    """Whether an ARN matches a pattern, part by part; `*` alone matches everything.

    A wildcard does not reach over the colon of the five parts before the resource: stricter than AWS may be for an
    identity policy's Resource, never laxer.
    """
    if pattern == "*":
        return True
    wanted, given = pattern.split(":", _ARN_PARTS - 1), arn.split(":", _ARN_PARTS - 1)
    return len(wanted) == len(given) and all(map(like, wanted, given))


def filled(text: str, context: Context) -> str | None:
    """A text with its policy variables filled in; None if the request does not have one of them."""
    literals = {"*": "*", "?": "?", "$": "$"}
    for name in _VARIABLE.findall(text):
        if name not in literals and len(context.get(name.lower(), ())) != 1:
            return None
    return _VARIABLE.sub(lambda found: literals.get(found[1]) or context[found[1].lower()][0], text)


def fulfilled(condition: Mapping[str, Any], context: Context) -> bool:
    """Whether every operator holds for every one of its keys.

    Raises: NotEmulatedConditionError.
    """
    return all(
        _holds(operator, context.get(key.lower()), _texts(values), context)
        for operator, keys in condition.items()
        for key, values in keys.items()
    )


def _holds(operator: str, actual: Sequence[str] | None, wanted: Sequence[str], context: Context) -> bool:
    quantifier, _, name = operator.rpartition(":")
    if name == "Null":
        return (actual is None) == (wanted[0].lower() == "true")
    if_exists = name.endswith("IfExists")
    matches, is_negated = _operator(name.removesuffix("IfExists"), operator)
    known = [value for value in (filled(one, context) for one in wanted) if value is not None]

    def holds(value: str) -> bool:
        return any(matches(one, value) for one in known) is not is_negated

    if quantifier == "ForAllValues":
        return all(map(holds, actual or ()))
    if quantifier == "ForAnyValue":
        return any(map(holds, actual or ()))
    if quantifier:
        raise NotEmulatedConditionError(f"the condition operator {operator} is not emulated")
    if actual is None:
        return if_exists or is_negated
    return all(map(holds, actual)) if is_negated else any(map(holds, actual))


def _operator(name: str, shown: str) -> tuple[Callable[[str, str], bool], bool]:
    """How an operator compares a wanted with an actual value, and whether it wants that not to be so."""
    plain = name.replace("Not", "", 1) if "Not" in name else name
    found = _OPERATORS.get(plain)
    if found is None or (plain != name and plain not in _NEGATABLE):
        raise NotEmulatedConditionError(f"the condition operator {shown} is not emulated")
    return found, plain != name


def _within(network: str, address: str) -> bool:
    return ipaddress.ip_address(address) in ipaddress.ip_network(network, strict=False)


_OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "StringEquals": lambda wanted, actual: wanted == actual,
    "StringEqualsIgnoreCase": lambda wanted, actual: wanted.lower() == actual.lower(),
    "StringLike": like,
    "ArnEquals": like_arn,
    "ArnLike": like_arn,
    "Bool": lambda wanted, actual: wanted.lower() == actual.lower(),
    "NumericEquals": lambda wanted, actual: float(actual) == float(wanted),
    "NumericLessThan": lambda wanted, actual: float(actual) < float(wanted),
    "NumericLessThanEquals": lambda wanted, actual: float(actual) <= float(wanted),
    "NumericGreaterThan": lambda wanted, actual: float(actual) > float(wanted),
    "NumericGreaterThanEquals": lambda wanted, actual: float(actual) >= float(wanted),
    "IpAddress": _within,
}
_NEGATABLE = {
    *("StringEquals", "StringEqualsIgnoreCase", "StringLike"),
    *("ArnEquals", "ArnLike", "NumericEquals", "IpAddress"),
}


def _texts(values: Any) -> list[str]:
    """A condition's values as texts: JSON's true is written "true"."""
    given = values if isinstance(values, list) else [values]
    return [str(one).lower() if isinstance(one, bool) else str(one) for one in given]


@functools.lru_cache(maxsize=4_096)
def _regex(pattern: str) -> re.Pattern[str]:
    translated = "".join({"*": ".*", "?": "."}.get(letter, re.escape(letter)) for letter in pattern)
    return re.compile(translated, re.DOTALL)
