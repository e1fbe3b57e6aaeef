"""The largest payload, and the last place in a history."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from local_cloud.stepfunctions import failures, limits
from local_cloud.stepfunctions.failures import HistoryEventType


@pytest.mark.parametrize(
    ("value", "fits"),
    [
        ("x" * (limits.PAYLOAD_BYTES - 2), True),
        ("x" * (limits.PAYLOAD_BYTES - 1), False),
        ("ä" * (limits.PAYLOAD_BYTES // 2 - 1), True),
        ("ä" * (limits.PAYLOAD_BYTES // 2), False),
        ([1] * (limits.PAYLOAD_BYTES // 2 - 1), True),
    ],
)
def test_a_payload_is_measured_as_json_in_utf8(value: Any, fits: bool) -> None:
    assert limits.fits(value) is fits


class Manager:
    """A history with `count` events."""

    def __init__(self, count: int) -> None:
        self.types: list[Any] = [HistoryEventType.PassStateExited] * count
        self.last_type = self.types[-1]

    @property
    def _event_id_gen(self) -> Any:
        return SimpleNamespace(_next_id=len(self.types) + 1)

    def add(self, context: Any, event_type: Any, **_: Any) -> int:
        self.types.append(event_type)
        self.last_type = event_type
        context.last_published_event_id = len(self.types)
        return len(self.types)


def test_the_last_place_in_a_history_is_for_its_end() -> None:
    manager, context = Manager(limits.HISTORY_EVENTS - 2), SimpleNamespace(last_published_event_id=0)
    add_event = limits.if_there_is_room(Manager.add)
    for event in (
        HistoryEventType.PassStateEntered,
        HistoryEventType.PassStateExited,
        HistoryEventType.ExecutionFailed,
    ):
        add_event(manager, context, event)
    assert manager.types[-2:] == [HistoryEventType.PassStateEntered, HistoryEventType.ExecutionFailed]
    assert len(manager.types) == limits.HISTORY_EVENTS


def test_nothing_stands_behind_the_end_but_a_redrive() -> None:
    manager, context = Manager(1), SimpleNamespace(last_published_event_id=0)
    add_event = limits.if_there_is_room(Manager.add)
    for event in (
        HistoryEventType.ExecutionAborted,
        HistoryEventType.MapIterationAborted,
        HistoryEventType.ExecutionRedriven,
        HistoryEventType.PassStateEntered,
    ):
        add_event(manager, context, event)
    assert manager.types[1:] == [
        HistoryEventType.ExecutionAborted,
        HistoryEventType.ExecutionRedriven,
        HistoryEventType.PassStateEntered,
    ]


@pytest.mark.parametrize("room", [1, 2])
def test_no_state_begins_without_room_for_its_events(room: int) -> None:
    entered: list[Any] = []
    env = SimpleNamespace(
        event_manager=Manager(limits.HISTORY_EVENTS - room),
        next_state_name="A",
        event_history_context=SimpleNamespace(source_event_id=1),
    )
    evaluate = limits.check_history(lambda state, _: entered.append(state))
    if room == 1:
        with pytest.raises(failures.FailureEventException):
            evaluate("state", env)
    else:
        evaluate("state", env)
    assert entered == ["state"] * (room - 1)
