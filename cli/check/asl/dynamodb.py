"""What DynamoDB refuses and its model does not say: keys that are not the table's, placeholders that do not match.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_GetItem.html and
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.ExpressionAttributeNames.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from cli.check.asl.report import Report
from cli.check.asl.values import expression_in
from cli.check.documents import Steps

_EXPRESSIONS = (
    "ConditionExpression",
    "UpdateExpression",
    "FilterExpression",
    "KeyConditionExpression",
    "ProjectionExpression",
)
_PLACEHOLDER = re.compile(r"[#:][A-Za-z0-9_]+")
_GIVEN = {"#": "ExpressionAttributeNames", ":": "ExpressionAttributeValues"}


def check(arguments: Any, key: Mapping[str, str], steps: Steps, report: Report) -> None:
    """The arguments of one Task; `key` is the table's, empty if it is not known."""
    if isinstance(arguments, dict):
        _check_key(arguments, key, steps, report)
        _check_placeholders(arguments, steps, report)


def _check_key(arguments: Mapping[str, Any], key: Mapping[str, str], steps: Steps, report: Report) -> None:
    for field in ("Key", "Item"):
        given = arguments.get(field)
        if not key or not isinstance(given, dict):
            continue
        for name, type_name in key.items():
            value = given.get(name)
            if name not in given:
                report.add(
                    (*steps, field),
                    "table-key",
                    f"{field} lacks the key's `{name}`",
                    f"add `{name}: {{{type_name}: …}}`",
                )
            elif isinstance(value, dict) and type_name and type_name not in value:
                report.add(
                    (*steps, field, name), "table-key", f"the table's `{name}` is a {type_name}", f"write `{type_name}`"
                )
        for name in set(given) - set(key) if field == "Key" else ():
            report.add(
                (*steps, field, name), "table-key", f"`{name}` is not of the table's key", f"keep {', '.join(key)}"
            )


def _check_placeholders(arguments: Mapping[str, Any], steps: Steps, report: Report) -> None:
    """Every one is given and every given one is used; nothing is told where an expression of the machine makes them."""
    texts = {name: arguments[name] for name in _EXPRESSIONS if name in arguments}
    if any(not isinstance(text, str) or expression_in(text) is not None for text in texts.values()):
        return
    for sign, field in _GIVEN.items():
        given = arguments.get(field, {})
        if not isinstance(given, dict):
            continue
        used = {one: name for name, text in texts.items() for one in _PLACEHOLDER.findall(text) if one[0] == sign}
        for one, name in used.items():
            if one not in given:
                mend = f"add `{one}` to {field}"
                report.add((*steps, name), "expression-placeholder", f"`{one}` is used in {name} and not given", mend)
        for one in given:
            if one not in used:
                what = f"`{one}` is given and used in no expression"
                report.add((*steps, field, one), "expression-placeholder", what, f"use it, or remove it from {field}")
