"""Where the states of a machine go in a picture: layers from the start downwards, few crossings.

A state that only a Catch leads to stands in a column of its own on the right, since a line from every Task to
the same failure tail would hide the way that matters.
Source: K. Sugiyama, S. Tagawa, M. Toda, "Methods for Visual Understanding of Hierarchical System Structures",
IEEE Transactions on Systems, Man, and Cybernetics 11 (1981): layers, dummy nodes, barycentres.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean
from typing import Any, Literal

NODE_HEIGHT = 46.0
LAYER_GAP = 40.0
NODE_GAP = 28.0
BUS_GAP = 14.0
BACK_GAP = 24.0
MARGIN = 24.0
_CHARACTER_WIDTH = 7.4
_MIN_WIDTH = 128.0
_SWEEPS = 6

EdgeKind = Literal["next", "choice", "catch"]


@dataclass(frozen=True)
class Edge:
    """A transition of the definition."""

    source: str
    target: str
    kind: EdgeKind


@dataclass(frozen=True)
class Box:
    """A state's place: centre, width; the height is `NODE_HEIGHT`."""

    x: float
    y: float
    width: float

    @property
    def left(self) -> float:
        return self.x - self.width / 2

    @property
    def right(self) -> float:
        return self.x + self.width / 2

    @property
    def top(self) -> float:
        return self.y - NODE_HEIGHT / 2

    @property
    def bottom(self) -> float:
        return self.y + NODE_HEIGHT / 2


@dataclass(frozen=True)
class Route:
    """An edge with the points it passes; a `bus` runs at right angles, the others are curves."""

    edge: Edge
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Layout:
    """Everything that a picture needs."""

    width: float
    height: float
    boxes: Mapping[str, Box]
    routes: Sequence[Route]
    start: str


def edges_of(definition: Mapping[str, Any]) -> list[Edge]:
    """The transitions of an ASL definition's own states, in order, each pair once and a Catch last."""
    found: dict[tuple[str, str], Edge] = {}
    for name, state in definition["States"].items():
        targets: list[tuple[str, EdgeKind]] = [(rule["Next"], "choice") for rule in state.get("Choices", [])]
        targets += [(state["Default"], "choice")] if "Default" in state else []
        targets += [(state["Next"], "next")] if "Next" in state else []
        targets += [(catcher["Next"], "catch") for catcher in state.get("Catch", [])]
        for target, kind in targets:
            found.setdefault((name, target), Edge(name, target, kind))
    return list(found.values())


def lay_out(definition: Mapping[str, Any]) -> Layout:
    """Place the states of one machine."""
    edges = edges_of(definition)
    main = _reachable(definition["StartAt"], [edge for edge in edges if edge.kind != "catch"])
    tail = [name for name in definition["States"] if name not in main]
    columns = [_Block(main, edges), _Block(tail, edges)]
    buses = _bus_targets(edges, set(tail))
    left = MARGIN
    boxes: dict[str, Box] = {}
    for number, block in enumerate(columns):
        boxes |= block.boxes(left, MARGIN + 28 if number == 0 else MARGIN + 28 + _tail_drop(columns))
        left += block.width + (BUS_GAP * (len(buses) + 1) if tail else 0)
    bus_x = {target: MARGIN + columns[0].width + BUS_GAP * (number + 1) for number, target in enumerate(buses)}
    routes = [
        _bus_route(edge, boxes, bus_x[edge.target])
        for edge in edges
        if edge.target in bus_x and _crosses(edge, set(tail))
    ]
    routes += [Route(edge, block.way(edge, boxes)) for block in columns for edge in block.edges]
    rightmost = max(x for route in routes for x, _ in route.points) if routes else 0.0
    width = max(rightmost, *(box.right for box in boxes.values())) + MARGIN
    height = max(box.bottom for box in boxes.values()) + MARGIN
    return Layout(width, height, boxes, routes, definition["StartAt"])


