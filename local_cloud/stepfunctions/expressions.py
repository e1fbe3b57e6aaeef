"""Paths, templates and JSONata expressions of a state, read without being evaluated.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/concepts-input-output-filtering.html and
https://docs.aws.amazon.com/step-functions/latest/dg/transforming-data.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from local_cloud.stepfunctions import intrinsic_calls, json_paths, jsonata
from local_cloud.stepfunctions.diagnostics import SCHEMA, Diagnostic

_JSONATA = "JSONata"
_TEMPLATES = ("Parameters", "ResultSelector", "ItemSelector", "Assign", "Credentials")
_PATHS = (
    "InputPath", "OutputPath", "ItemsPath", "SecondsPath", "TimestampPath", "TimeoutSecondsPath",
    "HeartbeatSecondsPath", "MaxConcurrencyPath", "ToleratedFailureCountPath", "ToleratedFailurePercentagePath",
    "ErrorPath", "CausePath",
)  # fmt: skip
_HELD_MACHINES = {"ItemProcessor", "Iterator", "Branches"}
_MAY_BE_NULL = {"InputPath", "OutputPath", "ResultPath"}
_VARIABLE = re.compile(r"\$[A-Za-z_]\w*")


def check(state: Mapping[str, Any], where: str, language: str) -> Iterator[Diagnostic]:
    """What no evaluation could make sense of."""
    if language == _JSONATA:
        for field, value in state.items():
            if field not in _HELD_MACHINES:
                yield from _jsonata_within(value, f"{where}/{field}")
        return
    yield from _paths(state, where)
    for field in _TEMPLATES:
        yield from _template(state.get(field), f"{where}/{field}")
    for field in ("Retry", "Catch", "Choices"):
        for index, part in enumerate(state.get(field) or []):
            if isinstance(part, dict):
                yield from _paths(part, f"{where}/{field}[{index}]")
                yield from _template(part.get("Assign"), f"{where}/{field}[{index}]/Assign")


def _paths(part: Mapping[str, Any], where: str) -> Iterator[Diagnostic]:
    for field in _PATHS:
        if field in part:
            yield from _path(part[field], f"{where}/{field}", field in _MAY_BE_NULL)
    if "Variable" in part:
        yield from _path(part["Variable"], f"{where}/Variable", False)
    result_path = part.get("ResultPath")
    if result_path is not None and (not isinstance(result_path, str) or json_paths.steps(result_path) is None):
        yield Diagnostic(SCHEMA, "Value is not a Reference Path", f"{where}/ResultPath")


def _path(value: Any, where: str, may_be_null: bool) -> Iterator[Diagnostic]:
    if value is None and may_be_null:
        return
    if not isinstance(value, str) or not _is_query(value):
        yield Diagnostic(SCHEMA, "Value is not a valid JSONPath", where)


def _is_query(text: str) -> bool:
    """Whether a text is a path, a variable or a call of an intrinsic function."""
    try:
        if text.startswith("States."):
            return all(_is_query(path) for path in intrinsic_calls.paths_of(intrinsic_calls.parse(text)))
        if not text.startswith("$"):
            return False
        if not _VARIABLE.match(text):
            json_paths.check(text.removeprefix("$") if text.startswith("$$") else text)
    except (intrinsic_calls.CallSyntaxError, json_paths.JsonPathSyntaxError):
        return False
    return True


def _template(value: Any, where: str) -> Iterator[Diagnostic]:
    if isinstance(value, dict):
        for key, item in value.items():
            if not key.endswith(".$"):
                yield from _template(item, f"{where}/{key}")
            elif not isinstance(item, str) or not _is_query(item):
                message = f"The value for the field '{key}' must be a valid JSONPath or a valid intrinsic function call"
                yield Diagnostic(SCHEMA, message, f"{where}/{key}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _template(item, f"{where}[{index}]")


def _jsonata_within(value: Any, where: str) -> Iterator[Diagnostic]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _jsonata_within(item, f"{where}/{key}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _jsonata_within(item, f"{where}[{index}]")
    elif isinstance(value, str) and value.startswith("{%") and value.endswith("%}"):
        problem = jsonata.syntax_error(value[2:-2].strip())
        if problem:
            yield Diagnostic(SCHEMA, f"Invalid JSONata expression: {problem}", where)
