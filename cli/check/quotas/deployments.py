"""The templates as deployed under the longest names: of the stack, of a team, of what CloudFormation names itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cli.check.iam import grants, stacks
from cli.check.iam.intrinsics import Deployment
from cli.check.iam.stacks import Stack
from cli.check.quotas import longest
from cli.check.quotas.meter import Place
from local_cloud.cloudformation.templates import parse
from turbine.domain import team as teams

_GENERATED = {
    "AWS::S3::Bucket": 63,
    "AWS::Lambda::Function": 64,
    "AWS::IAM::Role": 64,
    "AWS::SQS::Queue": 80,
    "AWS::Events::Rule": 64,
}
"""To how many characters CloudFormation cuts the name that it makes: `<stack>-<logical id>-<12 characters>`."""
_RANDOM = 12
PREDICTION = "stacks/prediction.yaml"


class Longest(Deployment):
    """A deployment whose generated names are as long as CloudFormation makes them."""

    def name(self, logical_id: str) -> str:
        named = super().name(logical_id)
        kind = self.resource(logical_id)["Type"]
        if named not in (logical_id, logical_id.lower()):
            return named
        room = _GENERATED.get(kind, 255) - len(logical_id) - len("--") - _RANDOM
        made = f"{self.stack[: max(room, 0)]}-{logical_id}-{'X' * _RANDOM}"
        return made.lower() if kind in ("AWS::S3::Bucket", "AWS::ECR::Repository") else made


@dataclass(frozen=True)
class Project:
    """The stacks of the longest names. `texts` stand in for files of these names."""

    root: Path
    texts: Mapping[str, str]
    stacks: tuple[Stack, ...]
    stack_name: str
    team: str

    @property
    def image(self) -> str:
        """The inference image, with the longest tag."""
        main = self.stacks[0]
        return str(main.deployed.resolved(main.written["Outputs"]["InferenceImageUri"]["Value"]))

    def text(self, file: str) -> str:
        """A file of the project as it is, or as it would be. Raises: OSError."""
        return self.texts.get(file) or (self.root / file).read_text(encoding="utf-8")

    def place(self, stack: Stack, logical_id: str) -> Place:
        """Where a resource is written."""
        return Place(stack.file, grants.line_of(stack, logical_id), logical_id)


def read(root: Path, texts: Mapping[str, str] | None = None) -> Project:
    """Raises: OSError."""
    given = dict(texts or {})
    nested = given.get(PREDICTION) or (root / PREDICTION).read_text(encoding="utf-8")
    name, team = longest.stack_name(parse(nested)), longest.team()
    main, *inner, of_team = stacks.read(root, given, name, team)
    deployed = _longest(main, longest.parameters(main.written))
    wrapped: list[Stack] = []
    for logical_id, resource in main.of_type("AWS::CloudFormation::Stack").items():
        stack = inner[len(wrapped)]
        handed = deployed.deployed.resolved(resource["Properties"].get("Parameters") or {})
        within = _longest(stack, longest.parameters(stack.written) | handed)
        within.deployed.stack = f"{name}-{logical_id}-{'X' * (_RANDOM + 1)}"
        deployed.deployed.nested[logical_id] = within.deployed
        wrapped.append(within)
    outputs = {one: deployed.deployed.resolved(value["Value"]) for one, value in main.written["Outputs"].items()}
    known = set(of_team.written["Parameters"])
    own = {**outputs, **_of_team(name, team)}
    team_stack = _longest(
        of_team, longest.parameters(of_team.written) | {one: value for one, value in own.items() if one in known}
    )
    return Project(root, given, (deployed, *wrapped, team_stack), name, team)


def _of_team(name: str, team: str) -> dict[str, Any]:
    """What `turbine teams apply` hands to a team's stack of its file."""
    schedule = {key: "a" * longest.schema_bound(teams.Schedule, key) for key in ("cron", "timezone")}
    return {
        "TurbineStack": name,
        "TeamName": team,
        "Schedule": schedule["cron"],
        "ScheduleTimezone": schedule["timezone"],
    }


def _longest(stack: Stack, parameters: Mapping[str, Any]) -> Stack:
    deployed = Longest(stack.deployed.stack, stack.deployed.template, parameters, region=longest.region())
    return replace(stack, deployed=deployed)
