"""What makes one schedule better than another: a first aim, and further ones that decide among equals."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from turbine.domain.capacity.schedule import Schedule

Score = tuple[float, ...]

_DIGITS = 9

OBJECTIVES: Mapping[str, tuple[Callable[[Schedule], float], ...]] = {
    "makespan": (lambda plan: plan.makespan_h, lambda plan: plan.mean_completion_h, lambda plan: plan.vm_hours),
    "mean": (lambda plan: plan.mean_completion_h, lambda plan: plan.makespan_h, lambda plan: plan.vm_hours),
    "cost": (lambda plan: plan.vm_hours, lambda plan: plan.makespan_h, lambda plan: plan.mean_completion_h),
}
"""By name, the aims in their order (lexicographic). `within` is `makespan` over runs with a longest duration."""


def score(schedule: Schedule, objective: str) -> Score:
    """Less is better. Lengths that differ by less than a microsecond are equal, so that the next aim decides."""
    return tuple(round(aim(schedule), _DIGITS) for aim in OBJECTIVES[objective])
