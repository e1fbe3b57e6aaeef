"""`turbine models TEAM`: the champion, and every registered version."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from botocore.exceptions import ClientError

from cli import exit_codes
from cli.cloud import Cloud
from cli.commands import options
from cli.errors import CommandError
from cli.observe.records import Records
from cli.terminal import Terminal, status_text
from turbine.domain.names import package_group


def models(
    team: Annotated[str, typer.Argument(help="The team's name.")],
    stack: options.Stack = options.STACK,
    json_only: options.Json = False,
) -> None:
    """List a team's registered models, newest first, and mark the champion."""
    terminal = Terminal(json_only)
    cloud = Cloud.from_environment(stack)
    champion = Records(cloud).champion(team)
    packages = _packages(cloud, package_group(stack, team))
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


def _packages(cloud: Cloud, group: str) -> list[dict[str, Any]]:
    pages = cloud.client("sagemaker").get_paginator("list_model_packages")
    try:
        listed = [
            entry
            for page in pages.paginate(ModelPackageGroupName=group, SortBy="CreationTime", SortOrder="Descending")
            for entry in page["ModelPackageSummaryList"]
        ]
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("ValidationException", "ResourceNotFound"):
            raise
        raise CommandError(
            f"there is no model package group {group!r}",
            place=str(error),
            next_step="`turbine teams apply`, with the team's file in config/teams",
            exit_code=exit_codes.REFUSED,
        ) from error
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
