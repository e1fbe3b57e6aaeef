"""A plan carried out in the simulator before it is recommended: what AWS Batch would make of it.

Nothing fails, but VMs are launched, reused and handed over as in the stack: one environment for all that runs on
demand, another one for Spot. A plan on Spot is carried out many times, with reclaims.
"""

from __future__ import annotations

from dataclasses import dataclass

from cli.plan.alternatives import Alternative
from cli.plan.request import Request
from cli.simulate.cluster import Cluster, Odds
from cli.simulate.result import percentiles
from cli.simulate.validate import executed
from cli.simulate.workload import Kind

IDLE_H = 0.1
RECLAIMS_PER_VM_H = 0.05
"""The template's default of SpotInterruptionsPerHour."""
SEEDS = range(200)
CLOSE = 1.03
"""A plan is carried out as planned when its last run ends at most 3% later."""


@dataclass(frozen=True)
class Rehearsal:
    """The last end, in hours: the median and the 95th percentile over the seeds, which are one where nothing fails."""

    median_h: float
    p95_h: float


def rehearse(request: Request, one: Alternative) -> Rehearsal:
    """Carry a plan out. Units: hours."""
    cluster = cluster_of(request.vms, request.launch_h)
    if not one.is_spot:
        ended_h = executed(one.problem, one.schedule, cluster).result.makespan_h
        return Rehearsal(ended_h, ended_h)
    odds = Odds(reclaims_per_vm_h=RECLAIMS_PER_VM_H)
    ends_h = [
        executed(one.problem, one.schedule, cluster, odds, seed, prefers_spot=True).result.makespan_h for seed in SEEDS
    ]
    found = percentiles(ends_h)
    return Rehearsal(found.p50, found.p95)


def cluster_of(vms: int, launch_h: float) -> Cluster:
    """The stack's environments: one for all that runs on demand, another one for Spot."""
    return Cluster(vms, launch_h, IDLE_H, {Kind.ON_DEMAND: "training", Kind.MULTI_NODE: "training", Kind.SPOT: "spot"})
