"""The JSONPath of Batch Transform's InputFilter and OutputFilter, as far as it is emulated.

`$`, `$.a.b`, `$['a','b']` (an object of these), `$[0]`, `$[1:]`, `$[1:3]`. Anything else is refused by name.

Source: https://docs.aws.amazon.com/sagemaker/latest/dg/batch-transform-data-processing.html
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

Filter = Callable[[Any], Any]
LONGEST = 63
_STEP = re.compile(
    r"\.(?P<name>[A-Za-z_][\w-]*)"
    r"|\[(?P<names>'[^']*'(?:\s*,\s*'[^']*')*)\]"
    r"|\[(?P<index>-?\d+)\]"
    r"|\[(?P<start>-?\d*):(?P<stop>-?\d*)\]"
)


class FilterError(ValueError):
    """A filter is not emulated, or a record does not have what it names."""


def parse(path: str, parameter: str) -> Filter:
    """A function that applies `path` to a record. `parameter` is named in errors.

    Raises: FilterError if the path is too long or not emulated.
    """
    if len(path) > LONGEST:
        raise FilterError(f"{parameter} has {len(path)} characters, at most {LONGEST} are allowed")
    steps: list[Filter] = []
    position = 1
    if not path.startswith("$"):
        raise FilterError(f"{parameter} {path} does not begin with $")
    while position < len(path):
        match = _STEP.match(path, position)
        if match is None:
            raise FilterError(f"{parameter} {path} is not emulated from '{path[position:]}' on")
        steps.append(_step(match, f"{parameter} {path}"))
        position = match.end()
    return lambda record: _apply(record, steps)


def _apply(record: Any, steps: list[Filter]) -> Any:
    for step in steps:
        record = step(record)
    return record


def _step(match: re.Match[str], where: str) -> Filter:
    if match["name"]:
        return lambda record: _member(record, match["name"], where)
    if match["names"]:
        names = re.findall(r"'([^']*)'", match["names"])
        if len(names) == 1:
            return lambda record: _member(record, names[0], where)
        return lambda record: {name: _member(record, name, where) for name in names}
    if match["index"]:
        return lambda record: _item(record, int(match["index"]), where)
    start = int(match["start"]) if match["start"] else None
    stop = int(match["stop"]) if match["stop"] else None
    return lambda record: _list(record, where)[start:stop]


def _member(record: Any, name: str, where: str) -> Any:
    if not isinstance(record, dict) or name not in record:
        raise FilterError(f"{where}: a record has no {name}")
    return record[name]


def _item(record: Any, index: int, where: str) -> Any:
    items = _list(record, where)
    if not -len(items) <= index < len(items):
        raise FilterError(f"{where}: a record has only {len(items)} columns")
    return items[index]


def _list(record: Any, where: str) -> list[Any]:
    if not isinstance(record, list):
        raise FilterError(f"{where}: a record is not an array")
    return record
