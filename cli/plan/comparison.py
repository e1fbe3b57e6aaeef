"""All ways side by side, which of them is recommended, and why in a sentence."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from cli.plan.alternatives import Alternative, alternatives
from cli.plan.rehearsal import CLOSE, Rehearsal, rehearse
from cli.plan.request import Request, refused
from turbine.domain.capacity.model import PlanInfeasibleError

WORTH = 1.02
"""Plans within 2% of the best are equally good; then the one of fewer VM-hours is recommended."""
OBJECTIVES = ("makespan", "mean", "within", "cost")


@dataclass(frozen=True)
class Comparison:
    """The alternatives, the bound on the makespan of all that start together, and which one is recommended."""

    request: Request
    objective: str
    alternatives: tuple[Alternative, ...]
    lower_bound_h: float
    rehearsals: Mapping[str, Rehearsal]
    recommended: Alternative
    why: str

    def gap(self, one: Alternative) -> float:
        """How far a makespan is above the bound: 0.02 is two percent."""
        return one.makespan_h / self.lower_bound_h - 1

    @property
    def hint(self) -> str | None:
        """What triggers of their own would give, since no plan of runs that start together can."""
        for one in self.alternatives:
            if one.is_staggered and one is not self.recommended:
                return (
                    f"with staggered triggers each run is done {one.longest_completion_h:.2f} h after its own, "
                    "alone on all VMs: --plan staggered"
                )
        return None

    def choosing(self, name: str) -> Comparison:
        """With another plan in the place of the recommended one. Raises: CommandError."""
        for one in self.alternatives:
            if one.name == name:
                return replace(self, recommended=one, why=f"{one.what}, as you chose")
        known = ", ".join(one.name for one in self.alternatives)
        raise refused(f"there is no plan {name!r}", f"name one of {known}", "--plan")


def compare(request: Request, objective: str, *, limit_s: float, use_solver: bool = True) -> Comparison:
    """The objective chooses among plans whose runs start together; who staggers them changes when they are triggered.

    Raises: PlanInfeasibleError when no plan keeps what is asked.
    """
    found, bound_h = alternatives(request, limit_s=limit_s, use_solver=use_solver)
    rehearsals = {one.name: rehearse(request, one) for one in found}
    together = [one for one in found if not one.is_staggered and _holds(one, rehearsals[one.name])]
    best, why = _RECOMMENDED[objective](request, together)
    return Comparison(request, objective, tuple(found), bound_h, rehearsals, best, why)


def _holds(one: Alternative, rehearsed: Rehearsal) -> bool:
    """Whether it may be recommended: what is planned comes true in the simulator, while nothing fails."""
    return one.is_spot or rehearsed.median_h <= one.makespan_h * CLOSE


def _cheapest(request: Request, found: list[Alternative]) -> tuple[Alternative, str]:
    best = min(found, key=lambda one: (one.cost_usd(request)[0], one.makespan_h))
    low, high = best.cost_usd(request)
    ends = f"all runs end after {best.makespan_h:.2f} h"
    return best, f"nothing costs less: {low:,.0f} to {high:,.0f} USD, and {ends}"


def _in_time(request: Request, found: list[Alternative]) -> tuple[Alternative, str]:
    limit_h = request.within_h
    timely = [one for one in found if one.schedule.longest_run_h <= limit_h * (1 + 1e-9)]
    if not timely:
        fastest_h = max(min(demand.durations_h.values()) for demand in request.problem().demands)
        raise PlanInfeasibleError(
            f"no run of this work on {request.vms} VMs takes only {limit_h:g} h: {fastest_h:.2f} h is the least",
            f"allow --within {math.ceil(fastest_h * 100) / 100:g}, or more VMs",
        )
    best = min(timely, key=lambda one: (one.makespan_h, one.schedule.vm_hours))
    why = _gain(best, found[0], "within", "all runs end", lambda one: one.makespan_h)
    return best, f"no run takes longer than {best.schedule.longest_run_h:.2f} h, and {why}"


def _all_soonest(_: Request, found: list[Alternative]) -> tuple[Alternative, str]:
    return _soonest(found, "makespan", "all runs end", lambda one: one.makespan_h)


def _each_soonest(_: Request, found: list[Alternative]) -> tuple[Alternative, str]:
    return _soonest(found, "mean", "a run ends on average", lambda one: one.mean_completion_h)


def _soonest(
    found: list[Alternative], name: str, ends: str, measure: Callable[[Alternative], float]
) -> tuple[Alternative, str]:
    """The least by a measure, and what it gains on the first alternative, which is what people do without a plan."""
    plain, least_h = found[0], min(map(measure, found))
    equal = [one for one in found if measure(one) <= least_h * WORTH]
    best = min(equal, key=lambda one: (one.schedule.vm_hours, measure(one)))
    return best, _gain(best, plain, name, ends, measure)


def _gain(best: Alternative, plain: Alternative, name: str, ends: str, measure: Callable[[Alternative], float]) -> str:
    if best is plain:
        return f"{ends} after {measure(best):.2f} h, and no other plan is sooner by more than {WORTH - 1:.0%}"
    more = best.schedule.vm_hours / plain.schedule.vm_hours - 1
    proof = ", and no plan can be sooner" if best.is_proved and best.name == name else ""
    gain = f"instead of {measure(plain):.2f} h with one VM a run, for {more:.0%} more VM-hours"
    return f"{ends} after {measure(best):.2f} h {gain}{proof}"


_RECOMMENDED: dict[str, Callable[[Request, list[Alternative]], tuple[Alternative, str]]] = {
    "makespan": _all_soonest,
    "mean": _each_soonest,
    "within": _in_time,
    "cost": _cheapest,
}
