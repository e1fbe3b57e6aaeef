"""Definitions as moto's grammar can read them, what it lacks set aside and given back to the parsed states.

The grammar has no ItemBatcher, no whole-number percentages and not all of ReaderConfig. What nobody here reads either
is refused by name.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/state-map-distributed.html
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator
from typing import Any

from moto.stepfunctions.parser.asl.component.state.exec.state_map.state_map import StateMap
from moto.stepfunctions.parser.asl.component.state.exec.state_parallel.state_parallel import StateParallel

from local_cloud.replacements import Replacement
from local_cloud.stepfunctions import quantities
from local_cloud.stepfunctions.map_items import BatchLimits, Format, Results

_READER_FIELDS = {
    "InputType",
    "MaxItems",
    "MaxItemsPath",
    "CSVHeaderLocation",
    "CSVHeaders",
    "CSVDelimiter",
    "ItemsPointer",
}
_INPUT_TYPES = {"JSON", "JSONL", "CSV"}
_TRANSFORMATIONS = {"NONE", "COMPACT", "FLATTEN"}
_OUTPUT_TYPES = {"JSON", "JSONL"}
_LIMITS = tuple(field.name for field in quantities.BATCH_LIMITS)
_JSONATA = "JSONata"


class NotEmulatedDefinitionError(ValueError):
    """A part of a definition that AWS runs and this cloud does not."""


class Batcher:
    """A Map's ItemBatcher: an expression for its numbers and its BatchInput, evaluated when the Map starts."""

    def __init__(self, value: Any, given: dict[str, Any], language: str) -> None:
        self._value, self._given = value, given
        self._check = quantities.check_computed if language == _JSONATA else quantities.check_at_path

    def evaluate(self, env: Any) -> tuple[BatchLimits, Any]:
        """The limits and the batches' shared input, seen from the Map state's input.

        Raises: FailureEventException for a limit that is no whole number, or below 0.
        """
        self._value.eval(env=env)
        found = env.stack.pop()
        items, size_bytes = (self._limit(env, field, found.get(field.name)) for field in quantities.BATCH_LIMITS)
        return BatchLimits(items, size_bytes), found.get("BatchInput")

    def _limit(self, env: Any, field: quantities.Field, value: Any) -> int | None:
        written = self._given.get(field.name, self._given.get(f"{field.name}Path"))
        if written is None:
            return None
        limit: int = self._check(env, field, value, str(written))
        return limit


def states_of(machine: dict[str, Any], language: str = "JSONPath") -> Iterator[tuple[str, dict[str, Any], str]]:
    """Every state of a definition with its name and query language, those within Map and Parallel included."""
    language = machine.get("QueryLanguage", language)
    for name, state in machine.get("States", {}).items():
        own = state.get("QueryLanguage", language)
        yield name, state, own
        for key in ("ItemProcessor", "Iterator"):
            if isinstance(state.get(key), dict):
                yield from states_of(state[key], own)
        for branch in state.get("Branches", []):
            yield from states_of(branch, own)


def _prepare(definition: str, parse: Callable[[str], Any]) -> tuple[str, dict[str, dict[str, Any]]]:
    """The definition without what the grammar lacks, and that, by the state's name."""
    machine = json.loads(definition)
    aside: dict[str, dict[str, Any]] = {}
    for name, state, language in states_of(machine):
        if state.get("Type") == "Map":
            found = _take_apart(name, state, language, parse)
            if found:
                aside[name] = found
    return json.dumps(machine) if aside else definition, aside


