"""Whether a plan holds when it is carried out: the planner's schedule on the simulated cluster.

All runs have one share identifier, and scheduling priorities in the order of their planned starts. A run is submitted
once those before it may be: else one that is known earlier would take the VMs of one that comes first. As the head of
a queue holds back all others, no run that is planned with its launch then starts later than planned while nothing
fails: at its planned start all before it have started, and those that should have ended have.

Source: https://docs.aws.amazon.com/batch/latest/userguide/fair-share-scheduling.html (scheduling priority orders the
jobs of one share identifier only).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from cli.simulate.cluster import Cluster, Odds
from cli.simulate.result import Result
from cli.simulate.simulation import NOTHING_FAILS, simulate
from cli.simulate.workload import PLANNED_SHARE, PRIORITY_MAX, CannotSimulateError, Run, Workload, work_h
from turbine.domain.capacity.model import Problem
from turbine.domain.capacity.schedule import Placement, Schedule


@dataclass(frozen=True)
class Execution:
    """A plan and what became of it. Units: hours."""

    schedule: Schedule
    result: Result

    @property
    def ratio(self) -> float:
        """Executed over planned makespan."""
        return self.result.makespan_h / self.schedule.makespan_h if self.schedule.makespan_h else 1.0

    @cached_property
    def latest_h(self) -> float:
        """By how much the run that is latest ends after its planned end; below 0 when all end before."""
        ends_h = self.result.by_name
        return max((ends_h[one.name].end_h - one.end_h for one in self.schedule.placements), default=0.0)


def executed(
    problem: Problem,
    schedule: Schedule,
    cluster: Cluster,
    odds: Odds = NOTHING_FAILS,
    seed: int = 0,
    *,
    prefers_spot: bool = False,
) -> Execution:
    """Carry out a schedule as the product does. Raises: CannotSimulateError when it is of another number of VMs."""
    if problem.vms != cluster.vms:
        raise CannotSimulateError(f"the plan is for {problem.vms} VMs and the cluster has {cluster.vms}")
    runs = planned_runs(problem, schedule.placements)
    workload = Workload(
        tuple(replace(run, prefers_spot=prefers_spot) for run in runs),
        tuple(hour for hour in problem.vms_free_h if hour > 0),
    )
    return Execution(schedule, simulate(workload, cluster, odds, seed))


def planned_runs(problem: Problem, placements: Iterable[Placement], before: int = 0) -> list[Run]:
    """Runs that start in the planned order, behind so many of earlier plans.

    Those for whom no priority is left have the lowest, and among themselves the order of their submission.
    """
    ordered: Sequence[Placement] = sorted(placements, key=lambda one: one.start_h)
    held_until_h = 0.0
    runs: list[Run] = []
    for place, one in enumerate(ordered, before):
        demand = problem.by_name[one.name]
        held_until_h = max(held_until_h, demand.release_h)
        runs.append(
            Run(
                one.name, one.team, work_h(demand, one.vms), one.vms, demand.release_h, held_until_h, PLANNED_SHARE,
                max(PRIORITY_MAX - place, 0), checkpointable=demand.checkpointable,
            )
        )  # fmt: skip
    return runs
