"""Which fields a state may and must have in its query language, and what their values must look like.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/statemachine-structure.html and
https://states-language.net/spec.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from local_cloud.stepfunctions import choice_rules, expressions, quantities, task_resources
from local_cloud.stepfunctions.diagnostics import SCHEMA, Diagnostic

_JSONATA = "JSONata"
_LONGEST_NAME = 80
_ANY_STATE = {"Type", "Comment", "QueryLanguage"}
_INPUT_OUTPUT = {"InputPath", "OutputPath"}
_RESULT = {"ResultPath", "ResultSelector", "Parameters", *_INPUT_OUTPUT}
_TRANSITION = {"Next", "End", "Assign"}
_FAILING = {"Retry", "Catch"}
_MAP = {
    "ItemProcessor", "Iterator", "MaxConcurrency", "ItemReader", "ItemSelector", "ItemBatcher", "ResultWriter",
    "ToleratedFailureCount", "ToleratedFailurePercentage", "Label",
}  # fmt: skip
_MAP_PATHS = {"ItemsPath", "MaxConcurrencyPath", "ToleratedFailureCountPath", "ToleratedFailurePercentagePath"}
_TASK = {"Resource", "TimeoutSeconds", "HeartbeatSeconds", "Credentials"}
_TASK_PATHS = {"TimeoutSecondsPath", "HeartbeatSecondsPath"}

_FIELDS: dict[str, tuple[set[str], set[str], set[str]]] = {
    "Pass": (_TRANSITION, {"Result", "ResultPath", "Parameters", *_INPUT_OUTPUT}, {"Output"}),
    "Task": (_TRANSITION | _FAILING | _TASK, _RESULT | _TASK_PATHS, {"Arguments", "Output"}),
    "Choice": ({"Choices", "Default", "Assign"}, _INPUT_OUTPUT, {"Output"}),
    "Wait": (_TRANSITION | {"Seconds", "Timestamp"}, {"SecondsPath", "TimestampPath", *_INPUT_OUTPUT}, {"Output"}),
    "Succeed": (set(), _INPUT_OUTPUT, {"Output"}),
    "Fail": ({"Error", "Cause"}, {"ErrorPath", "CausePath"}, set()),
    "Parallel": (_TRANSITION | _FAILING | {"Branches"}, _RESULT, {"Arguments", "Output"}),
    "Map": (_TRANSITION | _FAILING | _MAP, _RESULT | _MAP_PATHS, {"Items", "Output"}),
}
"""By type: fields of every state, of JSONPath states, of JSONata states."""

_REQUIRED = {"Task": ["Resource"], "Choice": ["Choices"], "Parallel": ["Branches"]}
_WAIT_FIELDS = ("Seconds", "SecondsPath", "Timestamp", "TimestampPath")
_EITHER = (
    ("Seconds", "SecondsPath", "Timestamp", "TimestampPath"),
    ("TimeoutSeconds", "TimeoutSecondsPath"),
    ("HeartbeatSeconds", "HeartbeatSecondsPath"),
    ("MaxConcurrency", "MaxConcurrencyPath"),
    ("ToleratedFailureCount", "ToleratedFailureCountPath"),
    ("ToleratedFailurePercentage", "ToleratedFailurePercentagePath"),
    ("Error", "ErrorPath"),
    ("Cause", "CausePath"),
    ("Next", "End"),
)


def check(state: Mapping[str, Any], where: str, language: str) -> Iterator[Diagnostic]:
    """What is wrong with a state by itself, not with what it leads to or holds."""
    kind = state.get("Type")
    if kind not in _FIELDS:
        allowed = ", ".join(_FIELDS)
        yield Diagnostic(SCHEMA, f"Value is not valid. Allowed values are: [{allowed}]", f"{where}/Type")
        return
    own = state.get("QueryLanguage", language)
    if own not in ("JSONPath", _JSONATA) or (language == _JSONATA and own != _JSONATA):
        yield Diagnostic(SCHEMA, f"QueryLanguage can not be '{own}' here", f"{where}/QueryLanguage")
        return
    everywhere, with_paths, with_jsonata = _FIELDS[kind]
    allowed_fields = _ANY_STATE | everywhere | (with_jsonata if own == _JSONATA else with_paths)
    for field in state:
        if field not in allowed_fields:
            yield Diagnostic(SCHEMA, "Field is not supported", f"{where}/{field}")
    yield from _presence(state, kind, where)
    yield from _numbers(state, where)
    yield from _variables(state.get("Assign"), where, own)
    yield from _failure_handlers(state, where, own)
    if kind == "Choice":
        yield from choice_rules.check(state.get("Choices"), f"{where}/Choices", own)
    yield from expressions.check(state, where, own)
    if kind == "Task":
        yield from task_resources.check(state, where, own)


def _presence(state: Mapping[str, Any], kind: str, where: str) -> Iterator[Diagnostic]:
    missing = [field for field in _REQUIRED.get(kind, []) if field not in state]
    if kind == "Map" and not ({"ItemProcessor", "Iterator"} & set(state)):
        missing.append("ItemProcessor")
    if missing:
        yield Diagnostic(SCHEMA, f"These fields are required: [{', '.join(missing)}]", where)
    if kind == "Wait" and not any(field in state for field in _WAIT_FIELDS):
        yield Diagnostic(SCHEMA, f"State is missing one of: [{', '.join(_WAIT_FIELDS)}]", where)
    if "Next" in _FIELDS[kind][0] and "Next" not in state and state.get("End") is not True:
        yield Diagnostic(SCHEMA, "State is missing either of: [Next, End]", where)
    for group in _EITHER:
        given = [field for field in group if field in state and state[field] is not False]
        if len(given) > 1:
            yield Diagnostic(SCHEMA, f"State must not have more than one of: [{', '.join(given)}]", where)


def _numbers(state: Mapping[str, Any], where: str) -> Iterator[Diagnostic]:
    for field in (quantities.TIMEOUT, quantities.HEARTBEAT, quantities.SECONDS, quantities.TOLERATED_PERCENTAGE):
        value: Any = state.get(field.name)
        if field.takes_type_of(value) and not field.has_in_range(value):
            yield Diagnostic(SCHEMA, f"Value must be {field.range_text}", f"{where}/{field.name}")


def _variables(assigned: Any, where: str, language: str) -> Iterator[Diagnostic]:
    for key in assigned if isinstance(assigned, dict) else ():
        name = key if language == _JSONATA else key.removesuffix(".$")
        if not name.isidentifier() or len(name) > _LONGEST_NAME or name == "states":
            yield Diagnostic(SCHEMA, f"'{name}' is not a valid variable name", f"{where}/Assign")


def _failure_handlers(state: Mapping[str, Any], where: str, language: str) -> Iterator[Diagnostic]:
    for field in ("Retry", "Catch"):
        handlers = state.get(field, [])
        if not isinstance(handlers, list):
            yield Diagnostic(SCHEMA, f"{field} must be an array", f"{where}/{field}")
            continue
        for index, handler in enumerate(handlers):
            place = f"{where}/{field}[{index}]"
            yield from _handler(handler, field, place, index == len(handlers) - 1)
            if isinstance(handler, dict):
                yield from _variables(handler.get("Assign"), place, language)
                if language != _JSONATA and "Output" in handler:
                    yield Diagnostic(SCHEMA, "Field is not supported", f"{place}/Output")


def _handler(handler: Any, field: str, place: str, is_last: bool) -> Iterator[Diagnostic]:
    required = ["ErrorEquals"] if field == "Retry" else ["ErrorEquals", "Next"]
    missing = [name for name in required if not isinstance(handler, dict) or name not in handler]
    if missing:
        yield Diagnostic(SCHEMA, f"These fields are required: [{', '.join(missing)}]", place)
        return
    errors = handler["ErrorEquals"]
    if not isinstance(errors, list) or not errors:
        yield Diagnostic(SCHEMA, "ErrorEquals must be an array with at least one name", f"{place}/ErrorEquals")
    elif "States.ALL" in errors and (len(errors) > 1 or not is_last):
        yield Diagnostic(SCHEMA, "States.ALL must stand alone, and last", f"{place}/ErrorEquals")
    if field == "Retry":
        yield from _retrier_numbers(handler, place)


_RANGES: dict[str, tuple[Any, float, float]] = {
    "IntervalSeconds": (int, 1, 99_999_999),
    "MaxAttempts": (int, 0, 99_999_999),
    "MaxDelaySeconds": (int, 1, 31_622_400),
    "BackoffRate": ((int, float), 1, float("inf")),
}


def _retrier_numbers(retrier: Mapping[str, Any], place: str) -> Iterator[Diagnostic]:
    for name, (kinds, least, most) in _RANGES.items():
        value = retrier.get(name, least)
        if isinstance(value, bool) or not isinstance(value, kinds) or not least <= value <= most:
            yield Diagnostic(SCHEMA, f"{name} must be a number from {least} to {most}", f"{place}/{name}")
    if retrier.get("JitterStrategy", "NONE") not in ("NONE", "FULL"):
        yield Diagnostic(SCHEMA, "Value is not valid. Allowed values are: [FULL, NONE]", f"{place}/JitterStrategy")
