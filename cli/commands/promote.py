"""`turbine promote` and `turbine rollback`: people change a champion, through the same machine as the runs do."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cli import exit_codes
from cli.cloud import Cloud
from cli.commands import options
from cli.commands.models import require_group
from cli.errors import CommandError
from cli.observe import promotions
from cli.observe.records import Records
from cli.terminal import Terminal
from turbine.domain.champion import Champion, Kind, predecessor
from turbine.domain.names import package_group

Team = Annotated[str, typer.Argument(help="The team's name.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; it stays in the champion's history.")]
Timeout = Annotated[float, typer.Option("--timeout", min=1, help="Seconds to wait for the answer.")]


def promote(
    team: Team,
    version: Annotated[int, typer.Argument(min=1, help="The model's version, as `turbine models` lists it.")],
    reason: Reason,
    timeout_s: Timeout = 120,
    stack: options.Stack = options.STACK,
    json_only: options.Json = False,
) -> None:
    """Make a registered model its team's champion, whatever the rule said of it."""
    terminal, cloud = Terminal(json_only), Cloud.from_environment(stack)
    _require_reason(reason)
    history = _history(cloud, team)
    reigning = history[-1] if history else None
    if reigning is not None and reigning.model_version == version:
        raise CommandError(
            f"version {version} is the champion of team {team} already, since {reigning.promoted_at}",
            next_step=f"`turbine models {team} --history` says why",
            exit_code=exit_codes.REFUSED,
        )
    described = promotions.package(cloud, team, package_group(stack, team), version)
    model = {
        "run_id": described.get("CustomerMetadataProperties", {}).get("run_id", ""),
        "model_package_arn": described["ModelPackageArn"],
        "model_version": version,
    }
    _change(terminal, cloud, team, model, history, reason, "promotion", timeout_s)


def rollback(
    team: Team,
    reason: Reason,
    to: Annotated[
        int | None, typer.Option("--to", min=1, help="A former champion's version. Default: the one before.")
    ] = None,
    timeout_s: Timeout = 120,
    stack: options.Stack = options.STACK,
    json_only: options.Json = False,
) -> None:
    """Bring a former champion back; with an inference input its predictions are made anew."""
    terminal, cloud = Terminal(json_only), Cloud.from_environment(stack)
    _require_reason(reason)
    history = _history(cloud, team)
    former = _former(team, history, to)
    names = {"run_id", "model_package_arn", "model_version"}
    _change(terminal, cloud, team, former.model_dump(include=names), history, reason, "rollback", timeout_s)


def _former(team: str, history: list[Champion], version: int | None) -> Champion:
    """Whom to bring back. Raises: CommandError."""
    if not history:
        raise CommandError(
            f"team {team} has no champion yet",
            next_step=f"`turbine promote {team} VERSION --reason TEXT`, or drop a manifest",
            exit_code=exit_codes.REFUSED,
        )
    if version is None:
        found = predecessor(history)
    elif version == history[-1].model_version:
        found = None
    else:
        found = next((one for one in reversed(history) if one.model_version == version), None)
    if found is None:
        raise CommandError(
            f"team {team} has no former champion to go back to"
            if version is None
            else f"version {version} is not a former champion of team {team}",
            next_step=f"`turbine models {team} --history` lists them; any version: `turbine promote`",
            exit_code=exit_codes.REFUSED,
        )
    return found


def _change(
    terminal: Terminal,
    cloud: Cloud,
    team: str,
    model: dict[str, Any],
    history: list[Champion],
    reason: str,
    kind: Kind,
    timeout_s: float,
) -> None:
    """Ask, wait and tell."""
    expected = history[-1].champion_version if history else 0
    request = {**model, "expected_champion_version": expected, "reason": reason, "kind": kind}
    request_id = promotions.ask(cloud, team, request)
    terminal.say(f"asked for it; request {request_id}")
    made = promotions.wait(cloud, team, request_id, expected, timeout_s)
    before = history[-1].model_dump() if history else None
    if terminal.json_only:
        terminal.print_json({"team": team, "champion": made.model_dump(), "before": before})
        return
    was = f" instead of version {history[-1].model_version}" if history else ""
    terminal.print_lines(
        [f"champion {made.champion_version} of {team}: version {made.model_version}{was}, run {made.run_id}"]
    )


def _history(cloud: Cloud, team: str) -> list[Champion]:
    require_group(cloud, team, package_group(cloud.stack, team))
    return Records(cloud).champions(team)


def _require_reason(reason: str) -> None:
    if not reason.strip():
        raise CommandError(
            "--reason is empty", next_step="say why, in a sentence that others will read", exit_code=exit_codes.REFUSED
        )
