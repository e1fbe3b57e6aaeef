"""A schedule in the terminal: a line for each VM, a letter for each team's run."""

from __future__ import annotations

from cli.plan.lanes import lanes
from turbine.domain.capacity.schedule import Schedule

WIDTH = 64


def lines(schedule: Schedule, vms: int) -> list[str]:
    """The picture and its legend. Each character is an equal part of the makespan."""
    total_h = schedule.makespan_h
    rows = [["·"] * WIDTH for _ in range(vms)]
    teams = sorted({one.team for one in schedule.placements})
    for one, taken in lanes(schedule, vms):
        left, right = (round(hours / total_h * WIDTH) for hours in (one.start_h, one.end_h))
        label = _label(one.name, one.team, teams)
        for lane in taken:
            text = (label + "━" * WIDTH)[: max(right - left, 1)]
            rows[lane][left : left + len(text)] = text
    legend = ", ".join(f"{_letter(team, teams)} {team}" for team in teams)
    return [
        *(f"VM {number + 1:>2} │{''.join(row)}│" for number, row in enumerate(rows)),
        f"      0{' ' * (WIDTH - 8)}{total_h:6.2f} h",
        f"      {legend}",
    ]


def _label(name: str, team: str, teams: list[str]) -> str:
    return _letter(team, teams) + name.rpartition("/")[2]


def _letter(team: str, teams: list[str]) -> str:
    return chr(ord("A") + teams.index(team) % 26)
