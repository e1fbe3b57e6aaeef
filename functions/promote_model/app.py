"""`promote_model`: compare-and-swap of a team's champion. See `turbine.usecases.promote_model`."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from turbine import wiring
from turbine.domain.champion import Promotion, requested
from turbine.tracing import traced

logger = Logger()
metrics = Metrics()


@logger.inject_lambda_context(clear_state=True)
@traced
@metrics.log_metrics(capture_cold_start_metric=True)
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """The promotion machine's input to `{"status", "champion_version", …, "detail"}`."""
    # A run's promotion is flat: from its model `turbine check` reads what the machines have to send.
    promotion = requested(event) if "request" in event else Promotion.model_validate(event)
    logger.append_keys(run_id=promotion.run_id, team=promotion.team)
    reply = wiring.promote_model()(promotion)
    metrics.add_dimension("Status", reply["status"])
    metrics.add_metric("Promotions", MetricUnit.Count, 1)
    logger.info(
        "promotion done",
        status=reply["status"],
        champion_version=reply["champion_version"],
        is_current=reply["is_current"],
    )
    return reply
