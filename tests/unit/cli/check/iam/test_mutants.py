"""Every permission of every role, changed one by one: the proof sees it."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from cli.check.iam import compare, proof
from cli.check.iam.intrinsics import Deployment
from cli.check.iam.stacks import Stack

ADDED = {
    "s3": "s3:DeleteObjectVersion",
    "dynamodb": "dynamodb:Scan",
    "states": "states:RedriveExecution",
    "batch": "batch:CancelJob",
    "sagemaker": "sagemaker:DeleteModel",
    "logs": "logs:DeleteLogGroup",
    "events": "events:DeleteRule",
    "lambda": "lambda:UpdateFunctionCode",
}
"""For each service an action that nothing needs."""
LEAST_SHARE_KILLED = 0.95

Mutant = tuple[str, str, str, Stack]
"""Kind, role, what was changed, and the stack with it."""


def test_the_project_has_no_findings(project: Any) -> None:
    assert proof.compared(project.stacks, project.needs) == []


@pytest.fixture(scope="module")
def mutants(project: Any) -> list[Mutant]:
    return [mutant for stack in project.stacks for mutant in _mutants(stack)]


def test_nearly_all_mutants_are_found(project: Any, mutants: list[Mutant]) -> None:
    made, survivors = Counter(kind for kind, *_ in mutants), []
    for kind, role, what, stack in mutants:
        needs = project.needs.of_role.get((stack.file, role), [])
        if not [*compare.of_role(stack, role, needs), *compare.trusts(stack, role)]:
            survivors.append((kind, role, what))
    assert set(made) == {"drop action", "drop resource", "add action", "widen", "any action", "unbind", "trust anybody"}
    assert len(mutants) > 500
    assert 1 - len(survivors) / len(mutants) >= LEAST_SHARE_KILLED, survivors
    # All of them, in fact; a survivor that comes later has to be looked at, not to be forbidden.
    assert survivors == []


def _mutants(stack: Stack) -> Iterator[Mutant]:
    for role in stack.of_type("AWS::IAM::Role"):
        policies = stack.deployed.resource(role)["Properties"].get("Policies") or []
        for policy_index, policy in enumerate(policies):
            for index, statement in enumerate(policy["PolicyDocument"]["Statement"]):
                for kind, what, changed in _changed(statement):
                    yield kind, role, what, _with(stack, role, policy_index, index, changed)
        trust = stack.deployed.resource(role)["Properties"]["AssumeRolePolicyDocument"]["Statement"][0]
        if "Condition" in trust:
            yield "trust anybody", role, "", _trusting(stack, role)


def _changed(statement: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any] | None]]:
    """Each change of a statement; None for its removal."""
    actions, resources = _listed(statement["Action"]), _listed(statement["Resource"])
    for action in actions:
        left = [one for one in actions if one != action]
        yield "drop action", action, {**statement, "Action": left} if left else None
    for resource in resources if len(resources) > 1 else []:
        left = [one for one in resources if one != resource]
        yield "drop resource", str(resource), {**statement, "Resource": left}
    service = actions[0].partition(":")[0]
    added = ADDED.get(service, "kms:Decrypt")
    yield "add action", added, {**statement, "Action": [*actions, added]}
    yield "any action", f"{service}:*", {**statement, "Action": [*actions, f"{service}:*"]}
    for number, resource in enumerate(resources):
        if resource != "*":
            for wide in ("*", _widened(resource)):
                wider = [*resources[:number], wide, *resources[number + 1 :]]
                yield "widen", str(wide), {**statement, "Resource": wider}
    for operator in statement.get("Condition") or {}:
        if operator != "Null":
            others = {name: one for name, one in statement["Condition"].items() if name != operator}
            yield "unbind", operator, {**statement, "Condition": others}


def _widened(resource: Any) -> Any:
    """An ARN that ends in a wildcard a part earlier."""
    if isinstance(resource, dict) and "Fn::Sub" in resource:
        text = resource["Fn::Sub"].removesuffix("*").rstrip("/:-")
        cut = max(text.rfind("/"), text.rfind(":"))
        return {"Fn::Sub": text[: cut + 1] + "*"} if cut > 0 else {"Fn::Sub": f"{text}*"}
    return {"Fn::Join": ["", [resource, "*"]]}


def _with(stack: Stack, role: str, policy: int, index: int, changed: dict[str, Any] | None) -> Stack:
    template = dict(stack.deployed.template)
    template["Resources"] = {**template["Resources"], role: copy.deepcopy(template["Resources"][role])}
    statements = template["Resources"][role]["Properties"]["Policies"][policy]["PolicyDocument"]["Statement"]
    statements[index : index + 1] = [changed] if changed else []
    return _of(stack, template)


def _trusting(stack: Stack, role: str) -> Stack:
    template = dict(stack.deployed.template)
    template["Resources"] = {**template["Resources"], role: copy.deepcopy(template["Resources"][role])}
    del template["Resources"][role]["Properties"]["AssumeRolePolicyDocument"]["Statement"][0]["Condition"]
    return _of(stack, template)


def _of(stack: Stack, template: dict[str, Any]) -> Stack:
    deployed = Deployment(stack.deployed.stack, template, stack.deployed.parameters, stack.deployed.nested)
    return replace(stack, deployed=deployed)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
