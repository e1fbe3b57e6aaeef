"""Schedule expressions: `cron(…)` in a time zone, `rate(…)` and `at(…)`.

Source: https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
"""

from __future__ import annotations

import calendar
import datetime
import re
import zoneinfo
from dataclasses import dataclass
from typing import Protocol

_MONTH_NAMES = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_MONTHS = {name: number for number, name in enumerate(_MONTH_NAMES, 1)}
_WEEKDAYS = {"SUN": 1, "MON": 2, "TUE": 3, "WED": 4, "THU": 5, "FRI": 6, "SAT": 7}
_UNITS_S = {"minute": 60, "hour": 3600, "day": 86400}


class InvalidScheduleError(ValueError):
    """A schedule expression that AWS refuses."""


class Schedule(Protocol):
    """When something is due."""

    def due_at(self, after: datetime.datetime, until: datetime.datetime) -> datetime.datetime | None:
        """The latest due time in `(after, until]`, both UTC; None when there is none."""


def parse(expression: str, timezone: str, anchor: datetime.datetime) -> Schedule:
    """Read an expression; `anchor` (UTC) is where a rate counts from.

    Raises: InvalidScheduleError.
    """
    match = re.fullmatch(r"(cron|rate|at)\((.*)\)", expression.strip())
    if not match:
        raise InvalidScheduleError(f"Invalid Schedule Expression {expression}.")
    try:
        zone = zoneinfo.ZoneInfo(timezone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError) as error:
        raise InvalidScheduleError(f"Invalid time zone {timezone}.") from error
    kind, body = match[1], match[2].strip()
    if kind == "rate":
        return _parse_rate(expression, body, anchor)
    if kind == "at":
        try:
            local = datetime.datetime.strptime(body, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=zone)
        except ValueError as error:
            raise InvalidScheduleError(f"Invalid Schedule Expression {expression}.") from error
        return Once(local.astimezone(datetime.UTC))
    return Cron.parse(expression, body, zone)


def _parse_rate(expression: str, body: str, anchor: datetime.datetime) -> Rate:
    match = re.fullmatch(r"([1-9]\d*) (minute|hour|day)(s?)", body)
    if not match or (match[1] == "1") == bool(match[3]):
        raise InvalidScheduleError(f"Invalid Schedule Expression {expression}.")
    return Rate(int(match[1]) * _UNITS_S[match[2]], anchor)


@dataclass(frozen=True)
class Rate:
    """Every `period_s` seconds from `anchor` on, the first time one period after it."""

    period_s: int
    anchor: datetime.datetime

    def due_at(self, after: datetime.datetime, until: datetime.datetime) -> datetime.datetime | None:
        periods = int((until - self.anchor).total_seconds() // self.period_s)
        due = self.anchor + datetime.timedelta(seconds=periods * self.period_s)
        return due if periods >= 1 and due > after else None


@dataclass(frozen=True)
class Once:
    """At one moment."""

    moment: datetime.datetime

    def due_at(self, after: datetime.datetime, until: datetime.datetime) -> datetime.datetime | None:
        return self.moment if after < self.moment <= until else None


@dataclass(frozen=True)
class Cron:
    """Minutes that match six fields in a time zone; a local time that daylight saving repeats is due once."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: str
    months: frozenset[int]
    weekdays: str
    years: frozenset[int]
    zone: zoneinfo.ZoneInfo

    @classmethod
    def parse(cls, expression: str, body: str, zone: zoneinfo.ZoneInfo) -> Cron:
        """Raises: InvalidScheduleError."""
        fields = body.upper().split()
        if len(fields) != 6 or (fields[2] == "?") == (fields[4] == "?"):
            raise InvalidScheduleError(f"Invalid Schedule Expression {expression}.")
        minute, hour, days, month, weekdays, year = fields
        try:
            cron = cls(
                minutes=_numbers(minute, 0, 59, {}),
                hours=_numbers(hour, 0, 23, {}),
                days=days,
                months=_numbers(month, 1, 12, _MONTHS),
                weekdays=weekdays,
                years=_numbers(year, 1970, 2199, {}),
                zone=zone,
            )
            cron._day_matches(datetime.date(2024, 2, 29))
        except ValueError as error:
            raise InvalidScheduleError(f"Invalid Schedule Expression {expression}: {error}") from error
        return cron

    def due_at(self, after: datetime.datetime, until: datetime.datetime) -> datetime.datetime | None:
        minute = until.replace(second=0, microsecond=0)
        while minute > after:
            if self._matches(minute.astimezone(self.zone)):
                return minute
            minute -= datetime.timedelta(minutes=1)
        return None

    def _matches(self, local: datetime.datetime) -> bool:
        return (
            not local.fold
            and local.minute in self.minutes
            and local.hour in self.hours
            and local.month in self.months
            and local.year in self.years
            and self._day_matches(local.date())
        )

    def _day_matches(self, day: datetime.date) -> bool:
        if self.weekdays == "?":
            return _matches_day_of_month(self.days, day)
        return _matches_weekday(self.weekdays, day)


def _matches_day_of_month(field: str, day: datetime.date) -> bool:
    last = calendar.monthrange(day.year, day.month)[1]
    if field == "L":
        return day.day == last
    if match := re.fullmatch(r"(\d{1,2})W", field):
        wanted = min(int(match[1]), last)
        return day.day == _nearest_working_day(day.year, day.month, wanted, last)
    return day.day in _numbers(field, 1, 31, {})


def _nearest_working_day(year: int, month: int, wanted: int, last: int) -> int:
    weekday = datetime.date(year, month, wanted).weekday()
    if weekday == 5:
        return wanted - 1 if wanted > 1 else wanted + 2
    if weekday == 6:
        return wanted + 1 if wanted < last else wanted - 2
    return wanted


def _matches_weekday(field: str, day: datetime.date) -> bool:
    number = day.isoweekday() % 7 + 1
    if match := re.fullmatch(r"(\w+)#([1-5])", field):
        return number in _numbers(match[1], 1, 7, _WEEKDAYS) and (day.day - 1) // 7 + 1 == int(match[2])
    if match := re.fullmatch(r"(\w+)L", field):
        last = calendar.monthrange(day.year, day.month)[1]
        return number in _numbers(match[1], 1, 7, _WEEKDAYS) and day.day > last - 7
    return number in _numbers(field, 1, 7, _WEEKDAYS)


def _numbers(field: str, low: int, high: int, names: dict[str, int]) -> frozenset[int]:
    """The values a cron field lists. Raises: ValueError."""
    found: set[int] = set()
    for part in field.split(","):
        span, _, step = part.partition("/")
        start, _, end = span.partition("-")
        first = low if start == "*" else names.get(start) or int(start)
        open_ended = start == "*" or bool(step)
        last = (names.get(end) or int(end)) if end else (high if open_ended else first)
        if not low <= first <= last <= high:
            raise ValueError(f"{part} is not within {low} to {high}")
        found.update(range(first, last + 1, int(step or 1)))
    return frozenset(found)
