"""The solver finds the best, and says no more than it proved: trying everything finds nothing below its bound."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from cli.plan import cpsat
from tests.unit.turbine.domain.capacity.instances import best, random_problem, with_deadlines
from turbine.domain.capacity import greedy
from turbine.domain.capacity.checker import violations
from turbine.domain.capacity.model import Curve, Demand, PlanInfeasibleError, Problem, fleet, reference
from turbine.domain.capacity.objectives import OBJECTIVES, score
from turbine.domain.capacity.schedule import Schedule

ROUNDING = 1e-3
"""A tick for each run, or for each of its VMs."""


def solved(problem: Problem, objective: str = "makespan", limit_s: float = 20.0) -> cpsat.Solution:
    """A proof ends long before the limit."""
    solution = cpsat.solve(problem, objective, limit_s=limit_s)
    assert violations(problem, solution.schedule) == []
    assert solution.bound <= score(solution.schedule, objective)[0] + 1e-9
    return solution


@pytest.mark.parametrize(("efficiency", "optimum_h"), [(1.0, 2.381), (0.95, 2.427), (0.9, 2.483), (0.85, 2.553)])
def test_the_best_of_the_reference_is_found_and_proved(efficiency: float, optimum_h: float) -> None:
    solution = cpsat.solve(reference(efficiency), limit_s=20)
    assert violations(reference(efficiency), solution.schedule) == []
    assert round(solution.schedule.makespan_h, 3) == optimum_h
    assert solution.proved_optimal and solution.bound == pytest.approx(optimum_h, abs=ROUNDING)


@pytest.mark.parametrize("released", [False, True])
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_what_is_proved_is_the_best_of_all_schedules(objective: str, released: bool) -> None:
    for seed in range(12):
        problem = random_problem(random.Random(seed), released=released, busy=released)
        optimum = best(problem)
        least = {"makespan": optimum.makespan_h, "mean": optimum.mean_completion_h, "cost": optimum.vm_hours}[objective]
        solution = solved(problem, objective)
        assert solution.proved_optimal, seed
        assert solution.bound <= least * (1 + 1e-9), seed
        assert score(solution.schedule, objective)[0] == pytest.approx(least, abs=ROUNDING), seed
        assert solution.bound == pytest.approx(least, abs=ROUNDING), seed


def test_deadlines_are_kept_if_any_schedule_keeps_them() -> None:
    for seed in range(24):
        dice = random.Random(seed)
        problem = with_deadlines(dice, random_problem(dice, (3, 4), (1, 3), released=True, busy=seed % 2 == 0), 0.1)
        solution = solved(problem)
        assert solution.proved_optimal, seed
        assert solution.schedule.makespan_h == pytest.approx(best(problem).makespan_h, abs=ROUNDING), seed


def test_deadlines_that_no_schedule_keeps_are_refused() -> None:
    """All runs have to end a little before the best schedule does."""
    refused = 0
    for seed in range(24):
        problem = random_problem(random.Random(seed), (3, 4), (1, 3), released=True, busy=seed % 2 == 0)
        deadline_h = best(problem).makespan_h * 0.99
        try:
            tight = replace(problem, demands=tuple(replace(one, deadline_h=deadline_h) for one in problem.demands))
        except PlanInfeasibleError:
            continue  # one of them is late even alone
        with pytest.raises(PlanInfeasibleError, match="the deadlines cannot all be kept; move "):
            solved(tight)
        refused += 1
    assert refused > 10


def run(name: str, work_vm_h: float = 1.0, *, widths: tuple[int, ...] = (1,), **limits: float) -> Demand:
    return Demand(name, work_vm_h, widths, curve=Curve(0.95), **limits)  # type: ignore[arg-type]


def test_a_deadline_that_is_kept_to_the_instant_is_no_obstacle() -> None:
    """Hours that are no whole ticks are rounded up, one after the other, and the last ends ticks too late."""
    third = 1 / 3
    runs = tuple(run(str(number), third, release_h=third / 2, deadline_h=third * 4.5) for number in range(4))
    assert solved(Problem(runs, fleet(1))).schedule.makespan_h == pytest.approx(third * 4.5)
    held = tuple(run(str(number), third, deadline_h=third * 4.5) for number in range(4))
    assert solved(Problem(held, fleet(1, [(1, third / 2)]))).schedule.makespan_h == pytest.approx(third * 4.5)


def test_no_rounding_makes_deadlines_impossible() -> None:
    """The worst there is: each run, and the release before them, is rounded up by nearly a tick."""
    work_h, release_h = 33333.01 / cpsat.TICKS_PER_H, 16666.01 / cpsat.TICKS_PER_H
    last_h = release_h + 4 * work_h
    runs = tuple(run(str(number), work_h, release_h=release_h, deadline_h=last_h) for number in range(4))
    solution = solved(Problem(runs, fleet(1)), "mean")
    assert solution.schedule.makespan_h == pytest.approx(last_h) and solution.proved_optimal


@pytest.mark.parametrize("objective", ["makespan", "mean"])
def test_the_solver_needs_no_help(objective: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the greedy finds nothing, the solver's own schedule is the best of all."""

    def nothing(*_: object) -> Schedule:
        raise PlanInfeasibleError("nothing", "was found")

    monkeypatch.setattr(greedy, "plan", nothing)
    for seed in range(12):
        problem = random_problem(random.Random(seed), (3, 4), (2, 3), released=True, busy=True)
        problem = replace(problem, vms_free_h=(*problem.vms_free_h, 50.0))  # held beyond the end of all runs
        optimum = best(problem)
        least = optimum.makespan_h if objective == "makespan" else optimum.mean_completion_h
        solution = solved(problem, objective)
        assert solution.proved_optimal, seed
        assert score(solution.schedule, objective)[0] == pytest.approx(least, abs=ROUNDING), seed


