"""What happens to the other branches and items when one fails: they stop, and the history says which states aborted.

Source: https://docs.aws.amazon.com/step-functions/latest/apireference/API_HistoryEvent.html
"""

from __future__ import annotations

import copy
import datetime
import threading
from collections.abc import Callable, Iterator
from typing import Any

from moto.stepfunctions.parser.api import HistoryEventType, MapIterationEventDetails
from moto.stepfunctions.parser.asl.component.common.error_name.error_name import ErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import (
    FailureEvent,
    FailureEventException,
)
from moto.stepfunctions.parser.asl.component.eval_component import EvalComponent
from moto.stepfunctions.parser.asl.component.state.exec.state_map.state_map import StateMap
from moto.stepfunctions.parser.asl.component.state.exec.state_parallel.state_parallel import StateParallel
from moto.stepfunctions.parser.asl.component.state.exec.state_task.state_task import StateTask
from moto.stepfunctions.parser.asl.component.state.wait.state_wait import StateWait
from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails
from moto.stepfunctions.parser.asl.eval.event.event_manager import EventHistoryContext
from moto.stepfunctions.parser.asl.eval.program_state import ProgramError

from local_cloud.replacements import Replacement
from local_cloud.stepfunctions import failures, resuming

_ABORTED = {
    StateTask: HistoryEventType.TaskStateAborted,
    StateWait: HistoryEventType.WaitStateAborted,
    StateMap: HistoryEventType.MapStateAborted,
    StateParallel: HistoryEventType.ParallelStateAborted,
}
_UNDER_WAY = "_under_way"
_WIDEST = 40
"""How many items of an inline Map run at once, as on AWS."""


def abandon(frame: Any) -> None:
    """Stop a frame and all within it, after the history said of each state under way there that it was aborted."""
    frames = [frame, *_within(frame)]
    for inner in frames:
        inner.event_history_context.abandoned = True
    for inner in reversed(frames):
        _say_aborted(inner)
    frame.set_stop(stop_date=datetime.datetime.now(datetime.UTC), cause=None, error=None)


def _within(frame: Any) -> Iterator[Any]:
    for inner in list(frame._frames):
        yield inner
        yield from _within(inner)


def _say_aborted(frame: Any) -> None:
    if not frame.is_running():
        return
    state = frame.__dict__.get(_UNDER_WAY)
    for kind, event in _ABORTED.items():
        if isinstance(state, kind):
            _add(frame, event)
    iteration = frame.__dict__.get("_iteration")
    if iteration is not None:
        _add(
            frame,
            HistoryEventType.MapIterationAborted,
            EventDetails(mapIterationAbortedEventDetails=MapIterationEventDetails(**iteration)),
        )


def _add(frame: Any, event: Any, details: Any = None) -> None:
    # The frame's own context takes no events any more.
    context = EventHistoryContext(previous_event_id=frame.event_history_context.last_published_event_id)
    frame.event_manager.add_event(context=context, event_type=event, event_details=details)


def noting_state(original: Callable[..., None]) -> Callable[..., None]:
    """The work of a state, which is under way meanwhile."""

    def evaluate(self: Any, env: Any) -> None:
        env.__dict__[_UNDER_WAY] = self
        try:
            original(self, env)
        except FailureEventException as failure:
            # A runtime error ends the whole execution: the history has nothing between it and the end.
            pair = failure.extract_error_cause_pair()
            if env.is_frame() and pair is not None and pair[0] == failures.RUNTIME:
                env.event_history_context.abandoned = True
            raise
        finally:
            env.__dict__.pop(_UNDER_WAY, None)

    return evaluate


def _evaluate_in_place(original: Callable[..., None]) -> Callable[..., None]:
    """A branch or an item has a thread already, and no time limit: only a machine needs one of its own."""

    def evaluate(self: Any, env: Any) -> None:
        if self.timeout_seconds is not None or not env.is_frame():
            original(self, env)
            return
        env.next_state_name = resuming.begin(env) or self.start_at.start_at_name
        EvalComponent.eval(self, env)

    return evaluate


class _Branch:
    """A branch in a thread of its own."""

    def __init__(self, program: Any, frame: Any, news: threading.Event) -> None:
        self.program, self.frame, self.news = program, frame, news
        self.over = False

    def start(self) -> None:
        threading.Thread(target=self._run, daemon=True, name="branch").start()

    def _run(self) -> None:
        try:
            resuming.evaluate_branch(self.program, self.frame)
        finally:
            self.over = True
            self.news.set()

    @property
    def error(self) -> Any:
        """What the branch failed with, None if it did not."""
        state = self.frame.program_state() if self.over else None
        return dict(state.error or {}) if isinstance(state, ProgramError) else None


