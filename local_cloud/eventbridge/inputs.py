"""What a target is sent: the event, a part of it, a constant, or a template filled from it.

EventBridge does not escape a value that it puts inside a quoted string: a value with a quotation mark in it makes a
JSON template invalid, and the event cannot be delivered. A path that finds nothing leaves an empty string.

Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html
"""

from __future__ import annotations

import json
import re
from typing import Any

MOST_VARIABLES = 100
FIELDS = ("Input", "InputPath", "InputTransformer")
"""What a target may have instead of the event, one of them."""
_PLACEHOLDER = re.compile(r"<([A-Za-z0-9_.-]+)>")
_STEP = re.compile(r"\.([A-Za-z0-9_/-]+)|\[(\d+)\]|\[(\*)\]|\.(\*)|\['([^']+)'\]")
_PATH = re.compile(r"\$(\.[A-Za-z0-9_/-]+|\[\d+\]|\[\*\]|\.\*|\['[^']+'\])*")
_MISSING = object()
_WHOLE_EVENTS = ("aws.events.event", "aws.events.event.json")
_RESERVED = ("aws.events.rule-arn", "aws.events.rule-name", "aws.events.event.ingestion-time", *_WHOLE_EVENTS)


class InvalidInputError(ValueError):
    """An input path or template that cannot be applied."""


def check(target: dict[str, Any]) -> None:
    """Refuse what AWS refuses at PutTargets. Raises: InvalidInputError."""
    given = [name for name in FIELDS if target.get(name) is not None]
    if len(given) > 1:
        raise InvalidInputError(
            f"Only one of Input, InputPath, or InputTransformer must be provided for target {target['Id']}."
        )
    if path := target.get("InputPath"):
        _check_path(path)
    if (constant := target.get("Input")) is not None:
        _check_json(constant, f"JSON syntax error in Input for target {target['Id']}")
    if transformer := target.get("InputTransformer"):
        _check_transformer(transformer, target["Id"])


def _check_transformer(transformer: dict[str, Any], target_id: str) -> None:
    paths = transformer.get("InputPathsMap") or {}
    if len(paths) > MOST_VARIABLES:
        raise InvalidInputError(f"InputPathsMap for target {target_id} has {len(paths)} entries, {MOST_VARIABLES} go")
    for name, path in paths.items():
        if name.lower().startswith("aws"):
            raise InvalidInputError(f"InputPathsMap for target {target_id}: {name} is a reserved name")
        _check_path(path)
    template = str(transformer["InputTemplate"])
    known = {*paths, *_RESERVED}
    if unknown := sorted({name for name in _PLACEHOLDER.findall(template) if name not in known}):
        raise InvalidInputError(
            f"Invalid InputTemplate for target {target_id} : it has placeholders that InputPathsMap has not: "
            f"{', '.join(unknown)}"
        )
    _check_json(_substitute(template, dict.fromkeys(known, 0)), f"Invalid InputTemplate for target {target_id}")


def _check_path(path: str) -> None:
    if _PATH.fullmatch(path) is None:
        raise InvalidInputError(f"Invalid JSONPath: {path}")


def target_input(target: dict[str, Any], event: dict[str, Any], rule_arn: str, ingested: str) -> str:
    """The payload for one target of a rule; `ingested` is when the event came in.

    Raises: InvalidInputError for a path that finds nothing or a filled template that is no JSON.
    """
    if target.get("Input") is not None:
        return str(target["Input"])
    if path := target.get("InputPath"):
        found = look_up(event, path)
        if found is _MISSING:
            raise InvalidInputError(f"InputPath {path} is not in the event")
        return _json(found)
    if transformer := target.get("InputTransformer"):
        return _fill(transformer, event, rule_arn, ingested)
    return _json(event)


def look_up(event: Any, path: str) -> Any:
    """What a path like `$.detail.object.key`, `$.resources[0]` or `$.detail.parts[*].id` finds.

    A private marker when it finds nothing. Raises: InvalidInputError for a path with filters.
    """
    _check_path(path)
    return _follow(event, list(_STEP.finditer(path)))


def _follow(value: Any, steps: list[re.Match[str]]) -> Any:
    if not steps:
        return value
    step, rest = steps[0], steps[1:]
    if step[3] or step[4]:
        parts = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
        found = [_follow(part, rest) for part in parts]
        return [part for part in found if part is not _MISSING] or _MISSING
    if step[2]:
        index = int(step[2])
        return _follow(value[index], rest) if isinstance(value, list) and index < len(value) else _MISSING
    key = step[1] or step[5]
    return _follow(value[key], rest) if isinstance(value, dict) and key in value else _MISSING


def _fill(transformer: dict[str, Any], event: dict[str, Any], rule_arn: str, ingested: str) -> str:
    values = {name: look_up(event, path) for name, path in (transformer.get("InputPathsMap") or {}).items()}
    values |= {
        "aws.events.rule-arn": rule_arn,
        "aws.events.rule-name": rule_arn.rsplit("/", 1)[-1],
        "aws.events.event.ingestion-time": ingested,
        "aws.events.event": {key: value for key, value in event.items() if key != "detail"},
        "aws.events.event.json": event,
    }
    filled = _substitute(transformer["InputTemplate"], values)
    _check_json(filled, "the filled InputTemplate is not JSON")
    return filled


def _check_json(text: str, complaint: str) -> None:
    """One JSON value, or several lines that each are a JSON string. Raises: InvalidInputError."""
    try:
        json.loads(text)
    except ValueError as error:
        lines = [line for line in text.splitlines() if line.strip()]
        if len(lines) < 2 or not all(_is_json_string(line) for line in lines):
            raise InvalidInputError(f"{complaint} ({error}): {text[:200]}") from error


def _is_json_string(line: str) -> bool:
    try:
        return isinstance(json.loads(line), str)
    except ValueError:
        return False


def _substitute(template: str, values: dict[str, Any]) -> str:
    """Put values in: as JSON where they stand alone, as they are inside a quoted string."""
    out: list[str] = []
    in_string, position = False, 0
    for match in _PLACEHOLDER.finditer(template):
        between = template[position : match.start()]
        in_string ^= len(re.findall(r'(?<!\\)(?:\\\\)*"', between)) % 2 == 1
        value = values.get(match[1], _MISSING)
        value = "" if value is _MISSING else value
        out += [between, _inside(value) if in_string else _json(value)]
        position = match.end()
    return "".join([*out, template[position:]])


def _inside(value: Any) -> str:
    if isinstance(value, str):
        return value
    # Of an object or a list, EventBridge leaves the quotation marks out when it stands in a string.
    return _json(value).replace('"', "")


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
