"""The best schedule, with a proof, by OR-tools' CP-SAT.

It starts from the greedy's and says how far a better one can be.

Each run has one optional interval for each of its widths; runs that are alike start in one order; and what all runs
use together fits under the makespan (the energy cut), which is what lets the proof end in seconds. Durations are
rounded up to ticks, so that its bound is lowered by a tick for each run, and its order is carried out with the exact
durations.

Source: https://developers.google.com/optimization/reference/python/sat/python/cp_model; energy reasoning:
P. Baptiste, C. Le Pape, W. Nuijten, "Constraint-Based Scheduling", 2001, chapter 3.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from cli.plan import solver
from cli.plan.solution import Solution
from turbine.domain.capacity import bounds, checker, greedy
from turbine.domain.capacity.model import Demand, PlanInfeasibleError, Problem, shapes
from turbine.domain.capacity.objectives import score
from turbine.domain.capacity.schedule import Schedule

solver.make_importable()
from ortools.sat.python import cp_model  # noqa: E402

TICKS_PER_H = 100_000
"""A tick is 36 ms."""
LIMIT_S = 2.0
WORKERS_MIN = 8
"""On fewer CPUs too: so many make the whole portfolio of strategies, and one of them often proves in no time."""
_SECOND_AIM_SHARE = 0.25


def solve(
    problem: Problem, objective: str = "makespan", *, limit_s: float = LIMIT_S, workers: int | None = None
) -> Solution:
    """Improve the greedy's schedule for at most so many seconds. Raises: PlanInfeasibleError."""
    first, missed = _greedy(problem, objective)
    if not problem.demands:
        return Solution(Schedule(()), 0.0, proved_optimal=True)
    model = _Model(problem, first)
    workers = workers or max(WORKERS_MIN, os.cpu_count() or 1)
    found = model.minimize(objective, limit_s * (1 - _SECOND_AIM_SHARE), workers)
    best = first
    for schedule in (found.schedule, model.refine(objective, found, limit_s * _SECOND_AIM_SHARE, workers)):
        if schedule is None or checker.violations(problem, schedule):
            continue  # a deadline that is kept by less than a tick a run may be missed
        if best is None or score(schedule, objective) < score(best, objective):
            best = schedule
    if best is None:
        assert missed is not None
        proved = "the deadlines cannot all be kept" if found.is_infeasible else missed.constraint
        raise PlanInfeasibleError(proved, missed.mend)
    value = score(best, objective)[0]
    bound = min(max(found.bound, _simple_bound(problem, objective)), value)
    # What the solver found may have missed a deadline by its ticks, and the greedy's then stands in for it, unproved.
    proved_optimal = found.is_optimal and value <= found.value + 1e-9
    return Solution(greedy.balanced(problem, best), bound, proved_optimal or value <= bound * (1 + 1e-9))


def _greedy(problem: Problem, objective: str) -> tuple[Schedule | None, PlanInfeasibleError | None]:
    """Its schedule, or why it has none: the search for deadlines that can be kept is then the solver's."""
    try:
        return greedy.plan(problem, objective), None
    except PlanInfeasibleError as missed:
        return None, missed


def _simple_bound(problem: Problem, objective: str) -> float:
    if objective == "makespan":
        return bounds.makespan_h(problem)
    if objective == "mean":
        return bounds.mean_completion_h(problem)
    return sum(min(area for width, area in one.areas_vm_h.items() if width <= problem.vms) for one in problem.demands)


@dataclass(frozen=True)
class _Found:
    schedule: Schedule | None
    bound: float
    value: float
    value_ticks: float
    is_optimal: bool
    is_infeasible: bool


