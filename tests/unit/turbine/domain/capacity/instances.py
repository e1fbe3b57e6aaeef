"""Small random problems, and what is true of them by trying everything. Nothing here uses what it is to test."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import permutations, product
from typing import NamedTuple

from turbine.domain.capacity.model import Curve, Demand, Problem, fleet
from turbine.domain.capacity.schedule import Placement, Schedule

TEAMS = ("red", "blue", "green")


class Best(NamedTuple):
    """The least of each over all schedules that keep the deadlines; infinite where none does."""

    makespan_h: float
    mean_completion_h: float
    vm_hours: float


def random_problem(
    dice: random.Random,
    runs: Sequence[int] = (2, 4),
    vms: Sequence[int] = (1, 4),
    *,
    released: bool = False,
    busy: bool = False,
) -> Problem:
    """Some runs are alike, some have a launch time, a longest duration or a measured curve."""
    count, cap = dice.randint(*runs), dice.randint(*vms)
    demands: list[Demand] = []
    for number in range(count):
        if demands and dice.random() < 0.25:
            demands.append(replace(dice.choice(demands), name=f"run-{number}", team=dice.choice(TEAMS)))
            continue
        widths = sorted(dice.sample(range(1, cap + 1), dice.randint(1, cap)))
        demand = Demand(
            f"run-{number}",
            dice.uniform(0.3, 6),
            tuple(widths),
            dice.choice(TEAMS),
            Curve(dice.uniform(0.8, 1), ((2, dice.uniform(1.2, 2)),) if dice.random() < 0.2 else ()),
            release_h=dice.uniform(0, 4) if released and dice.random() < 0.5 else 0.0,
            launch_h=dice.uniform(0.05, 0.3) if dice.random() < 0.3 else 0.0,
        )
        if dice.random() < 0.2:
            demand = replace(demand, longest_h=dice.choice([*demand.durations_h.values()]))
        demands.append(demand)
    held = [(dice.randint(1, cap), dice.uniform(0.1, 3)) for _ in range(dice.randint(1, 2))] if busy else []
    return Problem(tuple(demands), fleet(cap, held))


def with_deadlines(dice: random.Random, problem: Problem, spare: float) -> Problem:
    """The same with deadlines that a schedule keeps, with up to `spare` of its time to spare."""
    ends = {one.name: one.end_h for one in random_schedule(dice, problem).placements}
    demands = tuple(
        replace(demand, deadline_h=ends[demand.name] * dice.uniform(1, 1 + spare)) if dice.random() < 0.7 else demand
        for demand in problem.demands
    )
    return replace(problem, demands=demands)


def random_schedule(dice: random.Random, problem: Problem, *, idle_h: float = 0.0) -> Schedule:
    """Runs in any order, on any of their widths, some later than need be: valid where there are no deadlines."""
    order = dice.sample(problem.demands, len(problem.demands))
    widths = [dice.choice(possible(problem, demand)) for demand in order]
    return Schedule(tuple(_packed(problem, order, widths, [dice.uniform(0, idle_h) for _ in order])))


def possible(problem: Problem, demand: Demand) -> list[int]:
    return [width for width in demand.durations_h if width <= problem.vms]


def every_schedule(problem: Problem) -> Iterator[list[Placement]]:
    """One for each order and choice of widths, without deadlines: among them are the best by any aim."""
    for order in permutations(problem.demands):
        for widths in product(*(possible(problem, demand) for demand in order)):
            yield _packed(problem, order, widths, [0.0] * len(order))


def best(problem: Problem) -> Best:
    found = Best(float("inf"), float("inf"), float("inf"))
    deadlines_h = {demand.name: demand.deadline_h for demand in problem.demands}
    for placements in every_schedule(problem):
        if any(one.end_h > deadlines_h[one.name] + 1e-9 for one in placements):
            continue
        ends = [one.end_h for one in placements]
        area = sum(one.vms * (one.end_h - one.start_h) for one in placements)
        found = Best(*map(min, found, (max(ends), sum(ends) / len(ends), area)))
    return found


def _packed(
    problem: Problem, order: Sequence[Demand], widths: Sequence[int], idle_h: Sequence[float]
) -> list[Placement]:
    """Each run on the VMs that are free first, VM by VM."""
    free, placements = sorted(problem.vms_free_h), []
    for demand, width, waits_h in zip(order, widths, idle_h, strict=True):
        start = max(free[width - 1], demand.release_h) + waits_h
        end = start + demand.durations_h[width]
        free = sorted([*free[width:], *[end] * width])
        placements.append(Placement(demand.name, demand.team, start, end, width))
    return placements
