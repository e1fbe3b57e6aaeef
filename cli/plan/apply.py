"""Write a plan into the team files, and make it true.

Only the keys `compute` and, for staggered triggers, `schedule` are replaced; the rest of a file, its comments too,
stays as it is. Where a plan gives the runs of one team different numbers of VMs, their number is left to the plan that
is made when they start (`auto`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import typer

from cli.cloud import Cloud
from cli.deployment import main_stack, team_stacks
from cli.embedded.daemon import PROJECT_DIR
from cli.plan.alternatives import STAGGER_SLACK, Alternative
from cli.plan.comparison import Comparison
from cli.plan.request import read_team, refused
from cli.terminal import Terminal
from turbine.domain import team as team_domain
from turbine.domain.rejection import ManifestFaultyError

_CRON = re.compile(r"cron\(([0-5]?\d) ([01]?\d|2[0-3]) (\S+) (\S+) (\S+) (\S+)\)")
STAGGERED = "turbine plan: staggered"
"""Marks a schedule that a plan has written: another plan takes it away."""
_MINUTES_PER_DAY = 24 * 60
BASE_SCHEDULE = "cron(0 2 ? * MON,THU *)"
"""The template's default of TrainingSchedule."""


@dataclass(frozen=True)
class Change:
    """A team file and its new text."""

    path: Path
    before: str
    after: str


def changes(compared: Comparison, teams_dir: Path, base_cron: str, timezone: str = "UTC") -> list[Change]:
    """What the plan changes in the team files. Raises: CommandError when a file would not be valid then.

    Staggered triggers are on one clock, whatever each team's was: `timezone`.
    """
    best = compared.recommended
    found = []
    for place, team in enumerate(_by_first_start(best)):
        path, text = _file_of(teams_dir, team)
        compute = {"nodes": _nodes(best, team), "priority": team_domain.PRIORITY_MAX - place}
        after = with_block(text, "compute", compute)
        if best.name == "staggered":
            schedule = {"cron": shifted(base_cron, _offset_minutes(compared, place)), "timezone": timezone}
            after = with_block(after, "schedule", schedule, STAGGERED)
        else:
            after = without_block(after, "schedule", STAGGERED)
        _check(path, after)
        if after != text:
            found.append(Change(path, text, after))
    return found


def apply(
    terminal: Terminal, compared: Comparison, teams_dir: Path, base_cron: str | None, cloud: Cloud, *, confirmed: bool
) -> dict[str, str]:
    """Show the changes, ask, write them, and apply the teams: each team's result. Raises: CommandError.

    Without a `base_cron` staggered triggers begin with the stack's own schedule.
    """
    cap = int(cloud.outputs.get("MaxVms", compared.request.vms))
    if compared.request.vms > cap:
        cause = f"the plan is for {compared.request.vms} VMs, and {cloud.stack} has at most {cap}"
        raise refused(cause, f"plan with --vms {cap}, or deploy with a greater MaxVms", "--apply")
    parameters = {one["ParameterKey"]: one["ParameterValue"] for one in cloud.description.get("Parameters", [])}
    first = base_cron or parameters.get("TrainingSchedule", BASE_SCHEDULE)
    planned = changes(compared, teams_dir, first, parameters.get("TrainingScheduleTimezone", "UTC"))
    for change in planned:
        for line in _difference(change):
            terminal.say(line)
    if not planned:
        terminal.say("the team files hold this plan already")
    question = f"Write {len(planned)} team files and apply them to {cloud.stack}?"
    if not confirmed and not typer.confirm(question, err=True):
        raise refused("nothing was changed", "type it again with --yes when the changes above are right")
    for change in planned:
        change.path.write_text(change.after, encoding="utf-8")
    teams = team_stacks.read_files(teams_dir, cloud.outputs)
    team_stacks.check_count(cloud, teams)
    applied = team_stacks.apply(
        cloud,
        teams,
        PROJECT_DIR / main_stack.TEAM_TEMPLATE,
        {},
        lambda team, result: terminal.say(f"team {team}: {result}"),
    )
    return {team: str(result) for team, result in applied.items()}


