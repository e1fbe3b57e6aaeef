"""Which fields each state has and must have, what their values look like, and how states lead to each other.

Source: https://states-language.net/spec.html and
https://docs.aws.amazon.com/step-functions/latest/dg/statemachine-structure.html
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any

from cli.check.asl import definition
from cli.check.asl.definition import JSONATA, JSONPATH, Scope, State
from cli.check.asl.report import Report
from cli.check.asl.values import expression_in
from cli.check.documents import Steps

_SCOPE = {"StartAt", "States", "Comment", "QueryLanguage"}
_MACHINE = _SCOPE | {"Version", "TimeoutSeconds"}
_PROCESSOR = _SCOPE | {"ProcessorConfig"}
_ANY = {"Type", "Comment", "QueryLanguage"}
_FLOW = {"Next", "End", "Assign"}
_HANDLERS = {"Retry", "Catch"}
_PATHS = {"InputPath", "OutputPath"}
_RESULTS = _PATHS | {"Parameters", "ResultPath", "ResultSelector"}
_TOLERATED = {"ToleratedFailureCount", "ToleratedFailurePercentage"}
_MAP = {
    "ItemProcessor",
    "Iterator",
    "ItemSelector",
    "ItemReader",
    "ItemBatcher",
    "ResultWriter",
    "MaxConcurrency",
    "Label",
}

_FIELDS: dict[str, tuple[set[str], set[str], set[str]]] = {
    "Task": (
        _FLOW | _HANDLERS | {"Resource", "TimeoutSeconds", "HeartbeatSeconds", "Credentials"},
        {"Arguments", "Output"},
        _RESULTS | {"TimeoutSecondsPath", "HeartbeatSecondsPath"},
    ),
    "Pass": (_FLOW, {"Output"}, _PATHS | {"Parameters", "ResultPath", "Result"}),
    "Choice": ({"Choices", "Default", "Assign"}, {"Output"}, _PATHS),
    "Wait": (_FLOW | {"Seconds", "Timestamp"}, {"Output"}, _PATHS | {"SecondsPath", "TimestampPath"}),
    "Succeed": (set(), {"Output"}, _PATHS),
    "Fail": ({"Error", "Cause"}, set(), {"ErrorPath", "CausePath"}),
    "Parallel": (_FLOW | _HANDLERS | {"Branches"}, {"Arguments", "Output"}, _RESULTS),
    "Map": (
        _FLOW | _HANDLERS | _MAP | _TOLERATED,
        {"Items", "Output"},
        _RESULTS | {"ItemsPath", "MaxConcurrencyPath", *(f"{name}Path" for name in _TOLERATED)},
    ),
}
"""By type: the fields of any query language, of JSONata, of JSONPath."""

_REQUIRED = {
    "Task": (("Resource",), ("Next", "End")),
    "Pass": (("Next", "End"),),
    "Choice": (("Choices",),),
    "Wait": (("Seconds", "Timestamp", "SecondsPath", "TimestampPath"), ("Next", "End")),
    "Parallel": (("Branches",), ("Next", "End")),
    "Map": (("ItemProcessor", "Iterator"), ("Next", "End")),
}
"""By type: of each group exactly one."""

_RETRIER = {
    "ErrorEquals",
    "IntervalSeconds",
    "MaxAttempts",
    "BackoffRate",
    "MaxDelaySeconds",
    "JitterStrategy",
    "Comment",
}
_CATCHER = {"ErrorEquals", "Next", "Assign", "Comment"}
_CATCHER_OF = {JSONATA: _CATCHER | {"Output"}, JSONPATH: _CATCHER | {"ResultPath"}}
_RULE = {"Condition", "Next", "Assign", "Output", "Comment"}
_PROCESSOR_CONFIG = {"Mode", "ExecutionType"}
_PROCESSOR_MODES = ("INLINE", "DISTRIBUTED")


def _whole(least: int, most: float = 99_999_999) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _number(least: float, most: float = math.inf) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, int | float) and not isinstance(value, bool) and least <= value <= most


def _text(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def _objects(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, dict) for one in value)


def _texts(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(map(_text, value))


_VALUES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "TimeoutSeconds": (_whole(1), "a whole number from 1"),
    "HeartbeatSeconds": (_whole(1), "a whole number from 1"),
    "Seconds": (_whole(0), "a whole number from 0"),
    "MaxConcurrency": (_whole(0), "a whole number from 0"),
    "IntervalSeconds": (_whole(1), "a whole number from 1"),
    "MaxAttempts": (_whole(0), "a whole number from 0"),
    "MaxDelaySeconds": (_whole(1, 31_622_400), "a whole number from 1 to 31622400"),
    "BackoffRate": (_number(1), "a number from 1"),
    "JitterStrategy": (lambda value: value in ("FULL", "NONE"), "FULL or NONE"),
    "QueryLanguage": (lambda value: value in (JSONATA, JSONPATH), "JSONata or JSONPath"),
    "End": (lambda value: value is True, "true, or be left out"),
    "Comment": (_text, "a text"),
    "Resource": (_text, "an ARN"),
    "Next": (_text, "a state's name"),
    "Default": (_text, "a state's name"),
    "StartAt": (_text, "a state's name"),
    "Error": (_text, "a text"),
    "Cause": (_text, "a text"),
    "Timestamp": (_text, "a text"),
    "Label": (_text, "a text"),
    "Assign": (lambda value: isinstance(value, dict) and bool(value), "an object with variables"),
    "Items": (lambda value: isinstance(value, list | dict), "a list, or an expression that gives one"),
    "Branches": (lambda value: _objects(value) and bool(value), "a list of branches"),
    "Choices": (lambda value: _objects(value) and bool(value), "a list of rules"),
    "Retry": (_objects, "a list of retriers"),
    "Catch": (_objects, "a list of catchers"),
    "ErrorEquals": (_texts, "a list of error names"),
    "Condition": (lambda value: isinstance(value, bool), "an expression, true or false"),
    "ToleratedFailureCount": (_whole(0), "a whole number from 0"),
    "ToleratedFailurePercentage": (_number(0, 100), "a number from 0 to 100"),
}  # fmt: skip
"""What fields hold where they hold no expression."""

_NO_EXPRESSION = _RETRIER | {
    "Type",
    "Next",
    "Default",
    "StartAt",
    "End",
    "Comment",
    "QueryLanguage",
    "Resource",
    "Assign",
}


def check(machine: Scope, report: Report) -> None:
    """A machine and all within it."""
    for steps in report.document.repeated:
        report.add(steps, "repeated-key", f"`{steps[-1]}` is given twice", "keep one")
    _fields(machine.body, _MACHINE, (), report)
    _values(machine.body, (), report)
    limit = machine.body.get("TimeoutSeconds")
    if expression_in(limit) is not None:
        what = "the machine's `TimeoutSeconds` is an expression"
        report.add(("TimeoutSeconds",), "field-value", what, "it must be a whole number from 1")
    _scope(machine, report)
    seen: dict[str, State] = {}
    for state in machine.all_states():
        if state.name in seen:
            what = f"two states are called {state.name}"
            report.add(state.steps, "field-value", what, "names are unique in the whole machine: rename one")
        seen[state.name] = state


def _scope(scope: Scope, report: Report) -> None:
    for field in ("StartAt", "States"):
        if field not in scope.body:
            report.add(scope.steps, "missing-field", f"`{field}` is missing", f"add `{field}`")
    for state in scope.states.values():
        _state(state, scope, report)
    _transitions(scope, report)


def _state(state: State, scope: Scope, report: Report) -> None:
    if state.type not in _FIELDS:
        known = ", ".join(_FIELDS)
        report.add(
            (*state.steps, "Type"), "field-value", f"`{state.body.get('Type')}` is no type", f"use one of {known}"
        )
        return
    anywhere, jsonata, jsonpath = _FIELDS[state.type]
    _fields(state.body, _ANY | anywhere | (jsonata if state.language == JSONATA else jsonpath), state.steps, report)
    _values(state.body, state.steps, report)
    if scope.language == JSONATA and state.language != JSONATA:
        what = "a state of a JSONata machine cannot use JSONPath"
        report.add((*state.steps, "QueryLanguage"), "field-value", what, "leave QueryLanguage out")
    for group in _REQUIRED.get(state.type, ()):
        given = [field for field in group if field in state.body]
        if not given:
            report.add(state.steps, "missing-field", f"{' or '.join(group)} is missing", f"add `{group[0]}`")
        if len(given) > 1:
            report.add(state.steps, "field-value", f"{' and '.join(given)} exclude each other", "keep one")
    _parts(state, report)
    for inner in state.scopes():
        _fields(inner.body, _PROCESSOR, inner.steps, report)
        _processor_config(inner, report)
        _scope(inner, report)


def _processor_config(scope: Scope, report: Report) -> None:
    config = scope.body.get("ProcessorConfig", {})
    steps = (*scope.steps, "ProcessorConfig")
    if not isinstance(config, dict):
        report.add(steps, "field-value", f"`ProcessorConfig` is {config!r}", "it must be an object")
        return
    _fields(config, _PROCESSOR_CONFIG, steps, report)
    if config.get("Mode", "INLINE") not in _PROCESSOR_MODES:
        what = f"`{config['Mode']}` is no mode of a Map"
        report.add((*steps, "Mode"), "field-value", what, "use INLINE or DISTRIBUTED")


def _parts(state: State, report: Report) -> None:
    """Rules of a Choice, entries of Retry and Catch."""
    for index, part in definition.listed(state.body, "Retry"):
        _part(part, _RETRIER, ("ErrorEquals",), (*state.steps, "Retry", index), report)
    for index, part in definition.listed(state.body, "Catch"):
        known = _CATCHER_OF.get(state.language, _CATCHER_OF[JSONATA])
        _part(part, known, ("ErrorEquals", "Next"), (*state.steps, "Catch", index), report)
    if state.type == "Choice":
        for index, part in definition.listed(state.body, "Choices"):
            steps = (*state.steps, "Choices", index)
            if state.language == JSONATA:
                _part(part, _RULE, ("Condition", "Next"), steps, report)
            elif "Next" not in part:
                report.add(steps, "missing-field", "`Next` is missing", "add `Next`")
        if "Default" not in state.body:
            report.add(state.steps, "choice-without-default", "the Choice has no Default", "add `Default: STATE`")


def _part(part: Mapping[str, Any], known: set[str], required: tuple[str, ...], steps: Steps, report: Report) -> None:
    _fields(part, known, steps, report)
    _values(part, steps, report)
    for field in required:
        if field not in part:
            report.add(steps, "missing-field", f"`{field}` is missing", f"add `{field}`")


def _fields(body: Mapping[str, Any], known: set[str], steps: Steps, report: Report) -> None:
    for field in body:
        if field not in known:
            report.add((*steps, field), "unknown-field", f"there is no field `{field}` here", instead(field, known))


def instead(name: str, known: set[str]) -> str:
    """What was probably meant."""
    near = get_close_matches(name, sorted(known), 1)
    return f"write `{near[0]}`" if near else f"use one of {', '.join(sorted(known))}"


def _values(body: Mapping[str, Any], steps: Steps, report: Report) -> None:
    for field, value in body.items():
        holds, wanted = _VALUES.get(field, (None, ""))
        if holds is None or (field not in _NO_EXPRESSION and expression_in(value) is not None):
            continue
        if not holds(value):
            report.add((*steps, field), "field-value", f"`{field}` is {value!r}", f"it must be {wanted}")


def _transitions(scope: Scope, report: Report) -> None:
    edges = {name: list(definition.targets(state)) for name, state in scope.states.items()}
    for target, steps in [
        (scope.start, (*scope.steps, "StartAt")),
        *(edge for found in edges.values() for edge in found),
    ]:
        if target and target not in scope.states:
            what = f"there is no state `{target}` here"
            report.add(steps, "unknown-target", what, instead(target, set(scope.states)))
    onward = {name: {target for target, _ in found if target in scope.states} for name, found in edges.items()}
    reached = _closure({scope.start} & set(onward), onward)
    backward: dict[str, set[str]] = {name: set() for name in onward}
    for name, found in onward.items():
        for target in found:
            backward[target].add(name)
    ends = {name for name, state in scope.states.items() if definition.is_end(state)}
    may_end = _closure(ends, backward)
    for name, state in scope.states.items():
        if name not in reached:
            mend = "lead to it from another state, or remove it"
            report.add(state.steps, "unreachable-state", "no path leads to this state", mend)
        elif name not in may_end:
            mend = "give one of the states after it `End: true`, or lead to a Succeed or Fail"
            report.add(state.steps, "no-way-out", "no path from this state leads to an end", mend)


def _closure(start: set[str], edges: Mapping[str, set[str]]) -> set[str]:
    """All that can be reached."""
    reached: set[str] = set()
    waiting = list(start)
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting += edges[name]
    return reached
