"""A week and a year under each policy."""

from __future__ import annotations

import pytest

from cli.simulate.cluster import Cluster, Odds
from cli.simulate.week import Policy, Season, replay, workload
from cli.simulate.workload import PLANNED_SHARE
from turbine.domain.capacity.model import Curve

CLUSTER = Cluster(launch_h=0.125, idle_h=0.25)
WEEK = Season(work_vm_h=2.0, curve=Curve(1.0))


def test_two_triggers_a_week() -> None:
    assert list(Season(weeks=2).moments_h()) == [2.0, 74.0, 170.0, 242.0]


def test_first_come_has_one_vm_a_run() -> None:
    result = replay(WEEK, Policy.FIRST_COME, CLUSTER)

    assert [run.name for run in result.runs[:5]] == [
        "1/team-1/1", "1/team-2/1", "1/team-3/1", "1/team-4/1", "2/team-1/1",
    ]  # fmt: skip
    assert result.completions_h == {f"team-{team}": (2.125, 2.125) for team in range(1, 5)}
    assert (result.most_vms_used, result.launches) == (4, 8)


def test_first_come_shares_by_team_when_there_are_more_runs_than_vms() -> None:
    result = replay(Season(work_vm_h=2.0, runs_per_team=2, triggers_h=(0.0,)), Policy.FIRST_COME, CLUSTER)

    assert sorted(run.start_h for run in result.runs) == [0.0] * 7 + [2.125]


def test_a_plan_ends_earlier_than_first_come() -> None:
    first_come = replay(WEEK, Policy.FIRST_COME, CLUSTER)
    planned = replay(WEEK, Policy.PLANNED, CLUSTER)

    assert planned.makespan_h < first_come.makespan_h
    assert {run.share_identifier for run in workload(WEEK, Policy.PLANNED, CLUSTER).runs} == {PLANNED_SHARE}


def test_staggered_runs_have_all_vms_one_after_another() -> None:
    result = replay(WEEK, Policy.STAGGERED, CLUSTER)

    assert {run.vms for run in result.runs} == {7}
    assert [run.release_h for run in result.runs[:4]] == pytest.approx([2.0 + place * 2 / 7 for place in range(4)])
    assert result.runs[0].end_h == pytest.approx(2.125 + 2 / 7)
    assert result.runs[3].end_h == pytest.approx(2.125 + 4 * 2 / 7)  # the VMs are launched once
    assert result.launches == 14


def test_plans_reckon_with_what_the_one_before_still_holds() -> None:
    season = Season(3, work_vm_h=8.0, curve=Curve(0.9), triggers_h=(0.0, 4.0))

    result = replay(season, Policy.PLANNED, CLUSTER)

    runs = workload(season, Policy.PLANNED, CLUSTER).runs
    assert [run.scheduling_priority for run in runs] == list(range(9999, 9993, -1))
    assert [run.vms for run in runs[3:]] != [run.vms for run in runs[:3]]
    first = [run for run in result.runs if run.name.startswith("1/")]
    second = [run for run in result.runs if run.name.startswith("2/")]
    assert max(run.end_h for run in first) > 4.0
    assert min(run.start_h for run in second) >= 4.0
    assert result.most_vms_used <= 7
    assert result.given_up == 0


@pytest.mark.parametrize("policy", Policy)
def test_a_year_is_simulated_and_the_same_seed_has_the_same_one(policy: Policy) -> None:
    season = Season(weeks=52, prefers_spot=True)
    odds = Odds(0.05, 0.001, 0.02)

    result = replay(season, policy, Cluster(), odds, 3)

    assert len(result.runs) == 52 * 2 * 4
    assert result.most_vms_used <= 7
    assert result == replay(season, policy, Cluster(), odds, 3)
