"""Statistics of samples."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from local_cloud.cloudwatch.statistics import UnsupportedStatisticError, check, compute


@dataclass
class Sample:
    values: list[float] = field(default_factory=list)
    counts: list[float] = field(default_factory=list)
    statistics: dict[str, float] | None = None


def of(*values: float) -> Sample:
    return Sample(list(values), [1.0] * len(values))


def test_simple_statistics_of_values_and_statistic_sets() -> None:
    samples = [
        Sample([1.0, 4.0], [3.0, 1.0]),
        Sample(statistics={"SampleCount": 2, "Sum": 20, "Minimum": 8, "Maximum": 12}),
    ]
    names = ("SampleCount", "Sum", "Average", "Minimum", "Maximum")
    assert [compute(name, samples) for name in names] == [6, 27, 4.5, 1, 12]
    assert compute("Sum", []) is None


def test_percentiles_count_each_value_as_often_as_it_came() -> None:
    samples = [of(*map(float, range(1, 101)))]
    assert [compute(name, samples) for name in ("p0", "p50", "p100")] == [1, 50.5, 100]
    assert compute("p99.9", samples) == pytest.approx(99.901)
    assert compute("p50", [Sample([1.0, 9.0], [99.0, 1.0])]) == 1
    assert compute("p50", [of(7.0)]) == 7


def test_a_percentile_of_a_statistic_set_exists_only_when_its_values_are_one() -> None:
    assert compute("p50", [Sample(statistics={"SampleCount": 2, "Sum": 3, "Minimum": 1, "Maximum": 2})]) is None
    assert compute("p50", [Sample(statistics={"SampleCount": 2, "Sum": 4, "Minimum": 2, "Maximum": 2})]) == 2


@pytest.mark.parametrize("name", ["tm90", "TM(10%:90%)", "wm95", "PR(:300)", "IQM", "p101", "average", "x"])
def test_other_statistics_are_refused(name: str) -> None:
    with pytest.raises(UnsupportedStatisticError):
        check(name)
