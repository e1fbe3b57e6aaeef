"""`.waitForTaskToken`: a wait that also ends with the execution, or its thread would wait for ever.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/connect-to-resource.html
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from local_cloud import changes
from local_cloud.replacements import Replacement
from local_cloud.stepfunctions.waiting import interrupted

_CALLBACK = "moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_callback"


def _wait_for_token(original: Callable[..., Any]) -> Callable[..., Any]:
    """Let the end of the Task's environment set the very events that an answer and a heartbeat set."""

    def wait(self: Any, env: Any, timeout_seconds: int, callback_endpoint: Any, heartbeat_endpoint: Any) -> Any:
        over = interrupted(env)
        with changes.listening(over) as answered, changes.listening(over) as beaten:
            _hand_over(callback_endpoint, "_notify_event", answered)
            if heartbeat_endpoint is not None:
                _hand_over(heartbeat_endpoint, "_next_heartbeat_event", beaten)
            if over.is_set():
                answered.set()
                beaten.set()
            return original(self, env, timeout_seconds, callback_endpoint, heartbeat_endpoint)

    return wait


def _hand_over(endpoint: Any, name: str, news: Any) -> None:
    """Replace an endpoint's event, and lose nothing that set the old one."""
    before = getattr(endpoint, name)
    setattr(endpoint, name, news)
    if before.is_set():
        news.set()


REPLACEMENTS: list[Replacement] = [
    Replacement(
        target=f"{_CALLBACK}:StateTaskServiceCallback._eval_wait_for_task_token",
        build=_wait_for_token,
        why="waits on for its token after the execution was stopped or the Task timed out",
    ),
]