def _evaluate_branches(self: Any, env: Any) -> None:
    """Run all branches on copies of the input; the first failure ends the others."""
    value = env.stack.pop()
    news = threading.Event()
    branches = [_Branch(program, env.open_inner_frame(), news) for program in self.programs]
    for branch in branches:
        branch.frame.states.reset(input_value=value)
        branch.start()
    failed = _first_failure(branches, news)
    if failed is not None:
        _end_others(env, branches, failed)
        raise _branch_failure(env, failed)
    outputs = []
    for branch in branches:
        outputs.append(branch.frame.states.get_input())
        env.close_frame(branch.frame)
    env.stack.append(outputs)


def _first_failure(branches: list[_Branch], news: threading.Event) -> _Branch | None:
    while True:
        news.wait()
        news.clear()
        ended = [branch for branch in branches if branch.over]
        for branch in ended:
            if branch.error is not None:
                return branch
        if len(ended) == len(branches):
            return None


def _end_others(env: Any, branches: list[_Branch], failed: _Branch) -> None:
    for branch in branches:
        if branch is not failed and not branch.over:
            abandon(branch.frame)
    for branch in branches:
        env.close_frame(branch.frame)


def _branch_failure(env: Any, failed: _Branch) -> FailureEventException:
    details = copy.copy(failed.error)
    return FailureEventException(
        FailureEvent(
            env=env,
            error_name=ErrorName(details.get("error")),
            event_type=HistoryEventType.ExecutionFailed,
            event_details=EventDetails(executionFailedEventDetails=details),
        )
    )


def _evaluate_items(original: Callable[..., None]) -> Callable[..., None]:
    """At most 40 items at once; the first failure ends the others."""

    def evaluate(self: Any, env: Any) -> None:
        eval_input = env.stack[-1]
        if not 0 < eval_input.max_concurrency <= _WIDEST:
            eval_input.max_concurrency = _WIDEST
        eval_input.max_concurrency = min(eval_input.max_concurrency, len(eval_input.input_items))
        try:
            original(self, env)
        except Exception:
            for frame in list(env._frames):
                abandon(frame)
            raise

    return evaluate


def _work_through_items(self: Any) -> None:
    """Take items until there are none, or one failed. In a loop: moto goes one call deeper for each item."""
    worker_frame = self._env.open_frame()
    job = self._job_pool.next_job()
    while job is not None:
        frame = worker_frame.open_inner_frame()
        frame.__dict__["_iteration"] = {"name": self._work_name, "index": job.job_index}
        self._eval_job(env=frame, job=job)
        frame.__dict__.pop("_iteration")
        worker_frame.close_frame(frame)
        failed = isinstance(job.job_output, Exception) or self.stopped()
        following = None if failed else self._job_pool.next_job()
        if following is None:
            if not failed:
                worker_frame.event_history_context.source_event_id = frame.event_history_context.last_published_event_id
            # Before the job is closed: the state goes on as soon as the last one is.
            self._env.close_frame(worker_frame)
        self._job_pool.close_job(job)
        if following is None:
            return
        job = following
    self._env.close_frame(worker_frame)


def _select_item(self: Any, env_frame: Any) -> None:
    """An item as ItemSelector or Parameters make it, seen from the Map state's input."""
    selector = self._item_selector or self._parameters
    if not selector:
        return
    state_input = self._env.stack[-1] if self._env.stack else self._env.states.get_input()
    env_frame.states.reset(input_value=state_input)
    env_frame.stack.append(env_frame.states.get_input())
    selector.eval(env_frame)
    env_frame.states.reset(input_value=env_frame.stack[-1])


_EXEC = "moto.stepfunctions.parser.asl.component.state.exec"
_ITERATION = f"{_EXEC}.state_map.iteration"

REPLACEMENTS: list[Replacement] = [
    Replacement(
        target="moto.stepfunctions.parser.asl.component.program.program:Program.eval",
        build=_evaluate_in_place,
        why="a thread more for every item of a Map",
    ),
    Replacement(
        target=f"{_EXEC}.state_parallel.branches_decl:BranchesDecl._eval_body",
        build=lambda _: _evaluate_branches,
        why="no TaskStateAborted; stopped branches write events after the state failed",
    ),
    Replacement(
        target=f"{_ITERATION}.inline_iteration_component:InlineIterationComponent._eval_body",
        build=_evaluate_items,
        why="a thread for each item; items go on after one failed",
    ),
    Replacement(
        target=f"{_ITERATION}.iteration_worker:IterationWorker.eval",
        build=lambda _: _work_through_items,
        why="a Map of 1,000 items one after the other is a recursion too deep",
    ),
    *(
        Replacement(
            target=f"{_ITERATION}.{worker}._eval_input",
            build=lambda _: _select_item,
            why="an ItemSelector in a JSONata Map without Items fails",
        )
        for worker in (
            "iterator.inline_iterator_worker:InlineIteratorWorker",
            "itemprocessor.inline_item_processor_worker:InlineItemProcessorWorker",
        )
    ),
]
