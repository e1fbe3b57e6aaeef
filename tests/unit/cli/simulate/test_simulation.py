"""Small workloads whose course can be reckoned by hand. Times are sums of powers of two, so that they are exact."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from cli.simulate.cluster import Cluster, Odds
from cli.simulate.result import Result, What
from cli.simulate.simulation import simulate, simulate_many
from cli.simulate.workload import CannotSimulateError, Kind, Run, Workload

ONE_ENVIRONMENT = dict.fromkeys(Kind, "all")
FIFO = Cluster(vms=3, launch_h=0, idle_h=0, fair_share=None)


def run(name: str, work_h: float = 1.0, vms: int = 1, **more: Any) -> Run:
    return Run(name, more.pop("team", "team"), work_h, vms, **more)


def simulated(*runs: Run, cluster: Cluster = FIFO, odds: Odds | None = None, seed: int = 0) -> Result:
    return simulate(Workload(runs), cluster, odds or Odds(), seed)


def spans(result: Result) -> dict[str, tuple[float, float]]:
    return {one.name: (one.start_h, one.end_h) for one in result.runs}


def test_the_head_of_a_queue_that_lacks_vms_holds_back_the_rest() -> None:
    result = simulated(run("a", vms=2), run("wide", vms=3), run("narrow"))

    assert spans(result) == {"a": (0, 1), "wide": (1, 2), "narrow": (2, 3)}


def test_spot_has_a_queue_of_its_own_but_shares_the_cap() -> None:
    runs = (run("a", vms=2), run("wide", vms=3), run("spot", prefers_spot=True), run("late", prefers_spot=True))

    result = simulated(*runs)

    assert spans(result) == {"a": (0, 1), "spot": (0, 1), "wide": (1, 2), "late": (2, 3)}


def test_priorities_order_one_share() -> None:
    cluster = Cluster(vms=1, launch_h=0)
    runs = [run(f"p{level}", share="planned", scheduling_priority=level) for level in (1, 3, 2)]

    assert spans(simulated(*runs, cluster=cluster)) == {"p3": (0, 1), "p2": (1, 2), "p1": (2, 3)}


def test_priorities_do_not_order_shares() -> None:
    """The other share has less use, whatever its priority."""
    runs = [run(name, team="x", scheduling_priority=9) for name in ("x1", "x2")] + [run("y", team="y")]

    assert spans(simulated(*runs, cluster=Cluster(vms=1, launch_h=0))) == {"x1": (0, 1), "y": (1, 2), "x2": (2, 3)}


def test_past_use_counts_against_a_share() -> None:
    """x has used the VM for an hour when both have a run at the same moment."""
    runs = [run("x1", team="x"), run("x2", team="x", release_h=2), run("y", team="y", release_h=2)]

    result = simulated(*runs, cluster=Cluster(vms=1, launch_h=0))

    assert spans(result) == {"x1": (0, 1), "y": (2, 3), "x2": (3, 4)}


def test_first_in_first_out_knows_no_priority() -> None:
    runs = [run("low"), run("high", scheduling_priority=9)]

    assert spans(simulated(*runs, cluster=replace(FIFO, vms=1))) == {"low": (0, 1), "high": (1, 2)}


def test_a_vm_is_launched_reused_while_it_is_idle_and_terminated() -> None:
    cluster = replace(FIFO, vms=1, launch_h=0.5, idle_h=0.25)
    runs = (run("a"), run("at once"), run("in time", release_h=2.625), run("too late", release_h=3.875))

    result = simulated(*runs, cluster=cluster)

    assert spans(result) == {
        "a": (0, 1.5),
        "at once": (1.5, 2.5),
        "in time": (2.625, 3.625),
        "too late": (3.875, 5.375),
    }
    assert [(one.launched_h, one.terminated_h) for one in result.lives] == [(0, 3.875), (3.875, 5.625)]
    assert (result.vm_hours_used, result.vm_hours_idle, result.vm_hours_launching) == (5.0, 0.625, 1.0)


def test_the_vms_of_a_gang_are_launched_together() -> None:
    cluster = replace(FIFO, vms=4, launch_h=0.5, idle_h=1)

    result = simulated(run("pair", vms=2), run("four", vms=4), cluster=cluster)

    assert spans(result) == {"pair": (0, 1.5), "four": (1.5, 3.0)}
    assert [one.attempts[0].launched_vms for one in result.runs] == [2, 2]


@pytest.mark.parametrize(("environments", "launched"), [({kind: kind.value for kind in Kind}, 2), (ONE_ENVIRONMENT, 1)])
def test_a_hand_over_to_another_environment_costs_a_launch(environments: dict[Kind, str], launched: int) -> None:
    cluster = replace(FIFO, vms=2, launch_h=0.5, idle_h=1, environments=environments)

    result = simulated(run("single"), run("gang", vms=2), cluster=cluster)

    assert spans(result) == {"single": (0, 1.5), "gang": (1.5, 3.0)}
    assert result.by_name["gang"].attempts[0].launched_vms == launched
    assert (result.most_vms_used, result.most_vms_there) == (2, 1 + launched)  # the cap is on what runs hold


def test_an_environment_reuses_its_own_vm_after_a_hand_over() -> None:
    cluster = replace(FIFO, vms=1, launch_h=0.5, idle_h=4)
    runs = (run("a"), run("spot", prefers_spot=True, release_h=1), run("b", release_h=1.25))

    result = simulated(*runs, cluster=cluster)

    assert spans(result) == {"a": (0, 1.5), "spot": (1.5, 3.0), "b": (3.0, 4.0)}


def test_vms_that_are_busy_at_the_beginning_are_awaited() -> None:
    workload = Workload((run("a", vms=2), run("b")), busy_until_h=(0.5, 2.0))

    assert spans(simulate(workload, FIFO)) == {"a": (0.5, 1.5), "b": (1.5, 2.5)}


def test_a_run_is_submitted_when_it_may_be_and_measured_from_its_release() -> None:
    result = simulated(run("held", release_h=1, held_until_h=2.5))

    assert spans(result) == {"held": (2.5, 3.5)}
    assert result.completions_h == {"team": (2.5,)}


def test_what_happens_is_told_in_order() -> None:
    result = simulated(run("a", vms=3), run("b"))

    told = [(one.at_h, one.what, one.run) for one in result.events]
    assert told == [
        (0, What.SUBMITTED, "a"), (0, What.SUBMITTED, "b"), (0, What.PLACED, "a"), (0, What.WORKING, "a"),
        (1, What.DONE, "a"), (1, What.PLACED, "b"), (1, What.WORKING, "b"), (2, What.DONE, "b"),
    ]  # fmt: skip


SPOT = run("spot", work_h=2.0, prefers_spot=True)
OFTEN = Odds(reclaims_per_vm_h=2.0, checkpoint_every_h=0.25)


@pytest.mark.parametrize("seed", range(40))
def test_a_reclaim_loses_less_than_a_checkpoint_interval(seed: int) -> None:
    """Spot at most twice, then on demand; and all the work is done once."""
    result = simulated(SPOT, odds=OFTEN, seed=seed).runs[0]

    worked_h = sum(one.end_h - one.start_h for one in result.attempts)
    reclaims = len(result.attempts) - 1
    assert result.is_done
    assert [one.environment for one in result.attempts] == ["spot", "spot", "on-demand"][: reclaims + 1]
    assert 0 <= result.lost_h <= 0.25 * reclaims
    assert worked_h == pytest.approx(2.0 + result.lost_h)


def test_runs_are_reclaimed_as_often_as_said() -> None:
    workload = Workload((run("spot", prefers_spot=True),))

    results = simulate_many(workload, FIFO, Odds(reclaims_per_vm_h=0.5), range(4000))

    undisturbed = sum(len(one.runs[0].attempts) == 1 for one in results) / len(results)
    assert undisturbed == pytest.approx(math.exp(-0.5), abs=0.025)


@pytest.mark.parametrize("seed", range(20))
def test_a_run_without_checkpoints_starts_over(seed: int) -> None:
    result = simulated(replace(SPOT, checkpointable=False), odds=OFTEN, seed=seed).runs[0]

    last = result.attempts[-1]
    assert last.end_h - last.start_h == pytest.approx(2.0)
    assert result.lost_h == pytest.approx(sum(one.end_h - one.start_h for one in result.attempts[:-1]))


def test_a_reclaimed_vm_is_gone_and_the_next_one_is_launched() -> None:
    cluster = replace(FIFO, launch_h=0.5, idle_h=8)

    result = simulated(SPOT, cluster=cluster, odds=replace(OFTEN, reclaims_per_vm_h=50))

    assert [one.launched_vms for one in result.runs[0].attempts] == [1, 1, 1]
    assert [one.environment for one in result.lives] == ["spot", "spot", "on-demand"]


def test_a_gang_that_loses_a_host_keeps_the_others() -> None:
    cluster = replace(FIFO, launch_h=0.5, idle_h=8)

    result = simulated(run("gang", 100, 3), cluster=cluster, odds=Odds(host_failures_per_vm_h=50))

    assert [one.launched_vms for one in result.runs[0].attempts] == [3, 1, 1]


def test_on_demand_a_job_is_tried_a_few_times_and_given_up() -> None:
    result = simulated(run("a", 100), run("b", release_h=90), odds=Odds(host_failures_per_vm_h=50))

    assert [(len(one.attempts), one.is_done) for one in result.runs] == [(3, False), (3, False)]
    assert result.given_up == 2


@pytest.mark.parametrize(("redrives", "attempts"), [(0, 1), (1, 2)])
def test_a_failed_run_is_redriven_or_given_up_and_leaves_its_vms(redrives: int, attempts: int) -> None:
    odds = Odds(failure_probability=1.0, redrives=redrives)

    result = simulated(run("a", vms=3), run("b", vms=3), odds=odds)

    assert [(len(one.attempts), one.is_done) for one in result.runs] == [(attempts, False)] * 2
    assert result.events[-1].what is What.GIVEN_UP


def test_one_seed_has_one_result() -> None:
    runs = [run(f"{number}", 1 + number / 8, prefers_spot=True, team=f"t{number % 3}") for number in range(12)]
    odds = Odds(0.5, 0.1, 0.2)
    workload, cluster = Workload(tuple(runs)), Cluster()

    assert simulate(workload, cluster, odds, 7) == simulate(workload, cluster, odds, 7)
    assert simulate(workload, cluster, odds, 7) != simulate(workload, cluster, odds, 8)


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(CannotSimulateError, match="takes 4 VMs and the cap is 3"):
        simulated(run("wide", vms=4))
    with pytest.raises(CannotSimulateError, match="4 VMs are held"):
        simulate(Workload((), (1.0,) * 4), FIFO)
    with pytest.raises(CannotSimulateError, match="one name"):
        Workload((run("a"), run("a")))
    with pytest.raises(CannotSimulateError, match="0 to 9999, not 10000"):
        run("a", scheduling_priority=10_000)
    with pytest.raises(CannotSimulateError, match="multi-node"):
        Cluster(environments={Kind.ON_DEMAND: "a", Kind.SPOT: "b"})
