"""The test metrics as CloudWatch sees them: one call, one whole-minute timestamp, the file's exact values."""

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import boto3

from training.errors import BadConfigurationError
from training.spec import MetricTarget
from training.storage import CLIENT_CONFIG

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch.client import CloudWatchClient


def whole_minute(moment: datetime) -> datetime:
    """The minute `moment` is in: a period of 60 s then finds the value whatever second it was sent."""
    return moment.astimezone(UTC).replace(second=0, microsecond=0)


def require_finite(metrics: dict[str, float]) -> None:
    """Raises: BadConfigurationError naming the metric: PutMetricData rejects NaN and infinities."""
    for name, value in metrics.items():
        if not math.isfinite(value):
            raise BadConfigurationError(f"test metric {name} is {value}", "lower the hyperparameter learning_rate")


def publish_metrics(
    target: MetricTarget,
    test: dict[str, float],
    published_at: datetime,
    client: "CloudWatchClient | None" = None,
) -> None:
    """Each metric as `test_<name>`.

    Raises: BadConfigurationError when a value is not finite, before anything is sent.
    Source: API_PutMetricData, API_MetricDatum ("Value").
    """
    require_finite(test)
    client = client or boto3.client("cloudwatch", config=CLIENT_CONFIG)
    client.put_metric_data(
        Namespace=target.namespace,
        MetricData=[
            {
                "MetricName": f"test_{name}",
                "Dimensions": [{"Name": key, "Value": value} for key, value in target.dimensions.items()],
                "Timestamp": published_at,
                "Value": value,
            }
            for name, value in test.items()
        ],
    )