def _reachable(start: str, edges: Iterable[Edge]) -> list[str]:
    """States that can be reached without a Catch, in depth-first order."""
    targets = defaultdict(list)
    for edge in edges:
        targets[edge.source].append(edge.target)
    found: dict[str, None] = {}
    stack = [start]
    while stack:
        name = stack.pop()
        if name not in found:
            found[name] = None
            stack.extend(reversed(targets[name]))
    return list(found)


def _crosses(edge: Edge, tail: set[str]) -> bool:
    """Whether an edge runs from one column to the other, or is a Catch inside one."""
    return (edge.source in tail) != (edge.target in tail) or edge.kind == "catch"


def _bus_targets(edges: Sequence[Edge], tail: set[str]) -> list[str]:
    return list(dict.fromkeys(edge.target for edge in edges if _crosses(edge, tail)))


def _tail_drop(columns: Sequence[_Block]) -> float:
    """How far below the top the failure column starts: centred against the main column."""
    return max(0.0, (columns[0].height - columns[1].height) / 2)


def _bus_route(edge: Edge, boxes: Mapping[str, Box], x: float) -> Route:
    """Right out of the source (below its layer if something stands there), along the bus, into the target."""
    source, target = boxes[edge.source], boxes[edge.target]
    if source.left > x:
        start, leave = (source.left, source.y + 10), []  # the middle of the left side is for arrivals
    elif any(box.y == source.y and source.right < box.left < x for box in boxes.values()):
        corner = (source.right - 14, source.bottom)
        start, leave = corner, [(corner[0], corner[1] + 10)]
    else:
        start, leave = (source.right, source.y), []
    last = leave[-1][1] if leave else start[1]
    end = (target.left, target.y) if target.left > x else (target.right, target.y - 8)
    return Route(edge, (start, *leave, (x, last), (x, end[1]), end))


