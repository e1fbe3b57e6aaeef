"""`turbine plan`: who runs when on the shared VMs, what it costs, and how far it is from the best there can be."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Annotated

import typer

from cli.cloud import Cloud
from cli.commands import options
from cli.embedded.daemon import PROJECT_DIR
from cli.plan import apply, gantt, gantt_svg, page, price_list, request, solver
from cli.plan.comparison import OBJECTIVES, Comparison, compare
from cli.plan.document import document
from cli.plan.measured import measured_works
from cli.plan.request import Request
from cli.terminal import Terminal
from turbine.domain.capacity.model import (
    CPUS_PER_GPU,
    EFFICIENCY_PER_DOUBLING,
    GPUS_PER_VM,
    VMS_MAX,
    Curve,
    PlanInfeasibleError,
)
from turbine.domain.capacity.prices import INSTANCE_TYPE

MINUTES_PER_H = 60


def plan(
    teams_dir: Annotated[Path, typer.Option("--teams-dir", help="The folder of the team files.")] = PROJECT_DIR
    / "config"
    / "teams",
    teams: Annotated[int | None, typer.Option("--teams", help="Plan for so many equal teams, without files.")] = None,
    runs_per_team: Annotated[int, typer.Option("--runs-per-team", min=1, max=50, help="Started together.")] = 2,
    work_cpu_hours: Annotated[
        float | None, typer.Option("--work-cpu-hours", help="Of each run; else the team file's, else 100.")
    ] = None,
    vms: Annotated[int, typer.Option("--vms", min=1, max=1000, help="At most so many VMs at once.")] = VMS_MAX,
    efficiency: Annotated[
        float, typer.Option("--efficiency", help="What each doubling of the VMs keeps of its gain.")
    ] = EFFICIENCY_PER_DOUBLING,
    cpus_per_gpu: Annotated[
        float, typer.Option("--cpus-per-gpu", min=0.01, help="How many CPUs' work a GPU does.")
    ] = CPUS_PER_GPU,
    gpus_per_vm: Annotated[int, typer.Option("--gpus-per-vm", min=1, help="GPUs of a VM.")] = GPUS_PER_VM,
    launch_minutes: Annotated[
        float, typer.Option("--launch-minutes", min=0, help="From asking for VMs to the start of work, in each run.")
    ] = 0.0,
    within_h: Annotated[float, typer.Option("--within", help="Hours that a run may take.")] = 1.0,
    objective: Annotated[str, typer.Option("--objective", help=f"{', '.join(OBJECTIVES)}.")] = "makespan",
    instance_type: Annotated[str, typer.Option("--instance-type", help="The VMs' type.")] = INSTANCE_TYPE,
    prices: Annotated[
        Path | None, typer.Option("--prices", help=f"A file with your prices: {request.PRICES_SHAPE}")
    ] = None,
    refresh_prices: Annotated[
        bool, typer.Option("--refresh-prices", help="Ask AWS for the prices first, and write them into that file.")
    ] = False,
    measured: Annotated[
        bool, typer.Option("--measured", help="Plan with what each team's finished runs took, as the stack knows it.")
    ] = False,
    seconds: Annotated[float, typer.Option("--seconds", min=0.1, max=600, help="For each search by the solver.")] = 2.0,
    greedy_only: Annotated[bool, typer.Option("--greedy", help="Without the solver, as the functions plan.")] = False,
    svg: Annotated[Path | None, typer.Option("--svg", help="Draw the recommended plan into this file.")] = None,
    html: Annotated[Path | None, typer.Option("--html", help="Write a page with all plans into this file.")] = None,
    apply_plan: Annotated[
        bool, typer.Option("--apply", help="Write the plan into the team files and, once confirmed, apply them.")
    ] = False,
    choose: Annotated[
        str | None, typer.Option("--plan", help="The plan to draw and to apply, instead of the recommended one.")
    ] = None,
    base_schedule: Annotated[
        str | None,
        typer.Option("--base-schedule", help="The first trigger of staggered ones; else the stack's TrainingSchedule."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Apply without asking.")] = False,
    stack: options.Stack = options.STACK,
    json_only: options.Json = False,
) -> None:
    """Plan the teams' runs on the shared VMs, in several ways side by side, and recommend one."""
    terminal = Terminal(json_only)
    if objective not in OBJECTIVES:
        raise request.refused(f"{objective!r} is no objective", f"name one of {', '.join(OBJECTIVES)}", "--objective")
    if apply_plan and teams is not None:
        raise request.refused("equal teams have no files to write a plan into", "leave --teams out", "--apply")
    if measured and (teams is not None or work_cpu_hours is not None):
        raise request.refused("a work that is given is not measured", "leave --measured out, or the work", "--measured")
    if refresh_prices:
        if prices is None:
            raise request.refused("the prices have to be written somewhere", "name the file: --prices FILE", "--prices")
        price_list.refresh(Cloud.from_environment(stack), instance_type, prices, dt.datetime.now(dt.UTC))
    price, price_source = request.price_of(instance_type, prices)
    works = request.team_works(teams_dir, teams, work_cpu_hours)
    if measured:
        works = measured_works(Cloud.from_environment(stack), works, teams_dir, efficiency, cpus_per_gpu * gpus_per_vm)
    try:
        asked = Request(
            teams=works,
            runs_per_team=runs_per_team,
            vms=vms,
            curve=Curve(efficiency),
            cpus_per_gpu=cpus_per_gpu,
            gpus_per_vm=gpus_per_vm,
            launch_h=launch_minutes / MINUTES_PER_H,
            within_h=within_h,
            instance_type=instance_type,
            price=price,
            price_source=price_source,
        )
        if not (greedy_only or solver.is_installed()):
            terminal.say(f"the solver is not in {solver.FOLDER}, so nothing is proved: `make setup` installs it")
            greedy_only = True
        compared = compare(asked, objective, limit_s=seconds, use_solver=not greedy_only)
    except PlanInfeasibleError as error:
        raise request.infeasible(error) from error
    if choose is not None:
        compared = compared.choosing(choose)
    _write(compared, svg, html)
    if not json_only:
        _show(terminal, compared)
    applied = {}
    if apply_plan:
        cloud = Cloud.from_environment(stack)
        applied = apply.apply(terminal, compared, teams_dir, base_schedule, cloud, confirmed=yes)
    if json_only:
        terminal.print_json(document(compared) | ({"applied": applied} if apply_plan else {}))


