"""What no schedule can beat, by arguments that need no search.

Source: J. Turek, W. Ludwig, J. Wolf, L. Fleischer et al., "Scheduling parallelizable tasks to minimize average
response time", SPAA 1994 (the squashed area); the area and critical-path bounds are folklore.
"""

from __future__ import annotations

from itertools import groupby

from turbine.domain.capacity.model import Demand, Problem

_HALVINGS = 48


def makespan_h(problem: Problem) -> float:
    """The least T in which every run fits alone, and all least areas fit into the VMs' free time, after each release.

    The least area of a run is over the widths with which it would end by T.
    """
    if not problem.demands:
        return 0.0
    low = max(_soonest_h(problem, demand) for demand in problem.demands)
    high = max(low, max(problem.vms_free_h)) + sum(
        min(demand.areas_vm_h.values()) + demand.release_h for demand in problem.demands
    )
    if _fits(problem, low):
        return low
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if _fits(problem, middle) else (middle, high)
    return low


def mean_completion_h(problem: Problem) -> float:
    """The better of two: each run alone, and the squashed area, in which all VMs work as one on the least areas."""
    count = len(problem.demands)
    if not count:
        return 0.0
    alone = sum(_soonest_h(problem, demand) for demand in problem.demands) / count
    done_vm_h = total_h = 0.0
    for area in sorted(min(_areas(problem, demand)) for demand in problem.demands):
        done_vm_h += area
        total_h += _time_of_area(problem, done_vm_h)
    return max(alone, total_h / count)


def _areas(problem: Problem, demand: Demand) -> list[float]:
    return [area for width, area in demand.areas_vm_h.items() if width <= problem.vms]


def _soonest_h(problem: Problem, demand: Demand) -> float:
    free = sorted(problem.vms_free_h)
    return min(
        max(demand.release_h, free[width - 1]) + hours
        for width, hours in demand.durations_h.items()
        if width <= problem.vms
    )


def _fits(problem: Problem, limit_h: float) -> bool:
    """Whether the areas allow an end by `limit_h`."""
    free = sorted(problem.vms_free_h)
    least: list[tuple[float, float]] = []
    for demand in problem.demands:
        areas = [
            demand.areas_vm_h[width]
            for width, hours in demand.durations_h.items()
            if width <= problem.vms and max(demand.release_h, free[width - 1]) + hours <= limit_h * (1 + 1e-12)
        ]
        if not areas:
            return False
        least.append((demand.release_h, min(areas)))
    wanted = 0.0
    for release_h, later in groupby(sorted(least, reverse=True), key=lambda pair: pair[0]):
        wanted += sum(area for _, area in later)
        if wanted > _room(problem, release_h, limit_h) * (1 + 1e-12):
            return False
    return True


def _room(problem: Problem, from_h: float, to_h: float) -> float:
    return sum(max(0.0, to_h - max(free_h, from_h)) for free_h in problem.vms_free_h)


def _time_of_area(problem: Problem, area_vm_h: float) -> float:
    """When all VMs together, each from when it is free, have worked that much."""
    free, done, working = sorted(problem.vms_free_h), 0.0, 0
    for number, free_h in enumerate(free):
        working = number + 1
        until_h = free[number + 1] if working < len(free) else float("inf")
        more = working * (until_h - free_h)
        if done + more >= area_vm_h:
            return free_h + (area_vm_h - done) / working
        done += more
    return free[-1]
