"""Executions that were running when this process was killed go on from their last finished state.

Every frame's record (`frames`) is committed as it enters a state. A resumed machine runs the same program: a frame
whose record says so begins at its state, an item that had finished gives its output, a Task whose submission or result
was recorded neither submits nor calls again, and events that were written are not written again. A Task that was
between its call and that record calls again with the same intent, by which the service knows it.
"""

from __future__ import annotations

import copy
import datetime
import functools
import json
import logging
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from moto.stepfunctions.parser.api import ExecutionStatus, HistoryEventType
from moto.stepfunctions.parser.asl.component.common.error_name.error_name import ErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import (
    FailureEvent,
    FailureEventException,
)
from moto.stepfunctions.parser.asl.eval.event.event_manager import EventManager
from moto.stepfunctions.parser.asl.eval.program_state import ProgramEnded

from local_cloud import crash_points, intents
from local_cloud.durability import commits
from local_cloud.replacements import Replacement
from local_cloud.stepfunctions import history, kept
from local_cloud.stepfunctions.frames import TOP, Frame, Recorded, results
from local_cloud.stepfunctions.kept import NoWorker, changed, frames_of

_LOG = logging.getLogger(__name__)
_RESULTS = {
    HistoryEventType.TaskSubmitted: "taskSubmittedEventDetails",
    HistoryEventType.TaskSucceeded: "taskSucceededEventDetails",
    HistoryEventType.LambdaFunctionSucceeded: "lambdaFunctionSucceededEventDetails",
}
_FAILURES = ("Failed", "TimedOut", "StartFailed", "SubmitFailed", "ScheduleFailed")


def resume_if_running(execution: Any) -> None:
    """Let an execution go on that was running when the former process ended."""
    if execution.exec_status == ExecutionStatus.RUNNING and not execution.exec_worker:
        resume(execution, history.count(execution))


def resume(execution: Any, events: int, prepare: Callable[[Any], None] = lambda _env: None) -> None:
    """Run an execution on from its frames, in a thread of its own, once what a request has changed for it is written.

    `events` are how many its history has; `prepare` gets the environment before.
    """
    execution._recorded = Recorded(frames_of(execution))
    worker = execution._get_start_execution_worker()
    execution.exec_worker = worker
    env = worker._get_evaluation_environment()
    worker.env = env
    env.event_manager._event_id_gen._next_id = events + 1
    prepare(env)
    thread = threading.Thread(target=_run, args=(execution, env), daemon=True, name=f"resume-{execution.name}")
    commits.afterwards(thread.start)


def _run(execution: Any, env: Any) -> None:
    recorded = execution._recorded.at(TOP)
    if recorded is None or (recorded.state is None and not recorded.events):
        execution.exec_worker._execution_logic()
        return
    execution.exec_worker._get_evaluation_entrypoint().eval(env)
    execution.exec_worker._execution_communication.terminated()


def begin(env: Any) -> str | None:
    """The state at which a frame's program begins; None for its first. Puts the frame where that state began."""
    recorded = _recorded(env)
    frame = recorded.at(env.path) if recorded else None
    if frame is None or frame.state is None:
        return None
    env.states.reset(input_value=copy.deepcopy(frame.input))
    for name, value in frame.variables.items():
        env.variable_store.set(name, copy.deepcopy(value))
    env.variable_store.reset_tracing()
    context = env.event_history_context
    context.source_event_id, context.last_published_event_id = frame.source_event_id, frame.last_event_id
    context.replay = deque(frame.events)
    env._resumed_at = frame.state
    return frame.state


def elapsed_s(env: Any) -> float:
    """How long the machine has run in earlier processes."""
    execution = _execution(env)
    if execution is None or env.is_frame() or _recorded(env) is None:
        return 0.0
    since = getattr(execution, "redrive_date", None) or execution.start_date
    return (datetime.datetime.now(datetime.UTC) - since).total_seconds()


