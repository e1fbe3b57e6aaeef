"""The machines, walked with the largest values: what every state takes, passes on and hands to a service.

Every branch of every Choice and every Catch is taken, and expressions are evaluated as they are written. Where paths
meet, the larger value of a variable goes on. What functions answer comes from `product`, what machines answer from
their own walk, what services answer is filled up to the size that their descriptions can have.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from cli.check import documents
from cli.check.asl import definition, integrations, values
from cli.check.asl.definition import SUBSTITUTION, Scope, State
from cli.check.asl.integrations import Integration
from cli.check.documents import Document
from cli.check.iam.stacks import Stack
from cli.check.quotas import limits, longest, results
from cli.check.quotas.deployments import Project
from cli.check.quotas.meter import Meter, Place, json_bytes
from cli.check.quotas.product import Product
from local_cloud.stepfunctions.jsonata import JsonataError, evaluate

_TIMES = 50
"""How often what a state is entered with may grow: as often as paths lead there, or a loop never ends to add to it."""
_RETRIES = 99


@dataclass(frozen=True)
class Machine:
    """A machine as deployed. `functions` and `machines` are logical ids by ARN."""

    logical_id: str
    name: str
    file: str
    document: Document
    size: int
    functions: Mapping[str, str]
    machines: Mapping[str, str]

    @property
    def scope(self) -> Scope:
        return definition.scope_of(self.document.value)

    def place(self, state: State | None = None) -> Place:
        return Place(self.file, self.document.line(state.steps) if state else 1, state.name if state else "")


def read(project: Project) -> dict[str, Machine]:
    """Every machine by logical id, those first that others start. Raises: DocumentError, OSError."""
    functions = {arn: name for name, arn in _arns(project, "AWS::Lambda::Function")}
    arns = {arn: name for name, arn in _arns(project, "AWS::StepFunctions::StateMachine")}
    found = [
        _read(project, stack, logical_id, functions, arns)
        for stack in project.stacks
        for logical_id in stack.of_type("AWS::StepFunctions::StateMachine")
    ]
    started = {machine.logical_id: _started(machine) for machine in found}
    ordered = sorted(found, key=lambda machine: _depth(machine.logical_id, started))
    return {machine.logical_id: machine for machine in ordered}


def _arns(project: Project, kind: str) -> Iterator[tuple[str, str]]:
    for stack in project.stacks:
        for logical_id in stack.of_type(kind):
            yield logical_id, str(stack.deployed.attribute(logical_id, "Arn"))


def _read(
    project: Project, stack: Stack, logical_id: str, functions: Mapping[str, str], machines: Mapping[str, str]
) -> Machine:
    written = stack.written["Resources"][logical_id]["Properties"]
    path = ((project.root / stack.file).parent / written["DefinitionUri"]).resolve()
    file = path.relative_to(project.root).as_posix()
    substitutions = stack.deployed.resolved(written.get("DefinitionSubstitutions") or {})
    filled = SUBSTITUTION.sub(lambda match: str(substitutions.get(match[1], match[0])), project.text(file))
    document = documents.parse(filled, file)
    size = max(len(filled), len(json.dumps(document.value)))
    return Machine(logical_id, stack.deployed.name(logical_id), file, document, size, functions, machines)


def _started(machine: Machine) -> set[str]:
    """The machines that a machine's Tasks start."""
    arguments = (state.body.get("Arguments") for state in machine.scope.all_states())
    arns = (str(one.get("StateMachineArn")) for one in arguments if isinstance(one, dict))
    return {machine.machines[arn] for arn in arns if arn in machine.machines}


def _depth(logical_id: str, started: Mapping[str, set[str]], above: frozenset[str] = frozenset()) -> int:
    """How many machines start each other below one; one that is started again further down counts once."""
    within = above | {logical_id}
    return 1 + max((_depth(one, started, within) for one in started.get(logical_id, set()) - within), default=0)


@dataclass
class Known:
    """What holds where a state begins."""

    input: Any
    variables: dict[str, Any] = field(default_factory=dict)

    def joined(self, other: Known) -> Known:
        """The larger of each; of two that are as large, one's own."""
        variables = dict(self.variables)
        for name, value in other.variables.items():
            variables[name] = _larger(variables[name], value) if name in variables else value
        return Known(_larger(self.input, other.input), variables)


def _larger(one: Any, other: Any) -> Any:
    return one if json_bytes(one) >= json_bytes(other) else other


