"""The plan as a page: the table, why one is recommended, and a picture of each on one axis."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

import cli.report
from cli.plan import gantt_svg
from cli.plan.alternatives import Alternative
from cli.plan.comparison import Comparison
from cli.plan.rehearsal import Rehearsal

COLUMNS = ("plan", "last end", "simulated", "over bound", "mean", "latest", "longest run", "VM-hours", "cost USD")
_STYLE = Path(cli.report.__file__).parent / "page.css"


def row(compared: Comparison, one: Alternative) -> tuple[str, ...]:
    """An alternative's line of the table."""
    low, high = one.cost_usd(compared.request)
    return (
        one.name,
        f"{one.makespan_h:.2f} h",
        _simulated(compared.rehearsals[one.name]),
        f"{compared.gap(one):.1%}",
        f"{one.mean_completion_h:.2f} h",
        f"{one.longest_completion_h:.2f} h",
        f"{one.schedule.longest_run_h:.2f} h",
        f"{one.schedule.vm_hours:.1f}",
        f"{low:,.0f}–{high:,.0f}",
    )


def _simulated(rehearsed: Rehearsal) -> str:
    """The last end in the simulator; where something may fail, with what 19 of 20 stay below."""
    median, p95 = f"{rehearsed.median_h:.2f}", f"{rehearsed.p95_h:.2f}"
    return f"{median} h" if median == p95 else f"{median}–{p95} h"


def render(compared: Comparison) -> str:
    """The whole page as text; nothing is loaded from elsewhere."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["capitalize_first"] = lambda text: text[:1].upper() + text[1:]
    span_h = max(one.makespan_h for one in compared.alternatives)
    teams = sorted(one.team for one in compared.request.teams)
    return environment.get_template("page.html.j2").render(
        compared=compared,
        style=Markup(_STYLE.read_text()),  # noqa: S704 - our own file
        tiles=_tiles(compared),
        columns=COLUMNS,
        rows=[(one, row(compared, one)) for one in compared.alternatives],
        teams=[(team, gantt_svg.COLOURS[place % len(gantt_svg.COLOURS)]) for place, team in enumerate(teams)],
        pictures=[
            (one, gantt_svg.draw(one.schedule, compared.request.vms, f"Schedule {one.name}", span_h))
            for one in compared.alternatives
        ],
    )


def _tiles(compared: Comparison) -> Sequence[tuple[str, str]]:
    best = compared.recommended
    low, high = best.cost_usd(compared.request)
    return (
        (f"{best.makespan_h:.2f} h", "until the last run ends"),
        (f"{compared.lower_bound_h:.2f} h", "below which no plan can come"),
        (f"{best.mean_completion_h:.2f} h", "from trigger to model, on average"),
        (f"{best.schedule.vm_hours:.1f}", "VM-hours"),
        (f"{low:,.0f}–{high:,.0f}", "USD"),
    )
