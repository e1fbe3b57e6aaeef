"""What this cloud says of every operation: a module of verdicts for each service; and whether one is served.

`local_cloud.unemulated` asks here before moto sees a request, so that an operation without a verdict is refused by name
whatever moto would do with it. `python -m local_cloud.coverage` writes docs/embedded-cloud-coverage.md from this.
"""

from __future__ import annotations

from collections.abc import Mapping

from local_cloud.coverage import (
    batch,
    cloudformation,
    cloudwatch,
    dynamodb,
    ec2,
    ecr,
    ecs,
    events,
    iam,
    kms,
    lambda_,
    logs,
    s3,
    sagemaker,
    scheduler,
    sns,
    sqs,
    ssm,
    stepfunctions,
    sts,
)
from local_cloud.coverage.verdicts import Coverage, Refused

SERVICES: Mapping[str, Coverage] = {
    "batch": batch.COVERAGE,
    "cloudformation": cloudformation.COVERAGE,
    "cloudwatch": cloudwatch.COVERAGE,
    "dynamodb": dynamodb.COVERAGE,
    "ec2": ec2.COVERAGE,
    "ecr": ecr.COVERAGE,
    "ecs": ecs.COVERAGE,
    "events": events.COVERAGE,
    "iam": iam.COVERAGE,
    "kms": kms.COVERAGE,
    "lambda": lambda_.COVERAGE,
    "logs": logs.COVERAGE,
    "s3": s3.COVERAGE,
    "sagemaker": sagemaker.COVERAGE,
    "scheduler": scheduler.COVERAGE,
    "sns": sns.COVERAGE,
    "sqs": sqs.COVERAGE,
    "ssm": ssm.COVERAGE,
    "stepfunctions": stepfunctions.COVERAGE,
    "sts": sts.COVERAGE,
}
"""By botocore's name of the service. Any other service is refused."""

SIGNING_NAMES: Mapping[str, str] = {"cloudwatch": "monitoring", "stepfunctions": "states"}
"""How requests name a service, where it is not botocore's name."""

_BY_SIGNING_NAME = {SIGNING_NAMES.get(name, name): coverage for name, coverage in SERVICES.items()}


def refusal(signing_name: str, operation: str) -> str | None:
    """Why an operation is refused, "" where its name says it all; None for one that is served."""
    verdict = _BY_SIGNING_NAME.get(signing_name, {}).get(operation)
    if verdict is None:
        return ""
    return verdict.reason if isinstance(verdict, Refused) else None
