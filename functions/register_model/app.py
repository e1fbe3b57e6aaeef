"""`register_model`: a run's model into the registry, once. See `turbine.usecases.register_model`."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from turbine import wiring
from turbine.tracing import traced
from turbine.usecases.register_model import RegistrationRequest

logger = Logger()
metrics = Metrics()


@logger.inject_lambda_context(clear_state=True)
@traced
@metrics.log_metrics(capture_cold_start_metric=True)
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """A run and its decision to `{"model_package_arn", "model_version", "model_data_uri"}`."""
    request = RegistrationRequest.model_validate(event)
    logger.append_keys(run_id=request.run_id, team=request.team)
    reply = wiring.register_model()(request)
    metrics.add_metric("ModelsRegistered", MetricUnit.Count, 1)
    logger.info("model registered", model_package_arn=reply["model_package_arn"])
    return reply