def enter(env: Any, state_name: str) -> None:
    """Record and commit that a frame enters a state, unless it is the one it was resumed at."""
    env._children = 0
    execution = _execution(env)
    if execution is None:
        return
    if env.__dict__.pop("_resumed_at", None) == state_name:
        env._children = frames_of(execution).of(env.path).opened
        return
    if (recorded := _recorded(env)) is not None:
        recorded.forget(env.path)
    context = env.event_history_context
    context.replay = deque()
    frame = Frame(
        state=state_name,
        input=copy.deepcopy(env.states.get_input()),
        variables=copy.deepcopy(env.variable_store._inner_scope),
        source_event_id=context.source_event_id,
        last_event_id=context.last_published_event_id,
    )
    with commits.together():
        frames_of(execution).enter(env.path, frame)
    commits.keep()


def _execution(env: Any) -> Any | None:
    return getattr(env.event_manager, "execution", None)


def _recorded(env: Any) -> Recorded | None:
    execution = _execution(env)
    return execution.__dict__.get("_recorded") if execution is not None else None


def _environment(original: Callable[..., Any]) -> Callable[..., Any]:
    def get_evaluation_environment(self: Any) -> Any:
        env = original(self)
        env.path = env.event_history_context.path = TOP
        env.event_manager.execution = getattr(self._execution_communication, "execution", None)
        return env

    return get_evaluation_environment


