"""The timeline: a line per team and round, a bar per state, all on one clock."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from markupsafe import Markup

from cli.observe.executions import Execution, StateSpan
from cli.report import svg
from cli.report.graph_svg import seconds
from cli.report.model import RunReport
from cli.report.work import work_of

_WIDTH = 1040.0
_LEFT, _RIGHT, _TOP = 150.0, 56.0, 14.0
_LANE, _BAR = 34.0, 22.0
_CHARACTER_WIDTH = 6.4
_LEAST_BAR = 1.5


def draw(runs: Sequence[RunReport]) -> Markup:
    """Every run's states from the first start to the last end; "" when no execution is known."""
    moments = [moment for run in runs for execution in run.executions for moment in _ends(execution)]
    if not moments:
        return Markup("")
    origin, total_s = min(moments), max((max(moments) - min(moments)).total_seconds(), 0.001)
    scale = (_WIDTH - _LEFT - _RIGHT) / total_s
    height = _TOP + _LANE * len(runs) + 30
    return svg.picture(
        _WIDTH,
        height,
        "Timeline of all runs by state",
        _grid(total_s, scale, _TOP + _LANE * len(runs)),
        *(_lane(run, _TOP + _LANE * number, origin, scale) for number, run in enumerate(runs)),
        class_="timeline",
    )


def _ends(execution: Execution) -> list[datetime]:
    left = [span.left_at for span in execution.spans if span.left_at]
    stopped = [execution.stopped_at] if execution.stopped_at else []
    return [execution.started_at, *left, *stopped]


def _grid(total_s: float, scale: float, bottom: float) -> Markup:
    marks = []
    for tick in svg.nice_ticks(0, total_s, 12):
        x = _LEFT + tick * scale
        marks.append(svg.element("line", x1=x, x2=x, y1=_TOP, y2=bottom, class_="grid"))
        marks.append(svg.text(f"{tick:g} s", x, bottom + 18, "tick", "middle"))
    return svg.group(*marks)


def _lane(run: RunReport, top: float, origin: datetime, scale: float) -> Markup:
    bars = [
        _bar(span, top + (_LANE - _BAR) / 2, origin, scale)
        for execution in run.executions
        for span in execution.spans
        if span.left_at is not None
    ]
    ends = [moment for execution in run.executions for moment in _ends(execution)]
    starts = [execution.started_at for execution in run.executions]
    total = seconds((max(ends) - min(starts)).total_seconds()) if ends else "no execution"
    end_x = _LEFT + ((max(ends) - origin).total_seconds() * scale if ends else 0)
    return svg.group(
        svg.text(run.team, _LEFT - 62, top + _LANE / 2 + 4, "lane", "end"),
        svg.text(f"round {run.round}", _LEFT - 12, top + _LANE / 2 + 4, "tick", "end"),
        *bars,
        svg.text(total, end_x + 6, top + _LANE / 2 + 4, "tick"),
    )


def _bar(span: StateSpan, y: float, origin: datetime, scale: float) -> Markup:
    x = _LEFT + (span.entered_at - origin).total_seconds() * scale
    width = max(span.duration_s() * scale, _LEAST_BAR)
    bar = svg.element("rect", x=x, y=y, width=width, height=_BAR, rx=min(3.0, width / 2))
    title = svg.element("title", f"{span.name}: {seconds(span.duration_s())}, {span.status}")
    fits = width > len(span.name) * _CHARACTER_WIDTH + 10
    label = (svg.text(span.name, x + width / 2, y + _BAR / 2 + 4, "bar-label", "middle"),) if fits else ()
    return svg.group(title, bar, *label, class_=f"bar work-{work_of(span)} {span.status}")
