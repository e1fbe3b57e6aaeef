"""`publish_artifacts`: a finished run's files checked and put under DVC. See its use case."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from turbine import wiring
from turbine.aws.dvc_remote import DvcRemote
from turbine.domain.run import RunReference
from turbine.tracing import traced

logger = Logger()
metrics = Metrics()


@logger.inject_lambda_context(clear_state=True)
@traced
@metrics.log_metrics(capture_cold_start_metric=True)
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """`{"run_id", "team", "spec_uri"}` to `{"model_data_uri", "dvc", "provenance_uri", "metrics_uri"}`."""
    reference = RunReference.model_validate(event)
    logger.append_keys(run_id=reference.run_id, team=reference.team)
    reply = wiring.publish_artifacts(DvcRemote())(reference)
    metrics.add_metric("ArchiveSize", MetricUnit.Bytes, reply["dvc"]["size_bytes"])
    logger.info("artifacts published", dvc=reply["dvc"])
    return reply
