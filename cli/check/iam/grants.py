"""What the templates give each role and each person: a grant for each action on each resource, and where it stands."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cli.check.iam.stacks import Stack


@dataclass(frozen=True)
class Grant:
    """`sid` is "" where SAM wrote the statement. `has_reason`: a comment stands in or right above it."""

    role: str
    sid: str
    action: str
    resource: str
    condition: Mapping[str, Any] = field(hash=False, compare=False)
    line: int = 1
    has_reason: bool = False
    is_allow: bool = True


def of_role(stack: Stack, role: str) -> Iterator[Grant]:
    """Every grant of a role's inline policies."""
    for policy in stack.properties(role).get("Policies") or []:
        yield from _of_document(stack, role, policy["PolicyDocument"])


def of_managed_policy(stack: Stack, name: str) -> Iterator[Grant]:
    """Every grant of a managed policy of the stack's own; its name stands for the role's."""
    yield from _of_document(stack, name, stack.properties(name)["PolicyDocument"])


def _of_document(stack: Stack, owner: str, document: Mapping[str, Any]) -> Iterator[Grant]:
    for statement in _listed(document["Statement"]):
        sid = str(statement.get("Sid", ""))
        line, has_reason = _place(stack, owner, sid)
        for action in _listed(statement.get("Action") or statement.get("NotAction")):
            for resource in _listed(statement.get("Resource") or statement.get("NotResource")):
                yield Grant(
                    owner,
                    sid,
                    str(action),
                    str(resource),
                    statement.get("Condition") or {},
                    line,
                    has_reason,
                    statement["Effect"] == "Allow" and "Action" in statement and "Resource" in statement,
                )


def managed(stack: Stack, role: str) -> list[str]:
    """The ARNs of AWS's policies that a role has."""
    return [str(arn) for arn in _listed(stack.properties(role).get("ManagedPolicyArns") or [])]


def line_of(stack: Stack, logical_id: str) -> int:
    """Where the resource is written that a transformed one comes from."""
    lines, owner = stack.text.splitlines(), stack.owner(logical_id)
    return next((number for number, line in enumerate(lines, 1) if line.startswith(f"  {owner}:")), 1)


def _place(stack: Stack, role: str, sid: str) -> tuple[int, bool]:
    """The line of a statement, and whether it has a comment."""
    start = line_of(stack, role)
    lines = stack.text.splitlines()
    named = re.compile(rf"\bSid: {re.escape(sid)}\b")
    for number in range(start, len(lines) + 1):
        if sid and named.search(lines[number - 1]):
            return number, _has_comment(lines, number)
    return start, False


def _has_comment(lines: Sequence[str], number: int) -> bool:
    """In the comment lines right above a statement, or in its own lines."""
    indent = len(lines[number - 1]) - len(lines[number - 1].lstrip())
    above = number - 2
    if lines[above].lstrip().startswith("#"):
        return True
    for line in lines[number:]:
        inner = len(line) - len(line.lstrip())
        if line.strip() and inner <= indent:
            return False
        if "# " in line:
            return True
    return False


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value] if value is not None else []
