"""`compare_models`: a challenger against its team's champion. See `turbine.usecases.compare_models`."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from turbine import wiring
from turbine.tracing import traced
from turbine.usecases.compare_models import ComparisonRequest

logger = Logger()
metrics = Metrics()


@logger.inject_lambda_context(clear_state=True)
@traced
@metrics.log_metrics(capture_cold_start_metric=True)
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """`{"run_id", "team", "spec_uri", "final_attempt"}` to the verdict of `decision.json`."""
    request = ComparisonRequest.model_validate(event)
    logger.append_keys(run_id=request.run_id, team=request.team)
    verdict = wiring.compare_models()(request)
    metrics.add_dimension("Decision", verdict["decision"])
    metrics.add_metric("ModelsCompared", MetricUnit.Count, 1)
    logger.info("models compared", decision=verdict["decision"], reason=verdict["reason"])
    return verdict
