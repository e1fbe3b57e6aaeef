"""`close_inference`: how an inference failed, from Step Functions' own events. See its use case."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from turbine import wiring
from turbine.tracing import traced
from turbine.usecases.status_change import StatusChange

logger = Logger()
metrics = Metrics()


@logger.inject_lambda_context(clear_state=True)
@traced
@metrics.log_metrics(capture_cold_start_metric=True)
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, bool]:
    """A `Step Functions Execution Status Change` event to `{"closed"}`."""
    change = StatusChange.model_validate(event)
    logger.append_keys(execution_arn=change.detail.execution_arn)
    reply = wiring.close_inference()(change)
    metrics.add_dimension("Status", change.detail.status)
    metrics.add_metric("InferencesClosed", MetricUnit.Count, int(reply["closed"]))
    logger.info("end of an inference heard", status=change.detail.status, closed=reply["closed"])
    return reply
