"""The life of an execution: its start, its end as an event, stopping it with a reason, and redriving it.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html and
https://docs.aws.amazon.com/step-functions/latest/dg/redrive-executions.html
"""

from __future__ import annotations

import datetime
import functools
import logging
import re
import uuid
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from moto.core.exceptions import AWSError
from moto.stepfunctions.exceptions import ExecutionDoesNotExist, InvalidName
from moto.stepfunctions.parser.api import ExecutionStatus, HistoryEventType
from moto.stepfunctions.parser.asl.eval.program_state import ProgramStopped
from moto.stepfunctions.parser.asl.utils.encoding import to_json_str

from local_cloud import changes
from local_cloud.durability import commits
from local_cloud.replacements import Replacement
from local_cloud.services import events
from local_cloud.stepfunctions import history, kept, resuming, status_events, validation
from local_cloud.stepfunctions.normalisation import iso

_LOG = logging.getLogger(__name__)
_EXECUTION_NAME = re.compile(r"[^\s<>{}\[\]?*\"#%\\^|~`$&,;:/\x00-\x1f\x7f-\x9f]{1,80}")
_REDRIVE_DAYS = 14


class ExecutionNotRedrivableError(AWSError):
    TYPE = "ExecutionNotRedrivable"
    STATUS = 400


class InvalidDefinitionError(AWSError):
    TYPE = "InvalidDefinition"
    STATUS = 400


def redrive_status(execution: Any) -> tuple[str, str | None]:
    """`REDRIVABLE`, or `NOT_REDRIVABLE` and AWS's reason."""
    status = execution.exec_status
    if status == ExecutionStatus.RUNNING:
        return "NOT_REDRIVABLE", "Execution is RUNNING and cannot be redriven"
    if status == ExecutionStatus.SUCCEEDED:
        return "NOT_REDRIVABLE", "Execution is SUCCEEDED and cannot be redriven"
    age = datetime.datetime.now(datetime.UTC) - execution.stop_date
    if age > datetime.timedelta(days=_REDRIVE_DAYS):
        return "NOT_REDRIVABLE", "Execution history event expired"
    return "REDRIVABLE", None


def description(execution: Any) -> dict[str, Any]:
    """An execution as DescribeExecution shows it, dates as datetimes."""
    machine = execution.state_machine
    status, reason = redrive_status(execution)
    shown: dict[str, Any] = {
        "executionArn": execution.exec_arn,
        "stateMachineArn": machine.arn,
        "name": execution.name,
        "status": execution.exec_status.value,
        "startDate": execution.start_date,
        "stopDate": execution.stop_date if execution.exec_status != ExecutionStatus.RUNNING else None,
        "input": execution.execution_input,
        "inputDetails": {"included": True},
        "redriveCount": redrive_count(execution),
        "redriveDate": getattr(execution, "redrive_date", None),
        "redriveStatus": status,
        "redriveStatusReason": reason,
        "error": execution.error,
        "cause": execution.cause,
    }
    if execution.exec_status == ExecutionStatus.SUCCEEDED:
        shown["output"] = to_json_str(execution.output, separators=(",", ":"))
        shown["outputDetails"] = {"included": True}
    return {key: value for key, value in shown.items() if value is not None}


def redrive_count(execution: Any) -> int:
    """How often an execution was redriven."""
    return getattr(execution, "redrives", 0)


def stop(execution: Any, error: str | None, cause: str | None) -> None:
    """End a running execution as ABORTED and wait until its history says so; nothing if it has ended."""
    stop_date = datetime.datetime.now(datetime.UTC)
    with changes.listening(execution.exec_arn) as news:
        while execution.exec_status == ExecutionStatus.RUNNING:
            news.clear()
            # An execution that is only just being prepared has nothing yet that could be stopped: try again.
            if execution.exec_worker and execution.exec_worker.env is not None:
                execution.stop(stop_date=stop_date, error=error, cause=cause)
            if execution.exec_status == ExecutionStatus.RUNNING:
                news.wait(0.05)


