"""Execution histories: in the store while there is one, so that a thousand executions' fill no memory."""

from __future__ import annotations

import pickle
from typing import Any

from local_cloud.durability import commits
from local_cloud.durability.tracked import changes

PREFIX = "history/"


def space_of(execution: Any) -> str:
    return f"{PREFIX}{execution.exec_arn}"


def write(execution: Any, event: dict[str, Any]) -> None:
    """Have an event written with the next commit."""
    if commits.is_used():
        changes.write(space_of(execution), _key(event["id"]), pickle.dumps(event, pickle.HIGHEST_PROTOCOL))


def read(execution: Any, first: int, most: int, backwards: bool = False) -> list[dict[str, Any]]:
    """Events from the `first`-th on (from the end, if backwards), at most so many."""
    if not commits.is_used():
        worker = execution.exec_worker
        events = execution.to_history_output()["events"] if worker else []
        ordered = events[::-1] if backwards else events
        return list(ordered[first : first + most])
    commits.commit(())
    cells = commits.store().cells(space_of(execution), first, most, backwards)
    return [pickle.loads(body) for _, body in cells]  # noqa: S301  written above, into a file that is ours alone


def count(execution: Any) -> int:
    """How many events are written."""
    if not commits.is_used():
        worker = execution.exec_worker
        return len(execution.to_history_output()["events"]) if worker else 0
    commits.commit(())
    return commits.store().count(space_of(execution))


def _key(event_id: int) -> str:
    return f"{event_id:08d}"
