"""How a state fails: which error a Retry or Catch sees, and which event the history gets.

Errors of the definition itself (States.Runtime: a path that finds nothing, a value of the wrong type) get no event of
their own and reach no Retry and no Catch. Errors of an expression get their event where they happen, once.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from moto.stepfunctions.parser.api import (
    EvaluationFailedEventDetails,
    ExecutionFailedEventDetails,
    HistoryEventType,
)
from moto.stepfunctions.parser.asl.component.common.catch.catch_outcome import CatchOutcome
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import (
    FailureEvent,
    FailureEventException,
)
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name import StatesErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name_type import (
    StatesErrorNameType as Names,
)
from moto.stepfunctions.parser.asl.component.common.retry.retry_outcome import RetryOutcome
from moto.stepfunctions.parser.asl.component.state.exec.state_map.state_map import StateMap
from moto.stepfunctions.parser.asl.component.state.exec.state_parallel.state_parallel import StateParallel
from moto.stepfunctions.parser.asl.eval.callback.callback import HeartbeatTimeoutError
from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails
from moto.stepfunctions.parser.asl.utils.encoding import to_json_str
from moto.stepfunctions.parser.asl.utils.json_path import NoSuchJsonPathError

from local_cloud.replacements import Replacement

RUNTIME = "States.Runtime"
_WHERE = "An error occurred while executing the state '"
_HAS_OUTPUT = "_has_output"
_NOT_A_FAILED_TASK = {"States.Timeout", "States.HeartbeatTimeout"}
_FAILED_EVENTS = {
    StateMap: HistoryEventType.MapStateFailed,
    StateParallel: HistoryEventType.ParallelStateFailed,
}


def failed(env: Any, name: Names, cause: str) -> FailureEventException:
    """A failure that leaves no event but the state's or the execution's own."""
    details = ExecutionFailedEventDetails(error=name.to_name(), cause=cause)
    return FailureEventException(
        FailureEvent(
            env=env,
            error_name=StatesErrorName(typ=name),
            event_type=HistoryEventType.ExecutionFailed,
            event_details=EventDetails(executionFailedEventDetails=details),
        )
    )


def runtime_error(env: Any, cause: str) -> FailureEventException:
    """An error of the definition, which nothing can catch."""
    return failed(env, Names.StatesRuntime, cause)


def evaluation_error(env: Any, cause: str, location: str | None = None) -> FailureEventException:
    """A failed expression, its event written."""
    name = StatesErrorName(typ=Names.StatesQueryEvaluationError)
    details = EvaluationFailedEventDetails(cause=cause, error=name.error_name)
    if location:
        details["location"] = location
    failure = FailureEventException(
        FailureEvent(
            env=env,
            error_name=name,
            event_type=HistoryEventType.EvaluationFailed,
            event_details=EventDetails(evaluationFailedEventDetails=details),
        )
    )
    _publish_evaluation(env, failure)
    return failure


def _publish_evaluation(env: Any, failure: FailureEventException) -> None:
    if getattr(failure, "published", False):
        return
    failure.published = True
    env.event_manager.add_event(
        context=env.event_history_context,
        event_type=HistoryEventType.EvaluationFailed,
        event_details=EventDetails(evaluationFailedEventDetails=failure.get_evaluation_failed_event_details()),
    )


def missing_path(env: Any, error: NoSuchJsonPathError) -> FailureEventException:
    """What AWS says of a path that finds nothing in a state's input."""
    data = to_json_str(error.data, separators=(",", ":"))
    name = getattr(error, "field", None)
    field = f" specified for the field '{name}'" if name else ""
    return runtime_error(env, f"The JSONPath '{error.json_path}'{field} could not be found in the input '{data}'")


def _naming_field(original: Callable[..., Any]) -> Callable[..., Any]:
    """Remember which field of a template has the path that finds nothing."""

    def evaluate(self: Any, env: Any) -> Any:
        try:
            return original(self, env)
        except NoSuchJsonPathError as error:
            error.field = f"{self.field}.$"
            raise

    return evaluate


def matches(wanted: str, error: str | None, *, terminal: bool = False) -> bool:
    """Whether a name in ErrorEquals matches an error.

    Runtime errors always end the execution; a terminal error has to be named itself.
    """
    if error == RUNTIME:
        return False
    if terminal:
        return wanted == error
    if wanted == "States.TaskFailed":
        return error not in _NOT_A_FAILED_TASK
    if wanted == "States.Timeout" and error == "States.HeartbeatTimeout":
        return True
    return wanted in ("States.ALL", error)


def _evaluate_error_equals(self: Any, env: Any) -> None:
    error = env.stack.pop()
    names = [error.error_name if error is not None else None, *getattr(error, "also", [])]
    terminal = getattr(error, "terminal", False)
    wanted = [name.error_name for name in self.error_names]
    env.stack.append(any(matches(one, name, terminal=terminal) for one in wanted for name in names))


def _evaluate_state(self: Any, env: Any) -> None:
    """Try the state's work until it is done, its failure is caught, or nothing is left to try."""
    env.states.context_object.context_object_data["State"]["RetryCount"] = 0
    prepared: list[Any] | None = None
    while env.is_running():
        worked = False
        try:
            if prepared is None:
                prepared = _prepared_input(self, env)
            env.stack.extend(copy.deepcopy(prepared))
            self._evaluate_with_timeout(env)
            worked = True
            _evaluate_output(self, env)
            return
        except Exception as error:  # noqa: BLE001  every failure of a state has a name
            failure, silent = _failure_of(self, env, error)
            if not env.is_running():
                return
            if _goes_on(self, env, failure, silent or worked):
                return


