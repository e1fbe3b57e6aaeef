"""`reconcile_registry`: exactly the champion is Approved; an approval by hand is a promotion. See its use case."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from turbine import wiring
from turbine.tracing import traced

logger = Logger()
metrics = Metrics()


@logger.inject_lambda_context(clear_state=True)
@traced
@metrics.log_metrics(capture_cold_start_metric=True)
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, list[str]]:
    """A `SageMaker Model Package State Change` event, or a schedule's, to `{"changes"}`."""
    reply = wiring.reconcile_registry()(event)
    metrics.add_metric("ApprovalsChanged", MetricUnit.Count, len(reply["changes"]))
    logger.info("registry reconciled", changes=reply["changes"])
    return reply
