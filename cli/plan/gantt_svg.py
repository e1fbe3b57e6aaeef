"""A schedule as SVG: a lane for each VM, a colour for each team."""

from __future__ import annotations

from markupsafe import Markup

from cli.plan.lanes import lanes
from cli.report import svg
from turbine.domain.capacity.schedule import Schedule

COLOURS = ("#3a6fd8", "#12897b", "#c8560a", "#9146b5", "#a8323e", "#5f6b12", "#0f7ea8", "#7a4b1e")
"""By team, in the order of their names; all bear white text."""
_WIDTH, _LEFT, _RIGHT, _TOP, _LANE, _FOOT = 900.0, 52.0, 24.0, 8.0, 24.0, 28.0
_LABEL_WIDTH = 7.0


def draw(schedule: Schedule, vms: int, title: str, span_h: float) -> Markup:
    """One schedule on an axis from 0 to `span_h`, so that several can be compared by eye."""
    scale = (_WIDTH - _LEFT - _RIGHT) / max(span_h, 1e-9)
    teams = sorted({one.team for one in schedule.placements})
    bottom = _TOP + _LANE * vms
    parts = [_grid(span_h, scale, bottom)]
    parts += [svg.text(f"VM {lane + 1}", _LEFT - 8, _TOP + _LANE * (lane + 0.66), "tick", "end") for lane in range(vms)]
    for one, taken in lanes(schedule, vms):
        colour = COLOURS[teams.index(one.team) % len(COLOURS)]
        hover = f"{one.name}: {one.start_h:.2f} to {one.end_h:.2f} h on {one.vms} VM{'s' if one.vms > 1 else ''}"
        bars = [
            _bar(one.name, lane, one.start_h * scale, (one.end_h - one.start_h) * scale, colour, labelled=not place)
            for place, lane in enumerate(taken)
        ]
        parts.append(svg.group(svg.element("title", hover), *bars))
    return svg.picture(_WIDTH, bottom + _FOOT, title, *parts, class_="gantt")


def standalone(picture: Markup) -> str:
    """The picture as a file of its own, which has no style sheet around it."""
    style = (
        "text{font:12px system-ui,sans-serif;fill:#1a2230}.bar-label{fill:#fff;font-size:11px}"
        ".tick{fill:#5a6675}.grid{stroke:#dfe3e8}"
    )
    head = '<svg xmlns="http://www.w3.org/2000/svg" '
    body = str(picture).replace("<svg ", head, 1)
    at = body.index(">") + 1
    return f"{body[:at]}<style>{style}</style>{body[at:]}\n"


def _grid(span_h: float, scale: float, bottom: float) -> Markup:
    marks = []
    for tick in svg.nice_ticks(0, span_h, 8):
        x = _LEFT + tick * scale
        marks.append(svg.element("line", x1=x, x2=x, y1=_TOP, y2=bottom, class_="grid"))
        marks.append(svg.text(f"{tick:g} h", x, bottom + 18, "tick", "middle"))
    return svg.group(*marks)


def _bar(name: str, lane: int, x: float, width: float, colour: str, *, labelled: bool) -> Markup:
    y = _TOP + _LANE * lane + 1.5
    bar = svg.element("rect", x=_LEFT + x, y=y, width=max(width - 1, 1.0), height=_LANE - 3, rx=3.0, fill=colour)
    fits = labelled and width > len(name) * _LABEL_WIDTH + 8
    label = (svg.text(name, _LEFT + x + 6, y + 14.5, "bar-label"),) if fits else ()
    return svg.group(bar, *label)
