"""What a target is sent: the event, a part of it, a constant, or a template filled from it.

Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html
"""

from __future__ import annotations

import json
import re
from typing import Any

_PLACEHOLDER = re.compile(r"<([A-Za-z0-9_.-]+)>")
_MISSING = object()


class InvalidInputError(ValueError):
    """An input path or template that cannot be applied."""


def target_input(target: dict[str, Any], event: dict[str, Any], rule_arn: str) -> str:
    """The payload for one target of a rule.

    Raises: InvalidInputError for a path that is no path or a template that gives no JSON.
    """
    if "Input" in target:
        return str(target["Input"])
    if path := target.get("InputPath"):
        found = look_up(event, path)
        if found is _MISSING:
            raise InvalidInputError(f"InputPath {path} is not in the event")
        return json.dumps(found)
    if transformer := target.get("InputTransformer"):
        return _fill(transformer, event, rule_arn)
    return json.dumps(event)


def look_up(event: Any, path: str) -> Any:
    """What a path like `$.detail.object.key` or `$.resources[0]` finds; a private marker when nothing.

    Raises: InvalidInputError for a path with filters or wildcards, which EventBridge does not have either.
    """
    if not re.fullmatch(r"\$(\.[A-Za-z0-9_-]+|\[\d+\]|\['[^']+'\])*", path):
        raise InvalidInputError(f"Invalid JSONPath: {path}")
    found = event
    for name, index, quoted in re.findall(r"\.([A-Za-z0-9_-]+)|\[(\d+)\]|\['([^']+)'\]", path):
        if index:
            if not isinstance(found, list) or int(index) >= len(found):
                return _MISSING
            found = found[int(index)]
        else:
            key = name or quoted
            if not isinstance(found, dict) or key not in found:
                return _MISSING
            found = found[key]
    return found


def _fill(transformer: dict[str, Any], event: dict[str, Any], rule_arn: str) -> str:
    values = {name: look_up(event, path) for name, path in (transformer.get("InputPathsMap") or {}).items()}
    values |= {
        "aws.events.rule-arn": rule_arn,
        "aws.events.rule-name": rule_arn.rsplit("/", 1)[-1],
        "aws.events.event.ingestion-time": event["time"],
        "aws.events.event": {key: value for key, value in event.items() if key != "detail"},
        "aws.events.event.json": event,
    }
    filled = _substitute(transformer["InputTemplate"], values)
    try:
        json.loads(filled)
    except ValueError as error:
        raise InvalidInputError(f"the filled InputTemplate is not JSON ({error}): {filled[:200]}") from error
    return filled


def _substitute(template: str, values: dict[str, Any]) -> str:
    """Put values in: as JSON where they stand alone, as text inside a quoted string."""
    out: list[str] = []
    in_string, position = False, 0
    for match in _PLACEHOLDER.finditer(template):
        between = template[position : match.start()]
        in_string ^= len(re.findall(r'(?<!\\)"', between)) % 2 == 1
        out.append(between)
        position = match.end()
        if match[1] not in values:
            out.append(match[0])
            continue
        value = values[match[1]]
        text = "" if value is _MISSING else value
        if not in_string:
            out.append(json.dumps(text))
        elif isinstance(text, str):
            out.append(json.dumps(text)[1:-1])
        else:
            out.append(json.dumps(json.dumps(text))[1:-1])
    return "".join([*out, template[position:]])
