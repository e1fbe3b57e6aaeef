"""`prepare_inference`: a promotion or a dropped file to one transform. See its use case."""

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
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """`{"event", "execution_arn"}` to what the transform needs, or to `{"skip": true, "reason"}`."""
    logger.append_keys(execution_arn=event["execution_arn"])
    reply = wiring.prepare_inference()(event["event"], event["execution_arn"])
    metrics.add_metric("InferencesSkipped", MetricUnit.Count, int(reply["skip"]))
    logger.info("inference prepared", reply=reply)
    return reply
