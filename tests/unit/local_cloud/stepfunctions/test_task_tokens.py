"""A token of `.waitForTaskToken`, across processes: each attempt has one, which is answered once."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from moto.stepfunctions.parser.api import ExecutionStatus, InvalidToken
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.resource import ResourceCondition
from moto.stepfunctions.parser.asl.eval.callback.callback import CallbackPoolManager

from local_cloud.stepfunctions import task_tokens
from local_cloud.stepfunctions.frames import TOP, Frame, Frames

TASK = SimpleNamespace(resource=SimpleNamespace(condition=ResourceCondition.WaitForTaskToken))
SEND = {entry.target.rpartition(".")[2]: entry.build(None) for entry in task_tokens.REPLACEMENTS}


class Cloud:
    """One execution of one machine, whose process may end."""

    def __init__(self) -> None:
        frames = Frames()
        frames[TOP] = Frame(state="Ask")
        self.execution = SimpleNamespace(frames=frames, exec_status=ExecutionStatus.RUNNING, exec_worker=None)
        self.restart()

    def restart(self) -> None:
        self.env = SimpleNamespace(
            event_manager=SimpleNamespace(execution=self.execution),
            path=TOP,
            states=SimpleNamespace(context_object=SimpleNamespace(context_object_data={})),
            callback_pool_manager=CallbackPoolManager(activity_store={}),
        )
        self.execution.exec_worker = SimpleNamespace(env=self.env)

    def issue(self, attempt: int = 0) -> str:
        self.env._children = attempt
        task_tokens.issue(TASK, self.env)
        token: str = self.env.states.context_object.context_object_data["Task"]["Token"]
        return token

    def outcome(self, token: str) -> Any:
        endpoint = self.env.callback_pool_manager.get(token)
        assert endpoint is not None
        return endpoint.get_outcome()

    def send(self, name: str, token: str, **given: Any) -> None:
        SEND[f"send_task_{name}"](SimpleNamespace(_get_executions=lambda: [self.execution]), token, **given)


def test_an_attempt_keeps_its_token_and_the_next_one_has_another() -> None:
    cloud = Cloud()
    first = cloud.issue()
    cloud.restart()
    assert cloud.issue() == first
    assert cloud.issue(attempt=1) != first
    with pytest.raises(task_tokens.TaskTimedOutError):
        cloud.send("success", first, outcome="{}")


def test_what_was_answered_before_a_kill_is_there_after_it_and_answered_once() -> None:
    cloud = Cloud()
    token = cloud.issue()
    cloud.send("success", token, outcome='"done"')
    cloud.restart()  # before the machine took notice
    for name, given in (("success", {"outcome": "{}"}), ("failure", {}), ("heartbeat", {})):
        with pytest.raises(task_tokens.TaskTimedOutError):
            cloud.send(name, token, **given)
    assert cloud.issue() == token
    assert cloud.outcome(token).output == '"done"'


def test_an_answer_that_comes_before_the_task_is_resumed_is_not_lost() -> None:
    cloud = Cloud()
    token = cloud.issue()
    cloud.restart()
    cloud.send("heartbeat", token)
    cloud.send("failure", token, error="E", cause="C")
    cloud.issue()
    assert (cloud.outcome(token).error, cloud.outcome(token).cause) == ("E", "C")


def test_what_nobody_gave_away_is_no_token() -> None:
    with pytest.raises(InvalidToken):
        Cloud().send("success", "made up", outcome="{}")
    with pytest.raises(task_tokens.InvalidOutputError):
        Cloud().send("success", "made up", outcome="no JSON")
