"""`prepare_training`: an arrival in, runs that may start out. See `turbine.usecases.prepare_training`."""

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
    """`{"event", "execution_arn"}` to `{"cause_key", "runs", "rejected", "needs_ingest", "stale"}`."""
    logger.append_keys(execution_arn=event["execution_arn"])
    reply = wiring.prepare_training()(event["event"], event["execution_arn"])
    metrics.add_metric("RunsPrepared", MetricUnit.Count, len(reply["runs"]))
    metrics.add_metric("ManifestsRejected", MetricUnit.Count, len(reply["rejected"]))
    logger.info(
        "arrival prepared",
        cause_key=reply["cause_key"],
        run_ids=[run["run_id"] for run in reply["runs"]],
        rejected=reply["rejected"],
        stale=reply["stale"],
    )
    return reply
