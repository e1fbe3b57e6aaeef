"""The calls of the Step Functions API that moto answers incompletely or not at all.

Source: https://docs.aws.amazon.com/step-functions/latest/apireference/API_Operations.html
"""

from __future__ import annotations

import base64
import binascii
import datetime
import itertools
import json
from collections.abc import Callable, Iterable
from typing import Any

from moto.core.exceptions import AWSError
from moto.core.responses import ActionResult
from moto.stepfunctions.parser.api import ExecutionStatus
from moto.stepfunctions.responses import StepFunctionResponse

from local_cloud.replacements import Replacement
from local_cloud.stepfunctions import executions, history, limits, single_state, validation

_HISTORY_PAGE = 100
_DIAGNOSTICS = 100
_HISTORY_PAGE_LARGEST = 1000


class InvalidNextTokenError(AWSError):
    TYPE = "InvalidToken"
    STATUS = 400


class ValidationError(AWSError):
    """A request that AWS refuses, too."""

    TYPE = "ValidationException"
    STATUS = 400


class NotEmulatedError(AWSError):
    TYPE = "ValidationException"
    STATUS = 400


class InvalidExecutionInputError(AWSError):
    TYPE = "InvalidExecutionInput"
    STATUS = 400


class CompletedStepFunctionsResponse(StepFunctionResponse):
    """moto's handler with the answers that AWS gives."""

    def start_execution(self) -> ActionResult:
        _check_size(self._get_param("input"))
        execution = self.stepfunction_backend.start_execution(
            self._get_param("stateMachineArn"),
            self._get_param("name"),
            self._get_param("input", if_none="{}"),
        )
        return ActionResult({"executionArn": execution.execution_arn, "startDate": execution.start_date})

    def describe_execution(self) -> ActionResult:
        return ActionResult(executions.description(self._execution()))

    def describe_state_machine_for_execution(self) -> ActionResult:
        """The machine as it was when the execution started, which is what runs, also when it is redriven."""
        machine = self._execution().state_machine
        shown = {
            "stateMachineArn": machine.arn,
            "name": machine.name,
            "definition": machine.definition,
            "roleArn": machine.roleArn,
            "updateDate": machine.update_date,
            "loggingConfiguration": machine.loggingConfiguration,
            "tracingConfiguration": machine.tracingConfiguration,
            "encryptionConfiguration": machine.encryptionConfiguration,
        }
        return ActionResult({name: value for name, value in shown.items() if value is not None})

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
        found = (
            execution
            for execution in reversed(list(machine.executions))  # they are in the order of their starts
            if (not status or execution.exec_status.value == status)
            and (not redrive or (executions.redrive_count(execution) > 0) == (redrive == "REDRIVEN"))
        )
        page, token = self._page(found, _HISTORY_PAGE)
        return ActionResult({"executions": [_list_item(execution) for execution in page], "nextToken": token})

    def get_execution_history(self) -> tuple[int, dict[str, str], str]:
        """A page of events as the JSON that goes out: moto's serialiser takes a second for 1,000 events."""
        execution = self._execution()
        size, first = self._size(_HISTORY_PAGE), _offset(self._get_param("nextToken"))
        page = history.read(execution, first, size + 1, backwards=bool(self._get_param("reverseOrder")))
        token = _token(first + size) if len(page) > size else None
        page = page[:size]
        if self._get_param("includeExecutionData") is False:
            page = [_without_data(event) for event in page]
        following = {} if token is None else {"nextToken": token}
        body = json.dumps({"events": [_event_shown(event) for event in page], **following})
        return 200, {"Content-Type": "application/x-amz-json-1.0"}, body

    def test_state(self) -> ActionResult:
        unread = [name for name in ("context", "mock", "stateConfiguration") if self._get_param(name) is not None]
        if unread:
            raise NotEmulatedError(f"states:TestState is not emulated with {unread[0]}")
        if self._get_param("inspectionLevel", if_none="INFO") != "INFO":
            raise NotEmulatedError("states:TestState is emulated with the inspectionLevel INFO only")
        given = self._get_param("input", if_none="{}")
        _check_size(given)
        return ActionResult(
            single_state.run(
                definition=self._get_param("definition"),
                state_input=_json_of(given),
                variables=_json_of(self._get_param("variables", if_none="{}")),
                role_arn=self._get_param("roleArn"),
                name=self._get_param("stateName"),
                account=self.current_account,
                region=self.region,
            )
        )

    def validate_state_machine_definition(self) -> ActionResult:
        found = validation.diagnose(self._get_param("definition"))
        most = int(self._get_param("maxResults") or _DIAGNOSTICS)
        return ActionResult(
            {
                "result": "FAIL" if found else "OK",
                "diagnostics": [diagnostic.shown() for diagnostic in found[:most]],
                "truncated": len(found) > most,
            }
        )

    def update_map_run(self) -> ActionResult:
        if self._get_param("maxConcurrency") is not None:
            raise NotEmulatedError("states:UpdateMapRun is not emulated with maxConcurrency")
        return super().update_map_run()

    def send_task_failure(self) -> ActionResult:
        self.stepfunction_backend.send_task_failure(
            self._get_param("taskToken"), error=self._get_param("error"), cause=self._get_param("cause")
        )
        return ActionResult({})

    def _execution(self) -> Any:
        return self.stepfunction_backend.describe_execution(self._get_param("executionArn"))

    def _page(self, items: Iterable[Any], default: int) -> tuple[list[Any], str | None]:
        size = self._size(default)
        start = _offset(self._get_param("nextToken"))
        page = list(itertools.islice(items, start, start + size + 1))
        return page[:size], _token(start + size) if len(page) > size else None

    def _size(self, default: int) -> int:
        return min(int(self._get_param("maxResults") or default), _HISTORY_PAGE_LARGEST)


def _check_size(text: str | None) -> None:
    if text is not None and len(text.encode()) > limits.PAYLOAD_BYTES:
        raise ValidationError(
            "1 validation error detected: Value at 'input' failed to satisfy constraint: "
            f"Member must have length less than or equal to {limits.PAYLOAD_BYTES}"
        )


def _json_of(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise InvalidExecutionInputError(f"Invalid State Machine Execution Input: '{error}'") from error


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


def _event_shown(event: dict[str, Any]) -> dict[str, Any]:
    """An event with its time as a number, and without details that it does not have."""
    shown = {
        key: {name: item for name, item in value.items() if item is not None} if isinstance(value, dict) else value
        for key, value in event.items()
        if value is not None
    }
    moment = event["timestamp"]
    moment = datetime.datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return {**shown, "timestamp": moment.timestamp()}


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