class _Block:
    """One column of states: layered, ordered, with x coordinates from its own left edge."""

    def __init__(self, names: Sequence[str], edges: Sequence[Edge]) -> None:
        inside = set(names)
        self.edges = [e for e in edges if e.source in inside and e.target in inside and e.kind != "catch"]
        self._names = names
        self._back = self._back_edges()
        self._rank = self._ranks()
        self._layers, self._chains = self._with_dummies()
        self._order()
        self._x = self._positions()
        low = min((self._x[n] - self._width(n) / 2 for n in self._x), default=0.0)
        low -= BACK_GAP if self._back else 0.0
        self._x = {name: x - low for name, x in self._x.items()}
        self.width = max((x + self._width(n) / 2 for n, x in self._x.items()), default=0.0)
        self.height = len(self._layers) * (NODE_HEIGHT + LAYER_GAP) - LAYER_GAP if self._layers else 0.0

    def boxes(self, left: float, top: float) -> dict[str, Box]:
        """The places of this column's states when its upper left corner is at (`left`, `top`)."""
        self._left, self._top = left, top
        return {n: Box(left + self._x[n], self._y(self._rank[n]), self._width(n)) for n in self._names}

    def way(self, edge: Edge, boxes: Mapping[str, Box]) -> tuple[tuple[float, float], ...]:
        """The points of an edge inside this column, through its dummy nodes."""
        source, target = boxes[edge.source], boxes[edge.target]
        if edge in self._back:
            ranks = range(self._rank[edge.target], self._rank[edge.source] + 1)
            side = min(boxes[n].left for n in self._names if self._rank[n] in ranks) - BACK_GAP
            return ((source.left, source.y), (side, source.y), (side, target.y), (target.left, target.y))
        between = [(self._left + self._x[n], self._y(self._chain_rank[n])) for n in self._chains[edge]]
        return ((source.x, source.bottom), *between, (target.x, target.top))

    def _y(self, rank: int) -> float:
        return self._top + NODE_HEIGHT / 2 + rank * (NODE_HEIGHT + LAYER_GAP)

    def _width(self, name: str) -> float:
        return max(_MIN_WIDTH, len(name) * _CHARACTER_WIDTH + 46) if name in self._rank else 10.0

    def _back_edges(self) -> set[Edge]:
        """Edges that close a cycle, found depth first; they are drawn at the side and do not rank."""
        targets = defaultdict(list)
        for edge in self.edges:
            targets[edge.source].append(edge)
        back: set[Edge] = set()
        done: set[str] = set()

        def visit(name: str, path: frozenset[str]) -> None:
            for edge in targets[name]:
                if edge.target in path or edge.target == name:
                    back.add(edge)
                elif edge.target not in done:
                    visit(edge.target, path | {edge.target})
            done.add(name)

        for name in self._names:
            if name not in done:
                visit(name, frozenset({name}))
        return back

    def _ranks(self) -> dict[str, int]:
        """Longest path from a state without a predecessor."""
        before = defaultdict(list)
        for edge in self.edges:
            if edge not in self._back:
                before[edge.target].append(edge.source)
        ranks: dict[str, int] = {}

        def rank(name: str) -> int:
            if name not in ranks:
                ranks[name] = max((rank(source) + 1 for source in before[name]), default=0)
            return ranks[name]

        return {name: rank(name) for name in self._names}

    def _with_dummies(self) -> tuple[list[list[str]], dict[Edge, list[str]]]:
        """The layers, where an edge over several layers gets a dummy node in each it passes."""
        layers: list[list[str]] = [[] for _ in range(max(self._rank.values(), default=-1) + 1)]
        for name in self._names:
            layers[self._rank[name]].append(name)
        chains: dict[Edge, list[str]] = {}
        self._chain_rank: dict[str, int] = {}
        for number, edge in enumerate(self.edges):
            chains[edge] = []
            if edge not in self._back:
                for rank in range(self._rank[edge.source] + 1, self._rank[edge.target]):
                    dummy = f"\0{number}.{rank}"
                    layers[rank].append(dummy)
                    chains[edge].append(dummy)
                    self._chain_rank[dummy] = rank
        return layers, chains

    def _neighbours(self) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
        """For each node or dummy, those it is joined to in the layer above and in the layer below."""
        above, below = defaultdict(list), defaultdict(list)
        for edge, chain in self._chains.items():
            if edge not in self._back:
                path = [edge.source, *chain, edge.target]
                for upper, lower in pairwise(path):
                    above[lower].append(upper)
                    below[upper].append(lower)
        return above, below

    def _order(self) -> None:
        """Sort each layer by the mean place of its neighbours, down and up in turn."""
        above, below = self._neighbours()
        for sweep in range(_SWEEPS):
            down = sweep % 2 == 0
            for layer in self._layers if down else reversed(self._layers):
                place = {n: float(i) for other in self._layers for i, n in enumerate(other)}
                near = above if down else below
                layer.sort(key=lambda n: fmean(place[m] for m in near[n]) if near[n] else place[n])

    def _positions(self) -> dict[str, float]:
        """x of every node: pulled to its neighbours' mean, pushed apart to the least distance."""
        above, below = self._neighbours()
        x: dict[str, float] = {}
        for layer in self._layers:
            x |= self._spread(layer, dict.fromkeys(layer, 0.0))
        for sweep in range(_SWEEPS * 2):
            near = above if sweep % 2 == 0 else below
            for layer in self._layers if sweep % 2 == 0 else reversed(self._layers):
                wanted = {n: fmean(x[m] for m in near[n]) if near[n] else x[n] for n in layer}
                x |= self._spread(layer, wanted)
        return x

    def _spread(self, layer: Sequence[str], wanted: Mapping[str, float]) -> dict[str, float]:
        """The wanted places, kept in order and apart: the mean of packing from left and from right."""
        from_left: list[float] = []
        for i, name in enumerate(layer):
            least = from_left[-1] + self._distance(layer[i - 1], name) if i else wanted[name]
            from_left.append(max(wanted[name], least))
        from_right: list[float] = []
        for i, name in enumerate(reversed(layer)):
            after = layer[len(layer) - i] if i else name
            most = from_right[-1] - self._distance(name, after) if i else wanted[name]
            from_right.append(min(wanted[name], most))
        return {n: (a + b) / 2 for n, a, b in zip(layer, from_left, reversed(from_right), strict=True)}

    def _distance(self, left: str, right: str) -> float:
        return (self._width(left) + self._width(right)) / 2 + NODE_GAP
