"""The longest history that an execution of a machine can have.

A path through a machine is a path without a loop, and loops. What follows is an upper bound: the longest path without
a loop, and each loop as often as whatever bounds it allows, with every state tried as often as its Retry says. A loop
that nothing bounds is a finding. Redrives, each of which somebody asks for, begin a new count of loops: not counted.

Source: https://docs.aws.amazon.com/step-functions/latest/apireference/API_HistoryEvent.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from cli.check.asl import definition, values
from cli.check.asl.definition import Scope, State
from cli.check.quotas import product as products
from cli.check.quotas.machines import Machine
from cli.check.quotas.meter import Meter
from cli.check.quotas.product import Product
from local_cloud.stepfunctions.jsonata import JsonataError, evaluate

_ENTERED_AND_EXITED = 2
_ATTEMPT, _ATTEMPT_OF_SYNC = 3, 4
"""TaskScheduled, TaskStarted, (TaskSubmitted,) and how it ended."""
_STARTED_AND_ENDED = 2
_COUNTED = re.compile(r"\$(\w+) < (\d+)")
_UNSET = re.compile(r"\$not\(\$(\w+)\)")
_WAITS_TRIED = 2000


class Bound(NamedTuple):
    """What ends a loop, and how often it may be gone round."""

    what: str
    times: int


Loop = tuple[str, ...]


def measure(machines: Mapping[str, Machine], product: Product, meter: Meter) -> None:
    """The longest history of every machine."""
    submissions = products.submissions_bound(product)
    for machine in machines.values():
        try:
            events = _STARTED_AND_ENDED + _Count(machine, machine.scope, product.runs, submissions).events()
        except UnboundedLoopError as error:
            meter.note("history", None, machine.place(machine.scope.states[error.loop[0]]), str(error))
        else:
            meter.note("history", events, machine.place())


class UnboundedLoopError(Exception):
    """A loop that nothing ends."""

    def __init__(self, loop: Loop) -> None:
        super().__init__(f"nothing bounds the loop {' -> '.join((*loop, loop[0]))}")
        self.loop = loop


class _Count:
    """The count of one scope: a machine, or what a Map does with an item."""

    def __init__(self, machine: Machine, scope: Scope, runs: int, submissions: int | None) -> None:
        self._machine = machine
        self._scope = scope
        self._runs = runs
        self._submissions = submissions
        self._next = {
            name: sorted({target for target, _ in definition.targets(state)}) for name, state in scope.states.items()
        }
        self._loops = list(self._found_loops())
        self._looped = {name for loop in self._loops for name in loop}

    def events(self) -> int:
        """Raises: UnboundedLoopError."""
        rounds: dict[Bound, int] = {}
        for loop in self._loops:
            bound = self._bound(loop)
            rounds[bound] = max(rounds.get(bound, 0), sum(self._of_state(name) for name in loop))
        longest = max(sum(self._of_state(name) for name in path) for path in self._paths())
        return longest + sum(bound.times * events for bound, events in rounds.items())

    def _of_state(self, name: str) -> int:
        state = self._scope.states[name]
        if state.type == "Task":
            each = _ATTEMPT_OF_SYNC if ".sync" in str(state.body.get("Resource")) else _ATTEMPT
            return _ENTERED_AND_EXITED + (1 + definition.most_retries(state)) * each
        if state.type == "Map":
            inner = [_Count(self._machine, scope, self._runs, self._submissions).events() for scope in state.scopes()]
            return 2 * _ENTERED_AND_EXITED + self._runs * (_STARTED_AND_ENDED + sum(inner))
        return _ENTERED_AND_EXITED

    def _paths(self, path: Loop = ()) -> Iterator[Loop]:
        """Every path without a loop that cannot be made longer."""
        path = path or (self._scope.start,)
        further = [target for target in self._next[path[-1]] if target not in path]
        for target in further:
            yield from self._paths((*path, target))
        if not further:
            yield path

    def _found_loops(self) -> Iterator[Loop]:
        """Every loop that meets no state twice, begun at its first state in the order of the definition."""
        order = list(self._scope.states)
        for index, start in enumerate(order):
            yield from self._back_to(start, (start,), set(order[index:]))

    def _back_to(self, start: str, path: Loop, allowed: set[str]) -> Iterator[Loop]:
        for target in self._next[path[-1]]:
            if target == start:
                yield path
            elif target in allowed and target not in path:
                yield from self._back_to(start, (*path, target), allowed)

    def _bound(self, loop: Loop) -> Bound:
        """The least that bounds a loop. Raises: UnboundedLoopError."""
        found = [bound for name in loop for bound in self._bounds(name, loop)]
        if not found:
            raise UnboundedLoopError(loop)
        return min(found, key=lambda bound: bound.times)

    def _bounds(self, name: str, loop: Loop) -> Iterator[Bound]:
        state = self._scope.states[name]
        if state.type == "Wait":
            yield Bound(f"time in {name}", self._waits(state))
        if state.type == "Choice":
            yield from self._counted(state, loop)
        counts = self._adds_one(loop, "submissions") and self._asks_judge(state)
        if counts and self._submissions is not None:
            yield Bound("submissions", self._submissions)

    def _counted(self, state: State, loop: Loop) -> Iterator[Bound]:
        """By the one rule that leads on in the loop: `$n < 10` and the loop adds one to n; `$not($n)` and it sets n."""
        following = _following(loop, state.name)
        rules = [rule for _, rule in definition.listed(state.body, "Choices") if rule.get("Next") == following]
        if len(rules) != 1 or state.body.get("Default") == following:
            return
        condition = values.expression_in(rules[0].get("Condition")) or ""
        if (counted := _COUNTED.fullmatch(condition)) and self._adds_one(loop, counted[1]):
            yield Bound(counted[1], int(counted[2]))
        if (unset := _UNSET.fullmatch(condition)) and self._sets(loop, unset[1]):
            yield Bound(unset[1], 1)

    def _sets(self, loop: Loop, variable: str) -> bool:
        """Whether a loop makes a variable true which no state of any loop makes false."""
        return self._assigns(loop, variable, True) and not self._is_set_elsewhere(variable, True)

    def _adds_one(self, loop: Loop, variable: str) -> bool:
        """Whether a loop adds one to a variable which no state of any loop sets otherwise."""
        more, as_judged = f"{{% ${variable} + 1 %}}", f"{{% $states.result.Payload.{variable} %}}"
        return self._assigns(loop, variable, more) and not self._is_set_elsewhere(variable, more, as_judged)

    def _is_set_elsewhere(self, variable: str, *harmless: object) -> bool:
        """Whether a state that can be met again assigns anything else to a variable."""
        bodies = [self._scope.states[name].body for name in self._looped]
        parts = [part for body in bodies for part in (body, *_ways(body))]
        assigned = [part["Assign"][variable] for part in parts if variable in (part.get("Assign") or {})]
        return any(value not in harmless for value in assigned)

    def _assigns(self, loop: Loop, variable: str, wanted: object) -> bool:
        """Whether a state of the loop assigns this to a variable on every way that leads on in the loop."""
        for name in loop:
            body, following = self._scope.states[name].body, _following(loop, name)
            parts = [body] if body.get("Next") == following else []
            parts += [one for _, one in definition.listed(body, "Catch") if one.get("Next") == following]
            if parts and all((part.get("Assign") or {}).get(variable) == wanted for part in parts):
                return True
        return False

    def _asks_judge(self, state: State) -> bool:
        """Whether a Task asks the function that counts submissions, and takes its count over."""
        arguments = state.body.get("Arguments") or {}
        return self._machine.functions.get(str(arguments.get("FunctionName"))) == "JudgeTrainingFunction"

    def _waits(self, state: State) -> int:
        """How often a Wait fits into the machine's time: its own expressions, evaluated again and again."""
        limit_s = int(self._machine.scope.body["TimeoutSeconds"])
        variables = self._first_values()
        waited_s = 0
        if any(self._is_set_elsewhere(name, value) for name, value in (state.body.get("Assign") or {}).items()):
            return limit_s // max(int(self._evaluated(state.body.get("Seconds"), variables)), 1)
        for times in range(_WAITS_TRIED):
            seconds = self._evaluated(state.body.get("Seconds"), variables)
            changed = {name: self._evaluated(one, variables) for name, one in (state.body.get("Assign") or {}).items()}
            if all(variables.get(name) == value for name, value in changed.items()):
                return times + (limit_s - waited_s) // max(int(seconds), 1)
            waited_s += int(seconds)
            variables |= changed
        raise UnboundedLoopError((state.name,))

    def _first_values(self) -> dict[str, object]:
        """The constants that states assign."""
        assigned = (state.body.get("Assign") or {} for state in self._scope.states.values())
        return {name: value for one in assigned for name, value in one.items() if values.expression_in(value) is None}

    def _evaluated(self, template: object, variables: Mapping[str, object]) -> float:
        expression = values.expression_in(template)
        if expression is None:
            return float(str(template))
        try:
            return float(evaluate(expression, dict(variables)))
        except JsonataError:
            return 0.0


def _ways(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """A state's rules and catchers."""
    return [part for key in ("Choices", "Catch") for _, part in definition.listed(body, key)]


def _following(loop: Loop, name: str) -> str:
    """The state after another in a loop."""
    return loop[(loop.index(name) + 1) % len(loop)]
