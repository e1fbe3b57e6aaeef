"""What a solver answers."""

from __future__ import annotations

from dataclasses import dataclass

from turbine.domain.capacity.schedule import Schedule


@dataclass(frozen=True)
class Solution:
    """A schedule and what is proved of its first aim: no schedule has less than `bound`. Units: hours, or VM-hours."""

    schedule: Schedule
    bound: float
    proved_optimal: bool
