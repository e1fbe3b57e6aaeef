"""Weeks of a platform under a policy: all teams are trained at each trigger, and what came of it is compared.

The plan of a trigger counts what the plans before it still hold, as planned. What was late is met in the queue, where
earlier plans come first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import lru_cache

from cli.simulate.cluster import Cluster, Odds
from cli.simulate.result import Result
from cli.simulate.simulation import NOTHING_FAILS, simulate
from cli.simulate.validate import planned_runs
from cli.simulate.workload import Run, Workload, work_h
from turbine.domain.capacity import greedy
from turbine.domain.capacity.model import VMS_MAX, Curve, Demand, Problem, by_turns, fleet, vm_hours
from turbine.domain.capacity.schedule import Placement, Schedule

HOURS_PER_WEEK = 168.0


class Policy(StrEnum):
    """How the runs of a trigger get their VMs."""

    FIRST_COME = "one VM a run, first come"
    PLANNED = "planned"
    STAGGERED = "one run after another, on all VMs"


@dataclass(frozen=True)
class Season:
    """What is trained, and when. Units: hours; `work_vm_h` on one VM; triggers from the beginning of each week.

    `stagger_h` is from one run to the next; by default as long as a run works on all VMs.
    """

    teams: int = 4
    runs_per_team: int = 1
    weeks: int = 1
    triggers_h: tuple[float, ...] = (2.0, 74.0)
    work_vm_h: float = field(default_factory=vm_hours)
    widths: tuple[int, ...] = tuple(range(1, VMS_MAX + 1))
    curve: Curve = field(default_factory=Curve)
    prefers_spot: bool = False
    stagger_h: float | None = None

    def moments_h(self) -> Iterator[float]:
        """Every trigger."""
        for week in range(self.weeks):
            for hour in self.triggers_h:
                yield week * HOURS_PER_WEEK + hour

    def demands(self, launch_h: float) -> tuple[Demand, ...]:
        """The runs of one trigger, the teams by turns."""
        return tuple(
            Demand(f"team-{team}/{number}", self.work_vm_h, self.widths, f"team-{team}", self.curve, launch_h=launch_h)
            for number in range(1, self.runs_per_team + 1)
            for team in range(1, self.teams + 1)
        )


def replay(season: Season, policy: Policy, cluster: Cluster, odds: Odds = NOTHING_FAILS, seed: int = 0) -> Result:
    """Simulate all its weeks."""
    return simulate(workload(season, policy, cluster), cluster, odds, seed)


def workload(season: Season, policy: Policy, cluster: Cluster) -> Workload:
    """All runs of a season under a policy. A run's name begins with its trigger's number."""
    makers = {Policy.FIRST_COME: _first_come, Policy.PLANNED: _planned, Policy.STAGGERED: _staggered}
    runs = makers[policy](season, cluster)
    return Workload(tuple(replace(run, prefers_spot=season.prefers_spot) for run in runs))


def _first_come(season: Season, cluster: Cluster) -> Iterator[Run]:
    for trigger, now_h in enumerate(season.moments_h(), 1):
        for one in season.demands(cluster.launch_h):
            yield Run(f"{trigger}/{one.name}", one.team, work_h(one, 1), release_h=now_h)


def _staggered(season: Season, cluster: Cluster) -> Iterator[Run]:
    width = max(width for width in season.widths if width <= cluster.vms)
    for trigger, now_h in enumerate(season.moments_h(), 1):
        for place, one in enumerate(season.demands(cluster.launch_h)):
            lasts_h = work_h(one, width)
            apart_h = lasts_h if season.stagger_h is None else season.stagger_h
            yield Run(f"{trigger}/{one.name}", one.team, lasts_h, width, now_h + place * apart_h)


def _planned(season: Season, cluster: Cluster) -> Iterator[Run]:
    earlier: list[Placement] = []
    before = 0
    for trigger, now_h in enumerate(season.moments_h(), 1):
        earlier = [one for one in earlier if one.end_h > now_h]
        busy = ((one.vms, one.end_h - now_h) for one in earlier)
        demands = by_turns(season.demands(cluster.launch_h), trigger)
        problem = Problem(demands, fleet(cluster.vms, busy))
        placements = _plan(problem).placements
        for run in planned_runs(problem, placements, before):
            yield replace(run, name=f"{trigger}/{run.name}", release_h=now_h)
        before += len(placements)
        earlier += [replace(one, start_h=now_h + one.start_h, end_h=now_h + one.end_h) for one in placements]


@lru_cache(maxsize=256)
def _plan(problem: Problem) -> Schedule:
    """Most triggers find the same runs and an empty cluster."""
    return greedy.plan(problem)
