"""Capacity: what runs take and cost, which plans are good, what no plan can beat, and whether a plan may be trusted.

`model` says what is planned, `greedy` plans, `bounds` limit what a plan can reach, `checker` looks at any plan with
other eyes, `sizing` and `prices` tell what one run takes. The exact solver is the command's (`cli.plan.cpsat`).
"""

from turbine.domain.capacity.model import CPUS_PER_GPU, EFFICIENCY_PER_DOUBLING, GPUS_PER_VM, WORK_CPU_HOURS
from turbine.domain.capacity.prices import INSTANCE_TYPE, PRICES_AS_OF, PRICES_USD_PER_HOUR
from turbine.domain.capacity.sizing import Estimate, estimate, over_budget

__all__ = [
    "CPUS_PER_GPU",
    "EFFICIENCY_PER_DOUBLING",
    "GPUS_PER_VM",
    "INSTANCE_TYPE",
    "PRICES_AS_OF",
    "PRICES_USD_PER_HOUR",
    "WORK_CPU_HOURS",
    "Estimate",
    "estimate",
    "over_budget",
]
