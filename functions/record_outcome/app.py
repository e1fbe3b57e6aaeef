"""`record_outcome`: how a run ended, from Step Functions' own events, and hourly where there was none.

See `turbine.usecases.record_outcome` and `turbine.usecases.sweep_runs`.
"""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from turbine import wiring
from turbine.tracing import traced
from turbine.usecases.status_change import StatusChange

SCHEDULED = "Scheduled Event"

logger = Logger()
metrics = Metrics()


@logger.inject_lambda_context(clear_state=True)
@traced
@metrics.log_metrics(capture_cold_start_metric=True)
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """A `Step Functions Execution Status Change` event to `{"recorded"}`; the hourly schedule's to `{"swept"}`."""
    if event.get("detail-type") == SCHEDULED:
        swept = wiring.sweep_runs()()
        metrics.add_metric("RunsSwept", MetricUnit.Count, len(swept["swept"]))
        logger.info("runs swept", swept=swept["swept"])
        return swept
    change = StatusChange.model_validate(event)
    logger.append_keys(run_id=change.detail.name)
    reply = wiring.record_outcome()(change)
    metrics.add_dimension("Status", change.detail.status)
    metrics.add_metric("OutcomesRecorded", MetricUnit.Count, int(reply["recorded"]))
    logger.info("outcome heard", status=change.detail.status, recorded=reply["recorded"])
    return reply
