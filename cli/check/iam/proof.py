"""The proof: every role of every template has what it needs, and no more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from cli.check.findings import Finding
from cli.check.iam import compare, needs, stacks
from cli.check.iam.needs import Needs
from cli.check.iam.stacks import Stack


def findings(project: Path, texts: Mapping[str, str] | None = None) -> list[Finding]:
    """Everything that is wrong, in the order of files and lines. `texts` stand in for files of these names."""
    read = stacks.read(project, texts)
    return compared(read, needs.derive(project, read, texts))


def of_project(root: Path) -> tuple[list[Finding], int]:
    """For `turbine check`: what is wrong, and the number of roles that were compared."""
    read = stacks.read(root)
    return compared(read, needs.derive(root, read)), sum(len(list(stack.of_type("AWS::IAM::Role"))) for stack in read)


def compared(read: Sequence[Stack], derived: Needs) -> list[Finding]:
    """What is wrong with stacks, given what is needed."""
    found = list(derived.findings)
    for stack in read:
        for role in stack.of_type("AWS::IAM::Role"):
            found += compare.of_role(stack, role, derived.of_role.get((stack.file, role), []))
            found += compare.trusts(stack, role)
        for policy in stack.of_type("AWS::IAM::ManagedPolicy"):
            found += compare.of_people(stack, policy)
        found += compare.resource_policies(stack)
    return sorted(set(found))
