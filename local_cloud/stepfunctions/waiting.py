"""Every place where an execution waits, made to end at once when the execution is stopped or times out.

moto sleeps through a stop: a Task is waited for to its end, a retry to the end of its pause, a `.sync` polls every
half second and leaves the job it started running. Here one event a frame ends all of them, and a `.sync` whose
execution was stopped, failed or timed out cancels what it waits for, as AWS tries to.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/connect-to-resource.html
"""

from __future__ import annotations

import copy
import logging
import threading
from collections.abc import Callable
from typing import Any

from moto.stepfunctions.parser.asl.component.common.retry.max_attempts_decl import MaxAttemptsOutcome
from moto.stepfunctions.parser.asl.component.common.retry.retrier_outcome import RetrierOutcome
from moto.stepfunctions.parser.asl.component.common.timeouts.timeout import EvalTimeoutError
from moto.stepfunctions.parser.asl.component.eval_component import EvalComponent
from moto.stepfunctions.parser.asl.eval.program_state import ProgramEnded

from local_cloud import changes
from local_cloud.replacements import Replacement
from local_cloud.stepfunctions import resuming, task_tokens

_LOG = logging.getLogger(__name__)
_LOOK_AGAIN_S = 60.0
"""How long a `.sync` waits for an announcement before it looks by itself: announcements are not lost, and each of many
waiting Tasks would be a request."""
_POLL_S = 2.0
"""How often it looks where nobody announces."""
_LAST_EVENTS_S = 5.0
"""How long a machine that timed out waits for its states to write their last events."""


def interrupted(env: Any) -> threading.Event:
    """The event that is set when this environment stops running for any reason."""
    return env.__dict__.setdefault("_interrupted", threading.Event())


