"""`turbine plan --json`."""

from __future__ import annotations

from typing import Any

from cli.plan.alternatives import Alternative
from cli.plan.comparison import Comparison

_DIGITS = 6


def document(compared: Comparison) -> dict[str, Any]:
    """The recommended plan's figures, and those of every alternative. Units as in the names; money in USD."""
    request = compared.request
    return {
        "objective": compared.objective,
        "instances": request.vms,
        "runs": request.runs,
        "efficiency_per_doubling": request.curve.efficiency_per_doubling,
        "instance_type": request.instance_type,
        "price_source": request.price_source,
        "works": [
            {"team": one.team, "work_cpu_hours": round(one.work_cpu_hours, _DIGITS), "source": one.source}
            for one in request.teams
        ],
        **_figures(compared, compared.recommended),
        "recommended": compared.recommended.name,
        "why": compared.why,
        "hint": compared.hint,
        "alternatives": [
            {"name": one.name, "what": one.what, "gap_to_bound": round(compared.gap(one), _DIGITS)}
            | _figures(compared, one)
            for one in compared.alternatives
        ],
    }


def _figures(compared: Comparison, one: Alternative) -> dict[str, Any]:
    low, high = one.cost_usd(compared.request)
    return {
        "makespan_h": round(one.makespan_h, _DIGITS),
        "simulated_makespan_h": round(compared.rehearsals[one.name].median_h, _DIGITS),
        "simulated_makespan_p95_h": round(compared.rehearsals[one.name].p95_h, _DIGITS),
        "mean_completion_h": round(one.mean_completion_h, _DIGITS),
        "longest_run_h": round(one.schedule.longest_run_h, _DIGITS),
        "longest_completion_h": round(one.longest_completion_h, _DIGITS),
        "lower_bound_h": round(compared.lower_bound_h, _DIGITS),
        "proved_optimal": one.is_proved,
        "vm_hours": round(one.schedule.vm_hours, _DIGITS),
        "unfairness_h": round(one.schedule.unfairness_h, _DIGITS),
        "cost_usd": round(low, 2),
        "cost_high_usd": round(high, 2),
        "schedule": [
            {
                "team": placed.team,
                "run": placed.name,
                "start_h": round(placed.start_h, _DIGITS),
                "end_h": round(placed.end_h, _DIGITS),
                "nodes": placed.vms,
            }
            for placed in one.schedule.placements
        ],
    }