def _take_apart(name: str, state: dict[str, Any], language: str, parse: Callable[[str], Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if isinstance(state.get("ToleratedFailurePercentage"), int):
        state["ToleratedFailurePercentage"] = float(state["ToleratedFailurePercentage"])
        found["percentage"] = True
    if "ItemBatcher" in state:
        found["batcher"] = _batcher(state.pop("ItemBatcher"), language, parse)
    config = state.get("ItemReader", {}).get("ReaderConfig")
    if isinstance(config, dict):
        found["format"] = _format(name, config)
    writer = state.get("ResultWriter")
    if isinstance(writer, dict) and "WriterConfig" in writer:
        found["results"] = _results(name, writer.pop("WriterConfig"), exported=bool(writer))
        if not writer:
            del state["ResultWriter"]
    return found


def _batcher(given: dict[str, Any], language: str, parse: Callable[[str], Any]) -> Batcher:
    """Let the grammar read the batcher's expressions as those of a Pass state."""
    if language == _JSONATA:
        whole = {"Type": "Pass", "Output": given, "End": True}
        return Batcher(_only_state(parse, whole, language).output.jsonata_template_value, given, language)
    values = {name: given[name] for name in ("BatchInput", *_LIMITS) if name in given}
    paths = {f"{name}.$": given[f"{name}Path"] for name in _LIMITS if f"{name}Path" in given}
    whole = {"Type": "Pass", "Parameters": {**values, **paths}, "End": True}
    return Batcher(_only_state(parse, whole, language).parameters, given, language)


def _only_state(parse: Callable[[str], Any], state: dict[str, Any], language: str) -> Any:
    machine = {"QueryLanguage": language, "StartAt": "only", "States": {"only": state}}
    return parse(json.dumps(machine))[0].states.states["only"]


def _format(name: str, config: dict[str, Any]) -> Format:
    unknown = sorted(set(config) - _READER_FIELDS)
    if unknown:
        raise NotEmulatedDefinitionError(f"ReaderConfig.{unknown[0]} is not emulated, at /States/{name}/ItemReader")
    input_type = config.get("InputType", "JSON")
    if input_type not in _INPUT_TYPES:
        raise NotEmulatedDefinitionError(f"The InputType {input_type} is not emulated, at /States/{name}/ItemReader")
    if input_type == "JSONL":
        config["InputType"] = "JSON"
    return Format(
        input_type=input_type,
        header_location=config.get("CSVHeaderLocation"),
        headers=tuple(config.get("CSVHeaders", ())),
        delimiter=config.pop("CSVDelimiter", "COMMA"),
        pointer=config.pop("ItemsPointer", None),
    )


def _results(name: str, config: dict[str, Any], *, exported: bool) -> Results:
    results = Results(config.get("Transformation", "NONE" if exported else "COMPACT"), config.get("OutputType", "JSON"))
    if results.transformation not in _TRANSFORMATIONS or results.output_type not in _OUTPUT_TYPES:
        raise ValueError(f"WriterConfig is not valid, at /States/{name}/ResultWriter")
    if results.output_type != "JSON" and not exported:
        raise NotEmulatedDefinitionError(f"OutputType JSONL without a Resource is not emulated, at /States/{name}")
    return results


def parsed_states(program: Any) -> Iterator[Any]:
    """Every state of a parsed machine."""
    for state in program.states.states.values():
        yield state
        if isinstance(state, StateMap):
            yield from parsed_states(_Processor(state.iteration_component))
        elif isinstance(state, StateParallel):
            for branch in state.branches.programs:
                yield from parsed_states(branch)


class _Processor:
    """An item processor with its states where a program has them."""

    def __init__(self, component: Any) -> None:
        self.states = component._states


def _give_back(program: Any, aside: dict[str, dict[str, Any]]) -> None:
    for state in parsed_states(program):
        found = aside.get(state.name)
        if found is None or not isinstance(state, StateMap):
            continue
        state.iteration_component.batcher = found.get("batcher")
        state.iteration_component.results = found.get("results")
        if state.item_reader is not None:
            state.item_reader.form = found.get("format", Format())


def _reading_everything(original: Any) -> Any:
    parse_plain = original.__func__ if isinstance(original, staticmethod) else original

    @functools.wraps(parse_plain)
    def parse(definition: str) -> tuple[Any, Any]:
        text, aside = _prepare(definition, parse_plain)
        program, tree = parse_plain(text)
        _give_back(program, aside)
        return program, tree

    return staticmethod(parse)


REPLACEMENTS: list[Replacement] = [
    Replacement(
        target="moto.stepfunctions.parser.asl.parse.asl_parser:AmazonStateLanguageParser.parse",
        build=_reading_everything,
        why="no ItemBatcher, no CSVDelimiter, no JSONL, no whole-number percentages",
    ),
]
