"""No schedule beats a bound, as trying all schedules shows; and where a bound is exact, it is."""

from __future__ import annotations

import random
import statistics

import pytest

from tests.unit.turbine.domain.capacity.instances import best, random_problem, with_deadlines
from turbine.domain.capacity import bounds
from turbine.domain.capacity.model import Curve, Demand, Problem, fleet, reference


@pytest.mark.parametrize("released", [False, True])
@pytest.mark.parametrize("busy", [False, True])
def test_no_schedule_beats_a_bound(released: bool, busy: bool) -> None:
    for seed in range(120):
        problem = random_problem(random.Random(seed), released=released, busy=busy)
        optimum = best(problem)
        assert 0 < bounds.makespan_h(problem) <= optimum.makespan_h * (1 + 1e-9), seed
        assert 0 < bounds.mean_completion_h(problem) <= optimum.mean_completion_h * (1 + 1e-9), seed


def test_the_bounds_are_not_far_from_the_optimum() -> None:
    """A bound of zero would be true too."""
    makespans, means = [], []
    for seed in range(120):
        problem = random_problem(random.Random(seed))
        optimum = best(problem)
        makespans.append(bounds.makespan_h(problem) / optimum.makespan_h)
        means.append(bounds.mean_completion_h(problem) / optimum.mean_completion_h)
    assert statistics.median(makespans) > 0.94 and statistics.median(means) > 0.94


def test_deadlines_do_not_lower_what_is_possible() -> None:
    for seed in range(20):
        dice = random.Random(seed)
        problem = with_deadlines(dice, random_problem(dice, runs=(2, 3), vms=(1, 3), released=True), 0.2)
        assert bounds.makespan_h(problem) <= best(problem).makespan_h * (1 + 1e-9), seed


def run(name: str, work_vm_h: float, *widths: int, release_h: float = 0.0, efficiency: float = 1.0) -> Demand:
    return Demand(name, work_vm_h, widths, curve=Curve(efficiency), release_h=release_h)


def test_the_area_is_shared_by_all_vms() -> None:
    problem = Problem(tuple(run(str(number), 1, 1, 2) for number in range(6)), fleet(2))
    assert bounds.makespan_h(problem) == pytest.approx(3)
    assert bounds.mean_completion_h(problem) == pytest.approx(sum(range(1, 7)) / 2 / 6)


def test_a_run_takes_a_width_with_which_it_ends_in_time() -> None:
    """On one VM the long run would take three hours; two VMs end it sooner, and take more area."""
    long, short = run("long", 3, 1, 2, efficiency=0.75), run("short", 0.1, 1)
    assert bounds.makespan_h(Problem((long, short), fleet(2))) == pytest.approx((4 + 0.1) / 2)
    assert bounds.makespan_h(Problem((long,), fleet(1))) == pytest.approx(3)


def test_what_is_released_later_has_less_room() -> None:
    late = [run(f"late-{number}", 2, 1, release_h=5) for number in range(4)]
    assert bounds.makespan_h(Problem((run("early", 1, 1), *late), fleet(2))) == pytest.approx(5 + 4)


def test_vms_that_are_held_make_no_room() -> None:
    problem = Problem(tuple(run(str(number), 1, 1, 2) for number in range(4)), fleet(2, [(1, 2.0)]))
    assert bounds.makespan_h(problem) == pytest.approx(3)
    assert bounds.mean_completion_h(problem) == pytest.approx((1 + 2 + 2.5 + 3) / 4)
    wide = Problem((run("wide", 1, 2),), fleet(2, [(1, 2.0)]))
    assert bounds.makespan_h(wide) == pytest.approx(2.5) == bounds.mean_completion_h(wide)


def test_without_runs_there_is_nothing_to_wait_for() -> None:
    assert bounds.makespan_h(Problem((), fleet(2))) == 0 == bounds.mean_completion_h(Problem((), fleet(2)))


def test_the_reference_needs_its_area() -> None:
    assert bounds.makespan_h(reference()) == pytest.approx(8 * 100 / 48 / 7)


@pytest.mark.parametrize(("efficiency", "least_h"), [(1.0, 1.3392), (0.95, 1.5463), (0.85, 1.93)])
def test_the_mean_of_the_reference_is_bounded_to_a_thousandth(efficiency: float, least_h: float) -> None:
    """At 0.95 the best schedule known has 1.5467: what wide runs lose is in the bound, and what narrow ones wait."""
    assert bounds.mean_completion_h(reference(efficiency)) > least_h


def test_each_run_takes_the_place_in_which_all_end_soonest_on_average() -> None:
    """The first of all orders to be tried is the worst: long runs before short ones."""
    works = [4.0, 3.0, 2.0, 1.0]
    problem = Problem(tuple(run(f"{work:g}", work, 1) for work in works), fleet(1))
    assert bounds.mean_completion_h(problem) == pytest.approx((1 + 3 + 6 + 10) / 4) == best(problem).mean_completion_h


def test_a_faster_wide_run_is_bounded_too() -> None:
    """Measured beyond the ideal, two VMs do in less area what one does; a width beyond the cap counts for nothing."""
    superlinear = Demand("a", 4, (1, 2, 8), curve=Curve(0.95, ((2, 2.5), (8, 16.0))))
    problem = Problem((superlinear,), fleet(2))
    assert bounds.makespan_h(problem) == pytest.approx(1.6) == best(problem).makespan_h
