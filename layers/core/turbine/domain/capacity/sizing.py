"""What one run is expected to take, before a cent is spent."""

from __future__ import annotations

from typing import NamedTuple

from turbine.domain.capacity.model import Curve


class Estimate(NamedTuple):
    """What a run is expected to take."""

    nodes: int
    hours: float
    vm_hours: float
    cost_usd: float


def estimate(nodes: int, work_vm_h: float, price_usd_per_hour: float, curve: Curve) -> Estimate:
    """Time and cost of a run on `nodes` VMs, launch times left out.

    Units: `work_vm_h` in hours of one VM.
    """
    hours = work_vm_h / curve.speed_up(nodes)
    return Estimate(nodes, hours, hours * nodes, hours * nodes * price_usd_per_hour)


def over_budget(given: Estimate, limit_usd: float) -> bool:
    """Whether a run may not start."""
    return given.cost_usd > limit_usd
