"""`turbine models rebuild`: the champions of a table that was lost, from the registry and the artifact bucket."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from cli import exit_codes
from cli.cloud import Cloud
from cli.commands import options
from cli.commands.models import require_group
from cli.deployment import team_stacks
from cli.errors import CommandError
from cli.observe.records import Records
from cli.rebuild import evidence, plan
from cli.rebuild.plan import Plan
from cli.rebuild.write import OwnStore, OwnTable, carry_out
from cli.terminal import Terminal
from turbine.domain.errors import ObjectForbiddenError, TurbineError
from turbine.domain.names import package_group

NOT_RESTORED = (
    "Runs' records, claims, decisions and outcomes are not restored: their files are in the artifact bucket, and a run "
    "that had not ended is dropped again."
)


def rebuild(
    teams: Annotated[list[str] | None, typer.Argument(metavar="TEAM", help="Default: all published teams.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Write what is missing. Without it: show it.")] = False,
    stack: options.Stack = options.STACK,
    json_only: options.Json = False,
) -> None:
    """Restore champions, their history and their packages' items in the table, from what is left elsewhere.

    Nothing that is in the table is written over. Exit code 1 when something that is left could not be restored.
    """
    terminal, cloud = Terminal(json_only), Cloud.from_environment(stack)
    table = OwnTable(cloud)
    plans, written = [], dict[str, list[str]]()
    try:
        for team in teams or _all_teams(cloud):
            plans.append(_planned(cloud, table, team))
            written[team] = carry_out(table, plans[-1]) if yes else []
            if not json_only:
                _show(terminal, plans[-1], written[team], yes)
    except TurbineError as error:
        raise CommandError(
            str(error),
            place=f"table {cloud.output('TableName')}, bucket {cloud.output('ArtifactBucketName')}",
            next_step="`turbine models rebuild` may not look there as you: docs/access.md"
            if isinstance(error, ObjectForbiddenError)
            else "type the command again; it goes on where it ended",
        ) from error
    if json_only:
        told = [{**_as_json(one), "written": written[one.team]} for one in plans]
        terminal.print_json({"teams": told, "not_restored": NOT_RESTORED})
    else:
        _say_next(terminal, plans, yes)
    if any(one.obstacles for one in plans):
        raise typer.Exit(exit_codes.FAILED)


def _all_teams(cloud: Cloud) -> Sequence[str]:
    """Raises: CommandError when no team is published."""
    found = team_stacks.published(cloud)
    if found:
        return found
    raise CommandError(
        "no team is published, so that it is not known for whom to look",
        place=f"s3://{cloud.output('DataBucketName')}/{team_stacks.TEAM_FILES}",
        next_step="name them: `turbine models rebuild TEAM ...`; or `turbine teams apply`",
        exit_code=exit_codes.REFUSED,
    )


def _planned(cloud: Cloud, table: OwnTable, team: str) -> Plan:
    group = package_group(cloud.stack, team)
    require_group(cloud, team, group)
    left = evidence.gather(cloud.client("sagemaker"), OwnStore(cloud), cloud.output("ArtifactBucketName"), group, team)
    return plan.of_table(left, table, Records(cloud).champions(team))


def _show(terminal: Terminal, one: Plan, written: Sequence[str], yes: bool) -> None:
    if not one.lines:
        terminal.print_lines([f"team {one.team}: nothing tells of a champion"])
    else:
        terminal.print_table(
            ("", "champion", "version", "since", "how", "by", "run", "left in", "why"),
            [_row(line) for line in one.lines],
            title=f"team {one.team}",
        )
    unknown = [f"champion {line.version}: {', '.join(line.unknown)}" for line in one.lines if line.unknown]
    if unknown:
        terminal.print_lines(["only the lost table knew, so that the nearest that is known stands there instead:"])
        terminal.print_lines([f"  {text}" for text in unknown])
    packages = sum(item["sk"] == "PACKAGE" for item in one.inserts)
    pointer = f"to champion {one.champion.champion_version}" if one.champion else "as it is"
    done = f"{len(written)} items written" if yes else f"{_count(one)} items to write"
    terminal.print_lines([f"the champion {one.pointer}, set {pointer}; {packages} packages missing; {done}"])
    terminal.print_lines(
        [*(f"not restored: {text}" for text in one.obstacles), *(f"note: {text}" for text in one.notes)]
    )


def _row(line: plan.Line) -> tuple[str, ...]:
    champion = line.champion
    if champion is None:
        return (line.status, str(line.version), "", "", "", "", "", "", line.why)
    return (
        line.status,
        str(line.version),
        str(champion.model_version),
        champion.promoted_at[:19],
        champion.kind,
        champion.actor,
        champion.run_id,
        line.source or "",
        line.why or champion.reason,
    )


def _count(one: Plan) -> int:
    return len(one.inserts) + (one.champion is not None)


def _say_next(terminal: Terminal, plans: Sequence[Plan], yes: bool) -> None:
    open_ones = [one.team for one in plans if not one.is_done]
    if open_ones and not yes:
        terminal.say(f"nothing was changed; write it: `turbine models rebuild {' '.join(open_ones)} --yes`")
    if open_ones and yes:
        terminal.say(NOT_RESTORED)
        terminal.say("the approvals follow within the hour; see `turbine models TEAM --history`")
    stuck = [one.team for one in plans if one.obstacles]
    if stuck:
        terminal.say(f"choose the champion of {', '.join(stuck)} yourself: `turbine promote TEAM VERSION --reason WHY`")


def _as_json(one: Plan) -> dict[str, Any]:
    return {
        "team": one.team,
        "champion": {"status": one.pointer, "set_to": one.champion.champion_version if one.champion else None},
        "history": [
            {
                "champion_version": line.version,
                "status": line.status,
                "source": line.source,
                "unknown": list(line.unknown),
                "why": line.why or None,
                "champion": line.champion.model_dump() if line.champion else None,
            }
            for line in one.lines
        ],
        "missing": [f"{item['pk']} {item['sk']}" for item in one.inserts],
        "obstacles": list(one.obstacles),
        "notes": list(one.notes),
    }
