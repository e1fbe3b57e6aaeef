"""The machine's graph: states coloured by how one run went through them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Literal

from markupsafe import Markup

from cli.observe.executions import Execution, StateSpan
from cli.report import svg
from cli.report.graph_layout import NODE_HEIGHT, Box, Layout, Route, lay_out

NodeStatus = Literal["unreached", "running", "succeeded", "failed", "caught"]
_GLYPHS: Mapping[NodeStatus, str] = {
    "unreached": "",
    "running": "…",
    "succeeded": "✓",
    "failed": "✕",
    "caught": "!",
}
_CORNER = 8.0


def draw(definition: Mapping[str, Any], execution: Execution | None, label: str) -> Markup:
    """The graph of a definition with the visits of one execution (or none) on it."""
    layout = lay_out(definition)
    visits = _visits(execution.spans if execution else ())
    taken = _transitions(execution.spans if execution else ())
    routes = sorted(layout.routes, key=lambda route: (route.edge.source, route.edge.target) in taken)
    return svg.picture(
        layout.width,
        layout.height,
        f"State machine graph, {label}",
        *(_edge(route, (route.edge.source, route.edge.target) in taken) for route in routes),
        _start(layout),
        *(_node(name, box, definition["States"][name], visits.get(name, [])) for name, box in layout.boxes.items()),
        class_="graph",
    )


def _visits(spans: Sequence[StateSpan]) -> dict[str, list[StateSpan]]:
    found: dict[str, list[StateSpan]] = {}
    for span in spans:
        found.setdefault(span.name, []).append(span)
    return found


def _transitions(spans: Sequence[StateSpan]) -> set[tuple[str, str]]:
    return {(before.name, after.name) for before, after in pairwise(spans)}


def _node(name: str, box: Box, state: Mapping[str, Any], visits: Sequence[StateSpan]) -> Markup:
    status: NodeStatus = visits[-1].status if visits else "unreached"
    kind = str(state["Type"])
    round_ends = kind in ("Choice", "Succeed", "Fail")
    shape = svg.element(
        "rect",
        x=box.left,
        y=box.top,
        width=box.width,
        height=NODE_HEIGHT,
        rx=NODE_HEIGHT / 2 if round_ends else _CORNER,
        class_="shape",
    )
    return svg.group(
        svg.element("title", f"{name} ({kind}): {_told(status, visits)}. {state.get('Comment', '')}".strip()),
        shape,
        svg.text(name, box.x, box.y - 3, "name", "middle"),
        svg.text(_subtitle(kind, status, visits), box.x, box.y + 14, "sub", "middle"),
        class_=f"node {status} {kind.lower()}",
    )


def _subtitle(kind: str, status: NodeStatus, visits: Sequence[StateSpan]) -> str:
    if not visits:
        return kind
    total_s = sum(visit.duration_s() for visit in visits)
    attempts = sum(visit.attempts for visit in visits)
    again = f" · {attempts}×" if attempts > 1 else ""
    return f"{_GLYPHS[status]} {seconds(total_s)}{again}".strip()


def _told(status: NodeStatus, visits: Sequence[StateSpan]) -> str:
    if not visits:
        return "not reached"
    return f"{status} after {seconds(sum(visit.duration_s() for visit in visits))}"


def seconds(value_s: float) -> str:
    """A duration for people: `45 ms`, `3.2 s`, `2 min 5 s`."""
    if value_s < 0.0995:
        return f"{value_s * 1000:.0f} ms"
    if value_s < 99.5:
        return f"{value_s:.1f} s"
    minutes, rest = divmod(round(value_s), 60)
    return f"{minutes} min {rest} s" if rest else f"{minutes} min"


def _start(layout: Layout) -> Markup:
    box = layout.boxes[layout.start]
    line = svg.element("path", d=f"M{box.x:.1f},{box.top - 16:.1f} V{box.top - 1:.1f}", class_="edge taken")
    return svg.group(svg.element("circle", cx=box.x, cy=box.top - 20, r=5, class_="start"), line)


def _edge(route: Route, taken: bool) -> Markup:
    bus = _is_angular(route)
    path = _angular(route.points) if bus else _curved(route.points)
    classes = f"edge {route.edge.kind}{' taken' if taken else ''}"
    return svg.group(
        svg.element("title", f"{route.edge.source} → {route.edge.target} ({route.edge.kind})"),
        svg.element("path", d=path, class_=classes),
        svg.element("path", d=_head(route.points, sideways=bus), class_=f"head {classes}"),
    )


def _is_angular(route: Route) -> bool:
    return route.points[-1][1] == route.points[-2][1]


def _curved(points: Sequence[tuple[float, float]]) -> str:
    """Vertical tangents at every point, so that a line through several layers stays smooth."""
    parts = [f"M{points[0][0]:.1f},{points[0][1]:.1f}"]
    for (x0, y0), (x1, y1) in pairwise(points):
        middle = (y0 + y1) / 2
        parts.append(f"C{x0:.1f},{middle:.1f} {x1:.1f},{middle:.1f} {x1:.1f},{y1:.1f}")
    return " ".join(parts)


def _angular(points: Sequence[tuple[float, float]]) -> str:
    """Right angles with rounded corners."""
    parts = [f"M{points[0][0]:.1f},{points[0][1]:.1f}"]
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        enter, leave = _towards(corner, before), _towards(corner, after)
        parts.append(f"L{enter[0]:.1f},{enter[1]:.1f} Q{corner[0]:.1f},{corner[1]:.1f} {leave[0]:.1f},{leave[1]:.1f}")
    parts.append(f"L{points[-1][0]:.1f},{points[-1][1]:.1f}")
    return " ".join(parts)


def _towards(corner: tuple[float, float], other: tuple[float, float]) -> tuple[float, float]:
    dx, dy = other[0] - corner[0], other[1] - corner[1]
    length = max(abs(dx), abs(dy)) or 1.0
    reach = min(_CORNER, length / 2)
    return corner[0] + dx / length * reach, corner[1] + dy / length * reach


def _head(points: Sequence[tuple[float, float]], *, sideways: bool) -> str:
    """A small arrow head at the end of a line."""
    x, y = points[-1]
    if not sideways:
        return f"M{x - 4:.1f},{y - 7:.1f} L{x:.1f},{y - 1:.1f} L{x + 4:.1f},{y - 7:.1f}"
    back = -7 if points[-2][0] < x else 7
    return f"M{x + back:.1f},{y - 4:.1f} L{x:.1f},{y:.1f} L{x + back:.1f},{y + 4:.1f}"
