"""Plans that are carried out: on time while nothing fails, and how late when something does."""

from __future__ import annotations

import random

import pytest

from cli.simulate.cluster import Cluster, Odds
from cli.simulate.validate import executed, planned_runs
from cli.simulate.workload import CannotSimulateError
from turbine.domain.capacity import greedy
from turbine.domain.capacity.model import Curve, Demand, Problem, fleet, reference
from turbine.domain.capacity.schedule import placed

LAUNCH_H = 0.1


def instance(seed: int, launch_h: float = LAUNCH_H) -> Problem:
    """Twenty runs of four teams on 7 VMs, some of them gangs in any case, some known later."""
    luck = random.Random(seed)
    return Problem(
        tuple(
            Demand(
                f"run-{number:02}",
                luck.uniform(0.5, 6.0),
                tuple(range(luck.choice((1, 1, 2, 3)), luck.choice((3, 4, 7)) + 1)),
                f"team-{number % 4}",
                Curve(luck.choice((0.8, 0.9, 0.95))),
                release_h=luck.choice((0.0, 0.0, 0.0, 1.0, 2.5)),
                launch_h=launch_h,
            )
            for number in range(20)
        ),
        fleet(7),
    )


@pytest.mark.parametrize("seed", range(30))
def test_a_plan_that_reckons_with_launches_holds(seed: int) -> None:
    problem = instance(seed)

    execution = executed(problem, greedy.plan(problem, effort=4000), Cluster(launch_h=LAUNCH_H))

    assert execution.ratio <= 1.03
    assert execution.latest_h <= 1e-9
    assert execution.result.most_vms_used <= 7
    assert execution.result.given_up == 0


def test_the_reference_is_carried_out_as_planned() -> None:
    problem = reference()
    schedule = greedy.plan(problem)

    execution = executed(problem, schedule, Cluster(launch_h=0.0))

    assert execution.ratio == pytest.approx(1.0)
    assert execution.result.unfairness_h == pytest.approx(schedule.unfairness_h)


def test_a_plan_that_forgets_the_launches_is_late() -> None:
    problem = instance(3, launch_h=0.0)

    execution = executed(problem, greedy.plan(problem, effort=4000), Cluster(launch_h=LAUNCH_H, idle_h=0.0))

    assert execution.ratio > 1
    assert execution.latest_h > LAUNCH_H


def test_a_run_that_is_known_earlier_does_not_take_the_vms_of_one_before_it() -> None:
    """Submitted at once, the long run would hold a VM from hour 0 to 8, and the wide one would wait for it."""
    wide, long = Demand("wide", 2.0, (2,), curve=Curve(1.0), release_h=1.0), Demand("long", 8.0, (1,))
    problem = Problem((wide, long), fleet(2))
    schedule = placed(problem, {"wide": 1.0, "long": 2.0}, {"wide": 2, "long": 1})

    execution = executed(problem, schedule, Cluster(vms=2, launch_h=0.0))

    assert {one.name: one.start_h for one in execution.result.runs} == {"wide": 1.0, "long": 2.0}


def test_reclaims_make_a_plan_late() -> None:
    problem = instance(5)
    schedule = greedy.plan(problem, effort=4000)
    odds = Odds(reclaims_per_vm_h=0.5, host_failures_per_vm_h=0.2)

    execution = executed(problem, schedule, Cluster(launch_h=LAUNCH_H), odds, 1, prefers_spot=True)

    environments = {one.environment for run in execution.result.runs for one in run.attempts}
    assert environments == {"on-demand", "spot", "multi-node"}
    assert execution.result.vm_hours_lost > 0
    assert execution.ratio > 1
    assert execution.result.most_vms_used <= 7


def test_priorities_go_down_with_the_planned_starts_and_end_at_0() -> None:
    problem = reference()
    placements = greedy.plan(problem, effort=500).placements

    runs = planned_runs(problem, placements, before=9996)

    assert [run.scheduling_priority for run in runs] == [3, 2, 1, 0, 0, 0, 0, 0]
    assert [run.name for run in runs] == [one.name for one in placements]
    assert {run.share_identifier for run in runs} == {"planned"}


def test_a_plan_for_another_cap_is_refused() -> None:
    problem = reference()

    with pytest.raises(CannotSimulateError, match="for 7 VMs and the cluster has 6"):
        executed(problem, greedy.plan(problem, effort=100), Cluster(vms=6))
