"""A machine's definition as the proof walks it: scopes of states, each state with its place in the file.

Substitutions whose text is known, constants and parameters' defaults, are filled in, as CloudFormation does: in the
text, before it is read. The others stay `${Name}` and stand for some text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cli.check import documents
from cli.check.documents import Document, Steps
from cli.check.templates import Substitution

JSONATA, JSONPATH = "JSONata", "JSONPath"
_RETRIES = 3
"""Of a retrier that does not say. Source: https://states-language.net/spec.html#errors"""
SUBSTITUTION = re.compile(r"\$\{([A-Za-z0-9_]+)\}")


@dataclass(frozen=True)
class State:
    """A state; `language` is the query language that holds in it."""

    name: str
    steps: Steps
    body: Mapping[str, Any]
    language: str

    @property
    def type(self) -> str:
        """Its Type, empty if it has none."""
        return text(self.body, "Type")

    def scopes(self) -> Iterator[Scope]:
        """The branches of a Parallel, the processor of a Map."""
        for key in ("ItemProcessor", "Iterator"):
            if isinstance(self.body.get(key), dict):
                yield scope_of(self.body[key], (*self.steps, key), self.language)
        branches = self.body.get("Branches")
        for index, branch in enumerate(branches if isinstance(branches, list) else ()):
            if isinstance(branch, dict):
                yield scope_of(branch, (*self.steps, "Branches", index), self.language)


@dataclass(frozen=True)
class Scope:
    """States that lead to each other: a machine, a branch, or what a Map does with an item."""

    steps: Steps
    body: Mapping[str, Any]
    language: str
    states: Mapping[str, State]

    @property
    def start(self) -> str:
        """Where it begins; empty if it does not say."""
        return text(self.body, "StartAt")

    @property
    def is_distributed(self) -> bool:
        """Whether it runs as executions of its own, which see no variables from outside."""
        config = self.body.get("ProcessorConfig")
        return isinstance(config, dict) and config.get("Mode") == "DISTRIBUTED"

    def all_states(self) -> Iterator[State]:
        """Its states and those within them."""
        for state in self.states.values():
            yield state
            for scope in state.scopes():
                yield from scope.all_states()


def read(written: str, name: str, substitutions: Mapping[str, Substitution]) -> Document:
    """Raises: DocumentError."""

    def fill(match: re.Match[str]) -> str:
        known = substitutions.get(match[1])
        return match[0] if known is None or known.text is None or "\n" in known.text else known.text

    return documents.parse(SUBSTITUTION.sub(fill, written), name)


def scope_of(body: Mapping[str, Any], steps: Steps = (), language: str = JSONPATH) -> Scope:
    """The scope of a machine, a branch or a processor."""
    own = text(body, "QueryLanguage") or language
    states = body.get("States")
    return Scope(
        steps,
        body,
        own,
        {
            name: State(name, (*steps, "States", name), state, text(state, "QueryLanguage") or own)
            for name, state in (states.items() if isinstance(states, dict) else ())
            if isinstance(state, dict)
        },
    )


def text(body: Mapping[str, Any], key: str) -> str:
    """A field that holds a name; empty if it holds none."""
    given = body.get(key)
    return given if isinstance(given, str) else ""


def targets(state: State) -> Iterator[tuple[str, Steps]]:
    """The states that a state names as the next one, and where it does."""
    body = state.body
    for key in ("Next",) if state.type != "Choice" else ("Default",):
        if text(body, key):
            yield text(body, key), (*state.steps, key)
    for key in ("Choices",) if state.type == "Choice" else ("Catch",):
        for index, part in listed(body, key):
            if text(part, "Next"):
                yield text(part, "Next"), (*state.steps, key, index, "Next")


def listed(body: Mapping[str, Any], key: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """The objects of a list of objects."""
    given = body.get(key)
    for index, part in enumerate(given if isinstance(given, list) else ()):
        if isinstance(part, dict):
            yield index, part


def most_retries(state: State) -> int:
    """How often a state can be tried again by all of its retriers together."""
    return sum(int(retrier.get("MaxAttempts", _RETRIES)) for _, retrier in listed(state.body, "Retry"))


def is_end(state: State) -> bool:
    """Whether an execution, a branch or an item may end here."""
    return state.type in ("Succeed", "Fail") or state.body.get("End") is True
