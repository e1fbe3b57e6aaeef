"""CloudWatch metrics, one value at one moment."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from turbine.aws.clients import client
from turbine.domain.metrics import Point, floor_to
from turbine.ports import MetricQuery

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient


class CloudWatchMetrics:
    """Fulfils `ports.MetricReader`."""

    def read(self, queries: Sequence[MetricQuery]) -> list[Point | None]:
        """Read the queries of one moment and one period with one call.

        Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html
        (an old StartTime forbids short periods, so moments far apart cannot share a call).
        """
        if not queries:
            return []
        start = floor_to(queries[0].moment, queries[0].period_s)
        cloudwatch: CloudWatchClient = client("cloudwatch")
        pages = cloudwatch.get_paginator("get_metric_data").paginate(
            MetricDataQueries=[_query(place, query) for place, query in enumerate(queries)],
            StartTime=start,
            EndTime=start + timedelta(seconds=queries[0].period_s),
        )
        found: dict[str, Point] = {}
        for page in pages:
            for result in page["MetricDataResults"]:
                for timestamp, value in zip(result["Timestamps"], result["Values"], strict=True):
                    found[result["Id"]] = Point(value=value, timestamp=timestamp)
        return [found.get(f"m{place}") for place in range(len(queries))]


def _query(place: int, query: MetricQuery) -> Any:
    dimensions = [{"Name": name, "Value": value} for name, value in query.dimensions.items()]
    return {
        "Id": f"m{place}",
        "MetricStat": {
            "Metric": {"Namespace": query.namespace, "MetricName": query.name, "Dimensions": dimensions},
            "Period": query.period_s,
            "Stat": "Average",
        },
    }
