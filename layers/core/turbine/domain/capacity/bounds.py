"""What no schedule can beat, by arguments that need no search.

Source: J. Turek, W. Ludwig, J. Wolf, L. Fleischer et al., "Scheduling parallelizable tasks to minimize average
response time", SPAA 1994 (the squashed area, and half the heights above it); the area and critical-path bounds are
folklore.
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
    """The best of three: each run alone, the squashed area, in which all VMs work as one, and that with heights."""
    count = len(problem.demands)
    if not count:
        return 0.0
    alone = sum(_soonest_h(problem, demand) for demand in problem.demands)
    done_vm_h = squashed = 0.0
    for area in sorted(min(_areas(problem, demand)) for demand in problem.demands):
        done_vm_h += area
        squashed += _time_of_area(problem, done_vm_h)
    return max(alone, squashed, _with_heights(problem)) / count


def _with_heights(problem: Problem) -> float:
    """The least sum of ends for which the VMs suffice, where each run may choose its place and its width.

    At the middle of a run half of its area is done, on average, and so is all that came before it: the k-th to end of n
    adds its area, over all VMs, to the ends of those behind it and half of it to its own, which is half its duration
    after its middle. The best choice is an assignment of runs to places.
    """
    count = len(problem.demands)
    return _least_assignment(
        [
            [
                min(
                    (behind + 0.5) * width * hours / problem.vms + hours / 2
                    for width, hours in demand.durations_h.items()
                    if width <= problem.vms
                )
                for behind in range(count)
            ]
            for demand in problem.demands
        ]
    )


def _least_assignment(costs: list[list[float]]) -> float:
    """The least sum if each row takes a column of its own.

    Source: R. Jonker, A. Volgenant, "A shortest augmenting path algorithm for dense and sparse linear assignment
    problems", Computing 38, 1987.
    """
    count = len(costs)
    of_row, of_column = [0.0] * count, [0.0] * (count + 1)
    row_at = [-1] * (count + 1)  # the row that holds each column; the last column is where a new row begins
    for row in range(count):
        row_at[count], column = row, count
        least, came_from = [float("inf")] * count, [count] * count
        open_columns, reached = set(range(count)), [count]
        while row_at[column] >= 0:
            here = row_at[column]
            for other in open_columns:
                reduced = costs[here][other] - of_row[here] - of_column[other]
                if reduced < least[other]:
                    least[other], came_from[other] = reduced, column
            column = min(open_columns, key=least.__getitem__)
            step = least[column]
            for other in reached:
                of_row[row_at[other]] += step
                of_column[other] -= step
            for other in open_columns:
                least[other] -= step
            open_columns.remove(column)
            reached.append(column)
        while column != count:
            row_at[column] = row_at[came_from[column]]
            column = came_from[column]
    return sum(costs[row][column] for column, row in enumerate(row_at[:count]))


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