def _interrupting(original: Callable[..., None]) -> Callable[..., None]:
    def end(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        # A stop before the program begins has not stopped it, and is made again: no Wait must end by this one.
        if self._program_state is not None:
            interrupted(self).set()
            changes.announce(interrupted(self))

    return end


def _evaluate_with_timeout(self: Any, env: Any) -> None:
    """Run the state's work in a frame of its own, until it is done, its time is up, or the execution ends.

    Raises: EvalTimeoutError after TimeoutSeconds; whatever the work raises.
    """
    resuming.raise_recorded_failure(env)
    self.timeout.eval(env=env)
    timeout_s: int = env.stack.pop()
    if self.heartbeat is not None:
        self.heartbeat.eval(env=env)
        env.stack.pop()
    task_tokens.issue(self, env)
    frame = env.open_frame()
    frame.states.reset(input_value=env.states.get_input())
    frame.stack = copy.deepcopy(env.stack)
    outcome: dict[str, Any] = {}
    over = interrupted(frame)

    def work() -> None:
        try:
            self._eval_execution(frame)
            outcome["output"] = frame.stack[-1]
        except Exception as error:  # noqa: BLE001  raised again below, in the state's own thread
            outcome["error"] = error
        over.set()

    threading.Thread(target=work, daemon=True, name=f"state-{self.name}").start()
    over.wait(timeout_s)
    if not outcome:
        frame.event_history_context.abandoned = True
    frame.set_ended()
    env.close_frame(frame)
    if not env.is_running():
        return
    if "error" in outcome:
        raise outcome["error"]
    if "output" not in outcome:
        raise EvalTimeoutError()
    _take_output(self, env, outcome["output"])


def _take_output(state: Any, env: Any, output: Any) -> None:
    env.stack.append(output)
    if not state._is_language_query_jsonpath():
        env.states.set_result(output)
    if state.assign_decl:
        state.assign_decl.eval(env=env)
    if state.result_selector:
        state.result_selector.eval(env=env)
    if state.result_path:
        state.result_path.eval(env)
    else:
        env.states.reset(input_value=env.stack.pop())


def _evaluate_retrier(self: Any, env: Any) -> None:
    self.error_equals.eval(env)
    if not env.stack.pop():
        env.stack.append(RetrierOutcome.Skipped)
        return
    self.max_attempts.eval(env=env)
    if env.stack.pop() == MaxAttemptsOutcome.EXHAUSTED:
        env.stack.append(RetrierOutcome.Failed)
        return
    for part in (self.interval_seconds, self.backoff_rate, self.max_delay_seconds, self.jitter_strategy):
        part.eval(env=env)
    pause_s = env.stack.pop()
    if not resuming.has_tried_again(env):
        interrupted(env).wait(pause_s)
    env.stack.append(RetrierOutcome.Executed)


def _evaluate_sync(
    self: Any,
    env: Any,
    sync_resolver: Any,
    timeout_seconds: Any,  # noqa: ARG001  moto's signature
    callback_endpoint: Any,  # noqa: ARG001
    heartbeat_endpoint: Any,  # noqa: ARG001
) -> Any:
    """Look whether the job is over when it is announced; cancel it if the execution ends before."""
    waits_for = getattr(sync_resolver, "waits_for", None)
    look_again_s = _POLL_S if waits_for is None else _LOOK_AGAIN_S
    with changes.listening(waits_for, interrupted(env)) as news:
        while env.is_running():
            news.clear()
            result = sync_resolver()
            if result:
                return result
            news.wait(look_again_s)
    env.event_history_context.abandoned = True
    cancel: Callable[[], None] | None = getattr(sync_resolver, "cancel", None)
    # A Task that ran into its own TimeoutSeconds only ended: its Catch decides about the job.
    if cancel is not None and not isinstance(env.program_state(), ProgramEnded):
        _LOG.info("cancelling what %s started", self.resource.resource_arn)
        cancel()
    return None


def _evaluate_program(self: Any, env: Any) -> None:
    """Run the machine's states in a thread and wait for it, at most TimeoutSeconds of the machine."""
    timeout_s = self.timeout_seconds.timeout_seconds - resuming.elapsed_s(env) if self.timeout_seconds else None
    env.next_state_name = resuming.begin(env) or self.start_at.start_at_name
    thread = threading.Thread(target=EvalComponent.eval, args=(self, env), daemon=True, name="machine")
    thread.start()
    thread.join(timeout=None if timeout_s is None else max(0.0, timeout_s))
    if thread.is_alive():
        env.set_timed_out()
        thread.join(timeout=_LAST_EVENTS_S)


def unless_abandoned(original: Callable[..., int]) -> Callable[..., int]:
    """`add_event` of frames that somebody still waits for."""

    def add_event(
        self: Any,
        context: Any,
        event_type: Any,
        event_details: Any = None,
        timestamp: Any = None,
        update_source_event_id: bool = True,
    ) -> int:
        if getattr(context, "abandoned", False):
            last: int = context.last_published_event_id
            return last
        return original(self, context, event_type, event_details, timestamp, update_source_event_id)

    return add_event


_ENVIRONMENT = "moto.stepfunctions.parser.asl.eval.environment:Environment"
_EXECUTE = "moto.stepfunctions.parser.asl.component.state.exec.execute_state:ExecutionState"
_CALLBACK = (
    "moto.stepfunctions.parser.asl.component.state.exec.state_task.service"
    ".state_task_service_callback:StateTaskServiceCallback"
)

REPLACEMENTS: list[Replacement] = [
    *(
        Replacement(
            target=f"{_ENVIRONMENT}.{name}",
            build=_interrupting,
            why="nothing wakes a Task, a retry's pause or a .sync when the execution ends",
        )
        for name in ("set_ended", "set_error", "set_timed_out", "set_stop")
    ),
    Replacement(
        target=f"{_EXECUTE}._evaluate_with_timeout",
        build=lambda _: _evaluate_with_timeout,
        why="waits for a Task to its end although the execution was stopped",
    ),
    Replacement(
        target="moto.stepfunctions.parser.asl.component.common.retry.retrier_decl:RetrierDecl._eval_body",
        build=lambda _: _evaluate_retrier,
        why="sleeps through a stop",
    ),
    Replacement(
        target=f"{_CALLBACK}._eval_sync",
        build=lambda _: _evaluate_sync,
        why="polls every half second, and leaves the job running when the execution is stopped",
    ),
    Replacement(
        target="moto.stepfunctions.parser.asl.component.program.program:Program.eval",
        build=lambda _: _evaluate_program,
        why="ends before the history says that the machine timed out; cannot resume at a state",
    ),
]