def _opened(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def open_frame(self: Any, *args: Any, **kwargs: Any) -> Any:
        frame = original(self, *args, **kwargs)
        number = self.__dict__.get("_children", 0)
        self._children = number + 1
        locate(frame, f"{getattr(self, 'path', TOP)}/{number}")
        return frame

    return open_frame


def locate(frame: Any, path: str) -> None:
    """Give a frame its path, and the events that it wrote in an earlier process."""
    frame.path = frame.event_history_context.path = path
    recorded = _recorded(frame)
    frame.event_history_context.replay = recorded.events(path) if recorded else deque()


def own_history(frame: Any, path: str, name: str) -> None:
    """Give a child execution its place among its parent's frames, and a history of its own, which nobody can read."""
    execution, recorded = _execution(frame), _recorded(frame)
    frame.event_manager = EventManager()
    frame.event_manager.execution, frame.event_manager.child = execution, name
    if recorded is not None:
        frame.event_manager._event_id_gen._next_id = recorded.last_event_id(path) + 1
    locate(frame, path)


def _publish(original: Callable[..., None]) -> Callable[..., None]:
    def publish_history_event(self: Any, **event: Any) -> None:
        original(self, **event)
        self.last_type = event["event_type"]
        execution, child = self.__dict__.get("execution"), self.__dict__.get("child")
        if execution is not None:
            if child is None:
                history.write(execution, self._history_event_list[-1])
            if commits.is_used():
                self._history_event_list.clear()

    return publish_history_event


def unless_written(original: Callable[..., int]) -> Callable[..., int]:
    """`add_event` of what no earlier process has written; recorded for the frame that may go on from it."""

    def add_event(
        self: Any,
        context: Any,
        event_type: Any,
        event_details: Any = None,
        timestamp: Any = None,
        update_source_event_id: bool = True,
    ) -> int:
        replay = context.__dict__.get("replay")
        if replay:
            if replay[0][1] == event_type:
                event_id, _, context.replayed_at, _ = replay.popleft()
                context.last_published_event_id = event_id
                if update_source_event_id:
                    context.source_event_id = context.last_published_event_id
                return int(context.last_published_event_id)
            replay.clear()  # it takes another way now
        context.replayed_at = None
        with commits.together():
            event_id = original(self, context, event_type, event_details, timestamp, update_source_event_id)
            _record(self, context, event_id, event_type, event_details)
        if event_type == HistoryEventType.TaskSubmitted:
            commits.keep()
        return event_id

    return add_event


def _record(manager: Any, context: Any, event_id: int, event_type: Any, details: Any) -> None:
    execution, path = manager.__dict__.get("execution"), context.__dict__.get("path")
    if execution is None or path is None or event_type == HistoryEventType.ExecutionRedriven:  # of no state
        return
    kind = str(getattr(event_type, "value", event_type))
    kept = (details or {}).get(_RESULTS.get(event_type, ""), {}).get("output")
    if kind.endswith(_FAILURES) and details:
        kept = json.dumps(details)
    event = (event_id, kind, datetime.datetime.now(datetime.UTC), kept)
    frames_of(execution).of(path).events.append(event)


def _evaluate_job(original: Callable[..., None]) -> Callable[..., None]:
    """An item of a Map: its frame is known by its number, whichever worker has it."""

    def evaluate(self: Any, env: Any, job: Any) -> None:
        execution = _execution(env)
        locate(env, f"{getattr(self._env, 'path', TOP)}#{job.job_index}")
        recorded = _recorded(env)
        frame = recorded.at(env.path) if recorded else None
        if frame is not None and frame.finished is not None:
            env.event_history_context.last_published_event_id = frame.last_event_id
            job.job_output = copy.deepcopy(frame.finished[0])
            return
        if frame is not None and frame.state is not None and not frame.is_redriven:
            started = (frame.last_event_id, HistoryEventType.MapIterationStarted.value, None, None)
            env.event_history_context.replay.appendleft(started)
        original(self, env, job)
        if execution is not None and not isinstance(job.job_output, Exception):
            _finish(env, job.job_output)

    return evaluate


def _finish(env: Any, output: Any) -> None:
    """Record and commit that a frame's program has ended, and with what."""
    last = env.event_history_context.last_published_event_id
    with commits.together():
        frames_of(_execution(env)).enter(env.path, Frame(finished=[copy.deepcopy(output)], last_event_id=last))
    commits.keep()


def evaluate_branch(program: Any, env: Any) -> None:
    """Run a branch of a Parallel state, unless an earlier process or a run before a redrive has finished it."""
    execution, recorded = _execution(env), _recorded(env)
    frame = recorded.at(env.path) if recorded else None
    if frame is not None and frame.finished is not None:
        env.event_history_context.last_published_event_id = frame.last_event_id
        env.states.reset(input_value=copy.deepcopy(frame.finished[0]))
        env.set_ended()
        return
    program.eval(env)
    if execution is not None and isinstance(env.program_state(), ProgramEnded):
        _finish(env, env.states.get_input())


def _evaluate_task(self: Any, env: Any) -> None:
    """A Task's call and what follows it; the call not again where an earlier process has recorded what came of it."""
    self.resource.eval(env=env)
    given = {"resource_runtime_part": env.stack.pop()}
    parameters = self._eval_parameters(env=env)
    given["state_credentials"] = self._eval_state_credentials(env=env)
    self._before_eval_execution(env=env, raw_parameters=parameters, **given)
    given["normalised_parameters"] = copy.deepcopy(parameters)
    self._normalise_parameters(given["normalised_parameters"])
    recorded = _recorded_result(env, HistoryEventType.TaskSubmitted, HistoryEventType.TaskSucceeded)
    if recorded is not None:
        env.stack.append(json.loads(recorded))
    else:
        with _intent(env):
            self._eval_service_task(env=env, **given)
        crash_points.arrive("task-called")
        self._normalise_response(env.stack[-1])
    self._after_eval_execution(env=env, **given)


def _invoke_function(original: Callable[..., None]) -> Callable[..., None]:
    """The call of a Task that names a function instead of a service."""

    def invoke(env: Any, **given: Any) -> None:
        recorded = _recorded_result(env, HistoryEventType.LambdaFunctionSucceeded)
        if recorded is not None:
            env.stack.append({"Payload": json.loads(recorded)})
        else:
            with _intent(env):
                original(env=env, **given)
            crash_points.arrive("task-called")

    return invoke


def _recorded_result(env: Any, *kinds: Any) -> str | None:
    replay = env.event_history_context.__dict__.get("replay") or deque()
    return next((result for kind in kinds for result in results(replay, kind.value)), None)


def raise_recorded_failure(env: Any) -> None:
    """Fail a Task's attempt as it has failed in an earlier process, instead of trying it again.

    Raises: FailureEventException.
    """
    replay = env.event_history_context.__dict__.get("replay")
    if not replay or not replay[0][1].endswith(_FAILURES) or replay[0][3] is None:
        return
    details = json.loads(replay[0][3])
    (failure,) = details.values()
    env._children = env.__dict__.get("_children", 0) + 1  # the frame that the attempt had
    raise FailureEventException(
        FailureEvent(
            env=env,
            error_name=ErrorName(failure.get("error") or ""),
            event_type=HistoryEventType(replay[0][1]),
            event_details=details,
        )
    )


def has_tried_again(env: Any) -> bool:
    """Whether the pause before a Task's next attempt was over in an earlier process."""
    recorded = _recorded(env)
    return recorded is not None and recorded.at(f"{env.path}/{env.__dict__.get('_children', 0)}") is not None


def waited_s(env: Any) -> float:
    """How long a Wait state has waited in an earlier process."""
    since = env.event_history_context.__dict__.get("replayed_at")
    return (datetime.datetime.now(datetime.UTC) - since).total_seconds() if since else 0.0


def _wait(self: Any, env: Any) -> None:
    seconds = self._get_wait_seconds(env=env)
    if "Timestamp" not in type(self).__name__:
        seconds -= waited_s(env)
    self._wait_interval(env=env, wait_seconds=max(0, seconds))


@contextmanager
def _intent(env: Any) -> Iterator[None]:
    """The call is known by the event that scheduled it, which a resumed execution has under the same number.

    Children count their own events.
    """
    execution = _execution(env)
    if execution is None:
        yield
        return
    child = env.event_manager.__dict__.get("child")
    event = str(env.event_history_context.last_published_event_id)
    with intents.meant(execution.exec_arn, event if child is None else f"{child}:{event}"):
        yield


def _worker_ended(original: Callable[..., None]) -> Callable[..., None]:
    """Of an execution that has ended only its record is kept; of a failed one also where it stood, for a redrive."""

    def terminated(self: Any) -> None:
        execution = self.execution
        with commits.together():
            original(self)
            if execution.exec_status == ExecutionStatus.SUCCEEDED:
                frames_of(execution).drop_all()
            intents.forget(execution.exec_arn)
            execution.__dict__.pop("_recorded", None)
            if commits.is_used():
                execution.exec_worker = NoWorker(execution.exec_worker)
            changed(execution)
        commits.keep()

    return terminated


_EXECUTION = "moto.stepfunctions.parser.backend.execution"
_ENVIRONMENT = "moto.stepfunctions.parser.asl.eval.environment:Environment"
_EVENTS = "moto.stepfunctions.parser.asl.eval.event.event_manager:EventManager"
_STATE = "moto.stepfunctions.parser.asl.component.state.exec"

REPLACEMENTS: list[Replacement] = [
    *kept.REPLACEMENTS,
    Replacement(
        target=f"{_EXECUTION}:BaseExecutionWorkerCommunication.terminated",
        build=_worker_ended,
        why="keeps the whole environment of an execution that has ended",
    ),
    Replacement(
        target=f"{_EXECUTION}_worker:ExecutionWorker._get_evaluation_environment",
        build=_environment,
        why="frames have no name by which another process could find them again",
    ),
    *(
        Replacement(target=f"{_ENVIRONMENT}.{name}", build=_opened, why="as above")
        for name in ("open_frame", "open_inner_frame")
    ),
    Replacement(
        target=f"{_EVENTS}._publish_history_event",
        build=_publish,
        why="histories are in memory only",
    ),
    Replacement(
        target=f"{_STATE}.state_task.service.state_task_service:StateTaskService._eval_execution",
        build=lambda _: _evaluate_task,
        why="a resumed Task would submit its job again",
    ),
    Replacement(
        target=f"{_STATE}.state_task.lambda_eval_utils:execute_lambda_function_integration",
        build=_invoke_function,
        why="a resumed Task would call its function again",
    ),
    Replacement(
        target="moto.stepfunctions.parser.asl.component.state.wait.wait_function.wait_function:WaitFunction._eval_body",
        build=lambda _: _wait,
        why="a resumed Wait would begin anew",
    ),
    Replacement(
        target=f"{_STATE}.state_map.iteration.iteration_worker:IterationWorker._eval_job",
        build=_evaluate_job,
        why="a resumed Map would run finished items again",
    ),
]