@dataclass
class Walk:
    """The walk of one machine. `outputs` are the largest outputs of the machines it starts, by logical id."""

    machine: Machine
    product: Product
    meter: Meter
    items: dict[str, dict[str, Any]]
    outputs: Mapping[str, Any]

    def run(self, given: Any) -> Any:
        """Walk from an input; the largest output."""
        self.meter.note("definition", self.machine.size, self.machine.place())
        self.meter.note("payload", json_bytes(given), self.machine.place(), "the machine's input")
        self._input = given
        return self._scope(self.machine.scope, Known(given), {})

    def _scope(self, scope: Scope, begin: Known, item: Mapping[str, Any]) -> Any:
        known: dict[str, Known] = {}
        times: Counter[str] = Counter()
        waiting = [(scope.start, begin)]
        output: Any = None
        while waiting:
            name, reached = waiting.pop()
            joined = known[name].joined(reached) if name in known else reached
            if joined == known.get(name):
                continue
            known[name], times[name] = joined, times[name] + 1
            if times[name] > _TIMES:
                why = "what it is entered with grows with every round of a loop"
                self.meter.note("variables", None, self.machine.place(scope.states[name]), why)
                break
            for target, after in self._state(scope.states[name], joined, item):
                if target:
                    waiting.append((target, after))
                else:
                    output = _larger(output, after.input)
        return output

    def _state(self, state: State, known: Known, item: Mapping[str, Any]) -> Iterator[tuple[str, Known]]:
        """The states that may follow, each with what holds there; an empty name is the end."""
        body = state.body
        self._note("payload", known.input, state)
        bound = {"input": known.input, "context": self._context(state, item)}
        result = known.input
        if state.type == "Task":
            result = self._task(state, known, bound)
            bound["result"] = result
        elif state.type == "Map":
            result = bound["result"] = self._map(state, known, bound)
        elif state.type == "Fail":
            self._fail(state, known, bound)
            return
        after = self._after(body, known, bound, result, state)
        if state.type == "Choice":
            for _, rule in definition.listed(body, "Choices"):
                yield rule["Next"], self._after(rule, known, bound, known.input, state)
            yield body.get("Default", ""), after
        elif state.type == "Succeed" or body.get("End"):
            yield "", after
        else:
            yield body["Next"], after
        failure = results.failure()
        for _, catcher in definition.listed(body, "Catch"):
            caught = {"input": known.input, "context": bound["context"], "errorOutput": failure}
            yield catcher["Next"], self._after(catcher, known, caught, failure, state)

    def _after(
        self, part: Mapping[str, Any], known: Known, bound: Mapping[str, Any], result: Any, state: State
    ) -> Known:
        """What holds after a state, a Choice's rule or a catcher: its Output and its Assign."""
        output = self._given(part["Output"], known, bound, state) if "Output" in part else result
        self._note("payload", output, state)
        assigned = {name: self._given(value, known, bound, state) for name, value in (part.get("Assign") or {}).items()}
        self._note("variables", assigned, state)
        return Known(output, {**known.variables, **assigned})

    def _given(self, template: Any, known: Known, bound: Mapping[str, Any], state: State) -> Any:
        """The value of a field in YAML. An expression that gives nothing on these values is a finding."""
        if isinstance(template, Mapping):
            return {key: self._given(value, known, bound, state) for key, value in template.items()}
        if isinstance(template, list):
            return [self._given(value, known, bound, state) for value in template]
        expression = values.expression_in(template)
        if expression is None:
            return template
        try:
            return evaluate(expression, {**known.variables, "states": bound})
        except JsonataError as error:
            why = f"`{expression}` gives nothing on the largest values ({error or 'undefined'}), so that it has no size"
            self.meter.note("payload", None, self.machine.place(state), why)
            return ""

    def _context(self, state: State, item: Mapping[str, Any]) -> dict[str, Any]:
        region, account, name = self.product.region, longest.ACCOUNT, self.machine.name
        execution = "x" * limits.table()["execution-name"].value
        context: dict[str, Any] = {
            "Execution": {
                "Id": f"arn:aws:states:{region}:{account}:execution:{name}:{execution}",
                "Name": execution,
                "RedriveCount": longest.REDRIVES,
                "StartTime": "2026-11-23T20:00:00.000Z",
                "Input": self._input,
            },
            "State": {"Name": state.name, "EnteredTime": "2026-11-23T20:00:00.000Z", "RetryCount": _retries(state)},
        }
        return {**context, "Map": {"Item": item}} if item else context

    def _task(self, state: State, known: Known, bound: Mapping[str, Any]) -> Any:
        arguments = self._given(state.body.get("Arguments") or {}, known, bound, state)
        self._note("payload", arguments, state)
        integration = integrations.of(state.body["Resource"])
        self._request(integration, arguments, state)
        result = self._result(integration, arguments)
        self._note("payload", result, state)
        return result

    def _request(self, integration: Integration, arguments: dict[str, Any], state: State) -> None:
        """Measure what a Task hands to a service."""
        place, operation = self.machine.place(state), integration.operation
        if operation is None:
            return
        service = operation.service_model.service_name
        self.meter.request(service, operation.name, arguments, place)
        if integration.is_function:
            self.meter.note("function-payload", json_bytes(arguments.get("Payload")), place)
        elif operation.name == "StartExecution":
            self.meter.note("execution-name", len(str(arguments.get("Name") or "")), place)
        elif operation.name == "SubmitJob":
            self._job(arguments, place)
        elif operation.name == "CreateTransformJob":
            self.meter.note("transform-name", len(arguments["TransformJobName"]), place)
            at_once = arguments.get("MaxPayloadInMB", 6) * arguments.get("MaxConcurrentTransforms", 1)
            self.meter.note("transform-payload", at_once, place)
        elif operation.name == "PutEvents":
            for entry in arguments["Entries"]:
                self.meter.note("event-entry", results.entry_size(entry), place)
        elif operation.name == "PutItem":
            self.items[arguments["Item"]["sk"]["S"]] = arguments["Item"]
            self.meter.note("item", json_bytes(arguments["Item"]), place)

    def _job(self, arguments: Mapping[str, Any], place: Place) -> None:
        self.meter.note("job-name", len(arguments["JobName"]), place)
        self.meter.note("job-request", json_bytes(arguments), place)
        nodes = (arguments.get("NodeOverrides") or {}).get("NodePropertyOverrides") or []
        overrides = [arguments.get("ContainerOverrides"), *(node.get("ContainerOverrides") for node in nodes)]
        for one in overrides:
            self.meter.note("job-overrides", len(json.dumps(results.with_batch_variables(one or {}))), place)

    def _result(self, integration: Integration, arguments: dict[str, Any]) -> Any:
        if integration.is_function:
            logical_id = self.machine.functions.get(str(arguments.get("FunctionName")), "")
            return {"Payload": self.product.replies.get(logical_id, {}), "StatusCode": 200}
        assert integration.operation is not None, "every other integration of ours has a model"
        child = self.machine.machines.get(str(arguments.get("StateMachineArn")), "")
        output = self.outputs.get(child, self.outputs.get(self.machine.logical_id))
        return results.of_service(integration, arguments, output, self.items)

    def _map(self, state: State, known: Known, bound: Mapping[str, Any]) -> list[Any]:
        """As many of the largest item's results as there are items."""
        items = self._given(state.body.get("Items", known.input), known, bound, state) or []
        concurrency = state.body.get("MaxConcurrency", 0)
        self.meter.note("inline-map", concurrency if isinstance(concurrency, int) else 0, self.machine.place(state))
        count = self.product.runs if items else 0
        largest = max(items, key=json_bytes, default=None)
        (scope,) = state.scopes()
        one = self._scope(scope, Known(largest, dict(known.variables)), {"Index": count, "Value": largest})
        return [one] * count

    def _fail(self, state: State, known: Known, bound: Mapping[str, Any]) -> None:
        place = self.machine.place(state)
        for key, name in (("error-name", "Error"), ("cause", "Cause")):
            self.meter.note(key, len(str(self._given(state.body.get(name, ""), known, bound, state))), place)

    def _note(self, key: str, value: Any, state: State) -> None:
        self.meter.note(key, json_bytes(value), self.machine.place(state))


def _retries(state: State) -> int:
    """The largest RetryCount that a state sees."""
    return min(definition.most_retries(state), _RETRIES)


def measure(machines: Mapping[str, Machine], product: Product, meter: Meter) -> None:
    """Walk every machine, those first that others start."""
    outputs: dict[str, Any] = {}
    stored = product.training.table.items.items()
    items = {sk: results.typed(item) for (_, sk), item in stored if not sk.startswith("RECORD")}
    for logical_id, machine in machines.items():
        outputs[logical_id] = Walk(machine, product, meter, items, outputs).run(results.input_of(logical_id, product))