def redrive(execution: Any) -> datetime.datetime:
    """Run an unsuccessful execution on from the state that failed, with that state's input and variables.

    Branches and items that had succeeded keep their outputs. Raises: ExecutionNotRedrivableError as AWS does.
    """
    # One at a time; and a crash must not leave an execution that runs again, and a history that ends.
    with commits.together():
        status, reason = redrive_status(execution)
        if status != "REDRIVABLE":
            raise ExecutionNotRedrivableError(reason)
        events_before = history.count(execution)  # which commits, as yet without anything of this
        execution.redrives = redrive_count(execution) + 1
        execution.redrive_date = datetime.datetime.now(datetime.UTC)
        execution.error = execution.cause = execution.stop_date = None
        execution.exec_status = ExecutionStatus.RUNNING
        kept.frames_of(execution).prepare_redrive()
        kept.changed(execution)
        _emit(execution)
        resuming.resume(execution, events_before, functools.partial(_tell_redrive, execution))
    redriven_at: datetime.datetime = execution.redrive_date
    return redriven_at


def _tell_redrive(execution: Any, env: Any) -> None:
    env.event_manager.add_event(
        context=env.event_history_context,
        event_type=HistoryEventType.ExecutionRedriven,
        event_details={"executionRedrivenEventDetails": {"redriveCount": execution.redrives}},
        update_source_event_id=False,
    )


def entering_state(original: Callable[..., None]) -> Callable[..., None]:
    """The work of a state, which is entered first: from then on the execution goes on there."""

    def evaluate_state(self: Any, env: Any) -> None:
        resuming.enter(env, self.name)
        original(self, env)

    return evaluate_state


def _emit(execution: Any) -> None:
    """Send the execution's status to the default event bus, as AWS does for Standard machines."""
    events.emit(
        source="aws.states",
        detail_type="Step Functions Execution Status Change",
        detail=status_events.detail(description(execution)),
        resources=[execution.exec_arn],
        account=execution.account_id,
        region=execution.region_name,
    )


def _reflect_status(original: Callable[..., None]) -> Callable[..., None]:
    def reflect_execution_status(self: Any) -> None:
        execution = self.execution
        state = execution.exec_worker.env.program_state()
        if isinstance(state, ProgramStopped):
            execution.error, execution.cause = state.error, state.cause
        original(self)
        changes.announce(execution.exec_arn)
        _emit(execution)

    return reflect_execution_status


def _start(original: Callable[..., None]) -> Callable[..., None]:
    def start(self: Any) -> None:
        # Before the worker starts: a short execution ends before this thread goes on.
        self.exec_status = ExecutionStatus.RUNNING
        kept.changed(self)
        _emit(self)
        commits.afterwards(functools.partial(original, self))

    return start


def _start_execution(original: Callable[..., Any]) -> Callable[..., Any]:
    def start_execution(
        self: Any,
        state_machine_arn: str,
        name: str | None = None,
        execution_input: str | None = None,
        trace_header: str | None = None,
    ) -> Any:
        name = name or str(uuid.uuid4())
        if not _EXECUTION_NAME.fullmatch(name):
            raise InvalidName(f"Invalid Name: '{name}'")
        # Two starts under one name must not both find it free; and an execution is there with the event of its start.
        with commits.together():
            return original(self, state_machine_arn, name, execution_input or "{}", trace_header)

    return start_execution


def _describe_execution(self: Any, execution_arn: str) -> Any:
    self._validate_execution_arn(execution_arn)
    machine_name, _, name = execution_arn.split(":", 6)[6].partition(":")
    for machine in list(self.state_machines):
        if machine.name == machine_name:
            execution = machine.executions.named(name)
            if execution is not None and execution.execution_arn == execution_arn:
                return execution
    raise ExecutionDoesNotExist(f"Execution Does Not Exist: '{execution_arn}'")