def _evaluate_output(state: Any, env: Any) -> None:
    """A JSONata state's Output can fail as its work can, and be caught."""
    if state.output and env.is_running():
        state.output.eval(env=env)
        env.__dict__[_HAS_OUTPUT] = True


def _leave_state(original: Callable[..., None]) -> Callable[..., None]:
    def evaluate(self: Any, env: Any) -> None:
        if not env.__dict__.pop(_HAS_OUTPUT, False):
            original(self, env)

    return evaluate


def _prepared_input(state: Any, env: Any) -> list[Any]:
    """A Parallel state's branches get its Parameters, evaluated once for all tries."""
    if not isinstance(state, StateParallel):
        return []
    if state.parargs is not None:
        state.parargs.eval(env=env)
    return [env.stack.pop()]


def _failure_of(state: Any, env: Any, error: Exception) -> tuple[FailureEvent, bool]:
    """The failure, and whether the history needs no more of it than the end that it causes."""
    if isinstance(error, NoSuchJsonPathError):
        error = missing_path(env, error)
    failure = state._from_error(env=env, ex=error)
    if isinstance(error, HeartbeatTimeoutError) and failure.error_name is not None:
        failure.error_name.also = ["States.HeartbeatTimeout"]
    silent = failure.event_type == HistoryEventType.ExecutionFailed and not isinstance(state, StateParallel)
    if isinstance(error, FailureEventException) and failure.event_type == HistoryEventType.EvaluationFailed:
        if type(state) in _FAILED_EVENTS:
            _publish_evaluation(env, error)
        else:
            silent = getattr(error, "published", False)
    elif _name(failure) == RUNTIME:
        silent = True
    return failure, silent


def _execution_details(original: Callable[..., Any]) -> Callable[..., Any]:
    """The error of a branch or item says already where it happened."""

    def details(self: Any) -> Any:
        pair = self.extract_error_cause_pair()
        if pair is None or not (pair[1] or "").startswith(_WHERE):
            return original(self)
        return ExecutionFailedEventDetails(error=pair[0], cause=pair[1])

    return details


def _name(failure: FailureEvent) -> str | None:
    return failure.error_name.error_name if failure.error_name is not None else None


def _goes_on(state: Any, env: Any, failure: FailureEvent, silent: bool) -> bool:
    """False to try again, True if a Catch took the failure. Raises: FailureEventException if nobody did."""
    own_event = _FAILED_EVENTS.get(type(state))
    if own_event is None and not silent:
        _add(env, failure.event_type, failure.event_details)
    output = state._construct_error_output_value(failure_event=failure)
    env.states.set_error_output(output)
    env.states.set_result(output)
    if state.retry and state._handle_retry(env=env, failure_event=failure) == RetryOutcome.CanRetry:
        return False
    if own_event is not None and not silent:
        _add(env, own_event, None, update_source_event_id=True)
    if state.catch:
        state._handle_catch(env=env, failure_event=failure)
        if env.stack[-1] == CatchOutcome.Caught:
            return True
    state._handle_uncaught(env=env, failure_event=failure)
    return True


def _add(env: Any, event_type: Any, details: Any, update_source_event_id: bool = True) -> None:
    env.event_manager.add_event(
        context=env.event_history_context,
        event_type=event_type,
        event_details=details,
        update_source_event_id=update_source_event_id,
    )


_EXEC = "moto.stepfunctions.parser.asl.component.state.exec"
_STATES = {
    f"{_EXEC}.execute_state:ExecutionState": "unpublished events twice, a TaskFailed for errors of the definition",
    f"{_EXEC}.state_map.state_map:StateMap": "EvaluationFailed comes twice",
    f"{_EXEC}.state_parallel.state_parallel:StateParallel": "only failures of branches are handled",
}

REPLACEMENTS: list[Replacement] = [
    Replacement(
        target="moto.stepfunctions.parser.asl.component.common.error_name.failure_event"
        ":FailureEventException.get_execution_failed_event_details",
        build=_execution_details,
        why="says twice where an error within a Map or Parallel state happened",
    ),
    *(
        Replacement(target=f"{state}._eval_state", build=lambda _: _evaluate_state, why=why)
        for state, why in _STATES.items()
    ),
    Replacement(
        target="moto.stepfunctions.parser.asl.component.common.error_name.error_equals_decl:ErrorEqualsDecl._eval_body",
        build=lambda _: _evaluate_error_equals,
        why="States.ALL catches runtime errors; States.TaskFailed misses the errors that Step Functions names",
    ),
    Replacement(
        target=f"{_EXEC}.execute_state:ExecutionState._eval_state_output",
        build=_leave_state,
        why="an Output that fails reaches no Catch",
    ),
    Replacement(
        target="moto.stepfunctions.parser.asl.component.common.payload.payloadvalue.payloadbinding.payload_binding"
        ":PayloadBindingStringExpressionSimple._eval_val",
        build=_naming_field,
        why="the cause of a missing path names another field",
    ),
]
