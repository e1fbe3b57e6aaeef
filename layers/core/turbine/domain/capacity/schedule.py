"""A plan: for each run its start, its end and its number of VMs, and what can be said of all of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from turbine.domain.capacity.model import Problem


@dataclass(frozen=True)
class Placement:
    """One run's place. Units: hours from the moment of planning."""

    name: str
    team: str
    start_h: float
    end_h: float
    vms: int


@dataclass(frozen=True)
class Schedule:
    """Placements in the order in which they start."""

    placements: tuple[Placement, ...]

    @cached_property
    def makespan_h(self) -> float:
        return max((one.end_h for one in self.placements), default=0.0)

    @cached_property
    def mean_completion_h(self) -> float:
        return sum(one.end_h for one in self.placements) / max(len(self.placements), 1)

    @cached_property
    def longest_run_h(self) -> float:
        return max((one.end_h - one.start_h for one in self.placements), default=0.0)

    @cached_property
    def vm_hours(self) -> float:
        return sum(one.vms * (one.end_h - one.start_h) for one in self.placements)

    @cached_property
    def busiest_vms(self) -> int:
        """The most VMs held at once."""
        edges = sorted(
            edge for one in self.placements for edge in ((one.end_h, -one.vms), (one.start_h, one.vms))
        )  # what ends makes room for what starts at that moment
        held = most = 0
        for _, change in edges:
            held += change
            most = max(most, held)
        return most

    @cached_property
    def unfairness_h(self) -> float:
        """By how much later the runs of the team that fares worst end, on average, than those of the best."""
        ends: defaultdict[str, list[float]] = defaultdict(list)
        for one in self.placements:
            ends[one.team].append(one.end_h)
        means = [sum(hours) / len(hours) for hours in ends.values()]
        return max(means) - min(means) if means else 0.0


def placed(problem: Problem, starts_h: Mapping[str, float], widths: Mapping[str, int]) -> Schedule:
    """The schedule in which each run starts then and on so many VMs."""
    placements = [
        Placement(
            demand.name,
            demand.team,
            starts_h[demand.name],
            starts_h[demand.name] + demand.durations_h[widths[demand.name]],
            widths[demand.name],
        )
        for demand in problem.demands
    ]
    return Schedule(tuple(sorted(placements, key=lambda one: (one.start_h, -one.vms, one.name))))
