"""Grants against needs: no less, no more, no wildcard without its reason."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from cli.check.findings import Finding
from cli.check.iam import actions, grants
from cli.check.iam.grants import Grant
from cli.check.iam.needs import Need
from cli.check.iam.rules import finding
from cli.check.iam.stacks import Stack
from local_cloud.authorization.conditions import like_arn

_KINDS = re.compile(r".*:(job|model|transform-job|model-package|function|role)[/:]\*")
"""ARNs that end in `*` right after their kind: every job, every model."""
_NO_ACCOUNT = {
    "lambda.amazonaws.com": "AWS documents no aws:SourceAccount for a function's role, and SAM writes the trust",
    "ec2.amazonaws.com": "an instance profile's role is taken on by EC2 itself, which passes no source",
}
"""Services whose trust has no condition, each with the reason."""


def of_role(stack: Stack, role: str, needs: Sequence[Need]) -> Iterator[Finding]:
    """Everything that is wrong with one role's permissions."""
    given = list(grants.of_role(stack, role))
    line = grants.line_of(stack, role)
    for need in _distinct(needs):
        if not any(_allows(grant, need) for grant in given):
            what = f"{need.action} on {need.resource} is missing: {need.why}"
            yield finding(stack.file, line, role, "missing", what, "grant it")
    for grant in given:
        yield from _unneeded(stack, grant, needs)
        yield from _wildcards(stack, grant)
    for arn in grants.managed(stack, role):
        if arn not in actions.MANAGED_POLICIES:
            instead = "write what is needed of it, or give the reason in cli/check/iam/actions.py"
            yield finding(stack.file, line, role, "managed", f"{arn} grants what nobody derived", instead)


def of_people(stack: Stack, policy: str) -> Iterator[Finding]:
    """What is wrong with the form of a policy for people. What they need no code tells: docs/access.md does."""
    for grant in grants.of_managed_policy(stack, policy):
        if not grant.is_allow:
            what, instead = "Deny, NotAction or NotResource", "say what is allowed, action by action"
            yield finding(stack.file, grant.line, _where(grant), "form", what, instead)
        yield from _wildcards(stack, grant)


def _allows(grant: Grant, need: Need) -> bool:
    return (
        grant.is_allow
        and grant.action == need.action
        and like_arn(grant.resource, need.resource)
        and _condition_fits(grant.condition, need.condition)
    )


def _condition_fits(given: Mapping[str, Any], needed: Mapping[str, Sequence[str]]) -> bool:
    """Whether a grant is bound to all that the need is bound to, and to nothing else."""
    bound = {
        key: sorted(map(str, values if isinstance(values, list) else [values]))
        for operator, keys in given.items()
        if operator != "Null"
        for key, values in keys.items()
    }
    return bound == {key: sorted(values) for key, values in needed.items()}


def _unneeded(stack: Stack, grant: Grant, needs: Sequence[Need]) -> Iterator[Finding]:
    own = [need for need in needs if need.action == grant.action]
    where = _where(grant)
    if not grant.is_allow:
        instead = "say what is allowed, action by action"
        yield finding(stack.file, grant.line, where, "form", "Deny, NotAction or NotResource in a role", instead)
    elif not own:
        yield finding(stack.file, grant.line, where, "unneeded", f"nothing needs {grant.action}", "remove it")
    elif not any(like_arn(need.resource, grant.resource) for need in own):
        wanted = sorted({need.resource for need in own})
        what = f"{grant.action} on {grant.resource} is more than is needed"
        yield finding(stack.file, grant.line, where, "too wide", what, f"grant it on {', '.join(wanted)}")
    elif not any(_allows(grant, need) for need in own):
        told = [str(dict(need.condition)) for need in own if need.condition] or ["nothing"]
        what = f"{grant.action} on {grant.resource} is not bound as it should be"
        yield finding(stack.file, grant.line, where, "condition", what, f"bind it to {told[0]}")


