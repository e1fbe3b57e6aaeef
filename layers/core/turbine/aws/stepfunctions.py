"""Step Functions executions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from turbine.aws.clients import client
from turbine.domain.errors import ExecutionMissingError
from turbine.ports import Execution

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient


class StateMachineExecutions:
    """Fulfils `ports.Executions`."""

    def describe(self, execution_arn: str) -> Execution:
        stepfunctions: SFNClient = client("stepfunctions")
        try:
            described = stepfunctions.describe_execution(executionArn=execution_arn)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ExecutionDoesNotExist":
                raise
            raise ExecutionMissingError(f"Step Functions does not know {execution_arn}") from error
        return Execution(
            status=described["status"],
            input=json.loads(described.get("input", "{}")),
            redrive_count=described.get("redriveCount", 0),
            error=described.get("error"),
            cause=described.get("cause"),
        )
