"""The VMs of each environment: launched for a run, kept for the next one for a while, then terminated.

Source: https://docs.aws.amazon.com/batch/latest/APIReference/API_ComputeScalingPolicy.html (the delay begins when the
last job of an instance ends); that an environment scales by itself: job_scheduling.html.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Life:
    """A VM from its launch to its termination. Units: hours; `idle_h` is how long it was nobody's."""

    environment: str
    launched_h: float
    terminated_h: float
    idle_h: float


@dataclass
class Instance:
    """A VM that is there."""

    environment: str
    launched_h: float
    idle_since_h: float = 0.0
    idle_h: float = 0.0


class Instances:
    """Which VMs are there. Moments must come in their order."""

    def __init__(self, idle_h: float) -> None:
        self._idle_h = idle_h
        self._idle: defaultdict[str, list[Instance]] = defaultdict(list)
        self.lives: list[Life] = []

    def take(self, environment: str, count: int, now_h: float) -> tuple[list[Instance], int]:
        """VMs for a run, those first that became idle last, and how many of them had to be launched."""
        self._terminate_idle(environment, now_h)
        idle = self._idle[environment]
        reused = [idle.pop() for _ in range(min(count, len(idle)))]
        for one in reused:
            one.idle_h += now_h - one.idle_since_h
        launched = count - len(reused)
        return reused + [Instance(environment, now_h) for _ in range(launched)], launched

    def give_back(self, taken: Iterable[Instance], now_h: float) -> None:
        """A run has left its VMs."""
        for one in taken:
            one.idle_since_h = now_h
            self._idle[one.environment].append(one)

    def lose(self, one: Instance, now_h: float) -> None:
        """A VM that a run was on is gone."""
        self.lives.append(Life(one.environment, one.launched_h, now_h, one.idle_h))

    def close(self, now_h: float) -> None:
        """Nobody comes any more: what is idle stays out its time, or ends now where that has no end."""
        for environment in self._idle:
            self._terminate_idle(environment, math.inf, forever_until_h=now_h)

    def _terminate_idle(self, environment: str, now_h: float, forever_until_h: float = 0.0) -> None:
        kept: list[Instance] = []
        for one in self._idle[environment]:
            until_h = one.idle_since_h + self._idle_h
            if until_h > now_h:
                kept.append(one)
                continue
            until_h = until_h if math.isfinite(until_h) else forever_until_h
            idle_h = one.idle_h + until_h - one.idle_since_h
            self.lives.append(Life(environment, one.launched_h, until_h, idle_h))
        self._idle[environment] = kept


def most_at_once(spans: Iterable[tuple[float, float, int]]) -> int:
    """The most of all that is there at one moment: starts, ends and numbers. What ends makes room at that moment."""
    edges = sorted(edge for start, end, count in spans for edge in ((end, -count), (start, count)) if end > start)
    there = most = 0
    for _, change in edges:
        there += change
        most = max(most, there)
    return most
