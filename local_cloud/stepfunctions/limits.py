"""The quotas that end an execution: the size of a payload, and the number of events in a history.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from moto.stepfunctions.parser.api import HistoryEventType
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name_type import (
    StatesErrorNameType as Names,
)

from local_cloud.replacements import Replacement
from local_cloud.stepfunctions import failures

PAYLOAD_BYTES = 262_144
HISTORY_EVENTS = 25_000
DEFINITION_BYTES = 1_048_576

_ENDS = {
    HistoryEventType.ExecutionSucceeded,
    HistoryEventType.ExecutionFailed,
    HistoryEventType.ExecutionAborted,
    HistoryEventType.ExecutionTimedOut,
}


def payload_bytes(value: Any) -> int:
    """How much of the quota a value takes: its JSON text in UTF-8, without spaces."""
    return len(json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass"))


def fits(value: Any) -> bool:
    """Whether a value may be an input, an output or a result."""
    return payload_bytes(value) <= PAYLOAD_BYTES


def check_arguments(env: Any, state_name: str, arguments: Any) -> None:
    """Raises: FailureEventException for a Task's input that is too large after Parameters or Arguments."""
    if not fits(arguments):
        excess = "an input with a size exceeding the maximum number of bytes service limit"
        cause = f"The state/task '{state_name}' has {excess}."
        failure = failures.failed(env, Names.StatesStatesDataLimitExceeded, cause)
        failure.failure_event.error_name.terminal = True
        raise failure


def if_there_is_room(original: Callable[..., int]) -> Callable[..., int]:
    """`add_event` that keeps the last place in a history for its end, and writes nothing behind that but a redrive."""

    def add_event(self: Any, context: Any, event_type: Any, *args: Any, **kwargs: Any) -> int:
        behind_end = _has_ended(self) and event_type != HistoryEventType.ExecutionRedriven
        if behind_end or (event_type not in _ENDS and is_full(self)):
            last: int = context.last_published_event_id
            return last
        return original(self, context, event_type, *args, **kwargs)

    return add_event


def _events_so_far(self: Any) -> list[Any]:
    """The events as they are: written once, they do not change, and a page of them needs no copy of them all."""
    return list(self._history_event_list)


def _has_ended(manager: Any) -> bool:
    """Whether the history ends: what a stop interrupted may still want to write."""
    return manager.__dict__.get("last_type") in _ENDS


def is_full(manager: Any) -> bool:
    """Whether a history has room for nothing but its end."""
    next_id: int = manager._event_id_gen._next_id
    return next_id >= HISTORY_EVENTS


def check_history(original: Callable[..., None]) -> Callable[..., None]:
    """The work of a state, which needs room in the history. Raises: FailureEventException as States.Runtime."""

    def evaluate(self: Any, env: Any) -> None:
        if is_full(env.event_manager):
            raise failures.runtime_error(
                env, f"The execution reached the maximum number of history events ({HISTORY_EVENTS})."
            )
        original(self, env)

    return evaluate


def _lambda_parameters(original: Callable[..., Any]) -> Callable[..., Any]:
    def evaluate(self: Any, env: Any) -> Any:
        parameters = original(self, env)
        check_arguments(env, self.name, parameters["Payload"])
        return parameters

    return evaluate


_EXEC = "moto.stepfunctions.parser.asl.component.state.exec"

REPLACEMENTS: list[Replacement] = [
    *(
        Replacement(
            target=f"{module}:is_within_size_quota",
            build=lambda _: fits,
            why="counts spaces and escapes, and refuses the largest payload that AWS takes",
        )
        for module in (
            "moto.stepfunctions.parser.asl.component.state.state",
            f"{_EXEC}.state_task.state_task_lambda",
            f"{_EXEC}.state_task.service.state_task_service",
        )
    ),
    Replacement(
        target=f"{_EXEC}.state_task.state_task_lambda:StateTaskLambda._eval_parameters",
        build=_lambda_parameters,
        why="a function's input may have any size",
    ),
    Replacement(
        target="moto.stepfunctions.parser.asl.eval.event.event_manager:EventManager.get_event_history",
        build=lambda _: _events_so_far,
        why="copies every event for every page: a full history takes half a minute to read",
    ),
    Replacement(
        target=f"{_EXEC}.execute_state:ExecutionState._evaluate_with_timeout",
        build=check_history,
        why="an execution may have any number of events, also where a state is tried again and again",
    ),
]
