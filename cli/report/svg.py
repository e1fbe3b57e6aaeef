"""SVG elements as escaped text: small enough that no drawing library is needed."""

from __future__ import annotations

import math

from markupsafe import Markup, escape

Attribute = str | float | int


def element(tag: str, *children: Markup | str, **attributes: Attribute) -> Markup:
    """One element. `stroke_width` becomes `stroke-width`, `class_` becomes `class`; text is escaped."""
    written = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{escape(_text(value))}"' for name, value in attributes.items()
    )
    inner = "".join(str(escape(child)) for child in children)
    return Markup(f"<{tag}{written}>{inner}</{tag}>")  # noqa: S704 - every part above is escaped


def group(*children: Markup, **attributes: Attribute) -> Markup:
    return element("g", *children, **attributes)


def text(content: str, x: float, y: float, class_: str = "", anchor: str = "start") -> Markup:
    return element("text", content, x=x, y=y, class_=class_, text_anchor=anchor)


def picture(width: float, height: float, label: str, *children: Markup, class_: str = "") -> Markup:
    """A whole picture that scales with its box and tells a screen reader what it is."""
    return element(
        "svg",
        *children,
        viewBox=f"0 0 {_text(width)} {_text(height)}",
        width=width,
        height=height,
        role="img",
        aria_label=label,
        class_=class_,
    )


def nice_ticks(low: float, high: float, count: int = 4) -> list[float]:
    """About `count` round numbers (1, 2 or 5 times a power of ten) from `low` to `high`."""
    if high <= low:
        high = low + (abs(low) or 1.0)
    rough = (high - low) / max(count, 1)
    power = 10 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [number * step for number in range(first, last + 1)]


def _text(value: Attribute) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
