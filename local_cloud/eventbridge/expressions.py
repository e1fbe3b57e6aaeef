"""Schedule expressions: `cron(…)` in a time zone, `rate(…)` and `at(…)`.

Source: https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
"""

from __future__ import annotations

import datetime
import re
import zoneinfo
from dataclasses import dataclass
from typing import Protocol

from local_cloud.eventbridge.cron import Cron

_UNITS_S = {"minute": 60, "hour": 3600, "day": 86400}


class InvalidScheduleError(ValueError):
    """A schedule expression that AWS refuses."""


class Recurrence(Protocol):
    """When something is due."""

    def due_at(self, after: datetime.datetime, until: datetime.datetime) -> datetime.datetime | None:
        """The latest due time in `(after, until]`, both UTC; None when there is none."""


def parse(expression: str, timezone: str, anchor: datetime.datetime, *, at_once: bool = False) -> Recurrence:
    """Read an expression; `anchor` (UTC) is where a rate counts from, `at_once` whether it is due there already.

    Raises: InvalidScheduleError.
    """
    match = re.fullmatch(r"(cron|rate|at)\((.*)\)", expression.strip())
    if not match:
        raise InvalidScheduleError(f"Invalid Schedule Expression {expression}.")
    try:
        zone = zoneinfo.ZoneInfo(timezone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InvalidScheduleError(f"Invalid time zone {timezone}.") from error
    kind, body = match[1], match[2].strip()
    try:
        if kind == "rate":
            return _parse_rate(body, anchor, at_once)
        if kind == "at":
            local = datetime.datetime.strptime(body, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=zone)
            return Once(local.astimezone(datetime.UTC))
        return Cron.parse(body, zone)
    except ValueError as error:
        raise InvalidScheduleError(f"Invalid Schedule Expression {expression}: {error}") from error


def _parse_rate(body: str, anchor: datetime.datetime, at_once: bool) -> Rate:
    match = re.fullmatch(r"([1-9]\d*) (minute|hour|day)(s?)", body)
    if not match or (match[1] == "1") == bool(match[3]):
        raise ValueError("a rate is a positive number and minute(s), hour(s) or day(s)")
    return Rate(int(match[1]) * _UNITS_S[match[2]], anchor, 0 if at_once else 1)


@dataclass(frozen=True)
class Rate:
    """Every `period_s` seconds from `anchor` on, the first time `first` periods after it.

    A day is 24 hours, whatever daylight saving does.
    """

    period_s: int
    anchor: datetime.datetime
    first: int = 1

    def due_at(self, after: datetime.datetime, until: datetime.datetime) -> datetime.datetime | None:
        periods = int((until - self.anchor).total_seconds() // self.period_s)
        due = self.anchor + datetime.timedelta(seconds=periods * self.period_s)
        return due if periods >= self.first and due > after else None


@dataclass(frozen=True)
class Once:
    """At one moment.

    AWS does not say what becomes of a local time that daylight saving skips; here the clock's jump is added to it.
    """

    moment: datetime.datetime

    def due_at(self, after: datetime.datetime, until: datetime.datetime) -> datetime.datetime | None:
        return self.moment if after < self.moment <= until else None
