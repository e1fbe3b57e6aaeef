import math
from datetime import UTC, datetime
from typing import Any

import pytest

from training.cloudwatch import publish_metrics, whole_minute
from training.errors import BadConfigurationError
from training.spec import MetricTarget

TARGET = MetricTarget(namespace="Turbine/Training", dimensions={"Team": "vision", "RunId": "r"})
NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


class RecordingClient:
    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []

    def put_metric_data(self, **call: Any) -> None:
        self.calls.append(call)


def test_one_call_carries_all_metrics() -> None:
    client: Any = RecordingClient()
    publish_metrics(TARGET, {"accuracy": 0.9, "log_loss": 0.1}, NOON, client)
    (call,) = client.calls
    assert [(datum["MetricName"], datum["Value"]) for datum in call["MetricData"]] == [
        ("test_accuracy", 0.9),
        ("test_log_loss", 0.1),
    ]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_no_number_is_refused_before_the_call(value: float) -> None:
    client: Any = RecordingClient()
    with pytest.raises(BadConfigurationError, match="test metric log_loss"):
        publish_metrics(TARGET, {"accuracy": 0.9, "log_loss": value}, NOON, client)
    assert client.calls == []


def test_a_whole_minute_has_no_seconds() -> None:
    assert whole_minute(datetime(2026, 11, 23, 12, 0, 59, 999, tzinfo=UTC)) == NOON