def test_what_misses_a_deadline_by_a_tick_is_not_called_the_best() -> None:
    """Within its ticks the solver takes one VM, which is cheaper; the exact schedule needs two, and has no proof."""
    problem = Problem((run("a", widths=(1, 2), deadline_h=1 - 0.5 / cpsat.TICKS_PER_H),), fleet(2))
    solution = solved(problem, "cost")
    assert [one.vms for one in solution.schedule.placements] == [2]
    assert not solution.proved_optimal and solution.bound < solution.schedule.vm_hours - ROUNDING


def test_what_cannot_be_kept_is_told_with_what_would_do() -> None:
    problem = Problem((run("a", deadline_h=1), run("b", deadline_h=1.5)), fleet(1))
    with pytest.raises(PlanInfeasibleError) as refused:
        solved(problem)
    assert refused.value.constraint == "the deadlines cannot all be kept"
    assert refused.value.mend == "move its deadline by 0.50 h, or allow more than 1 VMs"


def test_held_vms_are_waited_for() -> None:
    problem = Problem((run("wide", 1.9, widths=(2,)), run("narrow", 0.5)), fleet(2, [(1, 2.0)]))
    solution = solved(problem)
    assert {one.name: one.start_h for one in solution.schedule.placements} == {"narrow": 0, "wide": 2}
    assert solution.proved_optimal and solution.bound == pytest.approx(3, abs=ROUNDING)


def test_the_reference_by_other_aims() -> None:
    assert cpsat.solve(reference(), "mean", limit_s=1).schedule.mean_completion_h <= 1.547
    cheapest = solved(reference(), "cost")
    assert cheapest.proved_optimal and cheapest.bound == pytest.approx(8 * 100 / 48, abs=ROUNDING)
    hasty = reference(longest_h=1)
    schedule = cpsat.solve(hasty, limit_s=1).schedule
    assert violations(hasty, schedule) == [] and schedule.longest_run_h <= 1 and schedule.makespan_h <= 2.653


def test_among_the_cheapest_a_short_one_is_chosen() -> None:
    """The first aim leaves the order open: the second decides."""
    solution = solved(Problem((run("short", 1), run("long", 3), run("middle", 2)), fleet(2)), "cost")
    assert solution.schedule.makespan_h == pytest.approx(3) and solution.schedule.vm_hours == pytest.approx(6)


def test_it_is_never_worse_than_the_greedy_even_without_time() -> None:
    problem = random_problem(random.Random(3), (12, 12), (6, 6))
    solution = solved(problem, limit_s=0.01)
    assert 0 < solution.bound <= solution.schedule.makespan_h


def test_without_runs_there_is_nothing_to_solve() -> None:
    assert cpsat.solve(Problem((), fleet(2))) == cpsat.Solution(Schedule(()), 0.0, proved_optimal=True)
