"""`turbine simulate`: weeks or a year of the fleet under several policies, with launches, reclaims and failures."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cli.commands import options
from cli.plan import request
from cli.plan.rehearsal import IDLE_H, RECLAIMS_PER_VM_H, cluster_of
from cli.simulate.cluster import Odds
from cli.simulate.result import Result, percentiles
from cli.simulate.week import Policy, Season, replay
from cli.simulate.workload import CannotSimulateError
from cli.terminal import Terminal
from turbine.domain.capacity.model import (
    EFFICIENCY_PER_DOUBLING,
    VMS_MAX,
    WORK_CPU_HOURS,
    Curve,
    PlanInfeasibleError,
    vm_hours,
)
from turbine.domain.capacity.prices import INSTANCE_TYPE
from turbine.domain.manifest import NODES_MAX

COLUMNS = ("policy", "mean", "19 of 20 within", "unfair by", "VM-hours", "idle", "lost", "launches", "USD")


def simulate(
    weeks: Annotated[int, typer.Option("--weeks", min=1, max=520, help="How long, with two triggers a week.")] = 52,
    teams: Annotated[int, typer.Option("--teams", min=1, max=280, help="So many equal teams.")] = 4,
    runs_per_team: Annotated[int, typer.Option("--runs-per-team", min=1, max=50, help="At each trigger.")] = 1,
    work_cpu_hours: Annotated[float, typer.Option("--work-cpu-hours", help="Of each run.")] = WORK_CPU_HOURS,
    vms: Annotated[int, typer.Option("--vms", min=1, max=1000, help="At most so many VMs at once.")] = VMS_MAX,
    efficiency: Annotated[
        float, typer.Option("--efficiency", help="What each doubling of the VMs keeps of its gain.")
    ] = EFFICIENCY_PER_DOUBLING,
    launch_minutes: Annotated[float, typer.Option("--launch-minutes", min=0, help="Until a VM works.")] = 10.0,
    spot: Annotated[bool, typer.Option("--spot", help="Runs of one VM try Spot first.")] = False,
    reclaims: Annotated[
        float, typer.Option("--reclaims", min=0, max=100, help="Of a Spot VM, an hour.")
    ] = RECLAIMS_PER_VM_H,
    failures: Annotated[float, typer.Option("--failures", min=0, max=1, help="The part of attempts that fail.")] = 0.0,
    seed: Annotated[int, typer.Option("--seed", help="The same seed, the same luck.")] = 0,
    instance_type: Annotated[str, typer.Option("--instance-type", help="The VMs' type.")] = INSTANCE_TYPE,
    json_only: options.Json = False,
) -> None:
    """Simulate AWS Batch through weeks of training, and compare what each policy does to waiting, cost and fairness."""
    terminal = Terminal(json_only)
    price, source = request.price_of(instance_type, None)
    try:
        season = Season(
            teams,
            runs_per_team,
            weeks,
            work_vm_h=vm_hours(work_cpu_hours),
            widths=tuple(range(1, min(vms, NODES_MAX) + 1)),
            curve=Curve(efficiency),
            prefers_spot=spot,
        )
        odds = Odds(reclaims_per_vm_h=reclaims, failure_probability=failures)
        cluster = cluster_of(vms, launch_minutes / 60)
        results = {policy: replay(season, policy, cluster, odds, seed) for policy in Policy}
    except PlanInfeasibleError as error:
        raise request.infeasible(error) from error
    except CannotSimulateError as error:
        raise request.refused(str(error), "`turbine simulate --help`") from error
    rows = {policy: _figures(result, price.low_usd) for policy, result in results.items()}
    if json_only:
        terminal.print_json({"weeks": weeks, "seed": seed, "policies": [{"policy": str(p), **rows[p]} for p in rows]})
        return
    terminal.print_table(COLUMNS, [_row(str(policy), figures) for policy, figures in rows.items()])
    runs = weeks * 2 * teams * runs_per_team
    terminal.print_lines(
        [
            "",
            f"{runs} runs in {weeks} weeks; “mean” and “within” count from a run's trigger, VM-hours launches included",
            f"an idle VM is kept for {IDLE_H * 60:g} minutes; USD on demand: {instance_type}, {source}, the lowest",
        ]
    )


def _figures(result: Result, price_usd: float) -> dict[str, Any]:
    """Units as in the names. Idle VMs are paid too."""
    completions = percentiles([run.completion_h for run in result.runs])
    return {
        "mean_completion_h": round(result.mean_completion_h, 4),
        "p95_completion_h": round(completions.p95, 4),
        "unfairness_h": round(result.unfairness_h, 4),
        "vm_hours": round(result.vm_hours_used, 2),
        "vm_hours_idle": round(result.vm_hours_idle, 2),
        "vm_hours_lost": round(result.vm_hours_lost, 2),
        "launches": result.launches,
        "most_vms_held": result.most_vms_used,
        "given_up": result.given_up,
        "cost_usd": round((result.vm_hours_used + result.vm_hours_idle) * price_usd, 2),
    }


def _row(policy: str, figures: dict[str, Any]) -> tuple[str, ...]:
    return (
        policy,
        f"{figures['mean_completion_h']:.2f} h",
        f"{figures['p95_completion_h']:.2f} h",
        f"{figures['unfairness_h']:.2f} h",
        f"{figures['vm_hours']:,.0f}",
        f"{figures['vm_hours_idle']:,.0f}",
        f"{figures['vm_hours_lost']:,.0f}",
        f"{figures['launches']:,}",
        f"{figures['cost_usd']:,.0f}",
    )
