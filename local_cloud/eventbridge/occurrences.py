"""When a schedule of Scheduler is due, with its dates and its flexible window, and what it then sends.

Source: https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html and
https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html
"""

from __future__ import annotations

import datetime
import functools
import json
import random
import re
from typing import Any

from local_cloud.eventbridge import expressions

_CONTEXT = re.compile(r"<aws\.scheduler\.[a-z-]+>")
_INSTANT = datetime.timedelta(microseconds=1)


class InvalidScheduleParameterError(ValueError):
    """A parameter of a schedule that AWS refuses."""


_parse = functools.lru_cache(maxsize=1_000)(expressions.parse)


def is_one_time(schedule: Any) -> bool:
    """Whether a schedule is due once; its start and end are ignored then."""
    return str(schedule.schedule_expression).strip().startswith("at(")


def due_at(schedule: Any, after: datetime.datetime, until: datetime.datetime) -> datetime.datetime | None:
    """The latest time in `(after, until]` that a schedule (moto's) is due at, both UTC."""
    if schedule.state != "ENABLED":
        return None
    start, end = _date(schedule.start_date), _date(schedule.end_date)
    # A rate counts from its start, and is due then; without one, from when the schedule was made. A change of the
    # schedule is no reason to fire: nothing before it is due any more.
    anchor = start or utc(schedule.creation_date)
    recurrence = _parse(schedule.schedule_expression, schedule.schedule_expression_timezone, anchor, at_once=True)
    due = recurrence.due_at(max(after, utc(schedule.last_modified_date) - _INSTANT), until)
    if due is None or is_one_time(schedule):
        return due
    if (start is not None and due < start) or (end is not None and due > end):
        return None
    return due


def is_over(schedule: Any, now: datetime.datetime) -> bool:
    """Whether a recurring schedule can never be due again."""
    end = _date(schedule.end_date)
    return not is_one_time(schedule) and end is not None and now > end


def window_offset_s(schedule: Any, due: datetime.datetime, seed: str) -> float:
    """How long after `due` a flexible window lets the schedule fire: any time in it, the same for the same seed."""
    window = schedule.flexible_time_window or {}
    if window.get("Mode", "OFF") != "FLEXIBLE":
        return 0.0
    chance = random.Random(f"{seed} {schedule.arn} {due.isoformat()}")  # noqa: S311  not for secrets
    return chance.uniform(0, 60.0 * float(window["MaximumWindowInMinutes"]))


def fill(text: str, schedule_arn: str, scheduled_time: str, execution_id: str) -> str:
    """An Input with its context attributes put in; the attempt's number is put in at each attempt."""
    known = {"schedule-arn": schedule_arn, "scheduled-time": scheduled_time, "execution-id": execution_id}
    for name, value in known.items():
        text = text.replace(f"<aws.scheduler.{name}>", value)
    return text


def check(window: dict[str, Any], start: Any, end: Any, target: dict[str, Any]) -> None:
    """Raises: InvalidScheduleParameterError for what AWS refuses."""
    mode, minutes = window.get("Mode"), window.get("MaximumWindowInMinutes")
    if mode not in ("OFF", "FLEXIBLE"):
        raise InvalidScheduleParameterError(f"FlexibleTimeWindow: Mode {mode} is neither OFF nor FLEXIBLE")
    if mode == "FLEXIBLE" and not (isinstance(minutes, int) and 1 <= minutes <= 1_440):
        raise InvalidScheduleParameterError("FlexibleTimeWindow: FLEXIBLE needs MaximumWindowInMinutes from 1 to 1440")
    if mode == "OFF" and minutes is not None:
        raise InvalidScheduleParameterError("FlexibleTimeWindow: MaximumWindowInMinutes is only for FLEXIBLE")
    if start and end and float(end) <= float(start):
        raise InvalidScheduleParameterError("EndDate must be after StartDate")
    _check_input(target)


def _check_input(target: dict[str, Any]) -> None:
    text, arn = target.get("Input"), str(target["Arn"])
    if text is None or re.match(r"arn:aws:(sqs|sns):", arn):
        return
    try:
        json.loads(_CONTEXT.sub("0", text))
    except ValueError as error:
        raise InvalidScheduleParameterError(f"Input for {arn} is not JSON: {error}") from error


def utc(moment: Any) -> datetime.datetime:
    """Seconds since 1970, or what moto makes of them, as a moment."""
    return datetime.datetime.fromtimestamp(float(moment), datetime.UTC)


def _date(moment: Any) -> datetime.datetime | None:
    return utc(moment) if moment else None
