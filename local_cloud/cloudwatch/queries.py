"""Which samples a query sees: exactly these dimensions, in periods from the start on, while AWS would still have them.

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricStatistics.html and
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_concepts.html#metrics-retention
"""

from __future__ import annotations

import bisect
import threading
import weakref
from collections.abc import Mapping, Sequence
from typing import Any

from local_cloud.cloudwatch.samples import Samples

SHORT_PERIODS_S = (1, 5, 10, 20, 30)
_DAY_S = 86_400
_RETENTION = ((3 * 3_600, 1), (15 * _DAY_S, 60), (63 * _DAY_S, 300), (455 * _DAY_S, 3_600))
"""Up to this age, data is kept in periods of so many seconds."""
_ROUNDING = ((15 * _DAY_S, 60), (63 * _DAY_S, 300), (float("inf"), 3_600))

Key = tuple[str, str, frozenset[tuple[str, str]]]


def key_of(namespace: str, name: str, dimensions: Sequence[Mapping[str, str]]) -> Key:
    """What tells metrics apart: a metric with one dimension more is another."""
    return namespace, name, frozenset((one["Name"], one["Value"]) for one in dimensions)


def is_period(period_s: int) -> bool:
    """Whether CloudWatch has such a period."""
    return period_s in SHORT_PERIODS_S or (period_s > 0 and period_s % 60 == 0)


def rounded_start(start: float, period_s: int, now: float) -> float:
    """Where the first period begins: a start is rounded down, the older the more."""
    if period_s < 60 and now - start <= _RETENTION[0][0]:
        return start - start % period_s
    step = next(step for age, step in _ROUNDING if now - start <= age)
    return start - start % step


def by_period(
    samples: Sequence[Samples], start: float, end: float, period_s: int, now: float
) -> dict[float, list[Samples]]:
    """Samples of each period that has some, by the period's begin; `end` is not in."""
    found: dict[float, list[Samples]] = {}
    for sample in samples:
        if start <= sample.moment < end and _is_kept(sample.moment, period_s, now):
            found.setdefault(start + (sample.moment - start) // period_s * period_s, []).append(sample)
    return found


def _is_kept(moment: float, period_s: int, now: float) -> bool:
    return any(now - moment <= age and period_s >= resolution_s for age, resolution_s in _RETENTION)


class _Index:
    """A backend's samples by metric, in the order of their time."""

    def __init__(self) -> None:
        self.seen = 0
        self.moments: dict[Key, list[float]] = {}
        self.samples: dict[Key, list[Samples]] = {}

    def catch_up(self, data: list[Any]) -> None:
        if len(data) < self.seen:
            self.__init__()  # type: ignore[misc]
        for sample in data[self.seen :]:
            if isinstance(sample, Samples):
                moments = self.moments.setdefault(sample.key, [])
                place = bisect.bisect_right(moments, sample.moment)
                moments.insert(place, sample.moment)
                self.samples.setdefault(sample.key, []).insert(place, sample)
        self.seen = len(data)


_indexes: weakref.WeakKeyDictionary[Any, _Index] = weakref.WeakKeyDictionary()
_lock = threading.Lock()
"""Indexes are derived from the backends' samples: they are made again after a restart."""


def between(backend: Any, key: Key, start: float, end: float) -> list[Samples]:
    """A metric's samples in `[start, end)`, by time."""
    with _lock:
        index = _indexes.setdefault(backend, _Index())
        index.catch_up(backend.metric_data)
        moments = index.moments.get(key, [])
        first, last = bisect.bisect_left(moments, start), bisect.bisect_left(moments, end)
        return index.samples.get(key, [])[first:last]


def metrics(backend: Any) -> list[tuple[Key, float]]:
    """Every metric there is, and when its last sample is of."""
    with _lock:
        index = _indexes.setdefault(backend, _Index())
        index.catch_up(backend.metric_data)
        return [(key, moments[-1]) for key, moments in index.moments.items()]


def is_asked(key: Key, namespace: str | None, name: str | None, dimensions: Sequence[Mapping[str, str]]) -> bool:
    """Whether ListMetrics with these filters shows a metric; a dimension may be asked for without its value."""
    found = dict(key[2])
    return (
        namespace in (None, key[0])
        and name in (None, key[1])
        and all(one["Name"] in found and one.get("Value") in (None, found[one["Name"]]) for one in dimensions)
    )
