"""Tokens of `.waitForTaskToken`: each attempt of a Task has one, and one answer to it is taken, also after a restart.

A token stands in the record of the state's frame before the call that gives it away, and so does its answer before
SendTaskSuccess or SendTaskFailure is answered. A resumed Task waits for the same token, or has its answer already. A
heartbeat is not written: after a restart the Task has its whole HeartbeatSeconds again, since no worker could be heard
meanwhile.

Source: https://docs.aws.amazon.com/step-functions/latest/apireference/API_SendTaskSuccess.html
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from moto.core.exceptions import AWSError
from moto.stepfunctions.parser.api import ExecutionStatus, InvalidToken
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.resource import ResourceCondition
from moto.stepfunctions.parser.asl.eval.callback.callback import CallbackOutcomeFailure, CallbackOutcomeSuccess
from moto.stepfunctions.parser.utils import long_uid

from local_cloud.durability import commits
from local_cloud.durability.tracked import iterate
from local_cloud.replacements import Replacement
from local_cloud.stepfunctions import kept

_lock = threading.RLock()


class TaskTimedOutError(AWSError):
    """The Task is closed: it was answered, timed out, or its execution went on."""

    TYPE = "TaskTimedOut"
    STATUS = 400

    def __init__(self) -> None:
        super().__init__("Task Timed Out: 'Provided task does not exist anymore'")


class InvalidOutputError(AWSError):
    TYPE = "InvalidOutput"
    STATUS = 400


@dataclass
class Token:
    """A Task's token in its frame's record. `attempt` counts the frames that the state had opened before."""

    value: str
    attempt: int
    answer: Any = None


def issue(state: Any, env: Any) -> None:
    """Give an attempt of a Task its token: that of an earlier process, if this attempt had begun there."""
    if getattr(getattr(state, "resource", None), "condition", None) != ResourceCondition.WaitForTaskToken:
        return
    execution = getattr(env.event_manager, "execution", None)
    if execution is None:
        return  # nobody could resume it: moto's own token will do
    with _lock:
        frame, attempt = kept.frames_of(execution).of(env.path), env.__dict__.get("_children", 0)
        token = frame.token
        if token is None or token.attempt != attempt:
            token = frame.token = Token(long_uid(), attempt)
        env.states.context_object.context_object_data["Task"] = {"Token": token.value}
        if env.callback_pool_manager.get(token.value) is None:
            env.callback_pool_manager.add(token.value)
        if token.answer is not None:
            env.callback_pool_manager.notify(token.value, token.answer)
    commits.keep()


def _answer(backend: Any, value: str, outcome: Any) -> None:
    """Take the one answer to a token. Raises: InvalidToken, TaskTimedOutError."""
    with _lock:
        execution, path, token = _waiting(backend, value)
        if token.answer is not None:
            raise TaskTimedOutError
        kept.frames_of(execution).of(path).token = Token(value, token.attempt, outcome)
        execution.exec_worker.env.callback_pool_manager.notify(value, outcome)


def _waiting(backend: Any, value: str) -> tuple[Any, str, Token]:
    """The running execution that has given a token away, and the frame that waits for its answer."""
    for execution in backend._get_executions():
        if execution.exec_status == ExecutionStatus.RUNNING:
            for path, frame in list(iterate(kept.frames_of(execution))):
                if frame.token is not None and frame.token.value == value:
                    return execution, path, frame.token
        if execution.exec_worker and execution.exec_worker.env.callback_pool_manager.get(value) is not None:
            raise TaskTimedOutError
    raise InvalidToken()


def _send_success(_: Callable[..., Any]) -> Callable[..., None]:
    def send_task_success(self: Any, task_token: str, outcome: str) -> None:
        try:
            json.loads(outcome)
        except ValueError as error:
            raise InvalidOutputError(f"Invalid Output: '{error}'") from error
        _answer(self, task_token, CallbackOutcomeSuccess(callback_id=task_token, output=outcome))

    return send_task_success


def _send_failure(_: Callable[..., Any]) -> Callable[..., None]:
    def send_task_failure(self: Any, task_token: str, error: str | None = None, cause: str | None = None) -> None:
        _answer(self, task_token, CallbackOutcomeFailure(callback_id=task_token, error=error, cause=cause))

    return send_task_failure


def _send_heartbeat(_: Callable[..., Any]) -> Callable[..., None]:
    def send_task_heartbeat(self: Any, task_token: str) -> None:
        with _lock:
            execution, _, token = _waiting(self, task_token)
            if token.answer is not None:
                raise TaskTimedOutError
            # A Task without HeartbeatSeconds takes it, too, and one that is only just resumed.
            execution.exec_worker.env.callback_pool_manager.heartbeat(task_token)

    return send_task_heartbeat


_BACKEND = "moto.stepfunctions.parser.models:StepFunctionsParserBackend"

REPLACEMENTS: list[Replacement] = [
    Replacement(
        target=f"{_BACKEND}.send_task_success",
        build=_send_success,
        why="takes any number of answers and any text, and knows no token of an earlier process",
    ),
    Replacement(
        target=f"{_BACKEND}.send_task_failure",
        build=_send_failure,
        why="as above",
    ),
    Replacement(
        target=f"{_BACKEND}.send_task_heartbeat",
        build=_send_heartbeat,
        why="refuses a Task without HeartbeatSeconds, and knows no token of an earlier process",
    ),
]
