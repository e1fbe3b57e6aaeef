"""Which VMs a run takes, so that a schedule can be drawn. The plan itself only counts them."""

from __future__ import annotations

from turbine.domain.capacity.schedule import Placement, Schedule

_EQUAL_H = 1e-9


def lanes(schedule: Schedule, vms: int) -> list[tuple[Placement, tuple[int, ...]]]:
    """Each placement with its lanes, from 0; neighbouring ones where there are."""
    free_h = [0.0] * vms
    found: list[tuple[Placement, tuple[int, ...]]] = []
    for one in sorted(schedule.placements, key=lambda one: (one.start_h, -one.vms, one.name)):
        free = [lane for lane in range(vms) if free_h[lane] <= one.start_h + _EQUAL_H]
        together = [free[at : at + one.vms] for at in range(len(free) - one.vms + 1)]
        taken = next((some for some in together if some[-1] - some[0] == one.vms - 1), free[: one.vms])
        for lane in taken:
            free_h[lane] = one.end_h
        found.append((one, tuple(taken)))
    return found
