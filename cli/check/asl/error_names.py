"""Whether the errors that Retry and Catch name can come.

A Task's errors are those of the operation it calls, those of the function's code, and Step Functions' own; a Map's and
a Parallel's are those of what is within.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from cli.check.asl import definition
from cli.check.asl.definition import JSONATA, State
from cli.check.asl.report import Report
from cli.check.asl.tasks import Tasks
from cli.check.documents import Steps

ALL, TASK_FAILED, TIMEOUT = "States.ALL", "States.TaskFailed", "States.Timeout"
_ANYWHERE = frozenset({ALL, TASK_FAILED, TIMEOUT, "States.Permissions", "States.DataLimitExceeded"})
_OF_JSONATA = frozenset({"States.QueryEvaluationError"})
_OF_JSONPATH = frozenset(
    f"States.{name}" for name in ("ResultPathMatchFailure", "ParameterPathFailure", "IntrinsicFailure")
)
_OF_TYPE = {
    "Parallel": frozenset({"States.BranchFailed", "States.NoChoiceMatched"}),
    "Map": frozenset(
        f"States.{name}"
        for name in ("NoChoiceMatched", "ExceedToleratedFailureThreshold", "ItemReaderFailed", "ResultWriterFailed")
    ),
}
_UNCATCHABLE = frozenset({"States.Runtime"})


@dataclass(frozen=True)
class Errors:
    """The errors that can come. `is_open` if others can that nobody knows; `telling` are worth a note if unhandled."""

    names: frozenset[str]
    is_open: bool = False
    telling: frozenset[str] = frozenset()

    def joined(self, other: Errors) -> Errors:
        """Those of either."""
        return Errors(self.names | other.names, self.is_open or other.is_open)


def check(states: Iterator[State], tasks: Tasks, report: Report) -> None:
    """Retry and Catch of every state."""
    for state in states:
        if state.type not in ("Task", "Parallel", "Map"):
            continue
        errors = _errors(state, tasks)
        for field in ("Retry", "Catch"):
            _check_field(state, field, errors, report)
        _note_unhandled(state, errors, report)


def _errors(state: State, tasks: Tasks) -> Errors:
    own = (
        _ANYWHERE | (_OF_JSONATA if state.language == JSONATA else _OF_JSONPATH) | _OF_TYPE.get(state.type, frozenset())
    )
    if state.type != "Task":
        return Errors(own).joined(_within(state, tasks))
    if "HeartbeatSeconds" in state.body or "HeartbeatSecondsPath" in state.body:
        own |= {"States.HeartbeatTimeout"}
    integration = tasks.integration(state)
    if integration is None:
        return Errors(own, is_open=True)
    names = own | integration.errors
    if not integration.is_function:
        return Errors(names, integration.operation is None, integration.errors)
    function = tasks.function_of(state)
    if function is None:
        return Errors(names, is_open=True)
    code = function[1]
    return Errors(names | code.errors, telling=integration.errors | code.own_errors)


def _within(state: State, tasks: Tasks) -> Errors:
    found = Errors(frozenset())
    for scope in state.scopes():
        for inner in scope.states.values():
            if inner.type in ("Task", "Parallel", "Map"):
                found = found.joined(_errors(inner, tasks))
            elif inner.type == "Fail":
                error = inner.body.get("Error")
                is_known = isinstance(error, str) and "{%" not in error and "${" not in error
                found = found.joined(Errors(frozenset({str(error)}) if is_known else frozenset(), not is_known))
    return found


def _check_field(state: State, field: str, errors: Errors, report: Report) -> None:
    taken: dict[str, int] = {}
    entries = list(definition.listed(state.body, field))
    for position, (index, entry) in enumerate(entries):
        names = _names(entry)
        for number, name in enumerate(names):
            steps = (*state.steps, field, index, "ErrorEquals", number)
            if name == ALL and (len(names) > 1 or position < len(entries) - 1):
                what = f"{ALL} stands with or before other names"
                report.add(steps, "field-value", what, "let it stand alone, and last")
            _check_name(name, errors, steps, report)
            _check_shadow(name, taken, steps, report)
            taken[name] = report.document.line(steps)


def _names(entry: Mapping[str, Any]) -> list[str]:
    given = entry.get("ErrorEquals")
    return given if isinstance(given, list) and all(isinstance(name, str) for name in given) else []


def _check_name(name: str, errors: Errors, steps: Steps, report: Report) -> None:
    if name in errors.names or (errors.is_open and not name.startswith("States.")):
        return
    if name in _UNCATCHABLE:
        report.add(steps, "impossible-error", f"{name} is never given to a Retry or Catch", "remove it")
        return
    near = get_close_matches(name, sorted(errors.names), 2, 0.7)
    mend = f"write {' or '.join(near)}" if near else "remove it, or name the error that does come"
    report.add(steps, "impossible-error", f"{name} can not come from here", mend)


def _check_shadow(name: str, taken: dict[str, int], steps: Steps, report: Report) -> None:
    by = name if name in taken else None
    if TASK_FAILED in taken and name not in (TIMEOUT, ALL):
        by = TASK_FAILED
    if by is not None:
        report.add(steps, "shadowed-error", f"{by} on line {taken[by]} takes {name} first", "remove one of the two")


def _note_unhandled(state: State, errors: Errors, report: Report) -> None:
    handled: set[str] = set()
    for field in ("Retry", "Catch"):
        for _, entry in definition.listed(state.body, field):
            handled |= set(_names(entry))
    if handled & {ALL, TASK_FAILED}:
        return
    for name in sorted(errors.telling - handled):
        mend = "name it in Retry or Catch, if the execution is not to end"
        report.add(state.steps, "unhandled-error", f"{name} can come and ends the execution", mend)
