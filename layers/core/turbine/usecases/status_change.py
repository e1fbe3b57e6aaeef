"""Step Functions' own report that an execution changed its status, and what it leaves out.

Reports come at least once and in any order.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict, Field

from turbine.ports import Execution, Executions


class Detail(BaseModel):
    """The execution as the event tells it."""

    model_config = ConfigDict(extra="ignore", populate_by_name=True, defer_build=True)

    execution_arn: str = Field(alias="executionArn")
    name: str
    status: str
    started_ms: int | None = Field(default=None, alias="startDate")
    stopped_ms: int | None = Field(default=None, alias="stopDate")
    input: str | None = None
    redrive_count: int | None = Field(default=None, alias="redriveCount")
    error: str | None = None
    cause: str | None = None


class StatusChange(BaseModel):
    """A `Step Functions Execution Status Change` event.

    Source: https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html
    """

    model_config = ConfigDict(extra="ignore", defer_build=True)

    id: str
    time: str
    detail: Detail

    @property
    def ended_at(self) -> str:
        """When the execution ended, as ISO 8601 in UTC."""
        if self.detail.stopped_ms is None:
            return self.time
        return datetime.fromtimestamp(self.detail.stopped_ms / 1000, UTC).isoformat(timespec="milliseconds")


def execution_of(detail: Detail, executions: Executions) -> Execution:
    """The execution as the event tells it, asked for only where the event is silent."""
    silent_failure = detail.status == "FAILED" and detail.error is None
    if detail.input is None or detail.redrive_count is None or silent_failure:
        known = executions.describe(detail.execution_arn)
    else:
        known = Execution(detail.status, json.loads(detail.input), detail.redrive_count, detail.error, detail.cause)
    return known._replace(
        status=detail.status,
        redrive_count=known.redrive_count if detail.redrive_count is None else detail.redrive_count,
        error=detail.error or known.error,
        cause=detail.cause or known.cause,
    )