def _show(terminal: Terminal, compared: Comparison) -> None:
    asked = compared.request
    terminal.print_table(page.COLUMNS, [page.row(compared, one) for one in compared.alternatives])
    terminal.print_lines(
        [
            "",
            f"bound: no plan of these {asked.runs} runs on {asked.vms} VMs ends before {compared.lower_bound_h:.2f} h",
            f"recommended: {compared.recommended.name}; {compared.why}",
            *([f"also: {compared.hint}"] if compared.hint else []),
            f"cost: {asked.instance_type}, {asked.price_source}",
            f"work: {', '.join(f'{one.team} {one.work_cpu_hours:.4g} CPU-hours {one.source}' for one in asked.teams)}",
            "",
            *gantt.lines(compared.recommended.schedule, asked.vms),
        ]
    )


def _write(compared: Comparison, svg: Path | None, html: Path | None) -> None:
    """The files that were asked for. Raises: CommandError."""
    best = compared.recommended
    try:
        if svg is not None:
            picture = gantt_svg.draw(best.schedule, compared.request.vms, f"Plan {best.name}", best.makespan_h)
            svg.write_text(gantt_svg.standalone(picture), encoding="utf-8")
        if html is not None:
            html.write_text(page.render(compared), encoding="utf-8")
    except OSError as error:
        raise request.refused(f"the picture cannot be written: {error}", "name another file") from error