def with_block(text: str, key: str, values: Mapping[str, object], mark: str = "") -> str:
    """YAML text in which a top-level key has these values; all other lines stay. `mark` is a comment at the key."""
    first = f"{key}:  # {mark}\n" if mark else f"{key}:\n"
    block = "".join([first, *(f"  {name}: {value}\n" for name, value in values.items())])
    lines = text.splitlines(keepends=True)
    place = _block(lines, key)
    if place is None:
        return text.rstrip("\n") + "\n" + block
    return "".join(lines[: place.start]) + block + "".join(lines[place.stop :])


def without_block(text: str, key: str, mark: str) -> str:
    """YAML text without a top-level key that has this mark; as it is where the key has none."""
    lines = text.splitlines(keepends=True)
    place = _block(lines, key)
    if place is None or mark not in lines[place.start]:
        return text
    return "".join(lines[: place.start]) + "".join(lines[place.stop :])


def _block(lines: Sequence[str], key: str) -> range | None:
    """The lines of a top-level key; what stands before the next key is the next key's."""
    at = next((number for number, line in enumerate(lines) if re.match(rf"([\"']?){key}\1\s*:", line)), None)
    if at is None:
        return None
    end = at + 1
    while end < len(lines) and re.match(r"\s|#", lines[end]):
        end += 1
    while end > at + 1 and re.match(r"\s*$|#", lines[end - 1]):
        end -= 1
    return range(at, end)


def shifted(cron: str, minutes: int) -> str:
    """A schedule that fires so many minutes later on the same days. Raises: CommandError."""
    parts = _CRON.fullmatch(cron)
    if parts is None:
        raise refused(f"{cron!r} names no one time of a day", "give --base-schedule 'cron(0 2 ? * MON,THU *)'")
    minute, hour = int(parts[1]), int(parts[2])
    later = hour * 60 + minute + minutes
    if later >= _MINUTES_PER_DAY:
        raise refused(
            f"{minutes} minutes after {hour:02d}:{minute:02d} is another day",
            "start earlier with --base-schedule, or plan more VMs",
        )
    return f"cron({later % 60} {later // 60} {parts[3]} {parts[4]} {parts[5]} {parts[6]})"


def _by_first_start(best: Alternative) -> Sequence[str]:
    """The teams, who starts first first."""
    return list(dict.fromkeys(one.team for one in best.schedule.placements))


def _nodes(best: Alternative, team: str) -> int | str:
    widths = {one.vms for one in best.schedule.placements if one.team == team}
    return widths.pop() if len(widths) == 1 else "auto"


def _offset_minutes(compared: Comparison, place: int) -> int:
    """A team's turn: each before it is done, with some slack."""
    shortest_h = max(min(one.durations_h.values()) for one in compared.recommended.problem.demands)
    return math.ceil(STAGGER_SLACK * shortest_h * 60) * place


def _file_of(teams_dir: Path, team: str) -> tuple[Path, str]:
    for path in sorted(teams_dir.glob("*.yaml")):
        if read_team(path).team == team:
            return path, path.read_text(encoding="utf-8")
    raise refused(f"team {team} has no file", "add it, or name their folder with --teams-dir", str(teams_dir))


def _check(path: Path, text: str) -> None:
    try:
        team_domain.parse(text.encode())
    except ManifestFaultyError as error:
        one = error.faults[0]
        raise refused(f"the plan does not fit the team file: {one.field} {one.problem}", one.mend, str(path)) from error


def _difference(change: Change) -> list[str]:
    before, after = change.before.splitlines(), change.after.splitlines()
    return [
        f"{change.path}:",
        *(f"  - {line}" for line in before if line not in after),
        *(f"  + {line}" for line in after if line not in before),
    ]
