"""Tasks: what each calls, with what, what comes back, and how long it may take.

A Task's function or machine is found through the template: `${Name}` is the substitution, the substitution names the
resource, the resource has the code or the definition.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from cli.check.asl import arguments, contracts, dynamodb, integrations, values
from cli.check.asl.contracts import Contract
from cli.check.asl.definition import JSONATA, SUBSTITUTION, State
from cli.check.asl.function_code import FunctionCode, Payload
from cli.check.asl.integrations import Integration, ResourceError
from cli.check.asl.report import Report
from cli.check.asl.values import ANY, Object, Reply, Value
from cli.check.documents import Steps
from cli.check.templates import Function, Substitution

MACHINE_TYPES = ("AWS::Serverless::StateMachine", "AWS::StepFunctions::StateMachine")
TABLE_TYPES = ("AWS::DynamoDB::Table", "AWS::DynamoDB::GlobalTable", "AWS::Serverless::SimpleTable")
FUNCTION_TYPES = ("AWS::Serverless::Function", "AWS::Lambda::Function", "AWS::Lambda::Alias", "AWS::Lambda::Version")


class World(Protocol):
    """What the project knows beside the one machine."""

    def function(self, logical_id: str) -> tuple[Function, FunctionCode] | None:
        """A function of the templates and its code."""

    def contract(self, logical_id: str) -> Contract | None:
        """What a machine of the templates asks and gives."""

    def table_key(self, logical_id: str) -> Mapping[str, str]:
        """The attributes of a table's key with their types; empty of a table that is not of the templates."""


@dataclass(frozen=True)
class Task:
    """A Task where the walk meets it: `template` are its arguments as written, `given` what is known of them."""

    state: State
    template: Any
    given: Value
    evaluate: Callable[[str], Value]
    timeout: Value | None

    @property
    def steps(self) -> Steps:
        """Where its arguments stand."""
        return (*self.state.steps, "Arguments" if self.state.language == JSONATA else "Parameters")


@dataclass(frozen=True)
class Tasks:
    """The Tasks of one machine."""

    substitutions: Mapping[str, Substitution]
    world: World

    def integration(self, state: State) -> Integration | None:
        """What a Task calls; None if that is nothing that Step Functions knows."""
        resource = state.body.get("Resource")
        if not isinstance(resource, str):
            return None
        if self._target(resource, FUNCTION_TYPES):
            return Integration("function", integrations.CALL, None, frozenset())
        if SUBSTITUTION.search(resource) or values.expression_in(resource) is not None:
            return Integration("activity", integrations.CALL, None, frozenset())
        try:
            return integrations.of(resource)
        except ResourceError:
            return None

    def function_of(self, state: State) -> tuple[Function, FunctionCode] | None:
        """The function that a Task invokes, if the templates have it."""
        integration = self.integration(state)
        if integration is None or not integration.is_function:
            return None
        given = state.body.get("Arguments", state.body.get("Parameters"))
        named = given.get("FunctionName") if isinstance(given, dict) else None
        target = self._target(state.body["Resource"] if integration.kind == "function" else named, FUNCTION_TYPES)
        return self.world.function(target) if target else None

    def _contract_of(self, task: Task) -> Contract | None:
        """What the machine that a Task starts asks and gives, if the templates have it."""
        integration = self.integration(task.state)
        if integration is None or not integration.is_execution or not isinstance(task.template, dict):
            return None
        target = self._target(task.template.get("StateMachineArn"), MACHINE_TYPES)
        return self.world.contract(target) if target else None

    def _target(self, text: Any, types: tuple[str, ...]) -> str | None:
        match = SUBSTITUTION.fullmatch(text) if isinstance(text, str) else None
        known = self.substitutions.get(match[1]) if match else None
        return known.target if known is not None and known.type in types else None

    def reads_of_payload(self, task: Task, whole_input: Reply) -> Payload | None:
        """What the function reads, where it is given the machine's whole input; None where it is not."""
        function = self.function_of(task.state)
        if function is None or not isinstance(task.given, Object):
            return None
        return function[1].payload if task.given.get("Payload") == whole_input else None

    def result(self, task: Task) -> Value:
        """What is known of `$states.result`."""
        integration = self.integration(task.state)
        if integration is None:
            return ANY
        found = integrations.result(integration)
        function = self.function_of(task.state)
        if function is not None and integration.pattern == integrations.CALL:
            reply = Reply(function[0].logical_id)
            return reply if integration.kind == "function" else values.with_field(found, "Payload", reply)
        contract = self._contract_of(task)
        if contract is not None and integration.pattern == integrations.SYNC_2:
            return values.with_field(found, "Output", contract.output)
        return found

    def check_reply_field(self, source: str, name: str, steps: Steps, report: Report) -> None:
        """Whether a function's reply can have a field."""
        function = self.world.function(source)
        if function is not None and name not in function[1].names:
            mend = "use a key that the function answers"
            report.add(steps, "reply-field", f"nothing that {source} runs has a key or field `{name}`", mend)

    def check(self, task: Task, report: Report) -> None:
        """A Task's resource, arguments and timeout."""
        state = task.state
        integration = self.integration(state)
        if integration is None:
            _check_resource(state, report)
            return
        arguments.check(task.template, integration, task.evaluate, task.steps, report)
        operation = integration.operation
        if operation is None and not integration.is_function:
            what = f"{state.body['Resource']} is described by no model"
            report.add((*state.steps, "Resource"), "not-proved", what, "look at its arguments and errors yourself")
        if operation is not None and operation.service_model.service_name == "dynamodb":
            named = task.template.get("TableName") if isinstance(task.template, dict) else None
            target = self._target(named, TABLE_TYPES)
            dynamodb.check(task.template, self.world.table_key(target) if target else {}, task.steps, report)
        self._check_payload(task, report)
        self._check_child(task, report)

    def _check_payload(self, task: Task, report: Report) -> None:
        function = self.function_of(task.state)
        if function is None:
            return
        own, code = function
        _check_order(task, own.timeout_s, f"the function's own timeout is {own.timeout_s} s", report)
        if code.payload is not None and isinstance(task.given, Object):
            given = task.given.get("Payload") or values.of_object({})
            contracts.check_payload(given, code.payload, (*task.steps, "Payload"), report)

    def _check_child(self, task: Task, report: Report) -> None:
        contract = self._contract_of(task)
        if contract is None:
            return
        if contract.timeout_s is not None:
            _check_order(task, contract.timeout_s, f"the machine's own timeout is {contract.timeout_s} s", report)
        if isinstance(task.given, Object):
            given = task.given.get("Input") or values.of_object({})
            contracts.check_input(given, contract, (*task.steps, "Input"), report)


def _check_resource(state: State, report: Report) -> None:
    resource = state.body.get("Resource")
    if not isinstance(resource, str):
        return
    try:
        integrations.of(resource)
    except ResourceError as error:
        report.add((*state.steps, "Resource"), "unknown-resource", str(error), error.mend)


def _check_order(task: Task, least_s: int, why: str, report: Report) -> None:
    """A Task gives what it calls the time that this takes for itself."""
    given = values.constants(task.timeout) if task.timeout is not None else None
    for one in given or ():
        if isinstance(one, int | float) and one < least_s:
            steps = (*task.state.steps, "TimeoutSeconds")
            report.add(steps, "timeout-order", f"the Task waits for {one} s, but {why}", f"write at least {least_s}")
