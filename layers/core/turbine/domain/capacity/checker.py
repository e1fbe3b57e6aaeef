"""Whether a schedule keeps every promise. It shares nothing with those who make schedules but the problem's numbers.

Nothing is carried out that has not passed here.
"""

from __future__ import annotations

import math
from collections import Counter

from turbine.domain.capacity.model import Problem
from turbine.domain.capacity.schedule import Schedule

TOLERANCE_H = 1e-6
"""About four milliseconds."""


def violations(problem: Problem, schedule: Schedule) -> list[str]:
    """What is wrong, each in one sentence; nothing when the schedule may be carried out."""
    found = _of_names(problem, schedule)
    known = {demand.name: demand for demand in problem.demands}
    for one in schedule.placements:
        demand = known.get(one.name)
        if demand is None:
            continue
        if not (math.isfinite(one.start_h) and math.isfinite(one.end_h)):
            found.append(f"{one.name} has no finite start and end")
            continue
        if one.team != demand.team:
            found.append(f"{one.name} is of team {demand.team!r}, not {one.team!r}")
        if one.start_h < demand.release_h - TOLERANCE_H:
            found.append(f"{one.name} starts at {one.start_h:g} h, before its release at {demand.release_h:g} h")
        if one.end_h > demand.deadline_h + TOLERANCE_H:
            found.append(f"{one.name} ends at {one.end_h:g} h, after its deadline at {demand.deadline_h:g} h")
        if one.vms not in demand.widths:
            found.append(f"{one.name} may not take {one.vms} VMs")
            continue
        lasts_h = demand.launch_h + demand.work_vm_h / demand.curve.speed_up(one.vms)
        if abs(one.end_h - one.start_h - lasts_h) > TOLERANCE_H:
            found.append(f"{one.name} takes {lasts_h:g} h on {one.vms} VMs, not {one.end_h - one.start_h:g} h")
        if lasts_h > demand.longest_h + TOLERANCE_H:
            found.append(f"{one.name} takes {lasts_h:g} h, more than {demand.longest_h:g} h")
    return found or _of_capacity(problem, schedule)


def _of_names(problem: Problem, schedule: Schedule) -> list[str]:
    wanted = {demand.name for demand in problem.demands}
    counts = Counter(one.name for one in schedule.placements)
    missing = [f"{name} is not planned" for name in sorted(wanted - set(counts))]
    unknown = [f"{name} is unknown" for name in sorted(set(counts) - wanted)]
    return missing + unknown + [f"{name} is planned {count} times" for name, count in counts.items() if count > 1]


def _of_capacity(problem: Problem, schedule: Schedule) -> list[str]:
    """At each start: are so many VMs free, counting those that were held before the plan?"""
    found: list[str] = []
    for moment in sorted({one.start_h for one in schedule.placements}):
        late = moment + TOLERANCE_H
        held = sum(one.vms for one in schedule.placements if one.start_h <= moment and one.end_h > late)
        there = sum(free_h <= late for free_h in problem.vms_free_h)
        if held > there:
            found.append(f"at {moment:g} h {held} VMs are held, and {there} are there")
    return found
