"""What finished runs tell about the work of the next one and about the efficiency of several VMs.

A run of work W that took h hours on n VMs says: log h = log W - log n - log2(n) * log e, give or take its luck. What
was stated before is a belief about W and e; each measured run pulls it towards what it showed, the more the less sure
the belief was. That is a linear regression of two unknowns with a prior, solved in closed form: two runs on one VM
teach the work and nothing about e; one on four teaches both a little.

Source: C. M. Bishop, "Pattern Recognition and Machine Learning", 2006, section 3.3 (Bayesian linear regression).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

RUN_SPREAD = 0.1
"""Runs of the same work differ by about a tenth: the standard deviation of log h."""
STATED_SPREAD = 0.5
"""Whoever states a work is right to a factor of 1.6, two times in three."""
UNSTATED_SPREAD = 3.0
"""A work that nobody has stated may be anything: the first run tells it."""
EFFICIENCY_SPREAD = 0.05
EFFICIENCY_LEAST, EFFICIENCY_MOST = 0.51, 1.0


class Measured(NamedTuple):
    """A finished run: on how many VMs, and how many hours it worked there, launches left out."""

    nodes: int
    hours: float


@dataclass(frozen=True)
class Belief:
    """What is known of a work and of the gain of more VMs.

    The work is within `work_vm_h / work_factor` and `work_vm_h * work_factor` two times in three. Units: hours of one
    VM.
    """

    work_vm_h: float
    work_factor: float
    efficiency_per_doubling: float
    efficiency_spread: float
    runs: int


def believe(
    measured: Sequence[Measured], work_vm_h: float, efficiency_per_doubling: float, *, is_stated: bool
) -> Belief:
    """What is known after these runs, of a work that was taken to be `work_vm_h` before them.

    Runs that took no time say nothing.
    """
    seen = [one for one in measured if one.nodes >= 1 and one.hours > 0 and math.isfinite(one.hours)]
    work_spread = STATED_SPREAD if is_stated else UNSTATED_SPREAD
    # Precision matrix ((a, b), (b, c)) and vector (p, q) of the normal equations in log W and log e.
    a, b, c = work_spread**-2, 0.0, EFFICIENCY_SPREAD**-2
    p, q = math.log(work_vm_h) * a, math.log(efficiency_per_doubling) * c
    weight = RUN_SPREAD**-2
    for one in seen:
        doublings = math.log2(one.nodes)
        told = math.log(one.hours) + math.log(one.nodes)
        a, b, c = a + weight, b - weight * doublings, c + weight * doublings**2
        p, q = p + weight * told, q - weight * doublings * told
    determinant = a * c - b * b
    log_work, log_efficiency = (c * p - b * q) / determinant, (a * q - b * p) / determinant
    return Belief(
        math.exp(log_work),
        math.exp(math.sqrt(c / determinant)),
        min(max(math.exp(log_efficiency), EFFICIENCY_LEAST), EFFICIENCY_MOST),
        math.sqrt(a / determinant),
        len(seen),
    )
