"""A good schedule in milliseconds, without a solver: list scheduling over chosen widths, then local search.

The list schedule takes runs in an order and starts each as soon as its VMs are free, on those that became free last,
so that narrow runs find the holes. Orders and widths come from guesses of the makespan: the longest first, each run
takes the place and the width that cost the least area, idle VMs included, with which it still ends in time; or it takes
the width of the least area, whatever its place. Then single runs get another width or place in the order, as long as
the schedule gets better. The effort is counted in placements, not in seconds, so that the same problem always has the
same plan.

Source: W. Ludwig, P. Tiwari, "Scheduling malleable and nonmalleable parallel tasks", SODA 1994 (widths from a guess of
the makespan, then a rigid list schedule); D. Hochbaum, D. Shmoys, "Using dual approximation algorithms for scheduling
problems", Journal of the ACM 34, 1987 (a guessed makespan is a bin, and the best fit packs it).
"""

from __future__ import annotations

import random
from bisect import bisect_right, insort
from collections import defaultdict
from collections.abc import Iterator, Sequence

from turbine.domain.capacity import bounds
from turbine.domain.capacity.model import Demand, PlanInfeasibleError, Problem, hundredths, shapes
from turbine.domain.capacity.schedule import Schedule, placed

EFFORT = 60_000
"""Placements tried: about 100 ms on one core."""
EFFORT_PER_PAIR = 1_000
"""With less than eight runs there is less to try: the square of their number counts."""
_TIGHT_GUESSES = (1.0, 1.003, 1.006, 1.01, 1.015, 1.02, 1.03, 1.04, 1.06, 1.1)
_GUESSES = (1.0, 1.02, 1.05, 1.1, 1.2, 1.35, 1.6, 2.0, 4.0)
_ENOUGH = 1 + 1e-9
_AIMS = {"makespan": (0, 1, 2), "mean": (1, 0, 2), "cost": (2, 0, 1)}
"""Which of makespan, completions and area counts first, second and third: `objectives.OBJECTIVES`."""

Goal = tuple[float, ...]


def plan(problem: Problem, objective: str = "makespan", *, effort: int = EFFORT) -> Schedule:
    """The best schedule found. Raises: PlanInfeasibleError when none was found that keeps every deadline."""
    if not problem.demands:
        return Schedule(())
    search = _Search(problem, objective, min(effort, EFFORT_PER_PAIR * len(problem.demands) ** 2))
    search.run()
    if search.lateness_h > 1e-9:
        raise _late(problem, search)
    starts_h = {problem.demands[number].name: start for number, start in search.best_starts.items()}
    widths = {demand.name: search.best_widths[number] for number, demand in enumerate(problem.demands)}
    return balanced(problem, placed(problem, starts_h, widths))


def listed(problem: Problem, order: Sequence[tuple[str, int]]) -> Schedule:
    """The list schedule of runs with their widths in that order: each starts as soon as its VMs are free.

    As Batch does with one queue by priority; no run starts later than in any schedule that starts them in this order.
    """
    free, starts_h = sorted(problem.vms_free_h), dict[str, float]()
    for name, width in order:
        demand = problem.by_name[name]
        starts_h[name], free = taken(free, width, demand.durations_h[width], demand.release_h)
    return placed(problem, starts_h, dict(order))


def taken(free_h: Sequence[float], width: int, hours: float, release_h: float = 0.0) -> tuple[float, list[float]]:
    """When a run starts that takes `width` VMs as soon as they are free, and when each VM, sorted, is free after it.

    It takes those that became free last, so that narrower runs find the others.
    """
    start_h = max(release_h, free_h[width - 1])
    ready = bisect_right(free_h, start_h)
    return start_h, sorted([*free_h[: ready - width], *free_h[ready:], *[start_h + hours] * width])


