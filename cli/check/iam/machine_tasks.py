"""What a state machine's Tasks need of its role, `.sync`'s companions, logs and traces included."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from cli.check.findings import Finding
from cli.check.iam import actions, places
from cli.check.iam.intrinsics import ACCOUNT, REGION
from cli.check.iam.rules import finding
from cli.check.iam.stacks import Stack

_SUBSTITUTION = re.compile(r"\$\{(\w+)\}")
_SDK_NAMES = {"sfn": "states", "cloudwatchlogs": "logs", "eventbridge": "events"}
_EXPRESSION = "{%"


@dataclass(frozen=True)
class Task:
    """An action on a resource, and the state that needs it."""

    action: str
    resource: str
    why: str


@dataclass
class Machine:
    """A machine of a template with what its role needs, and what of it nobody knows."""

    logical_id: str
    role_arn: str
    tasks: list[Task] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


def read(project: Path, stack: Stack, texts: Mapping[str, str]) -> Iterator[Machine]:
    """Every machine of a stack."""
    for name, resource in stack.written["Resources"].items():
        if resource["Type"] != "AWS::Serverless::StateMachine":
            continue
        properties = stack.deployed.resolved(resource["Properties"])
        path = ((project / stack.file).parent / properties["DefinitionUri"]).resolve()
        file = path.relative_to(project.resolve()).as_posix()
        text = texts.get(file) or path.read_text(encoding="utf-8")
        definition = yaml.safe_load(_substituted(text, properties.get("DefinitionSubstitutions") or {}))
        machine = Machine(name, str(properties["Role"]))
        for state_name, state in _states(definition):
            if state.get("Type") == "Task":
                _add_task(machine, file, text, state_name, state)
        machine.tasks += list(_around(properties))
        yield machine


def _substituted(text: str, given: Mapping[str, Any]) -> str:
    return _SUBSTITUTION.sub(lambda found: str(given.get(found[1], found[0])), text)


def _states(machine: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, state in (machine.get("States") or {}).items():
        yield name, state
        for inner in [state.get("ItemProcessor"), state.get("Iterator"), *(state.get("Branches") or [])]:
            if inner:
                yield from _states(inner)


def _add_task(machine: Machine, file: str, text: str, name: str, state: Mapping[str, Any]) -> None:
    integration = str(state["Resource"]).rpartition(":::")[2]
    is_sync = ".sync" in integration
    operation = integration.partition(".")[0]
    arguments = state.get("Arguments") or state.get("Parameters") or {}
    found = list(_own(machine, operation, arguments))
    if not found:
        lines = text.splitlines()
        line = next((number for number, one in enumerate(lines, 1) if one.strip() == f"{name}:"), 1)
        what = f"nobody knows what a Task on {operation} needs"
        instead = "teach cli/check/iam/machine_tasks.py the integration"
        machine.findings.append(finding(file, line, name, "integration", what, instead))
    if is_sync:
        found += _companions(operation, arguments)
    machine.tasks += [Task(action, resource, f"the state {name}") for action, resource in found]


def _own(machine: Machine, operation: str, arguments: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What the call itself needs; an argument that is an expression is data, and stands for all that it may name."""
    if operation == "lambda:invoke":
        yield "lambda:InvokeFunction", str(arguments["FunctionName"])
    elif operation == "states:startExecution":
        yield "states:StartExecution", str(arguments["StateMachineArn"])
    elif operation == "events:putEvents":
        for entry in arguments["Entries"]:
            yield "events:PutEvents", f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/{entry['EventBusName']}"
    elif operation.startswith("dynamodb:"):
        action = f"dynamodb:{_capital(operation.partition(':')[2])}"
        yield action, f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{arguments['TableName']}"
    elif operation == "batch:submitJob":
        yield "batch:SubmitJob", str(arguments["JobQueue"])
        definition = str(arguments["JobDefinition"])
        yield "batch:SubmitJob", places.JOB_DEFINITIONS if definition.startswith(_EXPRESSION) else definition
        if arguments.get("Tags"):
            yield from (("batch:TagResource", arn) for arn in places.NAMED_BY_DATA["batch:TagResource"])
    elif operation == "aws-sdk:sfn:describeExecution":
        yield from (("states:DescribeExecution", arn) for arn in places.EXECUTIONS.get(machine.logical_id, ()))
    elif (action := _sdk_action(operation)) in places.NAMED_BY_DATA:
        yield from ((action, arn) for arn in places.NAMED_BY_DATA[action])
        if arguments.get("Tags") and action == "sagemaker:CreateTransformJob":
            yield from (("sagemaker:AddTags", arn) for arn in places.NAMED_BY_DATA["sagemaker:AddTags"])


def _sdk_action(operation: str) -> str:
    """`aws-sdk:sagemaker:updateModelPackage` and `sagemaker:createTransformJob` as IAM actions."""
    service, _, name = operation.removeprefix("aws-sdk:").partition(":")
    return f"{_SDK_NAMES.get(service, service)}:{_capital(name)}"


def _companions(operation: str, arguments: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for action in actions.SYNC_COMPANIONS.get(operation, ()):
        if action in actions.NO_RESOURCE:
            yield action, "*"
        elif action.startswith("states:"):
            machine = str(arguments["StateMachineArn"]).rpartition(":")[2]
            yield action, f"arn:aws:states:{REGION}:{ACCOUNT}:execution:{machine}:*"
        else:
            yield from ((action, arn) for arn in places.NAMED_BY_DATA[action])
    rule = actions.SYNC_RULES.get(operation)
    if rule:
        yield from ((action, f"arn:aws:events:{REGION}:{ACCOUNT}:rule/{rule}") for action in actions.MANAGE_RULE)


def _around(properties: Mapping[str, Any]) -> Iterator[Task]:
    if (properties.get("Logging") or {}).get("Level", "OFF") != "OFF":
        yield from (Task(action, "*", "the machine's log") for action in actions.LOG_DELIVERY)
    if (properties.get("Tracing") or {}).get("Enabled"):
        yield from (Task(action, "*", "the machine's traces") for action in actions.TRACING)


def constants_of_calls(tree: ast.AST, name: str) -> set[str]:
    """The first arguments, where they are text, of all calls of a function or method."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called == name:
                found.add(str(node.args[0].value))
    return found


def words_of(tree: ast.AST) -> set[str]:
    """Names of keyword arguments, and texts that are keys."""
    keywords = {node.arg for node in ast.walk(tree) if isinstance(node, ast.keyword) and node.arg}
    texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    return keywords | texts


def _capital(name: str) -> str:
    return name[:1].upper() + name[1:]
