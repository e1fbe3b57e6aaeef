"""The report's page: one template, one style sheet, everything inline."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from cli.report import curves_svg, graph_svg, timeline_svg
from cli.report.graph_svg import seconds
from cli.report.model import Report, RunReport
from cli.report.work import LABELS, WORKS

_FOLDER = Path(__file__).parent
_PHASES = {
    "start": "start the cloud",
    "deploy": "deploy",
    "round_one": "round one",
    "round_two": "round two",
    "report": "report",
}


def write_page(report: Report, path: Path) -> None:
    """Write the report; its folder is made when missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(render(report), encoding="utf-8")


def render(report: Report) -> str:
    """The whole page as text."""
    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": number, "seconds": seconds}
    return environment.get_template("page.html.j2").render(
        report=report,
        style=Markup((_FOLDER / "page.css").read_text()),  # noqa: S704 - our own file
        tiles=_tiles(report),
        phases=_phases(report),
        works=[(work, LABELS[work], report.work_s.get(work, 0.0)) for work in WORKS],
        charts=[(team, _charts(report.rounds_of(team))) for team in report.teams],
        timeline=timeline_svg.draw(sorted(report.runs, key=lambda run: (run.round, run.team))),
        graphs=[(run, _graph(report, run)) for run in report.runs if run.executions],
    )


def number(value: float | None) -> str:
    """A metric for people: five significant digits, or a dash."""
    return "–" if value is None else f"{value:.5g}"


def _tiles(report: Report) -> list[tuple[str, str, str]]:
    """Value, label and style of the headline numbers."""
    verdicts = [run.verdict for run in report.runs]
    records = sum(run.predictions.records for run in report.runs if run.predictions)
    failed = sum(1 for run in report.runs if run.status != "SUCCEEDED")
    tiles = [
        (seconds(report.wall_s), "from start to end", ""),
        (str(len(report.runs)), f"runs of {len(report.teams)} teams", ""),
        (str(verdicts.count("promoted")), "promoted", "promoted"),
        (str(verdicts.count("held")), "held", "held"),
        (str(verdicts.count("rejected")), "rejected", "rejected"),
        (f"{records:,}", "records predicted", ""),
    ]
    return [*tiles, (str(failed), "failed", "failed")] if failed else tiles


def _phases(report: Report) -> list[tuple[str, str, float, float]]:
    """Name, label, seconds and share (0 to 100) of each phase of the command."""
    total = sum(report.split_s.values()) or 1.0
    return [(name, _PHASES.get(name, name), value, 100 * value / total) for name, value in report.split_s.items()]


def _charts(runs: Sequence[RunReport]) -> list[tuple[str, Markup]]:
    """Title and picture of a team's curves."""
    metric = next((str(run.rule["metric"]) for run in runs if "metric" in run.rule), None)
    charts = [("loss", curves_svg.draw(curves_svg.loss_lines(runs), "Loss"))]
    if metric is not None:
        charts.append((f"validation {metric}", curves_svg.draw(curves_svg.metric_lines(runs, metric), metric)))
    return [(title, chart) for title, chart in charts if chart]


def _graph(report: Report, run: RunReport) -> Markup:
    return graph_svg.draw(report.definition, run.executions[0], run.label)
