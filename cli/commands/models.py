"""`turbine models TEAM`: the champion, and every registered version."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from botocore.exceptions import ClientError
from typer.core import TyperGroup

from cli import exit_codes
from cli.cloud import Cloud
from cli.commands import champion_history, options
from cli.deployment import team_stacks
from cli.errors import CommandError
from cli.observe.records import Records
from cli.terminal import Terminal, status_text
from turbine.domain.names import package_group

TEAM = "TEAM"


class TeamGroup(TyperGroup):
    """`turbine models TEAM` beside `turbine models rebuild`: what is no command's name is a team's.

    A team of that name is asked for by `turbine models -- rebuild`.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args[:1] not in (["--help"], *([name] for name in self.commands if name != TEAM)):
            args = [TEAM, *args]
        return super().parse_args(ctx, args)


def models(
    team: Annotated[str, typer.Argument(help="The team's name.")],
    history: Annotated[bool, typer.Option("--history", help="Every champion: which, from when to when, why.")] = False,
    on: Annotated[
        str | None, typer.Option("--on", metavar="DAY|MOMENT", help="Who was champion then: 2026-11-23, in UTC.")
    ] = None,
    stack: options.Stack = options.STACK,
    json_only: options.Json = False,
) -> None:
    """List a team's registered models, newest first, and mark the champion; or who was champion when, and why."""
    terminal = Terminal(json_only)
    cloud = Cloud.from_environment(stack)
    group = package_group(stack, team)
    require_group(cloud, team, group)
    if history or on is not None:
        champion_history.show(terminal, Records(cloud).champions(team), team, on)
        return
    champion = Records(cloud).champion(team)
    packages = _packages(cloud, group)
    if json_only:
        terminal.print_json({"team": team, "champion": champion, "models": packages})
        return
    if not packages:
        terminal.say(f"team {team} has no model yet: drop a manifest with `turbine drop FILE`")
        return
    arn = champion["model_package_arn"] if champion else None
    terminal.print_table(
        ("", "version", "approval", "created", "package"),
        [
            (
                status_text("champion" if package["model_package_arn"] == arn else ""),
                str(package["model_version"]),
                package["approval"],
                package["created_at"][:19],
                package["model_package_arn"],
            )
            for package in packages
        ],
    )
    if champion:
        terminal.print_lines(
            ["", f"champion {champion['champion_version']}: run {champion['run_id']}, {champion['reason']}"]
        )


def require_group(cloud: Cloud, team: str, group: str) -> None:
    """Raises: CommandError with the known teams when the registry has no group of the team."""
    try:
        cloud.client("sagemaker").describe_model_package_group(ModelPackageGroupName=group)
    except ClientError as error:
        # Source: https://docs.aws.amazon.com/sagemaker/latest/APIReference/CommonErrors.html
        if error.response["Error"]["Code"] not in ("ValidationException", "ValidationError", "ResourceNotFound"):
            raise
        known = ", ".join(team_stacks.published(cloud))
        raise CommandError(
            f"unknown team {team!r}",
            place=f"no model package group {group!r} in the registry",
            next_step=f"name one of: {known}" if known else "`turbine teams apply` makes the teams of config/teams",
            exit_code=exit_codes.REFUSED,
        ) from error


def _packages(cloud: Cloud, group: str) -> list[dict[str, Any]]:
    pages = cloud.client("sagemaker").get_paginator("list_model_packages")
    listed = [
        entry
        for page in pages.paginate(ModelPackageGroupName=group, SortBy="CreationTime", SortOrder="Descending")
        for entry in page["ModelPackageSummaryList"]
    ]
    return [
        {
            "model_package_arn": entry["ModelPackageArn"],
            "model_version": entry.get("ModelPackageVersion"),
            "approval": entry.get("ModelApprovalStatus"),
            "status": entry.get("ModelPackageStatus"),
            "created_at": entry["CreationTime"].isoformat(),
        }
        for entry in listed
    ]
