"""Which definitions Step Functions refuses to create, with what it says of them.

Structure first: JSON, states and transitions, then each state's fields and expressions. What is left is tried on the
parser, which knows the resources of Tasks.

Source: https://docs.aws.amazon.com/step-functions/latest/apireference/API_ValidateStateMachineDefinition.html
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping
from typing import Any

from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser

from local_cloud.stepfunctions import state_fields
from local_cloud.stepfunctions.diagnostics import SCHEMA, Diagnostic
from local_cloud.stepfunctions.limits import DEFINITION_BYTES
from local_cloud.stepfunctions.quantities import TIMEOUT

_TERMINAL_TYPES = {"Succeed", "Fail"}
_LONGEST_NAME = 80
_TARGET = "MISSING_TRANSITION_TARGET"


def diagnose(definition: str) -> list[Diagnostic]:
    """What is wrong with a definition, in the order of its states; nothing if it can be created."""
    try:
        machine = json.loads(definition, object_pairs_hook=_Object)
    except ValueError as error:
        return [Diagnostic("INVALID_JSON_DESCRIPTION", str(error))]
    if not isinstance(machine, dict):
        return [Diagnostic(SCHEMA, "The definition must be an object", "/")]
    found = list(_machine(machine, "", "JSONPath"))
    found += _repeated_names(machine)
    return found or _parsing(definition)


@functools.lru_cache(maxsize=128)  # moto asks twice at each creation, and parsing takes a large machine 40 ms
def refusal(definition: str) -> str | None:
    """Why CreateStateMachine refuses a definition, in AWS's words; None if it does not."""
    if len(definition.encode()) > DEFINITION_BYTES:
        return f"MAX_DEFINITION_SIZE_EXCEEDED: the definition is larger than {DEFINITION_BYTES} bytes"
    return ", ".join(str(diagnostic) for diagnostic in diagnose(definition)) or None


class _Object(dict[str, Any]):
    """A JSON object that remembers the names it was given twice."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        names = [name for name, _ in pairs]
        self.repeated = sorted({name for name in names if names.count(name) > 1})


def _parsing(definition: str) -> list[Diagnostic]:
    try:
        AmazonStateLanguageParser.parse(definition)
    except Exception as error:  # noqa: BLE001  whatever the parser stumbles over is wrong with the definition
        return [Diagnostic(SCHEMA, str(error) or type(error).__name__)]
    return []


def _machine(machine: Mapping[str, Any], place: str, language: str) -> Iterator[Diagnostic]:
    """A machine, a branch or an item processor, and all within it."""
    missing = [name for name in ("StartAt", "States") if name not in machine]
    if missing:
        yield Diagnostic(SCHEMA, f"These fields are required: [{', '.join(missing)}]", place or "/")
        return
    if machine.get("TimeoutSeconds") == 0:
        yield Diagnostic(SCHEMA, f"Value must be {TIMEOUT.range_text}", f"{place}/TimeoutSeconds")
    states = machine["States"]
    if not isinstance(states, dict) or not states:
        yield Diagnostic(SCHEMA, "States must be an object with at least one state", f"{place}/States")
        return
    for name in getattr(states, "repeated", []):
        yield Diagnostic("DUPLICATE_STATE_NAME", f"Duplicate State name: {name}", f"{place}/States/{name}")
    own = machine.get("QueryLanguage", language)
    for name, state in states.items():
        where = f"{place}/States/{name}"
        if not isinstance(state, dict):
            yield Diagnostic(SCHEMA, "A state must be an object", where)
            continue
        if len(name) > _LONGEST_NAME:
            yield Diagnostic(SCHEMA, f"A state's name can have up to {_LONGEST_NAME} characters", where)
        yield from state_fields.check(state, where, own)
        yield from _within(state, where, state.get("QueryLanguage", own))
    yield from _transitions(machine["StartAt"], states, place)


def _within(state: Mapping[str, Any], where: str, language: str) -> Iterator[Diagnostic]:
    for key in ("ItemProcessor", "Iterator"):
        if isinstance(state.get(key), dict):
            yield from _machine(state[key], f"{where}/{key}", language)
    for index, branch in enumerate(state.get("Branches") or []):
        if isinstance(branch, dict):
            yield from _machine(branch, f"{where}/Branches[{index}]", language)


def _transitions(start: Any, states: Mapping[str, Any], place: str) -> Iterator[Diagnostic]:
    proper = {name: state for name, state in states.items() if isinstance(state, dict)}
    edges = {name: list(targets(state, f"{place}/States/{name}")) for name, state in proper.items()}
    for target, where in [(start, f"{place}/StartAt"), *(edge for found in edges.values() for edge in found)]:
        if target not in states:
            yield Diagnostic(_TARGET, f"Missing 'Next' target: {target}", where)
    if not any(_is_terminal(state) for state in proper.values()):
        yield Diagnostic("MISSING_END_STATE", "Workflow has no terminal state")
        return
    reached, waiting = set(), [start]
    while waiting:
        name = waiting.pop()
        if name in proper and name not in reached:
            reached.add(name)
            waiting += [target for target, _ in edges[name]]
    for name in proper:
        if name not in reached:
            yield Diagnostic(_TARGET, f'State "{name}" is not reachable.', f"{place}/States/{name}")


def _is_terminal(state: Mapping[str, Any]) -> bool:
    return state.get("Type") in _TERMINAL_TYPES or state.get("End") is True


def targets(state: Mapping[str, Any], where: str) -> Iterator[tuple[Any, str]]:
    """The states that a state may lead to, and where it says so."""
    if state.get("Type") == "Choice":
        for index, rule in enumerate(state.get("Choices") or []):
            if isinstance(rule, dict) and "Next" in rule:
                yield rule["Next"], f"{where}/Choices[{index}]/Next"
        if "Default" in state:
            yield state["Default"], f"{where}/Default"
        return
    if "Next" in state:
        yield state["Next"], f"{where}/Next"
    for index, catcher in enumerate(state.get("Catch") or []):
        if isinstance(catcher, dict) and "Next" in catcher:
            yield catcher["Next"], f"{where}/Catch[{index}]/Next"


def _repeated_names(machine: Mapping[str, Any]) -> list[Diagnostic]:
    """State names are unique in the whole definition, not only where they stand."""
    seen: set[str] = set()
    found: list[Diagnostic] = []
    for name, where in _names(machine, ""):
        if name in seen:
            found.append(Diagnostic("DUPLICATE_STATE_NAME", f"Duplicate State name: {name}", where))
        seen.add(name)
    return found


def _names(machine: Mapping[str, Any], place: str) -> Iterator[tuple[str, str]]:
    states = machine.get("States")
    for name, state in states.items() if isinstance(states, dict) else ():
        where = f"{place}/States/{name}"
        yield name, where
        if not isinstance(state, dict):
            continue
        for key in ("ItemProcessor", "Iterator"):
            if isinstance(state.get(key), dict):
                yield from _names(state[key], f"{where}/{key}")
        for index, branch in enumerate(state.get("Branches") or []):
            if isinstance(branch, dict):
                yield from _names(branch, f"{where}/Branches[{index}]")
