"""How many instances a run gets and what it will cost, before a cent is spent.

The plan of a whole week is made elsewhere; here one run is sized and priced, and refused when its
estimate exceeds what its team or its manifest allows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

# About 100 CPU-hours of work a run; one GPU does the work of 6 CPUs, an instance has 8 GPUs.
WORK_CPU_HOURS = 100.0
CPUS_PER_GPU = 6
GPUS_PER_INSTANCE = 8
EFFICIENCY_PER_DOUBLING = 0.95

INSTANCE_TYPE = "p4d.24xlarge"

# On-demand, Linux, us-east-1, USD an hour, as read in November 2026. Sources differ (p4d 21.96 to
# 32.77, p5 55.04 to 98.32) and prices move: budget.instance_usd_per_hour in a team file replaces these.
# Source: https://aws.amazon.com/ec2/pricing/on-demand/
PRICES_USD_PER_HOUR: Mapping[str, float] = {"p4d.24xlarge": 21.96, "p5.48xlarge": 55.04}
PRICES_AS_OF = "2026-11"


class Estimate(NamedTuple):
    """What a run is expected to take."""

    nodes: int
    hours: float
    vm_hours: float
    cost_usd: float


def speed_up(nodes: int) -> float:
    """How much faster `nodes` instances are than one: n·e^log2(n)."""
    return nodes * EFFICIENCY_PER_DOUBLING ** math.log2(nodes)


def estimate(
    nodes: int,
    work_cpu_hours: float = WORK_CPU_HOURS,
    price_usd_per_hour: float = PRICES_USD_PER_HOUR[INSTANCE_TYPE],
) -> Estimate:
    """Time and cost of a run on `nodes` instances, launch times left out.

    Units: `work_cpu_hours` in hours of one CPU.
    """
    one_instance_h = work_cpu_hours / (CPUS_PER_GPU * GPUS_PER_INSTANCE)
    hours = one_instance_h / speed_up(nodes)
    return Estimate(nodes, hours, hours * nodes, hours * nodes * price_usd_per_hour)


def over_budget(given: Estimate, limit_usd: float) -> bool:
    """Whether a run may not start."""
    return given.cost_usd > limit_usd
