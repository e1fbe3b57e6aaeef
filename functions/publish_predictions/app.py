"""`publish_predictions`: a transform's outputs counted and made visible. See its use case."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from turbine import wiring
from turbine.tracing import traced
from turbine.usecases.publish_predictions import FinishedTransform

logger = Logger()
metrics = Metrics()


@logger.inject_lambda_context(clear_state=True)
@traced
@metrics.log_metrics(capture_cold_start_metric=True)
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """A prepared inference and its attempt to `{"predictions_uri", "records", "evaluation"}`."""
    finished = FinishedTransform.model_validate(event)
    logger.append_keys(run_id=finished.run_id, team=finished.team, inference_id=finished.inference_id)
    reply = wiring.publish_predictions()(finished)
    metrics.add_metric("Predictions", MetricUnit.Count, reply["records"])
    logger.info("predictions published", **reply)
    return reply
