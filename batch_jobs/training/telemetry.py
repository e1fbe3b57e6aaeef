"""Loss and throughput while a run trains: every N steps a line in the log, at most every 10 s a call to CloudWatch.

The calls are made by a thread of their own. One that fails is logged and costs its numbers: what decides about a
model is published by `cloudwatch.publish_metrics`, not here.
"""

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError
from torch import Tensor

from training.errors import BadConfigurationError
from training.log import log_event
from training.spec import MetricTarget

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch.client import CloudWatchClient
    from mypy_boto3_cloudwatch.type_defs import DimensionTypeDef, MetricDatumTypeDef

SECONDS_BETWEEN_CALLS = 10.0
MOST_DATA_A_CALL = 1000
"""Source: API_PutMetricData."""


@dataclass(frozen=True)
class StepReport:
    """One step. `loss` () is the sum over this worker's `rows`; `global_rows` are those of all workers."""

    step: int
    loss: Tensor
    rows: int
    global_rows: int
    learning_rate: float


class Telemetry:
    """The main worker's reports."""

    def __init__(self, target: MetricTarget, every_steps: int, make_client: "Callable[[], CloudWatchClient]") -> None:
        self._target = target
        self._every_steps = every_steps
        self._make_client = make_client
        self._rows = 0
        self._reported_at = time.monotonic()
        self._unsent: list[MetricDatumTypeDef] = []
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._sender: threading.Thread | None = None

    def after_step(self, report: StepReport) -> None:
        """Raises: BadConfigurationError when the loss is no longer a number."""
        self._rows += report.global_rows
        if report.step % self._every_steps or not report.rows:
            return
        loss = float(report.loss) / report.rows
        if not math.isfinite(loss):
            raise no_number(f"step {report.step}")
        now = time.monotonic()
        rows_per_s = self._rows / max(now - self._reported_at, 1e-9)
        self._rows, self._reported_at = 0, now
        log_event(
            "step", step=report.step, loss=loss, learning_rate=report.learning_rate, rows_per_s=round(rows_per_s, 1)
        )
        self._keep({"train_loss": loss, "train_rows_per_s": rows_per_s})

    def close(self) -> None:
        """Send what is left."""
        self._closing.set()
        if self._sender is not None:
            self._sender.join()

    def _keep(self, values: dict[str, float]) -> None:
        dimensions: list[DimensionTypeDef] = [
            {"Name": name, "Value": value} for name, value in self._target.dimensions.items()
        ]
        now = datetime.now(UTC)
        with self._lock:
            self._unsent += [
                {"MetricName": name, "Dimensions": dimensions, "Timestamp": now, "Value": value}
                for name, value in values.items()
            ]
            del self._unsent[:-MOST_DATA_A_CALL]
        if self._sender is None:
            self._sender = threading.Thread(target=self._send_until_closed, name="telemetry", daemon=True)
            self._sender.start()

    def _send_until_closed(self) -> None:
        client = self._make_client()
        while not self._closing.wait(SECONDS_BETWEEN_CALLS):
            self._send(client)
        self._send(client)

    def _send(self, client: "CloudWatchClient") -> None:
        with self._lock:
            data, self._unsent = self._unsent, []
        if not data:
            return
        try:
            client.put_metric_data(Namespace=self._target.namespace, MetricData=data)
        except (BotoCoreError, ClientError) as error:
            log_event("telemetry_lost", data=len(data), message=str(error))


def no_number(where: str, what: str = "the loss is") -> BadConfigurationError:
    return BadConfigurationError(
        f"{what} no longer a number in {where}",
        "lower the hyperparameter learning_rate, or set max_gradient_norm",
    )
