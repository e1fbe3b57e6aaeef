"""What is kept of a Distributed Map: its Map Run's identity, the children that have begun and those that have ended.

After a kill, and after a redrive, the same Map Run goes on. Children that have ended are not run again. One that was
running when the cloud was killed goes on where it was, since its frame is kept as an item's of an inline Map; a redrive
lets those go on that did not succeed, where they failed.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/redrive-map-run.html
"""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from moto.stepfunctions.parser.api import HistoryEventType, MapRunRedrivenEventDetails, MapRunStartedEventDetails
from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails

from local_cloud.durability import commits
from local_cloud.replacements import Replacement
from local_cloud.stepfunctions.frames import TOP, Frame
from local_cloud.stepfunctions.kept import frames_of


@dataclass
class Identity:
    """A Map Run's names, and how often it was redriven; `execution_redrives` is what its execution counted then."""

    map_run_arn: str
    map_state_machine_arn: str
    start_date: datetime.datetime
    redrives: int = 0
    execution_redrives: int = 0
    redrive_date: datetime.datetime | None = None


def begin(env: Any, record: Any) -> None:
    """Give a Map Run the identity that it had before a kill or a redrive, and write the event of its start."""
    execution = getattr(env.event_manager, "execution", None)
    redrives = getattr(execution, "redrives", 0)
    known = _kept(env, "run")
    identity = known or Identity(record.map_run_arn, record.map_state_machine_arn, record.start_date)
    _rename(env, record, identity)
    record.identity = identity
    with commits.together():  # else another's commit could write it half changed
        if known is not None and redrives > identity.execution_redrives:
            identity.redrives += 1
            identity.redrive_date = datetime.datetime.now(datetime.UTC)
        identity.execution_redrives = redrives
        _note(env, "run", Frame(finished=[identity]))
        _say_begun(env, identity)
    commits.keep()


@dataclass
class Begun:
    """What a child had when it first began; `map_run_redrives` is what its Map Run counted then."""

    name: str
    started: datetime.datetime
    map_run_redrives: int


def begin_child(env: Any, index: int, name: str, identity: Identity) -> Begun:
    """What a child had when it first began; that is now, and committed with its first state, unless it goes on."""
    begun: Begun | None = _kept(env, f"begun-{index}")
    if begun is None:
        begun = Begun(name, datetime.datetime.now(datetime.UTC), identity.redrives)
        _note(env, f"begun-{index}", Frame(finished=[begun]))
    return begun


def ended_child(env: Any, index: int) -> Any | None:
    """A child that has ended, as `keep_child` was given it."""
    return _kept(env, f"ended-{index}")


def keep_child(env: Any, child: Any) -> None:
    """Record and commit how a child has ended. Where one stands that failed is left, for a redrive."""
    _keep(env, f"ended-{child.index}", Frame(finished=[child], has_failed=child.status != "SUCCEEDED"))


def child_path(env: Any, index: int) -> str:
    """The path of a child's frame."""
    return _path(env, str(index))


def _rename(env: Any, record: Any, identity: Identity) -> None:
    pool = env.map_run_record_pool_manager
    pool._pool.pop(record.map_run_arn, None)
    record.map_run_arn, record.map_state_machine_arn = identity.map_run_arn, identity.map_state_machine_arn
    record.start_date = identity.start_date
    pool.add(record)


def _say_begun(env: Any, identity: Identity) -> None:
    """After a kill it is what it was before: a Map Run that was redriven has begun by that."""
    if identity.redrives:
        redriven = MapRunRedrivenEventDetails(mapRunArn=identity.map_run_arn, redriveCount=identity.redrives)
        event, details = HistoryEventType.MapRunRedriven, EventDetails(mapRunRedrivenEventDetails=redriven)
    else:
        started = MapRunStartedEventDetails(mapRunArn=identity.map_run_arn)
        event, details = HistoryEventType.MapRunStarted, EventDetails(mapRunStartedEventDetails=started)
    env.event_manager.add_event(context=env.event_history_context, event_type=event, event_details=details)


def _path(env: Any, name: str) -> str:
    return f"{getattr(env, 'path', TOP)}#{name}"


def _kept(env: Any, name: str) -> Any | None:
    execution = getattr(env.event_manager, "execution", None)
    frame = frames_of(execution).get(_path(env, name)) if execution is not None else None
    return frame.finished[0] if frame is not None and frame.finished else None


def _keep(env: Any, name: str, frame: Frame) -> None:
    if _note(env, name, frame):
        commits.keep()


def _note(env: Any, name: str, frame: Frame) -> bool:
    """Have a record written with the next commit. False when there is nothing that could go on from it."""
    execution = getattr(env.event_manager, "execution", None)
    # What ends after the state has failed must not be found by the state that the machine is in by then.
    if execution is None or not env.is_running():
        return False
    with commits.together():
        frames_of(execution)[_path(env, name)] = frame
    return True


def _describe(original: Callable[..., Any]) -> Callable[..., Any]:
    def describe(self: Any) -> Any:
        shown = original(self)
        identity = self.__dict__.get("identity")
        shown["redriveCount"] = identity.redrives if identity else 0
        if identity and identity.redrive_date:
            shown["redriveDate"] = identity.redrive_date.isoformat(timespec="milliseconds")
        return shown

    return describe


REPLACEMENTS: list[Replacement] = [
    Replacement(
        target="moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration.itemprocessor"
        ".map_run_record:MapRunRecord.describe",
        build=_describe,
        why="a Map Run does not count its redrives",
    ),
]
