"""Walks a machine as an execution would, on every path at once: which variables are assigned, what values can be.

For each state the walk keeps what holds on all paths that lead to it, and goes round until nothing changes; then it
goes through once more and tells what is wrong. Inner scopes (the branches of a Parallel, the processor of a Map) see
the variables of the scope outside and keep their own to themselves.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/workflow-variables.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from cli.check.asl import definition, inference, values
from cli.check.asl.contracts import Contract
from cli.check.asl.definition import JSONATA, Scope, State
from cli.check.asl.known import ERROR_OUTPUT, INPUT, Known
from cli.check.asl.report import Report
from cli.check.asl.tasks import Task, Tasks
from cli.check.asl.values import ANY, Array, Object, Reply, Value
from cli.check.documents import Steps

_KINDS = {
    **{name: {"number"} for name in ("TimeoutSeconds", "HeartbeatSeconds", "Seconds", "MaxConcurrency")},
    **{name: {"number"} for name in ("ToleratedFailureCount", "ToleratedFailurePercentage")},
    **{name: {"string"} for name in ("Timestamp", "Error", "Cause")},
    "Condition": {"boolean"},
    "Items": {"array", "object"},
}
"""By field: the types that its expression may give."""


Edges = Iterator[tuple[str | None, Known]]


class Flow:
    """The walk through one machine. `contract` is what it finds the machine to read of its input and to give."""

    def __init__(self, machine: Scope, tasks: Tasks, report: Report) -> None:
        self._machine = machine
        self._tasks = tasks
        self._report = report
        self._is_telling = False
        self._used: set[str] = set()
        self._assigned: dict[str, Steps] = {}
        self.contract = Contract()

    def walk(self) -> None:
        """Go through the machine and report."""
        output = self._scope(self._machine, Known(input=Reply(INPUT)), is_telling=True)
        self._note_escape(output)
        self.contract.output = output
        languages = {state.language for state in self._machine.all_states()}
        for name, steps in self._assigned.items():
            if name not in self._used and languages == {JSONATA}:
                what = f"`{name}` is assigned, and no state reads it"
                self._report.add(steps, "unused-variable", what, "remove it, or use its name where it is meant")

    def _scope(self, scope: Scope, entry: Known, *, is_telling: bool) -> Value:
        """Walk a scope to its fixpoint, then once more to tell. The value of its output."""
        before = self._is_telling
        self._is_telling = False
        known = self._fixpoint(scope, entry)
        self._is_telling = is_telling
        outputs = []
        for name, state in scope.states.items():
            if name in known:
                outputs += [after.input for target, after in self._edges(state, known[name]) if target is None]
        self._is_telling = before
        return values.join_all(outputs)

    def _fixpoint(self, scope: Scope, entry: Known) -> dict[str, Known]:
        """What holds where each state begins, of those that can be reached."""
        known: dict[str, Known] = {}
        waiting: list[tuple[str | None, Known]] = [(scope.start, entry)]
        while waiting:
            name, arriving = waiting.pop()
            if name is None or name not in scope.states:
                continue
            joined = known[name].joined(arriving) if name in known else arriving
            if known.get(name) != joined:
                known[name] = joined
                waiting += self._edges(scope.states[name], joined)
        return known

    def _edges(self, state: State, known: Known) -> Edges:
        """Where a state leads with what; None is the end."""
        if state.language != JSONATA:
            yield from self._opaque(state, known)
        elif state.type == "Choice":
            yield from self._choice(state, known)
        elif state.type in ("Task", "Parallel", "Map"):
            yield from self._work(state, known)
        elif state.type != "Fail":
            yield from self._onward(state, known, known.states(), known.input)
        else:
            self._fields(state, ("Error", "Cause"), known.states(), known)

    def _choice(self, state: State, known: Known) -> Edges:
        states = known.states()
        for index, rule in definition.listed(state.body, "Choices"):
            steps = (*state.steps, "Choices", index)
            if "Condition" in rule:
                condition = self.value(rule["Condition"], (*steps, "Condition"), states, known)
                self._need_kind(rule, "Condition", condition, steps)
            yield definition.text(rule, "Next"), self._left(rule, steps, states, known, known.input)
        yield definition.text(state.body, "Default"), self._left(state.body, state.steps, states, known, known.input)

    def _onward(self, state: State, known: Known, states: Value, output: Value) -> Edges:
        self._fields(state, ("Seconds", "Timestamp"), states, known)
        after = self._left(state.body, state.steps, states, known, output)
        yield (None if definition.is_end(state) else definition.text(state.body, "Next")), after

    def _work(self, state: State, known: Known) -> Edges:
        """A state with a result, which may fail."""
        states = known.states()
        timed = self._fields(state, ("TimeoutSeconds", "HeartbeatSeconds", "MaxConcurrency"), states, known)
        self._fields(state, ("ToleratedFailureCount", "ToleratedFailurePercentage"), states, known)
        if state.type == "Task":
            result = self._task(state, known, timed.get("TimeoutSeconds"))
        else:
            result = self._parallel(state, known) if state.type == "Parallel" else self._map(state, known)
        yield from self._onward(state, known, values.with_field(states, "result", result), result)
        failed = values.with_field(states, "errorOutput", ERROR_OUTPUT)
        for index, catcher in definition.listed(state.body, "Catch"):
            steps = (*state.steps, "Catch", index)
            yield definition.text(catcher, "Next"), self._left(catcher, steps, failed, known, ERROR_OUTPUT)

    def _task(self, state: State, known: Known, timeout: Value | None) -> Value:
        template = state.body.get("Arguments")
        is_token = str(state.body.get("Resource", "")).endswith(".waitForTaskToken")
        states = known.states(has_token=is_token)
        steps = (*state.steps, "Arguments")
        given = self.value(template, steps, states, known) if template is not None else values.of_object({})
        self.value(state.body.get("Credentials"), (*state.steps, "Credentials"), states, known)

        def evaluate(expression: str) -> Value:
            return inference.infer(expression, inference.Scope(known.variables, known.maybe, states), _silent)

        task = Task(state, template, given, evaluate, timeout)
        reads = self._tasks.reads_of_payload(task, Reply(INPUT))
        if reads is None:
            self._note_escape(given)
        else:
            self.contract.needs |= reads.required
            self.contract.reads |= set(reads.kinds)
        if self._is_telling:
            self._tasks.check(task, self._report)
        return self._tasks.result(task)

    def _parallel(self, state: State, known: Known) -> Value:
        states = known.states()
        given = known.input
        if "Arguments" in state.body:
            given = self.value(state.body["Arguments"], (*state.steps, "Arguments"), states, known)
        outputs = [self._inner(scope, replace(known, input=given)) for scope in state.scopes()]
        return Array(values.join_all(outputs))

    def _map(self, state: State, known: Known) -> Value:
        states = known.states()
        items: Value = known.input
        for name in ("Items", "ItemReader", "ItemBatcher", "ResultWriter"):
            if name in state.body:
                found = self.value(state.body[name], (*state.steps, name), states, known)
                items = found if name == "Items" else ANY
                if name == "Items":
                    self._need_kind(state.body, name, found, state.steps)
        item = values.join_all(_item(one) for one in values.options(items))
        inside = replace(known, item=item)
        given = item
        if "ItemSelector" in state.body:
            given = self.value(state.body["ItemSelector"], (*state.steps, "ItemSelector"), inside.states(), inside)
        if "ItemBatcher" in state.body:
            given = ANY
        outputs = [self._inner(scope, replace(inside, input=given)) for scope in state.scopes()]
        return ANY if "ResultWriter" in state.body else Array(values.join_all(outputs))

    def _inner(self, scope: Scope, entry: Known) -> Value:
        if scope.is_distributed:
            return self._scope(scope, Known(input=entry.input, item=entry.item), is_telling=self._is_telling)
        if self._is_telling:
            self._check_shadowing(scope, {*entry.variables, *entry.maybe})
        return self._scope(scope, entry, is_telling=self._is_telling)

    def _check_shadowing(self, scope: Scope, outside: set[str]) -> None:
        for state in scope.states.values():
            for name, steps in _assignments(state):
                if name in outside:
                    what = f"`{name}` is a variable of the scope outside"
                    self._report.add(steps, "variable-scope", what, "give it another name, or hand it out as output")

    def _left(self, body: Mapping[str, Any], steps: Steps, states: Value, known: Known, output: Value) -> Known:
        """What holds behind a state, a rule or a catcher: its assignments and its output."""
        assigned = {}
        given = body.get("Assign")
        for name, template in given.items() if isinstance(given, dict) else ():
            self._assigned.setdefault(name, (*steps, "Assign", name))
            assigned[name] = self.value(template, (*steps, "Assign", name), states, known)
            if name == "states" and self._is_telling:
                self._report.add((*steps, "Assign", name), "field-value", "`states` is reserved", "use another name")
        if "Output" in body:
            output = self.value(body["Output"], (*steps, "Output"), states, known)
        return known.after(assigned, output)

    def _opaque(self, state: State, known: Known) -> Edges:
        """A JSONPath state: what it assigns is known, what it gives is not."""
        if state.type == "Task" and self._is_telling:
            self._tasks.check(Task(state, state.body.get("Parameters"), ANY, lambda _: ANY, None), self._report)
        for scope in state.scopes():
            self._inner(scope, replace(known, input=ANY))
        self.contract.escapes = True
        assigned = {name.removesuffix(".$"): ANY for name, _ in _assignments(state)}
        for target, _ in definition.targets(state):
            yield target, known.after(assigned, ANY)
        if definition.is_end(state):
            yield None, known.after(assigned, ANY)

    def _fields(self, state: State, names: Iterable[str], states: Value, known: Known) -> dict[str, Value]:
        found = {}
        for name in names:
            if name in state.body:
                found[name] = self.value(state.body[name], (*state.steps, name), states, known)
                self._need_kind(state.body, name, found[name], state.steps)
        return found

    def _need_kind(self, body: Mapping[str, Any], name: str, value: Value, steps: Steps) -> None:
        """The type that a field's expression gives; `structure` looks at constants."""
        kinds = values.kinds(value) if values.expression_in(body[name]) is not None else None
        if self._is_telling and kinds is not None and not kinds & _KINDS[name]:
            wanted = " or ".join(sorted(_KINDS[name]))
            what = f"`{name}` takes {wanted}, not {' or '.join(sorted(kinds))}"
            self._report.add((*steps, name), "expression-type", what, f"give {wanted}")

    def value(self, template: Any, steps: Steps, states: Value, known: Known) -> Value:
        """A field's value; what is wrong with its expressions is told with their own places."""
        if isinstance(template, dict):
            fields = {key: self.value(item, (*steps, key), states, known) for key, item in template.items()}
            return values.of_object(fields)
        if isinstance(template, list):
            items = (self.value(item, (*steps, index), states, known) for index, item in enumerate(template))
            return Array(values.join_all(list(items)))
        return values.of_template(template, lambda expression: self._infer(expression, steps, states, known))

    def _infer(self, expression: str, steps: Steps, states: Value, known: Known) -> Value:
        scope = inference.Scope(known.variables, known.maybe, states)

        def report(rule: str, what: str, mend: str) -> None:
            if self._is_telling:
                self._report.add(steps, rule, what, mend)

        found = inference.infer(expression, scope, report)
        self._used |= scope.used
        for reply, name, asks_whether in scope.read:
            self._note_read(reply, name, asks_whether, steps)
        return found

    def _note_read(self, reply: Reply, name: str, asks_whether: bool, steps: Steps) -> None:
        if reply.source != INPUT:
            if self._is_telling and name != inference.WHOLE:
                self._tasks.check_reply_field(reply.source, name, steps, self._report)
        elif not reply.steps:
            if name == inference.WHOLE:
                self.contract.escapes = True
                return
            self.contract.reads.add(name)
            if not asks_whether:
                self.contract.needs.add(name)

    def _note_escape(self, value: Value) -> None:
        """The whole input goes somewhere: any of its keys may be read there."""
        if value == Reply(INPUT):
            self.contract.escapes = True
        for option in values.options(value):
            if isinstance(option, Object):
                for _, item in option.fields:
                    self._note_escape(item)
            elif isinstance(option, Array):
                self._note_escape(option.item)


def _assignments(state: State) -> Iterator[tuple[str, Steps]]:
    """The variables that a state may assign, and where."""
    parts: list[tuple[Mapping[str, Any], Steps]] = [(state.body, state.steps)]
    for key in ("Choices", "Catch"):
        parts += [(part, (*state.steps, key, index)) for index, part in definition.listed(state.body, key)]
    for body, steps in parts:
        given = body.get("Assign")
        for name in given if isinstance(given, dict) else ():
            yield name, (*steps, "Assign", name)


def _item(items: Value) -> Value:
    """An item of a list; of a reply nothing is known but whose it is."""
    if isinstance(items, Array):
        return items.item
    return items if isinstance(items, Reply) else ANY


def _silent(rule: str, what: str, mend: str) -> None:  # noqa: ARG001  told before, with its place
    return None
