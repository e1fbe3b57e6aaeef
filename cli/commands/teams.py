"""`turbine teams …`: a team is a file, and a small stack made from it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli import exit_codes
from cli.cloud import Cloud
from cli.commands import options
from cli.deployment import change_sets, main_stack, sam_config, team_stacks
from cli.embedded.daemon import PROJECT_DIR
from cli.errors import CommandError
from cli.terminal import Terminal
from turbine.domain.names import is_team

app = typer.Typer(help="Teams: add, change and remove them.", no_args_is_help=True)


@app.command("apply", epilog=exit_codes.SUMMARY)
def apply(
    teams_dir: Annotated[Path, typer.Option("--teams-dir", help="The folder of the team files.")] = PROJECT_DIR
    / "config"
    / "teams",
    config_env: Annotated[
        str | None,
        typer.Option("--config-env", help="A section of samconfig.toml whose overrides the team stacks take too."),
    ] = None,
    stack: options.Stack = options.STACK,
    json_only: options.Json = False,
) -> None:
    """Check every team file, publish it, and create or update the team's stack."""
    terminal = Terminal(json_only)
    cloud = Cloud.from_environment(stack)
    overrides = sam_config.parameter_overrides(PROJECT_DIR / main_stack.SAM_CONFIG, config_env) if config_env else {}
    teams = team_stacks.read_files(teams_dir, cloud.outputs)
    team_stacks.check_count(cloud, teams)
    results = team_stacks.apply(
        cloud,
        teams,
        PROJECT_DIR / main_stack.TEAM_TEMPLATE,
        overrides,
        lambda team, result: terminal.say(f"team {team}: {result}"),
    )
    if json_only:
        terminal.print_json({"teams": results})


@app.command("remove", epilog=exit_codes.SUMMARY)
def remove(
    team: Annotated[str, typer.Argument(help="The team's name.")],
    stack: options.Stack = options.STACK,
    json_only: options.Json = False,
) -> None:
    """Delete a team's stack and its published file. Its data, models and records stay."""
    terminal = Terminal(json_only)
    if not is_team(team):
        raise CommandError(
            f"{team!r} is not a team's name",
            next_step="`turbine teams remove NAME`, as in config/teams/NAME.yaml",
            exit_code=exit_codes.REFUSED,
        )
    cloud = Cloud.from_environment(stack)
    cloud.client("s3").delete_object(Bucket=cloud.output("DataBucketName"), Key=team_stacks.file_key(team))
    removed = change_sets.delete(cloud.client("cloudformation"), team_stacks.stack_name(stack, team))
    if json_only:
        terminal.print_json({"team": team, "removed": removed})
    else:
        terminal.say(f"team {team}: {'removed; its data stays' if removed else 'there was no such team'}")
