"""The calls of the Step Functions API that moto answers incompletely or not at all.

Source: https://docs.aws.amazon.com/step-functions/latest/apireference/API_Operations.html
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Any

from moto.core.exceptions import AWSError
from moto.core.responses import ActionResult
from moto.stepfunctions.parser.api import ExecutionStatus
from moto.stepfunctions.responses import StepFunctionResponse

from local_cloud.replacements import Replacement
from local_cloud.stepfunctions import executions

_HISTORY_PAGE = 100
_HISTORY_PAGE_LARGEST = 1000


class InvalidNextTokenError(AWSError):
    TYPE = "InvalidToken"
    STATUS = 400


class NotEmulatedError(AWSError):
    TYPE = "ValidationException"
    STATUS = 400


class CompletedStepFunctionsResponse(StepFunctionResponse):
    """moto's handler with the answers that AWS gives."""

    def start_execution(self) -> ActionResult:
        execution = self.stepfunction_backend.start_execution(
            self._get_param("stateMachineArn"),
            self._get_param("name"),
            self._get_param("input", if_none="{}"),
        )
        return ActionResult({"executionArn": execution.execution_arn, "startDate": execution.start_date})

    def describe_execution(self) -> ActionResult:
        return ActionResult(executions.description(self._execution()))

    def stop_execution(self) -> ActionResult:
        execution = self._execution()
        executions.stop(execution, self._get_param("error"), self._get_param("cause"))
        return ActionResult({"stopDate": execution.stop_date})

    def redrive_execution(self) -> ActionResult:
        return ActionResult({"redriveDate": executions.redrive(self._execution())})

    def list_executions(self) -> ActionResult:
        status, redrive = self._get_param("statusFilter"), self._get_param("redriveFilter")
        if self._get_param("mapRunArn"):
            raise NotEmulatedError("states:ListExecutions is not emulated with mapRunArn")
        machine = self.stepfunction_backend.describe_state_machine(self._get_param("stateMachineArn"))
        found = [
            execution
            for execution in sorted(machine.executions, key=lambda e: e.start_date, reverse=True)
            if (not status or execution.exec_status.value == status)
            and (not redrive or (executions.redrive_count(execution) > 0) == (redrive == "REDRIVEN"))
        ]
        page, token = self._page(found, _HISTORY_PAGE)
        return ActionResult({"executions": [_list_item(execution) for execution in page], "nextToken": token})

    def get_execution_history(self) -> ActionResult:
        execution = self._execution()
        events = execution.to_history_output()["events"] if execution.exec_worker else []
        if self._get_param("reverseOrder"):
            events = events[::-1]
        page, token = self._page(events, _HISTORY_PAGE)
        if self._get_param("includeExecutionData") is False:
            page = [_without_data(event) for event in page]
        return ActionResult({"events": page, "nextToken": token})

    def start_sync_execution(self) -> ActionResult:
        raise NotEmulatedError("states:StartSyncExecution is not emulated: use a STANDARD state machine")

    def test_state(self) -> ActionResult:
        raise NotEmulatedError("states:TestState is not emulated")

    def send_task_failure(self) -> ActionResult:
        self.stepfunction_backend.send_task_failure(
            self._get_param("taskToken"), error=self._get_param("error"), cause=self._get_param("cause")
        )
        return ActionResult({})

    def _execution(self) -> Any:
        return self.stepfunction_backend.describe_execution(self._get_param("executionArn"))

    def _page(self, items: list[Any], default: int) -> tuple[list[Any], str | None]:
        size = min(int(self._get_param("maxResults") or default), _HISTORY_PAGE_LARGEST)
        start = _offset(self._get_param("nextToken"))
        following = start + size
        return items[start:following], _token(following) if following < len(items) else None


def _token(offset: int) -> str:
    return base64.urlsafe_b64encode(f"offset:{offset}".encode()).decode()


def _offset(token: str | None) -> int:
    if not token:
        return 0
    try:
        return int(base64.urlsafe_b64decode(token).decode().removeprefix("offset:"))
    except (binascii.Error, ValueError) as error:
        raise InvalidNextTokenError(f"Invalid Token: '{token}'") from error


def _list_item(execution: Any) -> dict[str, Any]:
    shown = {
        "executionArn": execution.exec_arn,
        "stateMachineArn": execution.state_machine.arn,
        "name": execution.name,
        "status": execution.exec_status.value,
        "startDate": execution.start_date,
        "redriveCount": executions.redrive_count(execution),
        "redriveDate": getattr(execution, "redrive_date", None),
    }
    if execution.exec_status != ExecutionStatus.RUNNING:
        shown["stopDate"] = execution.stop_date
    return {key: value for key, value in shown.items() if value is not None}


def _without_data(event: dict[str, Any]) -> dict[str, Any]:
    hidden = {"input", "output", "parameters"}
    return {
        key: {name: item for name, item in value.items() if name not in hidden} if isinstance(value, dict) else value
        for key, value in event.items()
    }


def _dispatch(original: dict[str, Callable[..., Any]]) -> dict[str, Callable[..., Any]]:
    return {path: CompletedStepFunctionsResponse.dispatch for path in original}  # noqa: C420  typed


REPLACEMENTS: list[Replacement] = [
    Replacement(
        target="moto.stepfunctions.urls:url_paths",
        build=_dispatch,
        why="history without pages or order, no redrive, no stop reason, fields missing in descriptions",
    ),
]
