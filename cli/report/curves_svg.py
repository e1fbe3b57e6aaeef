"""Learning curves: loss and the deciding metric per epoch, the rounds of one team on the same axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from cli.report import svg
from cli.report.model import RunReport

_WIDTH, _HEIGHT = 480.0, 230.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 52.0, 74.0, 16.0, 34.0
_LABEL_GAP = 13.0


@dataclass(frozen=True)
class Line:
    """One curve: y per epoch number, its label at the end, and the CSS class that styles it."""

    points: tuple[tuple[int, float], ...]
    label: str
    style: str


def loss_lines(runs: Sequence[RunReport]) -> list[Line]:
    """Train (thin, dashed) and validation (solid) loss of each round."""
    lines = []
    for run in runs:
        for name, style in (("train", "train"), ("validation", "validation")):
            values = [(e.number, e.train_loss if name == "train" else e.validation_loss) for e in run.epochs]
            label = f"round {run.round}" if name == "validation" else ""
            lines.append(Line(tuple(values), label, f"round-{run.round} {style}"))
    return [line for line in lines if line.points]


def metric_lines(runs: Sequence[RunReport], metric: str) -> list[Line]:
    """The validation metric of each round."""
    lines = []
    for run in runs:
        values = tuple((e.number, e.validation[metric]) for e in run.epochs if metric in e.validation)
        lines.append(Line(values, f"round {run.round}", f"round-{run.round} validation"))
    return [line for line in lines if line.points]


def draw(lines: Sequence[Line], title: str) -> Markup:
    """One chart; "" without a point."""
    points = [point for line in lines for point in line.points]
    if not points:
        return Markup("")
    last_epoch = max(epoch for epoch, _ in points)
    frame = _Frame(last_epoch, min(y for _, y in points), max(y for _, y in points))
    return svg.picture(
        _WIDTH,
        _HEIGHT,
        f"{title} by epoch",
        frame.axes(),
        *(_curve(line, frame) for line in lines),
        *_end_labels(lines, frame),
        class_="curves",
    )


class _Frame:
    """The axes: epochs to the right, values upwards, a little air above and below."""

    def __init__(self, last_epoch: int, low: float, high: float) -> None:
        air = (high - low) * 0.06 or abs(high) * 0.1 or 1.0
        self._first, self._last = 1, max(last_epoch, 2)
        self._low, self._high = low - air, high + air

    def x(self, epoch: float) -> float:
        share = (epoch - self._first) / (self._last - self._first)
        return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        return _HEIGHT - _BOTTOM - (value - self._low) / (self._high - self._low) * (_HEIGHT - _TOP - _BOTTOM)

    def axes(self) -> Markup:
        marks = []
        for tick in svg.nice_ticks(self._low, self._high, 4):
            y = self.y(tick)
            marks.append(svg.element("line", x1=_LEFT, x2=_WIDTH - _RIGHT, y1=y, y2=y, class_="grid"))
            marks.append(svg.text(f"{tick:.6g}", _LEFT - 8, y + 4, "tick", "end"))
        for tick in svg.nice_ticks(self._first, self._last, 6):
            if tick == int(tick):
                marks.append(svg.text(f"{tick:g}", self.x(tick), _HEIGHT - _BOTTOM + 17, "tick", "middle"))
        marks.append(svg.text("epoch", _WIDTH - _RIGHT + 16, _HEIGHT - _BOTTOM + 17, "tick"))
        return svg.group(*marks)


def _curve(line: Line, frame: _Frame) -> Markup:
    path = "M" + " L".join(f"{frame.x(epoch):.1f},{frame.y(value):.1f}" for epoch, value in line.points)
    epoch, value = line.points[-1]
    dot = svg.element("circle", cx=frame.x(epoch), cy=frame.y(value), r=3.0, class_=f"dot {line.style}")
    return svg.group(svg.element("path", d=path, class_=f"curve {line.style}"), dot)


def _end_labels(lines: Sequence[Line], frame: _Frame) -> list[Markup]:
    """Each curve's name at its right end, pushed apart so that none covers another."""
    wanted = sorted(((frame.y(line.points[-1][1]), line) for line in lines if line.label), key=lambda pair: pair[0])
    places: list[float] = []
    for y, _ in wanted:
        places.append(max(y, places[-1] + _LABEL_GAP) if places else y)
    too_low = max(0.0, places[-1] - (_HEIGHT - _BOTTOM - _LABEL_GAP / 2)) if places else 0.0
    return [
        svg.text(line.label, frame.x(line.points[-1][0]) + 8, y - too_low + 4, f"line-label {line.style}")
        for y, (_, line) in zip(places, wanted, strict=True)
    ]
