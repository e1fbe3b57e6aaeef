"""Statistics of the samples of one period.

Percentiles are interpolated between the values around them, each value counted as often as it came. A statistic set
has no values: a percentile of it exists only when all its values are the same.

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Statistics-definitions.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Protocol

SIMPLE = ("SampleCount", "Average", "Sum", "Minimum", "Maximum")
_PERCENTILE = re.compile(r"p(\d{1,3}(?:\.\d{1,10})?)")
_OTHERS = re.compile(r"(tm|wm|tc|ts|pr|TM|WM|TC|TS|PR)\d*.*|IQM|iqm")


class UnsupportedStatisticError(ValueError):
    """A statistic that is none, or that is not emulated."""


class Sampled(Protocol):
    """What a datum has for its statistics."""

    values: list[float]
    counts: list[float]
    statistics: dict[str, float] | None


def check(statistic: str) -> None:
    """Raises: UnsupportedStatisticError."""
    if statistic in SIMPLE or _percentile(statistic) is not None:
        return
    if _OTHERS.fullmatch(statistic):
        raise UnsupportedStatisticError(f"the statistic {statistic} is not emulated")
    raise UnsupportedStatisticError(f"The value {statistic} for parameter Stat is not supported.")


def compute(statistic: str, samples: Sequence[Sampled]) -> float | None:
    """A statistic over samples; None where it does not exist."""
    percentile = _percentile(statistic)
    if percentile is not None:
        return _at(percentile, _weighted(samples))
    count = sum(_part(samples, "SampleCount"))
    if not count:
        return None
    if statistic == "Minimum":
        return min(_part(samples, "Minimum"))
    if statistic == "Maximum":
        return max(_part(samples, "Maximum"))
    total = sum(_part(samples, "Sum"))
    return {"SampleCount": count, "Sum": total, "Average": total / count}[statistic]


def _percentile(statistic: str) -> float | None:
    match = _PERCENTILE.fullmatch(statistic)
    return float(match[1]) if match and 0 <= float(match[1]) <= 100 else None


def _part(samples: Iterable[Sampled], name: str) -> list[float]:
    found: list[float] = []
    for sample in samples:
        if sample.statistics is not None:
            found.append(sample.statistics[name])
        elif name == "SampleCount":
            found += sample.counts
        elif name == "Sum":
            found += [value * count for value, count in zip(sample.values, sample.counts, strict=True)]
        else:
            found += [value for value, count in zip(sample.values, sample.counts, strict=True) if count]
    return found


def _weighted(samples: Sequence[Sampled]) -> list[tuple[float, float]] | None:
    """Values with their counts, sorted; None when a statistic set hides its values."""
    found: list[tuple[float, float]] = []
    for sample in samples:
        if sample.statistics is None:
            found += zip(sample.values, sample.counts, strict=True)
        elif sample.statistics["Minimum"] == sample.statistics["Maximum"]:
            found.append((sample.statistics["Minimum"], sample.statistics["SampleCount"]))
        else:
            return None
    return sorted((value, count) for value, count in found if count)


def _at(percentile: float, weighted: list[tuple[float, float]] | None) -> float | None:
    if not weighted:
        return None
    place = percentile / 100 * (sum(count for _, count in weighted) - 1)
    below = _value_at(weighted, int(place))
    above = _value_at(weighted, int(place) + 1) if place > int(place) else below
    return below + (above - below) * (place - int(place))


def _value_at(weighted: list[tuple[float, float]], index: int) -> float:
    for value, count in weighted:
        if index < count:
            return value
        index -= int(count)
    return weighted[-1][0]
