"""Which samples a query sees."""

from __future__ import annotations

import datetime
import pickle
from typing import Any

from local_cloud.cloudwatch import queries
from local_cloud.cloudwatch.samples import Samples

NOW = datetime.datetime(2026, 11, 23, 12, 0, 0, tzinfo=datetime.UTC).timestamp()
DAY = 86_400


class Backend:
    """What an index is kept for."""

    def __init__(self) -> None:
        self.metric_data: list[Samples] = []


def sample(moment: float, value: float = 1.0, **changes: Any) -> Samples:
    written = datetime.datetime.fromtimestamp(moment, datetime.UTC)
    return Samples("n", {"MetricName": "m", "Value": value, "Timestamp": written, **changes}, NOW)


def test_data_is_there_as_long_as_aws_keeps_its_period() -> None:
    ages = (3_000, 4 * 3_600, 16 * DAY, 64 * DAY, 456 * DAY)
    samples = [sample(NOW - age) for age in ages]
    kept = {
        period: sum(map(len, queries.by_period(samples, 0, NOW, period, NOW).values()))
        for period in (10, 60, 300, 3_600, DAY)
    }
    assert kept == {10: 1, 60: 2, 300: 3, 3_600: 4, DAY: 4}


def test_a_start_is_rounded_down_the_older_the_more() -> None:
    assert queries.rounded_start(NOW - 61, 60, NOW) == NOW - 120
    assert queries.rounded_start(NOW - 61, 10, NOW) == NOW - 70
    assert queries.rounded_start(NOW - 20 * DAY - 1, 60, NOW) == NOW - 20 * DAY - 300
    assert queries.rounded_start(NOW - 70 * DAY - 1, 60, NOW) == NOW - 70 * DAY - 3_600


def test_the_index_follows_the_data_and_its_order_is_that_of_time() -> None:
    backend, key = Backend(), queries.key_of("n", "m", [])
    assert queries.between(backend, key, 0, NOW) == []
    backend.metric_data += [sample(NOW - 10, 2.0), sample(NOW - 20, 1.0)]
    dimensions = [{"Name": "d", "Value": "v"}]
    backend.metric_data.append(sample(NOW - 15, Dimensions=dimensions))
    assert [one.values for one in queries.between(backend, key, 0, NOW)] == [[1.0], [2.0]]
    assert len(queries.between(backend, queries.key_of("n", "m", dimensions), 0, NOW)) == 1
    assert [one.values for one in queries.between(backend, key, NOW - 20, NOW - 10)] == [[1.0]]
    backend.metric_data = [sample(NOW - 5, 3.0)]
    assert [one.values for one in queries.between(backend, key, 0, NOW)] == [[3.0]]


def test_samples_can_be_saved() -> None:
    saved = pickle.loads(pickle.dumps(sample(NOW, 5.0)))
    assert (saved.key, saved.moment, saved.values, saved.unit) == (("n", "m", frozenset()), NOW, [5.0], "None")
