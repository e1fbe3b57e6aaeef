"""The ways to run the week: what people do today, and what is best for each aim.

All are measured against one bound, below which no plan of these runs on these VMs can end.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cli.plan.request import Request
from cli.plan.solution import Solution
from turbine.domain.capacity import bounds, checker, greedy
from turbine.domain.capacity.model import PlanInfeasibleError, Problem
from turbine.domain.capacity.schedule import Schedule

STAGGER_SLACK = 1.1
"""How much longer than a run the time between two staggered triggers is, so that a slow run delays nobody."""


@dataclass(frozen=True)
class Alternative:
    """A way to run the week. `is_proved`: nothing is better by its own aim, within what it allows itself."""

    name: str
    what: str
    problem: Problem
    schedule: Schedule
    is_proved: bool = False
    is_spot: bool = False
    is_staggered: bool = False

    @property
    def makespan_h(self) -> float:
        return self.schedule.makespan_h

    @property
    def mean_completion_h(self) -> float:
        """From each run's own trigger to its end."""
        return sum(self._waited_h()) / max(len(self.schedule.placements), 1)

    @property
    def longest_completion_h(self) -> float:
        return max(self._waited_h(), default=0.0)

    def cost_usd(self, request: Request) -> tuple[float, float]:
        hours = self.schedule.vm_hours
        return request.price.cost_usd(hours, hours if self.is_spot else 0.0)

    def _waited_h(self) -> list[float]:
        return [one.end_h - self.problem.by_name[one.name].release_h for one in self.schedule.placements]


def alternatives(request: Request, *, limit_s: float, use_solver: bool = True) -> tuple[list[Alternative], float]:
    """Every alternative that these limits allow, and the bound in hours below which no plan of these runs ends.

    Raises: PlanInfeasibleError when even the first is impossible.
    """
    solve = _solver(limit_s, use_solver)
    free = request.problem()
    best = solve(free, "makespan")
    found = [
        _first_come(request, "one-vm", "one VM a run, first come", 1),
        *_if_possible(lambda: _first_come(request, "two-vms", "two VMs a run, first come", 2)),
        Alternative("makespan", "all runs end soonest", free, best.schedule, best.proved_optimal),
        _solved(solve, free, "mean", "a run ends soonest on average", "mean"),
        *_if_possible(lambda: _within(request, solve)),
        _staggered(request),
        *_on_spot(request),
    ]
    for one in found:
        if wrong := checker.violations(one.problem, one.schedule):
            raise RuntimeError(f"the plan {one.name} does not pass its check: {wrong[0]}")
    return found, best.bound


def _solver(limit_s: float, use_solver: bool) -> Callable[[Problem, str], Solution]:
    if use_solver:
        from cli.plan import cpsat  # takes a second, and is an extra

        return lambda problem, objective: cpsat.solve(problem, objective, limit_s=limit_s)
    return lambda problem, objective: _by_greedy(problem, objective)


def _by_greedy(problem: Problem, objective: str) -> Solution:
    schedule, bound_h = greedy.plan(problem, objective), bounds.makespan_h(problem)
    is_proved = objective == "makespan" and schedule.makespan_h <= bound_h * (1 + 1e-9)
    return Solution(schedule, bound_h, is_proved)


def _first_come(request: Request, name: str, what: str, width: int) -> Alternative:
    problem = request.problem([width])
    order = [(demand.name, width) for demand in problem.demands]
    return Alternative(name, what, problem, greedy.listed(problem, order))


def _solved(
    solve: Callable[[Problem, str], Solution], problem: Problem, name: str, what: str, objective: str
) -> Alternative:
    solution = solve(problem, objective)
    return Alternative(name, what, problem, solution.schedule, solution.proved_optimal)


def _within(request: Request, solve: Callable[[Problem, str], Solution]) -> Alternative:
    problem = request.problem(longest_h=request.within_h)
    return _solved(solve, problem, "within", f"no run takes longer than {request.within_h:g} h", "makespan")


def _staggered(request: Request) -> Alternative:
    """Each run alone on all VMs that one may have, at its own time: the shortest from a trigger to a model."""
    alone = request.problem().demands
    shortest = [min(demand.durations_h.values()) for demand in alone]
    releases = [STAGGER_SLACK * sum(shortest[:number]) for number in range(len(alone))]
    problem = request.problem(release_h=releases.__getitem__)
    widths = [min((hours, width) for width, hours in demand.durations_h.items())[1] for demand in alone]
    order = [(demand.name, width) for demand, width in zip(alone, widths, strict=True)]
    what = "each run alone on all VMs that it may have, at a time of its own"
    return Alternative("staggered", what, problem, greedy.listed(problem, order), is_proved=True, is_staggered=True)


def _on_spot(request: Request) -> list[Alternative]:
    """One VM a run, since jobs of several nodes cannot use Spot; none where Spot has no price."""
    if request.price.spot_low_usd is None:
        return []
    plain = _first_come(request, "spot", "one VM a run on Spot, cheapest", 1)
    return [Alternative(plain.name, plain.what, plain.problem, plain.schedule, is_spot=True)]


def _if_possible(make: Callable[[], Alternative]) -> list[Alternative]:
    try:
        return [make()]
    except PlanInfeasibleError:
        return []
