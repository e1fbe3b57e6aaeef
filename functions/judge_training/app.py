"""`judge_training`: what follows when a training job failed, or was met at work. See its use case."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from turbine import wiring
from turbine.tracing import traced
from turbine.usecases.judge_training import TrainingReport

logger = Logger()
metrics = Metrics()


@logger.inject_lambda_context(clear_state=True)
@traced
@metrics.log_metrics(capture_cold_start_metric=True)
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """A `TrainingReport` to `{"finished", "live_jobs", "submissions", "spot_submissions"}`.

    Raises: a TrainingError, which ends the execution under its name.
    """
    report = TrainingReport.model_validate(event)
    logger.append_keys(run_id=report.run_id, team=report.team)
    reply = wiring.judge_training()(report)
    metrics.add_metric("TrainingJobsJudged", MetricUnit.Count, 1)
    logger.info("training judged", error=report.error, **reply)
    return reply
