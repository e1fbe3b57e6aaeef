"""The tables of docs/access.md, and what the policies for people say to each of their rows."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli.check.iam import stacks
from cli.check.iam.intrinsics import ACCOUNT, REGION, Deployment
from local_cloud.authorization import policies
from local_cloud.authorization.policies import Statement

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/access.md"
TEAM = "vision"
POLICIES_OF: dict[str, tuple[str, ...]] = {
    "member": ("TeamMemberPolicy",),
    "lead": ("TeamMemberPolicy", "TeamLeadPolicy"),
    "engineer": ("PlatformEngineerPolicy", "RunOperatorPolicy"),
}
_HEADER = ["what", "action", "resource", "with", *POLICIES_OF]
_VERDICTS = {"yes": True, "–": False}
_CODE = re.compile(r"`([^`]+)`")
_SERVICE = re.compile(r"[a-z]+:(?!.*:aws:)")

Documents = Mapping[str, Any]
"""Policy documents without intrinsics, by logical id."""


@dataclass(frozen=True)
class Row:
    """One row: each of its actions on each of its resources has the same verdict for each of the three."""

    line: int
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    context: Mapping[str, Sequence[str]]
    is_tagged: bool
    expected: Mapping[str, bool]


def documents(deployment: Deployment) -> dict[str, Any]:
    """The policies for people, as CloudFormation gives them to IAM."""
    names = {name for given in POLICIES_OF.values() for name in given}
    return {
        name: deployment.resolved(deployment.resource(name)["Properties"]["PolicyDocument"]) for name in sorted(names)
    }


def deployed() -> Deployment:
    """The main stack of a made-up deployment, with a role to deploy in, and its two dead letter queues told apart."""
    (main,) = [stack for stack in stacks.read(ROOT) if stack.file == stacks.MAIN]
    main.deployed.parameters = {"DeploymentRoleArn": f"arn:aws:iam::{ACCOUNT}:role/deployment"}
    inner = main.deployed.nested["Prediction"]
    queue = {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "PredictionDeadLetters"}}
    inner.template = {**inner.template, "Resources": {**inner.template["Resources"], "DeadLetters": queue}}
    return main.deployed


def rows(deployment: Deployment, page: str) -> list[Row]:
    """Raises: ValueError naming a line that is no row."""
    found, is_table = [], False
    for number, line in enumerate(page.splitlines(), 1):
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")] if line.startswith("|") else []
        if cells == _HEADER:
            is_table = True
        elif not cells:
            is_table = False
        elif is_table and set(line) - set("|-"):
            found.append(_row(deployment, number, cells))
    return found


def _row(deployment: Deployment, line: int, cells: Sequence[str]) -> Row:
    if len(cells) != len(_HEADER):
        raise ValueError(f"line {line} has {len(cells)} cells, not {len(_HEADER)}")
    _, actions, resources, given, *verdicts = cells
    if unknown := set(verdicts) - set(_VERDICTS):
        raise ValueError(f"line {line}: {unknown} is no verdict")
    facts = [one.strip() for one in given.split(",") if one.strip()]
    pairs = [one.partition("=") for one in facts if one != "no tag"]
    return Row(
        line,
        tuple(_CODE.findall(actions)),
        tuple(_arn(deployment, one) for one in _CODE.findall(resources)),
        {key.lower(): [value] for key, _, value in pairs},
        "no tag" not in facts,
        {who: _VERDICTS[verdict] for who, verdict in zip(POLICIES_OF, verdicts, strict=True)},
    )


def _arn(deployment: Deployment, text: str) -> str:
    """`DataBucket/key`, `Prediction.DeadLetters`, `states:execution:…` or an ARN as an ARN."""
    if text == "*" or text.startswith("arn:"):
        return text
    if _SERVICE.match(text):
        service, _, rest = text.partition(":")
        return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{rest}"
    place, slash, rest = text.partition("/")
    owner = deployment
    *outer, name = place.split(".")
    for nested in outer or [one for one, inner in deployment.nested.items() if _has_only(inner, deployment, name)]:
        owner = deployment.nested[nested]
    return f"{owner.attribute(name, 'Arn')}{slash}{rest}"


def _has_only(inner: Deployment, outer: Deployment, name: str) -> bool:
    return name in inner.template["Resources"] and name not in outer.template["Resources"]


def wrong(documents: Documents, rows: Sequence[Row], changed: str = "") -> Iterator[str]:
    """What comes out otherwise than the tables say: line, person, action and resource.

    `changed`: a policy, if only those who have it are to be asked about.
    """
    statements = {name: policies.parse(json.dumps(document)) for name, document in documents.items()}
    asked = {who: names for who, names in POLICIES_OF.items() if not changed or changed in names}
    for row in rows:
        for who, names in asked.items():
            context = {**row.context, **({"aws:principaltag/team": [TEAM]} if _has_tag(row, who) else {})}
            own = [one for name in names for one in statements[name]]
            for action in row.actions:
                for resource in row.resources:
                    if _allows(own, action, resource, context) is not row.expected[who]:
                        verdict = "is denied" if row.expected[who] else "is allowed"
                        yield f"docs/access.md:{row.line}: {who}: {action} on {resource} {verdict}"


def _has_tag(row: Row, who: str) -> bool:
    return row.is_tagged and who != "engineer"


def _allows(statements: Sequence[Statement], action: str, resource: str, context: Mapping[str, Sequence[str]]) -> bool:
    found = policies.decisive(statements, action, resource, context)
    return found is not None and found.allows


@dataclass(frozen=True)
class Mutant:
    """The policies with one part of one statement of `policy` changed, and the services that it is about."""

    policy: str
    what: str
    documents: Documents
    services: frozenset[str]

    def is_found(self, rows: Sequence[Row]) -> bool:
        """Whether a row comes out otherwise than the tables say."""
        about = [row for row in rows if self.services & set(map(_service, row.actions))]
        return next(wrong(self.documents, about, self.policy), None) is not None


def mutants(documents: Documents) -> Iterator[Mutant]:
    """Each policy without one statement, action, resource, condition or value of one; bound to no team; on every
    resource; and with all actions of a service."""
    for name, document in documents.items():
        for index, statement in enumerate(document["Statement"]):
            services = frozenset(map(_service, _listed(statement["Action"])))
            for what, changed in _changed(statement):
                left = document["Statement"][:index] + [changed] * bool(changed) + document["Statement"][index + 1 :]
                made = {**documents, name: {**document, "Statement": left}}
                yield Mutant(name, f"{statement['Sid']}: {what}", made, services)


def _changed(statement: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any] | None]]:
    yield "no statement", None
    for element in ("Action", "Resource"):
        given = _listed(statement[element])
        for index, one in enumerate(given):
            if len(given) > 1:
                yield f"without {one}", {**statement, element: given[:index] + given[index + 1 :]}
            if element == "Resource" and (wider := _untied(one)) != one:
                yield f"{one} of every team", {**statement, element: [*given[:index], wider, *given[index + 1 :]]}
        wildcards = {"*"} if element == "Resource" else {f"{_service(action)}:*" for action in given}
        for wildcard in sorted(wildcards - set(given)):
            yield f"{element} {wildcard}", {**statement, element: [*given, wildcard]}
    for operator, keys in (statement.get("Condition") or {}).items():
        for key, values in keys.items():
            for what, changed in _loosened(_listed(values)):
                left = {**keys, key: changed} if changed else {one: keys[one] for one in keys if one != key}
                conditions = {**statement["Condition"], operator: left}
                yield f"{operator} {key} {what}", {**statement, "Condition": {k: v for k, v in conditions.items() if v}}


def _loosened(values: list[str]) -> Iterator[tuple[str, list[str] | None]]:
    yield "unbound", None
    for index, value in enumerate(values):
        rest = values[:index] + values[index + 1 :]
        if rest:
            yield f"without {value}", rest
        if (wider := _untied(value)) != value:
            yield f"{value} of every team", [*rest, wider]


def _untied(text: str) -> str:
    return text.replace("${aws:PrincipalTag/team}", "*")


def _service(action: str) -> str:
    return action.partition(":")[0]


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
