"""Step Functions executions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from turbine.aws.clients import client
from turbine.domain.errors import ExecutionMissingError
from turbine.ports import Execution

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient


class PromotionMachine:
    """Fulfils `ports.Promotions`."""

    def __init__(self, machine_arn: str) -> None:
        self._machine_arn = machine_arn

    def start(self, name: str, promotion: Mapping[str, Any]) -> str:
        stepfunctions: SFNClient = client("stepfunctions")
        try:
            stepfunctions.start_execution(
                stateMachineArn=self._machine_arn, name=name, input=json.dumps(promotion, sort_keys=True)
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ExecutionAlreadyExists":
                raise
            arn = f"{self._machine_arn.replace(':stateMachine:', ':execution:')}:{name}"
            return str(stepfunctions.describe_execution(executionArn=arn)["status"])
        return "RUNNING"


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
            started_ms=_ms(described.get("startDate")),
            stopped_ms=_ms(described.get("stopDate")),
            output=_object(described.get("output")),
        )


def _object(text: str | None) -> dict[str, Any] | None:
    """An output that is an object."""
    value = json.loads(text or "null")
    return value if isinstance(value, dict) else None


def _ms(moment: datetime | None) -> int | None:
    return None if moment is None else round(moment.timestamp() * 1000)