def _wildcards(stack: Stack, grant: Grant) -> Iterator[Finding]:
    where = _where(grant)
    if "*" in grant.action or "?" in grant.action:
        yield finding(stack.file, grant.line, where, "wildcard", f"the action {grant.action}", "name the actions")
    if grant.action == "iam:PassRole" and ("*" in grant.resource or not _passed_to(grant)):
        what = f"iam:PassRole on {grant.resource}, to {_passed_to(grant) or 'any service'}"
        yield finding(stack.file, grant.line, where, "PassRole", what, "name the role and iam:PassedToService")
    if grant.resource == "*" and grant.action not in actions.NO_RESOURCE:
        what = f"{grant.action} on *, though the action knows resources"
        yield finding(stack.file, grant.line, where, "wildcard", what, "name the resource")
    if (grant.resource == "*" or _KINDS.fullmatch(grant.resource)) and not grant.has_reason:
        what = f"{grant.action} on {grant.resource} without the reason beside it"
        yield finding(stack.file, grant.line, where, "reason", what, "say why in a comment at the statement")


def _passed_to(grant: Grant) -> str:
    return str((grant.condition.get("StringEquals") or {}).get("iam:PassedToService", ""))


def trusts(stack: Stack, role: str) -> Iterator[Finding]:
    """Whether a role is lent to one's own account's resources only."""
    line = grants.line_of(stack, role)
    for statement in _statements(stack.properties(role)["AssumeRolePolicyDocument"]):
        for service in _services(statement):
            if service not in _NO_ACCOUNT and not _is_own(statement):
                what = f"{service} may take the role on for anybody's resources"
                instead = "bind the trust to aws:SourceAccount or aws:SourceArn"
                yield finding(stack.file, line, role, "trust", what, instead)


_POLICIES = {
    "AWS::S3::BucketPolicy": "PolicyDocument",
    "AWS::SQS::QueuePolicy": "PolicyDocument",
    "AWS::SNS::TopicPolicy": "PolicyDocument",
    "AWS::KMS::Key": "KeyPolicy",
    "AWS::Events::EventBusPolicy": "Statement",
}


def resource_policies(stack: Stack) -> Iterator[Finding]:
    """Whether a service that a resource lets in comes from one's own account."""
    for name, resource in stack.of_type(*_POLICIES).items():
        for statement in _statements(stack.properties(name).get(_POLICIES[resource["Type"]]) or {}):
            allows = statement.get("Effect") == "Allow"
            if allows and (_services(statement) or statement.get("Principal") == "*") and not _is_own(statement):
                what = f"the statement {statement.get('Sid', '')} lets in whoever sends through {_services(statement)}"
                instead = "bind it to aws:SourceAccount or aws:SourceArn"
                yield finding(stack.file, grants.line_of(stack, name), name, "resource policy", what, instead)
    for name in stack.of_type("AWS::Lambda::Permission"):
        given = stack.properties(name)
        if not given.get("SourceArn") and not given.get("SourceAccount"):
            what = f"{given.get('Principal')} may invoke {given.get('FunctionName')} for anybody"
            line = grants.line_of(stack, name)
            yield finding(stack.file, line, name, "resource policy", what, "give its SourceArn")


def _statements(document: Any) -> Iterable[Mapping[str, Any]]:
    found = document.get("Statement", document) if isinstance(document, Mapping) else document
    return found if isinstance(found, list) else [found]


def _services(statement: Mapping[str, Any]) -> list[str]:
    principal = statement.get("Principal")
    given = principal.get("Service", []) if isinstance(principal, Mapping) else []
    return [str(one) for one in (given if isinstance(given, list) else [given])]


def _is_own(statement: Mapping[str, Any]) -> bool:
    keys = {key.lower() for one in (statement.get("Condition") or {}).values() for key in one}
    return bool(keys & {"aws:sourceaccount", "aws:sourcearn"})


def _distinct(needs: Iterable[Need]) -> list[Need]:
    return list({(need.action, need.resource, str(need.condition)): need for need in needs}.values())


def _where(grant: Grant) -> str:
    return f"{grant.role}/{grant.sid}" if grant.sid else grant.role