def balanced(problem: Problem, schedule: Schedule) -> Schedule:
    """The same schedule with the runs that are alike exchanged so that no team waits much longer than another."""
    slots = {one.name: one for one in schedule.placements}
    starts_h = {name: one.start_h for name, one in slots.items()}
    widths = {name: one.vms for name, one in slots.items()}
    waited_h: defaultdict[str, float] = defaultdict(float)
    for alike in shapes(problem.demands):
        left = list(alike)
        for slot in sorted((slots[demand.name] for demand in alike), key=lambda one: (-one.end_h, one.start_h)):
            demand = min(left, key=lambda one: (waited_h[one.team], one.name))
            left.remove(demand)
            waited_h[demand.team] += slot.end_h
            starts_h[demand.name], widths[demand.name] = slot.start_h, slot.vms
    exchanged = placed(problem, starts_h, widths)
    return exchanged if exchanged.unfairness_h < schedule.unfairness_h else schedule


class _Search:
    def __init__(self, problem: Problem, objective: str, effort: int) -> None:
        self._problem, self._objective, self._effort = problem, objective, effort
        self._free = sorted(problem.vms_free_h)
        self._demands = problem.demands
        self._hours = [
            {width: hours for width, hours in one.durations_h.items() if width <= problem.vms} for one in self._demands
        ]
        self._random = random.Random(0)  # noqa: S311  nothing secret: the same problem, the same plan
        self._bound_h = bounds.makespan_h(problem)
        self._limits = [(one.release_h, one.deadline_h) for one in self._demands]
        self.best: Goal = ()
        self.best_order: list[int] = []
        self.best_widths: list[int] = []
        self.best_starts: dict[int, float] = {}

    @property
    def lateness_h(self) -> float:
        return self.best[0]

    def run(self) -> None:
        for order, widths in self._first():
            self._try(order, widths)
        while self._effort > 0:
            if not self._improve():
                self._perturb()

    def _first(self) -> Iterator[tuple[list[int], list[int]]]:
        """Orders and widths to begin with."""
        for guess in _TIGHT_GUESSES:
            for longest in (max, min):
                ranked = sorted(range(len(self._hours)), key=lambda number: -longest(self._hours[number].values()))
                yield self._fitted(ranked, guess * self._bound_h)
        for guess in _GUESSES:
            widths = [self._least_area(number, guess * self._bound_h) for number in range(len(self._demands))]
            for key in (self._longest_first, self._widest_first, self._shortest_first):
                ranks = [key(number, widths) for number in range(len(widths))]
                yield sorted(range(len(widths)), key=ranks.__getitem__), widths

    def _fitted(self, ranked: Sequence[int], within_h: float) -> tuple[list[int], list[int]]:
        """Each run where it wastes least and ends by then, or as soon as it can; in the order in which they start."""
        free = self._free.copy()
        starts, widths = [0.0] * len(ranked), [0] * len(ranked)
        for number in ranked:
            release_h, deadline_h = self._limits[number]
            hours = self._hours[number]
            limit_h = min(within_h, deadline_h) * _ENOUGH
            fits: list[tuple[float, int, int]] = []
            for width, taken_h in hours.items():
                past = bisect_right(free, limit_h - taken_h)
                if past >= width and release_h + taken_h <= limit_h:
                    end_h = max(release_h, free[past - 1]) + taken_h
                    fits.append((width * end_h - sum(free[past - width : past]), width, past))
            if fits:
                _, width, past = min(fits)
            else:
                width = min(hours, key=lambda width: max(release_h, free[width - 1]) + hours[width])
                past = width
            starts[number], widths[number] = max(release_h, free[past - 1]), width
            del free[past - width : past]
            for _ in range(width):
                insort(free, starts[number] + hours[width])
        return sorted(ranked, key=lambda number: (starts[number], -widths[number])), widths

    def _least_area(self, number: int, within_h: float) -> int:
        hours = self._hours[number]
        release_h, deadline_h = self._limits[number]
        limit_h = min(within_h, deadline_h) - release_h
        fitting = [width for width, taken in hours.items() if taken <= limit_h * _ENOUGH] or [
            min(hours, key=lambda width: hours[width])
        ]
        return min(fitting, key=lambda width: (width * hours[width], width))

    def _longest_first(self, number: int, widths: Sequence[int]) -> tuple[float, ...]:
        return (self._limits[number][1], -self._hours[number][widths[number]], -widths[number])

    def _widest_first(self, number: int, widths: Sequence[int]) -> tuple[float, ...]:
        return (-widths[number], self._limits[number][1], -self._hours[number][widths[number]])

    def _shortest_first(self, number: int, widths: Sequence[int]) -> tuple[float, ...]:
        return (self._limits[number][0], widths[number] * self._hours[number][widths[number]])

    def _try(self, order: list[int], widths: list[int]) -> bool:
        """Whether this is the best so far; then it is kept."""
        self._effort -= len(order)
        goal, starts = self._pack(order, widths)
        if self.best and goal >= self.best:
            return False
        self.best, self.best_starts = goal, starts
        self.best_order, self.best_widths = list(order), list(widths)
        return True

    def _pack(self, order: Sequence[int], widths: Sequence[int]) -> tuple[Goal, dict[int, float]]:
        free = self._free.copy()
        starts: dict[int, float] = {}
        makespan = ends = late = area = 0.0
        for number in order:
            width = widths[number]
            release_h, deadline_h = self._limits[number]
            start = max(release_h, free[width - 1])
            end = start + self._hours[number][width]
            ready = bisect_right(free, start)
            del free[ready - width : ready]
            place = bisect_right(free, end)
            free[place:place] = [end] * width
            starts[number] = start
            makespan = max(makespan, end)
            ends += end
            area += width * self._hours[number][width]
            late = max(late, end - deadline_h)
        aims = (makespan, ends, area)
        goal = tuple([round(max(late, 0.0), 9)] + [round(aims[place], 9) for place in _AIMS[self._objective]])
        return goal, starts

    def _improve(self) -> bool:
        """One change that makes the best better, tried first where runs end last."""
        ends = {number: start + self._hours[number][self.best_widths[number]] for number, start in
                self.best_starts.items()}  # fmt: skip
        for number in sorted(ends, key=lambda number: -ends[number]):
            for order, widths in self._neighbours(number):
                if self._effort <= 0:
                    return False
                if self._try(order, widths):
                    return True
        return False

    def _neighbours(self, number: int) -> Iterator[tuple[list[int], list[int]]]:
        place = self.best_order.index(number)
        rest = [*self.best_order[:place], *self.best_order[place + 1 :]]
        places = {place, 0, len(rest), *self._random.sample(range(len(rest) + 1), min(3, len(rest) + 1))}
        for width in self._hours[number]:
            widths = list(self.best_widths)
            widths[number] = width
            for other in places:
                if width != self.best_widths[number] or other != place:
                    yield [*rest[:other], number, *rest[other:]], widths

    def _perturb(self) -> None:
        """Leave a place where no single change helps: change a few at once, and improve from there."""
        kept = (self.best, self.best_order, self.best_widths, self.best_starts)
        order, widths = list(self.best_order), list(self.best_widths)
        for _ in range(self._random.randint(2, 4)):
            number = self._random.randrange(len(order))
            widths[number] = self._random.choice(list(self._hours[number]))
            order.remove(number)
            order.insert(self._random.randrange(len(order) + 1), number)
        self._effort -= len(order)
        self.best, self.best_starts = self._pack(order, widths)
        self.best_order, self.best_widths = order, widths
        while self._improve():
            pass
        if self.best >= kept[0]:
            self.best, self.best_order, self.best_widths, self.best_starts = kept


def _late(problem: Problem, search: _Search) -> PlanInfeasibleError:
    """Which runs miss their deadlines in the best schedule found, and by how much the worst of them does."""
    late: list[tuple[float, Demand]] = []
    for number, demand in enumerate(problem.demands):
        end_h = search.best_starts[number] + demand.durations_h[search.best_widths[number]]
        if end_h > demand.deadline_h:
            late.append((end_h - demand.deadline_h, demand))
    late.sort(key=lambda pair: -pair[0])
    hours, worst = late[0]
    names = ", ".join(demand.name for _, demand in late)
    moved = "its deadline" if len(late) == 1 else f"the deadlines of {names}"
    return PlanInfeasibleError(
        f"no schedule was found in which all deadlines are kept: {worst.name} misses hour {worst.deadline_h:g}",
        f"move {moved} by {hundredths(hours)} h, or allow more than {problem.vms} VMs",
    )
