"""The project's templates as CloudFormation gets them: transformed by SAM, with a made-up deployment's values.

Not what is written but what SAM makes of it is looked at: roles that nobody wrote count too. The main template brings
its nested stack; a team's template is deployed with the main one's outputs, as `turbine teams apply` does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli.check.expansion import expanded
from cli.check.iam.intrinsics import Deployment
from local_cloud.cloudformation.templates import parse

STACK, TEAM = "turbine", "teamname"
MAIN, TEAM_TEMPLATE = "template.yaml", "stacks/team.yaml"


@dataclass(frozen=True)
class Stack:
    """A template: its file, its text, what was written, and what SAM made of it in a deployment."""

    file: str
    text: str
    written: Mapping[str, Any]
    deployed: Deployment

    def of_type(self, *types: str) -> dict[str, Mapping[str, Any]]:
        """The resources of some types, transformed, by logical id."""
        resources = self.deployed.template["Resources"]
        return {name: one for name, one in resources.items() if one["Type"] in types}

    def properties(self, logical_id: str) -> dict[str, Any]:
        """A resource's properties without intrinsics."""
        given: dict[str, Any] = self.deployed.resolved(self.deployed.resource(logical_id).get("Properties") or {})
        return given

    def owner(self, logical_id: str) -> str:
        """The written resource that a transformed one comes from: the longest whose name it begins with."""
        names = [name for name in self.written["Resources"] if logical_id.startswith(name)]
        return max(names, key=len, default=logical_id)


def read(project: Path, texts: Mapping[str, str] | None = None, name: str = STACK, team: str = TEAM) -> list[Stack]:
    """All stacks of a main stack's name and a team's.

    `texts` stand in for files of these names: what a proof would say if they were written so.
    """
    given = texts or {}

    def text_of(file: str) -> str:
        return given.get(file) or (project / file).read_text(encoding="utf-8")

    main = _stack(text_of(MAIN), MAIN, name, {})
    inner = []
    for logical_id, resource in main.of_type("AWS::CloudFormation::Stack").items():
        file = main.written["Resources"][logical_id]["Properties"]["TemplateURL"]
        stack = _stack(text_of(file), file, f"{name}-{logical_id}", {})
        main.deployed.nested[logical_id] = stack.deployed
        inner.append((stack, resource))
    for stack, resource in inner:
        stack.deployed.parameters = main.deployed.resolved(resource["Properties"].get("Parameters") or {})
    outputs = {output: main.deployed.resolved(one["Value"]) for output, one in main.written["Outputs"].items()}
    of_team = {**outputs, "TeamName": team, "Schedule": "rate(1 day)", "TurbineStack": name}
    teams = _stack(text_of(TEAM_TEMPLATE), TEAM_TEMPLATE, f"{name}-team-{team}", of_team)
    return [main, *(stack for stack, _ in inner), teams]


def _stack(text: str, file: str, name: str, parameters: Mapping[str, Any]) -> Stack:
    written = parse(text)
    return Stack(file, text, written, Deployment(name, expanded(written), parameters))
