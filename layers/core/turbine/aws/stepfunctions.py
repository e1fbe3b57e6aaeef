"""Step Functions executions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from turbine.aws.clients import client
from turbine.ports import Execution

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient


class StateMachineExecutions:
    """Fulfils `ports.Executions`."""

    def describe(self, execution_arn: str) -> Execution:
        stepfunctions: SFNClient = client("stepfunctions")
        described = stepfunctions.describe_execution(executionArn=execution_arn)
        return Execution(
            input=json.loads(described.get("input", "{}")),
            redrive_count=described.get("redriveCount", 0),
            error=described.get("error"),
            cause=described.get("cause"),
        )
