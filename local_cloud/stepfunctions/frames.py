"""Where each thread of a running execution stands, so that it can go on there after this process was killed.

A machine is one frame; every item of a Map and every branch of a Parallel is a frame of its own, and so is the
work of a Task. A frame has a path, which is the same when the machine is run again: `/0` is the first frame that the
machine's present state opened, `/0#3` the fourth item of a Map in it. A frame's record says which state it is in, what
that began with, and which events it has written since: those are not written twice.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from local_cloud.durability.tracked import TrackedDict, iterate

TOP = ""


@dataclass
class Frame:
    """One frame's record. `state` is None before its first state; `finished` holds an item's output in a list of one.

    `events` are (id, type, timestamp, result) of what it wrote since it entered the state; `result` is the output in a
    TaskSubmitted or TaskSucceeded event, as text. `token` is what a `.waitForTaskToken` has given away.
    `has_failed`: what is `finished` failed, so that a redrive runs it again.
    `opened` is how many frames the state had opened before its last attempt, in an execution that is redriven.
    """

    state: str | None = None
    input: Any = None
    variables: dict[str, Any] = field(default_factory=dict)
    source_event_id: int = 0
    last_event_id: int = 0
    events: list[tuple[int, str, Any, str | None]] = field(default_factory=list)
    finished: list[Any] | None = None
    token: Any = None
    opened: int = 0
    is_redriven: bool = False
    has_failed: bool = False


class Frames(TrackedDict):
    """The records of one execution, by path. It knows who is below whom: a Map of 1,000 items asks 1,000 times."""

    def __init__(self, entries: Iterable[tuple[Any, Any]] = (), space: str = "") -> None:
        self._below: dict[str, set[str]] = {}
        super().__init__(entries, space)

    def _settle(self, key: Any, value: Any) -> None:
        super()._settle(key, value)
        for above in _above(key):
            self._below.setdefault(above, set()).add(key)

    def __delitem__(self, key: Any) -> None:
        super().__delitem__(key)
        for above in _above(key):
            self._below.get(above, set()).discard(key)
        self._below.pop(key, None)

    def of(self, path: str) -> Frame:
        """The record of a frame, made if it is not there; noted, as it is about to be changed."""
        if path not in self:
            self[path] = Frame()
        frame: Frame = self[path]
        return frame

    def enter(self, path: str, frame: Frame) -> None:
        """A frame enters a state: what its former state had opened is over."""
        self.drop_below(path)
        self[path] = frame

    def drop_below(self, path: str) -> None:
        for below in list(self._below.get(path, ())):
            del self[below]

    def prepare_redrive(self) -> None:
        """Leave what has succeeded, and where the rest failed or was aborted: that is entered anew.

        A state that was tried more than once goes on with what its last attempt had opened.
        """
        for path, frame in list(dict.items(self)):
            if frame.has_failed or (frame.finished is None and frame.state is None and path != TOP):
                del self[path]
        known = list(self)
        for path in known:
            frame = self[path]
            if frame.finished is None:
                frame.events, frame.token, frame.is_redriven = [], None, True
                frame.opened = max((_number_below(below, path) for below in known if is_below(below, path)), default=0)

    def drop_all(self) -> None:
        for path in list(self):
            del self[path]


def is_below(path: str, above: str) -> bool:
    """Whether `path` is of a frame that one at `above` has opened, directly or not."""
    return path != above and path.startswith((f"{above}/", f"{above}#"))


def _above(path: str) -> Iterator[str]:
    """The paths of the frames through which one was opened, the nearest first."""
    while path:
        path = path[: max(path.rfind("/"), path.rfind("#"))]
        yield path


def _number_below(path: str, above: str) -> int:
    """Of a path below another one, the number of the frame through which it was opened."""
    return int(re.split("[/#]", path[len(above) + 1 :])[0])


class Recorded:
    """What an earlier process has left of an execution; each part is taken once, by the frame that goes on from it."""

    def __init__(self, frames: Frames) -> None:
        self._frames = dict(iterate(frames))

    def at(self, path: str) -> Frame | None:
        return self._frames.get(path)

    def forget(self, path: str) -> None:
        """The frame is past what was recorded."""
        for known in [known for known in self._frames if known == path or is_below(known, path)]:
            del self._frames[known]

    def last_event_id(self, path: str) -> int:
        """The highest number among the events of a frame and of those below it, 0 without any."""
        frames = [frame for known, frame in self._frames.items() if known == path or is_below(known, path)]
        numbers = [event[0] for frame in frames for event in frame.events]
        return max([0, *numbers, *(frame.last_event_id for frame in frames)])

    def events(self, path: str) -> deque[tuple[int, str, Any, str | None]]:
        frame = self._frames.get(path)
        return deque(frame.events) if frame else deque()


def results(events: deque[tuple[int, str, Any, str | None]], event_type: str) -> Iterator[str]:
    """The outputs that recorded events of a type hold."""
    return (result for _, kind, _, result in events if kind == event_type and result is not None)
