"""Curves, and what no planner could place: each refusal names what breaks and the smallest change that allows it."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from turbine.domain.capacity.model import (
    Curve,
    Demand,
    PlanInfeasibleError,
    Problem,
    fleet,
    reference,
    shapes,
    vm_hours,
)

RUN = Demand("a", 2.0, (1, 2, 4), "red", Curve(0.9))
NOT_A_NUMBER = math.nan


def test_each_doubling_keeps_its_efficiency() -> None:
    curve = Curve(0.95)
    assert [curve.speed_up(vms) for vms in (1, 2, 4, 8)] == pytest.approx([1, 1.9, 3.61, 6.859])
    assert curve.speed_up(3) == pytest.approx(3 * 0.95 ** math.log2(3))
    assert Curve(1.0).speed_up(7) == 7


def test_a_measured_curve_goes_through_its_points() -> None:
    curve = Curve(0.9, ((2, 1.7), (8, 5.0)))
    assert [curve.speed_up(vms) for vms in (1, 2, 8)] == pytest.approx([1, 1.7, 5.0])
    assert curve.speed_up(4) == pytest.approx(math.sqrt(1.7 * 5.0)), "a straight line where both axes are logarithms"
    assert curve.speed_up(16) == pytest.approx(5.0 * 2 * 0.9), "beyond the last point the efficiency holds"
    assert Curve(0.9, ((4, 3.0),)).speed_up(2) == pytest.approx(math.sqrt(3))


def test_the_efficiency_is_above_a_half_and_at_most_one() -> None:
    for efficiency in (0.5, 0.0, -1.0, 1.01, NOT_A_NUMBER):
        with pytest.raises(PlanInfeasibleError, match=r"not above 0\.5 and at most 1; at 0\.5 two VMs"):
            Curve(efficiency)
    assert Curve(0.51).speed_up(2) > 1


@pytest.mark.parametrize("points", [((1, 1.0),), ((2, 0.0),), ((2, NOT_A_NUMBER),), ((2, math.inf),)])
def test_a_measured_point_is_a_speed_up_of_several_vms(points: tuple[tuple[int, float], ...]) -> None:
    with pytest.raises(PlanInfeasibleError, match="a measured speed-up"):
        Curve(0.9, points)


@pytest.mark.parametrize("points", [((2, 1.8), (2, 1.9)), ((4, 3.0), (2, 1.8))])
def test_measured_points_come_in_growing_order(points: tuple[tuple[int, float], ...]) -> None:
    """Otherwise one would be left out, or divided by the logarithm of one."""
    with pytest.raises(PlanInfeasibleError, match="not in growing order; name each number of VMs once"):
        Curve(0.9, points)


def test_a_run_holds_its_vms_for_its_launch_and_its_work() -> None:
    run = replace(RUN, launch_h=0.25)
    assert run.durations_h == pytest.approx({1: 2.25, 2: 0.25 + 2 / 1.8, 4: 0.25 + 2 / 3.24})
    assert run.areas_vm_h[4] == pytest.approx(4 * run.durations_h[4])


def test_widths_that_take_too_long_are_left_out() -> None:
    assert set(replace(RUN, longest_h=1.2).durations_h) == {2, 4}
    assert set(replace(RUN, longest_h=2.0).durations_h) == {1, 2, 4}, "as long as allowed is not too long"


def test_runs_are_alike_whatever_their_name_and_team() -> None:
    groups = list(shapes([RUN, replace(RUN, name="b", team="blue"), replace(RUN, name="c", deadline_h=9)]))
    assert [[run.name for run in group] for group in groups] == [["a", "b"], ["c"]]


def test_what_is_held_makes_no_room_beyond_the_cap() -> None:
    assert fleet(3) == (0.0, 0.0, 0.0)
    assert fleet(4, [(2, 1.5), (1, 0.5)]) == (0.0, 0.5, 1.5, 1.5)
    assert fleet(2, [(5, 1.0), (1, 3.0)]) == (1.0, 3.0), "those that are held longest count"
    assert fleet(2, [(1, -0.5)]) == (0.0, 0.0), "what should have ended by now has"


def test_work_measured_on_cpus_is_told_in_vms() -> None:
    assert vm_hours() == pytest.approx(100 / 48)
    assert vm_hours(10, cpus_per_gpu=5, gpus_per_vm=2) == 1


def test_the_reference_is_eight_runs_on_seven_vms() -> None:
    problem = reference(0.9, longest_h=1)
    assert (len(problem.demands), problem.vms) == (8, 7)
    assert {demand.team for demand in problem.demands} == {"team-a", "team-b", "team-c", "team-d"}
    assert all(demand.curve == Curve(0.9) and demand.longest_h == 1 for demand in problem.demands)


@pytest.mark.parametrize(
    ("changes", "constraint", "mend"),
    [
        ({"work_vm_h": 0.0}, "a: a work of 0 h is not above 0", "state its work"),
        ({"work_vm_h": NOT_A_NUMBER}, "a: a work of nan h is not above 0", "state its work"),
        ({"work_vm_h": math.inf}, "a: a work of inf h is not above 0", "state its work"),
        ({"widths": ()}, "a: it may take no number of VMs", "let it take at least 1"),
        ({"widths": (0, 1)}, "a: it may take no number of VMs", "let it take at least 1"),
        ({"release_h": -1.0}, "a: a release or launch lies in the past", "give hours from now"),
        ({"launch_h": -0.1}, "a: a release or launch lies in the past", "give hours from now"),
        ({"release_h": NOT_A_NUMBER}, "a: a release of nan h or launch of 0 h is not a time", "give hours from now"),
        ({"release_h": math.inf}, "a: a release of inf h or launch of 0 h is not a time", "give hours from now"),
        ({"launch_h": math.inf}, "a: a release of 0 h or launch of inf h is not a time", "give hours from now"),
        ({"deadline_h": NOT_A_NUMBER}, "a: a deadline or longest duration is not a number", "give hours, or none"),
        ({"longest_h": NOT_A_NUMBER}, "a: a deadline or longest duration is not a number", "give hours, or none"),
    ],
)
def test_a_run_that_cannot_be_is_refused(changes: dict[str, object], constraint: str, mend: str) -> None:
    with pytest.raises(PlanInfeasibleError) as refused:
        replace(RUN, **changes)  # type: ignore[arg-type]
    assert (refused.value.constraint, refused.value.mend) == (constraint, mend)
    assert str(refused.value) == f"{constraint}; {mend}"


def refusal(vms_free_h: tuple[float, ...], *demands: Demand) -> tuple[str, str]:
    with pytest.raises(PlanInfeasibleError) as refused:
        Problem(demands, vms_free_h)
    return refused.value.constraint, refused.value.mend


def test_a_fleet_has_vms_that_are_free_one_day() -> None:
    assert refusal((), RUN) == ("there are no VMs", "allow at least one (--vms)")
    for free_h in (math.inf, NOT_A_NUMBER, -1.0):
        constraint, mend = refusal((0.0, free_h), RUN)
        assert (constraint, mend) == (f"a VM is free from hour {free_h:g}", "give hours from now, or leave it out")


def test_each_run_has_its_own_name() -> None:
    assert refusal(fleet(2), RUN, RUN) == ("two runs have one name", "name each run once")


def test_a_run_fits_under_the_cap() -> None:
    wide = replace(RUN, widths=(4, 8))
    assert refusal(fleet(3), wide) == (
        "a takes at least 4 VMs and the cap is 3",
        "raise the cap to 4, or let it take 3",
    )
    assert Problem((wide,), fleet(4)) and Problem((replace(wide, widths=(3, 8)),), fleet(3))


def test_a_run_is_as_short_as_asked_on_some_width() -> None:
    hasty = replace(RUN, longest_h=0.5)
    assert refusal(fleet(2), hasty) == (
        "a takes 1.11 h at its fastest, more than the 0.5 h allowed",
        "allow 1.12 h, or more VMs",
    )
    assert Problem((replace(hasty, longest_h=1.12),), fleet(2))


def test_a_run_can_end_by_its_deadline_alone() -> None:
    late = replace(RUN, deadline_h=2.0, release_h=1.5)
    assert refusal(fleet(4, [(1, 3.0)]), late) == (
        "a cannot end before hour 2.61, and its deadline is hour 2",
        "move the deadline to hour 2.62",
    )
    assert Problem((replace(late, deadline_h=2.62),), fleet(4, [(1, 3.0)]))


def test_the_smallest_change_is_told_exactly_for_long_runs_too() -> None:
    """Six digits of 12345.678 hours would be too few."""
    year = Demand("year", 12345.678, (1,))
    for short, enough in (
        (replace(year, deadline_h=12345.0), replace(year, deadline_h=12345.68)),
        (replace(year, longest_h=12345.0), replace(year, longest_h=12345.68)),
    ):
        assert "12345.68" in refusal(fleet(1), short)[1]
        assert Problem((enough,), fleet(1))