def _of_that_name(original: Callable[..., Any]) -> Callable[..., Any]:
    """What becomes of a start under a name; only an execution of that name matters."""

    def handle(self: Any, name: str, execution_input: str) -> Any:
        found = self.executions.named(name)
        return original(SimpleNamespace(executions=[] if found is None else [found]), name, execution_input)

    return handle


def _execution_details(original: Callable[..., Any]) -> Callable[..., Any]:
    def get_start_execution_details(self: Any) -> Any:
        details = original(self)
        details.start_time = iso(details.start_time)
        return details

    return get_start_execution_details


def _environment(original: Callable[..., Any]) -> Callable[..., Any]:
    def get_evaluation_environment(self: Any) -> Any:
        env = original(self)
        execution = self._execution_communication.execution
        context = env.states.context_object.context_object_data["Execution"]
        context["RedriveCount"] = redrive_count(execution)
        if redrive_count(execution):
            context["RedriveTime"] = iso(execution.redrive_date)
        return env

    return get_evaluation_environment


def _state_data(**fields: Any) -> dict[str, Any]:
    entered = datetime.datetime.fromisoformat(fields["EnteredTime"])
    return {"EnteredTime": iso(entered), "Name": fields["Name"]}


def _validate_definition(definition: str) -> None:
    """Refuse what AWS refuses to create, in its words."""
    reason = validation.refusal(definition)
    if reason is not None:
        raise InvalidDefinitionError(f"Invalid State Machine Definition: '{reason}'")


def _parsed_once(original: Any) -> Any:
    """A machine's program holds no state of an execution (moto runs one for all items of a Map), so keep it."""
    return staticmethod(functools.lru_cache(maxsize=128)(original.__func__))


_EXECUTION = "moto.stepfunctions.parser.backend.execution"
_WORKER = "moto.stepfunctions.parser.backend.execution_worker:ExecutionWorker"
_BACKEND = "moto.stepfunctions.parser.models:StepFunctionsParserBackend"

REPLACEMENTS: list[Replacement] = [
    Replacement(
        target=f"{_BACKEND}._validate_definition",
        build=lambda _: staticmethod(_validate_definition),
        why="a refused definition has no error code",
    ),
    Replacement(
        target=f"{_BACKEND}.start_execution",
        build=_start_execution,
        why="executions without a name are all called None; two starts under one name race",
    ),
    Replacement(
        target=f"{_BACKEND}.describe_execution",
        build=lambda _: _describe_execution,
        why="looks through every execution of every machine",
    ),
    Replacement(
        target="moto.stepfunctions.models:StateMachine._handle_name_input_idempotency",
        build=_of_that_name,
        why="looks through every execution of a machine for each that starts",
    ),
    Replacement(
        target=f"{_EXECUTION}:BaseExecutionWorkerCommunication._reflect_execution_status",
        build=_reflect_status,
        why="drops error and cause of a stop, sends no status event",
    ),
    Replacement(target=f"{_EXECUTION}:Execution.start", build=_start, why="sends no status event"),
    Replacement(
        target=f"{_EXECUTION}:Execution.get_start_execution_details",
        build=_execution_details,
        why="the context's StartTime is a datetime, which is not JSON",
    ),
    Replacement(
        target=f"{_WORKER}._get_evaluation_environment",
        build=_environment,
        why="the context has no RedriveCount",
    ),
    Replacement(
        target="moto.stepfunctions.parser.asl.component.state.state:StateData",
        build=lambda _: _state_data,
        why="EnteredTime has another format than AWS's",
    ),
    Replacement(
        target="moto.stepfunctions.parser.asl.parse.asl_parser:AmazonStateLanguageParser.parse",
        build=_parsed_once,
        why="every start parses the definition anew: 0.15 s for a machine of 20 states",
    ),
]
