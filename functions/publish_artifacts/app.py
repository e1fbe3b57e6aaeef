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
    """`{"run_id", "team", "spec_uri"}` to `{"is_published": true, "model_data_uri", "dvc", "provenance_uri", …}`.

    What takes longer than a function may run is a job's: then `{"is_published": false, "size_bytes"}`.
    """
    reference = RunReference.model_validate(event)
    logger.append_keys(run_id=reference.run_id, team=reference.team)
    reply = wiring.publish_artifacts(DvcRemote(), wiring.publish_in_function_bytes())(reference)
    if not reply["is_published"]:
        metrics.add_metric("RunsLeftToJob", MetricUnit.Count, 1)
        logger.info("left to a job", size_bytes=reply["size_bytes"])
        return reply
    metrics.add_metric("ArchiveSize", MetricUnit.Bytes, reply["dvc"]["size_bytes"])
    logger.info("artifacts published", dvc=reply["dvc"])
    return reply
