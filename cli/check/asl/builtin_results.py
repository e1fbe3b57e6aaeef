"""What JSONata's functions and operators give, as far as their names say.

Source: https://docs.jsonata.org
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from cli.check.asl import values
from cli.check.asl.values import BOOLEAN, NUMBER, STRING, Array, Value

_STRINGS = (
    "string, join, uppercase, lowercase, trim, pad, substring, substringBefore, substringAfter, replace, "
    "base64encode, base64decode, formatNumber, formatInteger, formatBase, fromMillis, encodeUrl, encodeUrlComponent, "
    "decodeUrl, decodeUrlComponent, type, now, uuid, hash"
)
_NUMBERS = (
    "number, sum, max, min, average, count, length, abs, floor, ceil, round, power, sqrt, millis, toMillis, random, "
    "parseInteger"
)
OF_FUNCTION: dict[str, Value] = {
    **dict.fromkeys(_STRINGS.split(", "), STRING),
    **dict.fromkeys(_NUMBERS.split(", "), NUMBER),
    **dict.fromkeys(("boolean", "not", "exists", "contains"), BOOLEAN),
    "split": Array(STRING),
}
"""By function; what is not here may give anything."""

_CALCULATE: dict[str, Callable[[Any, Any], Any]] = {"+": operator.add, "-": operator.sub, "*": operator.mul}


def calculated(sign: str, left: Value, right: Value) -> Value:
    """What an arithmetic operator gives: the number itself where both operands are known, as substitutions are."""
    known = [values.constants(operand) for operand in (left, right)]
    numbers = [next(iter(one)) for one in known if one is not None and len(one) == 1]
    if sign not in _CALCULATE or len(numbers) != 2 or any(values.kind_of(one) != "number" for one in numbers):
        return NUMBER
    return values.constant(_CALCULATE[sign](*numbers))
