"""What is wrapped by several modules is so in the order that each of them needs."""

from __future__ import annotations

from collections import deque
from types import SimpleNamespace
from typing import Any

import pytest
from moto.stepfunctions.parser.api import HistoryEventType
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import FailureEventException
from moto.stepfunctions.parser.asl.component.state.state import CommonStateField

from local_cloud.services import stepfunctions
from local_cloud.stepfunctions import limits, single_state, wrapping
from local_cloud.stepfunctions.frames import TOP
from local_cloud.stepfunctions.kept import frames_of


@pytest.fixture
def env(interpreter: None) -> Any:
    """An environment whose execution is kept."""
    made = single_state._environment({}, {}, None, "123456789012", "us-east-1")
    made.path = made.event_history_context.path = TOP
    made.event_manager.execution = SimpleNamespace(exec_arn="arn")
    return made


def fill(env: Any) -> None:
    env.event_manager._event_id_gen._next_id = limits.HISTORY_EVENTS


def write(env: Any, kind: HistoryEventType) -> int:
    event_id: int = env.event_manager.add_event(context=env.event_history_context, event_type=kind)
    return event_id


@pytest.mark.parametrize("target", [wrapping.STATE, wrapping.ADD_EVENT])
def test_nobody_else_wraps_it(target: str) -> None:
    assert [one for one in stepfunctions.REPLACEMENTS if one.target == target] == [
        one for one in wrapping.REPLACEMENTS if one.target == target
    ]


def test_a_frame_that_nobody_waits_for_leaves_nothing_to_go_on_from(env: Any) -> None:
    write(env, HistoryEventType.TaskScheduled)
    env.event_history_context.abandoned = True
    write(env, HistoryEventType.TaskSucceeded)
    assert [kind for _, kind, _, _ in frames_of(env.event_manager.execution).of(TOP).events] == ["TaskScheduled"]


def test_what_a_full_history_has_is_found_in_it(env: Any) -> None:
    env.event_history_context.replay = deque([(7, HistoryEventType.TaskScheduled.value, None, None)])
    fill(env)
    assert write(env, HistoryEventType.TaskScheduled) == 7


def test_a_state_without_room_is_not_entered(env: Any) -> None:
    fill(env)
    with pytest.raises(FailureEventException):
        CommonStateField._eval_body(SimpleNamespace(name="Next"), env)
    assert TOP not in frames_of(env.event_manager.execution)
