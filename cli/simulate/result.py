"""What came of a simulated workload, and of the same one under many seeds. Units: hours, VM-hours."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from cli.simulate.instances import Life, most_at_once


class What(StrEnum):
    """What can happen."""

    SUBMITTED = "submitted"
    PLACED = "placed"
    WORKING = "working"
    INTERRUPTED = "interrupted"
    FAILED = "failed"
    GIVEN_UP = "given up"
    DONE = "done"


@dataclass(frozen=True)
class Event:
    at_h: float
    what: What
    run: str
    environment: str = ""


@dataclass(frozen=True)
class Attempt:
    """One stay of a run on its VMs, its launch included."""

    environment: str
    start_h: float
    end_h: float
    launched_vms: int
    launch_h: float


@dataclass(frozen=True)
class RunResult:
    """One run. `start_h` is when it had its VMs first, `lost_h` the work that was done for nothing."""

    name: str
    team: str
    vms: int
    release_h: float
    start_h: float
    end_h: float
    attempts: tuple[Attempt, ...]
    lost_h: float
    is_done: bool

    @property
    def completion_h(self) -> float:
        """From its release to its end."""
        return self.end_h - self.release_h


@dataclass(frozen=True)
class Result:
    """A simulated workload. `lives` are the VMs that were there."""

    runs: tuple[RunResult, ...]
    lives: tuple[Life, ...]
    events: tuple[Event, ...]

    @cached_property
    def by_name(self) -> dict[str, RunResult]:
        return {run.name: run for run in self.runs}

    @cached_property
    def makespan_h(self) -> float:
        return max((run.end_h for run in self.runs), default=0.0)

    @cached_property
    def mean_completion_h(self) -> float:
        return _mean([run.completion_h for run in self.runs])

    @cached_property
    def completions_h(self) -> dict[str, tuple[float, ...]]:
        """By team, how long each run took from its release."""
        found: defaultdict[str, list[float]] = defaultdict(list)
        for run in self.runs:
            found[run.team].append(run.completion_h)
        return {team: tuple(hours) for team, hours in sorted(found.items())}

    @cached_property
    def unfairness_h(self) -> float:
        """By how much longer the runs of the team that fares worst take, on average, than those of the best."""
        means = [_mean(hours) for hours in self.completions_h.values()]
        return max(means) - min(means) if means else 0.0

    @cached_property
    def vm_hours_used(self) -> float:
        """Held by runs, launches included."""
        return sum(run.vms * (one.end_h - one.start_h) for run in self.runs for one in run.attempts)

    @cached_property
    def vm_hours_launching(self) -> float:
        """That runs spent on waiting for a launch; counted in what is used."""
        return sum(run.vms * one.launch_h for run in self.runs for one in run.attempts)

    @cached_property
    def vm_hours_lost(self) -> float:
        """Work that was done for nothing; counted in what is used."""
        return sum(run.vms * run.lost_h for run in self.runs)

    @cached_property
    def vm_hours_idle(self) -> float:
        """Between two runs and before the termination."""
        return sum(one.idle_h for one in self.lives)

    @cached_property
    def launches(self) -> int:
        return len(self.lives)

    @cached_property
    def most_vms_used(self) -> int:
        """The most VMs that runs held at once, which is what the tokens cap."""
        return most_at_once((one.start_h, one.end_h, run.vms) for run in self.runs for one in run.attempts)

    @cached_property
    def most_vms_there(self) -> int:
        """The most VMs that were there at once, idle ones included."""
        return most_at_once((one.launched_h, one.terminated_h, 1) for one in self.lives)

    @cached_property
    def given_up(self) -> int:
        return sum(not run.is_done for run in self.runs)


@dataclass(frozen=True)
class Percentiles:
    """One figure over many seeds."""

    p5: float
    p50: float
    p95: float
    mean: float


FIGURES: dict[str, Callable[[Result], float]] = {
    "makespan_h": lambda result: result.makespan_h,
    "mean_completion_h": lambda result: result.mean_completion_h,
    "unfairness_h": lambda result: result.unfairness_h,
    "vm_hours_used": lambda result: result.vm_hours_used,
    "vm_hours_idle": lambda result: result.vm_hours_idle,
    "vm_hours_lost": lambda result: result.vm_hours_lost,
    "launches": lambda result: result.launches,
    "most_vms_there": lambda result: result.most_vms_there,
    "given_up": lambda result: result.given_up,
}


def summarize(results: Sequence[Result]) -> dict[str, Percentiles]:
    """Every figure over the results, by its name."""
    return {name: percentiles([figure(one) for one in results]) for name, figure in FIGURES.items()}


def percentiles(values: Sequence[float]) -> Percentiles:
    """Linear between the ranks."""
    ordered = sorted(values)
    p5, p50, p95 = (_quantile(ordered, share) for share in (0.05, 0.5, 0.95))
    return Percentiles(p5, p50, p95, _mean(ordered))


def _quantile(ordered: Sequence[float], share: float) -> float:
    place = share * (len(ordered) - 1)
    low, high = math.floor(place), math.ceil(place)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
