"""What holds of every workload, and of every plan that is carried out."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cli.simulate.cluster import Cluster, Odds
from cli.simulate.result import Result, What
from cli.simulate.simulation import simulate
from cli.simulate.validate import executed
from cli.simulate.workload import Run, Workload
from local_cloud.batch.ordering import FairShare
from turbine.domain.capacity import checker, greedy
from turbine.domain.capacity.model import Curve, Demand, Problem
from turbine.domain.capacity.schedule import Placement, Schedule

HOURS = st.integers(1, 32).map(lambda eighths: eighths / 8)
SHARES = [FairShare(decay_s=604_800), FairShare({"a": 2.0}, decay_s=3600), None]


@st.composite
def workloads(draw: st.DrawFn, vms: int) -> Workload:
    count = draw(st.integers(1, 12))
    runs = [
        Run(
            f"run-{number}",
            draw(st.sampled_from("abc")),
            draw(HOURS),
            draw(st.integers(1, vms)),
            draw(st.sampled_from([0.0, 0.5, 2.0, 50.0])),
            scheduling_priority=draw(st.integers(0, 3)),
            prefers_spot=draw(st.booleans()),
            checkpointable=draw(st.booleans()),
        )
        for number in range(count)
    ]
    return Workload(tuple(runs), tuple(draw(st.lists(HOURS, max_size=vms))))


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    st.integers(1, 7).flatmap(lambda vms: st.tuples(st.just(vms), workloads(vms))),
    st.sampled_from([0.0, 0.5]),
    st.sampled_from([0.0, 0.25]),
    st.sampled_from([Odds(), Odds(0.3, 0.05, 0.1), Odds(2.0, 0.5, 0.5, redrives=0)]),
    st.sampled_from(SHARES),
    st.integers(0, 99),
)
def test_every_workload_is_carried_out_within_the_cap(
    given_workload: tuple[int, Workload],
    launch_h: float,
    idle_h: float,
    odds: Odds,
    fair_share: FairShare | None,
    seed: int,
) -> None:
    vms, workload = given_workload
    cluster = Cluster(vms, launch_h, idle_h, fair_share=fair_share)

    result = simulate(workload, cluster, odds, seed)

    assert most_held(result, workload) <= vms
    for run, one in zip(workload.runs, result.runs, strict=True):
        worked_h = sum(attempt.end_h - attempt.start_h - attempt.launch_h for attempt in one.attempts)
        assert one.start_h >= run.submitted_h
        if one.is_done:
            assert worked_h == pytest.approx(run.work_h + one.lost_h)
        interruptions = len(one.attempts) - one.is_done
        if run.checkpointable:
            assert one.lost_h <= odds.checkpoint_every_h * interruptions
    there_h = sum(one.terminated_h - one.launched_h for one in result.lives)
    assert there_h == pytest.approx(result.vm_hours_used + result.vm_hours_idle)
    assert result.launches == sum(attempt.launched_vms for one in result.runs for attempt in one.attempts)
    assert [one.at_h for one in result.events] == sorted(one.at_h for one in result.events)


def most_held(result: Result, workload: Workload) -> int:
    """By the events alone, with what was busy at the beginning."""
    vms = {run.name: run.vms for run in workload.runs}
    changes: Counter[tuple[float, int]] = Counter()
    for until_h in workload.busy_until_h:
        changes[0.0, 1] += 1
        changes[until_h, 0] -= 1
    for event in result.events:
        if event.what is What.PLACED:
            changes[event.at_h, 1] += vms[event.run]
        elif event.what in (What.DONE, What.INTERRUPTED, What.FAILED):
            changes[event.at_h, 0] -= vms[event.run]
    held = most = 0
    for _, change in sorted(changes.items()):
        held += change
        most = max(most, held)
    return most


@st.composite
def problems(draw: st.DrawFn, launch_h: float = 0.0, releases: tuple[float, ...] = (0.0, 0.5, 3.0)) -> Problem:
    vms = draw(st.integers(1, 7))
    demands = []
    for number in range(draw(st.integers(1, 10))):
        widths = tuple(sorted(draw(st.sets(st.integers(1, vms), min_size=1))))
        release_h = draw(st.sampled_from(releases))
        demands.append(
            Demand(
                f"run-{number}", draw(HOURS), widths, draw(st.sampled_from("ab")), Curve(), release_h, launch_h=launch_h
            )
        )
    free_h = draw(st.lists(st.sampled_from([0.0, 0.0, 0.25, 2.0]), min_size=vms, max_size=vms))
    return Problem(tuple(demands), tuple(sorted(free_h)))


def orders(problem: Problem) -> st.SearchStrategy[list[tuple[str, int]]]:
    chosen = st.tuples(*(st.tuples(st.just(one.name), st.sampled_from(one.widths)) for one in problem.demands))
    return chosen.flatmap(st.permutations)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    st.tuples(problems(releases=(0.0,)), st.booleans()).flatmap(
        lambda pair: st.tuples(st.just(pair[0]), orders(pair[0]), st.just(pair[1]))
    )
)
def test_without_launches_and_failures_a_list_schedule_is_what_is_carried_out(
    given_problem: tuple[Problem, list[tuple[str, int]], bool],
) -> None:
    """Where it starts its runs in the list's order. A run that it lets start before an earlier one can only win."""
    problem, order, is_narrow = given_problem
    if is_narrow:
        order = [(name, min(problem.by_name[name].widths)) for name, _ in order]
    listed = greedy.listed(problem, order)
    planned = {one.name: one for one in listed.placements}
    starts = [planned[name].start_h for name, _ in order]
    is_in_order = all(first <= second for first, second in pairwise(starts))

    result = executed(problem, listed, Cluster(problem.vms, launch_h=0.0)).result

    for one in result.runs:
        assert one.start_h <= planned[one.name].start_h + 1e-9
        if is_in_order:
            assert one.start_h == pytest.approx(planned[one.name].start_h, abs=1e-9)
            assert one.end_h == pytest.approx(planned[one.name].end_h, abs=1e-9)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    st.sampled_from([0.0, 0.25]).flatmap(lambda launch_h: st.tuples(st.just(launch_h), problems(launch_h))),
    st.sampled_from([0.0, 0.5]),
)
def test_no_run_of_a_plan_ends_later_than_planned(given_problem: tuple[float, Problem], idle_h: float) -> None:
    """With releases and busy VMs too; what is carried out is a schedule that could have been planned."""
    launch_h, problem = given_problem
    schedule = greedy.plan(problem, effort=500)
    assert not checker.violations(problem, schedule)

    execution = executed(problem, schedule, Cluster(problem.vms, launch_h, idle_h))

    assert execution.latest_h <= 1e-9
    assert execution.ratio <= 1 + 1e-9
    if launch_h == 0:
        assert not checker.violations(problem, as_schedule(execution.result))


def as_schedule(result: Result) -> Schedule:
    return Schedule(tuple(Placement(one.name, one.team, one.start_h, one.end_h, one.vms) for one in result.runs))