class _Model:
    def __init__(self, problem: Problem, first: Schedule | None) -> None:
        self._problem = problem
        self._model = cp_model.CpModel()
        self._starts: dict[str, Any] = {}
        self._ends: dict[str, Any] = {}
        self._takes: dict[tuple[str, int], Any] = {}
        self._ticks: dict[tuple[str, int], int] = {}
        self._horizon = self._horizon_ticks(first)
        intervals, needs = list[Any](), list[int]()
        for demand in problem.demands:
            for width, interval in self._run(demand):
                intervals.append(interval)
                needs.append(width)
        busy = [_ticks(free_h, up=True) for free_h in problem.vms_free_h if free_h > 0]
        for until in busy:
            intervals.append(self._model.new_fixed_size_interval_var(0, until, ""))
            needs.append(1)
        self._model.add_cumulative(intervals, needs, problem.vms)
        self._makespan = self._model.new_int_var(0, self._horizon, "makespan")
        self._model.add_max_equality(self._makespan, list(self._ends.values()))
        self._cut_energy(busy)
        for alike in shapes(problem.demands):
            for one, other in pairwise(alike):
                self._model.add(self._starts[one.name] <= self._starts[other.name])
        if first is not None:
            self._hint(first)
        self._aims = {
            "makespan": self._makespan,
            "mean": sum(self._ends.values()),
            "cost": sum(self._area(key) * taken for key, taken in self._takes.items()),
        }

    def _horizon_ticks(self, first: Schedule | None) -> int:
        """No better schedule ends later than all runs one after the other, each at its slowest."""
        alone_h = sum(max(demand.durations_h.values()) + demand.release_h for demand in self._problem.demands)
        latest_h = max(self._problem.vms_free_h) + alone_h
        if first is not None:
            latest_h = max(first.makespan_h, latest_h)
        return _ticks(latest_h, up=True) + self._most_rounded()

    def _most_rounded(self) -> int:
        """By fewer ticks an end is later than with exact durations: one a run before it, its own, and its first start.

        A first start is a release, or when a VM that was held is free.
        """
        return len(self._problem.demands) + 1

    def _run(self, demand: Demand) -> list[tuple[int, Any]]:
        model, name = self._model, demand.name
        latest = self._horizon
        if math.isfinite(demand.deadline_h):
            # Ticks are longer than what they stand for, and a deadline must not be missed for that.
            latest = min(latest, _ticks(demand.deadline_h) + self._most_rounded())
        start = self._starts[name] = model.new_int_var(
            _ticks(demand.release_h, up=True), self._horizon, f"{name} start"
        )
        end = self._ends[name] = model.new_int_var(0, latest, f"{name} end")
        found = []
        for width, hours in demand.durations_h.items():
            if width > self._problem.vms:
                continue
            ticks = self._ticks[name, width] = _ticks(hours, up=True)
            taken = self._takes[name, width] = model.new_bool_var(f"{name} on {width}")
            found.append((width, model.new_optional_interval_var(start, ticks, end, taken, f"{name} {width}")))
        model.add_exactly_one(self._takes[name, width] for width, _ in found)
        return found

    def _area(self, key: tuple[str, int]) -> int:
        return key[1] * self._ticks[key]

    def _cut_energy(self, busy: list[int]) -> None:
        """All areas fit between what is held now and the end of the last."""
        used = sum(self._area(key) * taken for key, taken in self._takes.items())
        last: Any = self._makespan
        if busy:
            last = self._model.new_int_var(0, max(self._horizon, *busy), "last")
            self._model.add_max_equality(last, [self._makespan, max(busy)])
        self._model.add(used + sum(busy) <= self._problem.vms * last)

    def _hint(self, first: Schedule) -> None:
        """The greedy's schedule; among runs that are alike the earliest is the first, as the model orders them."""
        slots = {one.name: one for one in first.placements}
        for alike in shapes(self._problem.demands):
            ordered = sorted((slots[demand.name] for demand in alike), key=lambda one: (one.start_h, one.end_h))
            for demand, slot in zip(alike, ordered, strict=True):
                self._model.add_hint(self._starts[demand.name], _ticks(slot.start_h, up=True))
                for width in demand.durations_h:
                    if (demand.name, width) in self._takes:
                        self._model.add_hint(self._takes[demand.name, width], int(width == slot.vms))

    def minimize(self, objective: str, limit_s: float, workers: int) -> _Found:
        aim = self._aims[objective]
        self._model.minimize(aim)
        search = cp_model.CpSolver()
        search.parameters.max_time_in_seconds = limit_s
        search.parameters.num_workers = workers
        search.parameters.random_seed = 0
        status = search.solve(self._model)
        schedule = self._decoded(search) if status in (cp_model.OPTIMAL, cp_model.FEASIBLE) else None
        count = len(self._problem.demands)
        ends = count if objective == "mean" else 1
        slack = count * self._problem.vms if objective == "cost" else ends * self._most_rounded()
        value_ticks = search.objective_value if schedule is not None else math.inf
        return _Found(
            schedule,
            max((search.best_objective_bound - slack) / TICKS_PER_H / ends, 0.0),
            value_ticks / TICKS_PER_H / ends,
            value_ticks,
            status == cp_model.OPTIMAL,
            status == cp_model.INFEASIBLE,
        )

    def refine(self, objective: str, found: _Found, limit_s: float, workers: int) -> Schedule | None:
        """Among those that are as good by the first aim, one that is good by the second."""
        if found.schedule is None:
            return None
        self._model.add(self._aims[objective] <= math.floor(found.value_ticks))
        return self.minimize("makespan" if objective != "makespan" else "mean", limit_s, workers).schedule

    def _decoded(self, search: cp_model.CpSolver) -> Schedule:
        """The solver's order and widths with the exact durations: nothing ends later for that."""
        widths = {name: width for (name, width), taken in self._takes.items() if search.boolean_value(taken)}
        order = sorted(widths, key=lambda name: (search.value(self._starts[name]), -widths[name]))
        return greedy.listed(self._problem, [(name, widths[name]) for name in order])


def _ticks(hours: float, *, up: bool = False) -> int:
    exact = hours * TICKS_PER_H
    return math.ceil(exact - 1e-6) if up else math.floor(exact + 1e-6)
