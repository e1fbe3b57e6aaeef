"""`cron(…)` in a time zone: six fields, with `L`, `W`, `#`, `?`, names, ranges and steps.

Source: https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html#cron-based
"""

from __future__ import annotations

import calendar
import datetime
import re
import zoneinfo
from dataclasses import dataclass

_MONTH_NAMES = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_MONTHS = {name: number for number, name in enumerate(_MONTH_NAMES, 1)}
_WEEKDAYS = {"SUN": 1, "MON": 2, "TUE": 3, "WED": 4, "THU": 5, "FRI": 6, "SAT": 7}
_DAY = datetime.timedelta(days=1)


@dataclass(frozen=True)
class Cron:
    """Minutes that match six fields in a time zone.

    A local time that daylight saving skips is never due; one that it repeats is due the first time only.
    """

    minutes: frozenset[int]
    hours: frozenset[int]
    days: str
    months: frozenset[int]
    weekdays: str
    years: frozenset[int]
    zone: zoneinfo.ZoneInfo

    @classmethod
    def parse(cls, body: str, zone: zoneinfo.ZoneInfo) -> Cron:
        """Raises: ValueError for what AWS refuses."""
        fields = body.upper().split()
        if len(fields) != 6 or (fields[2] == "?") == (fields[4] == "?"):
            raise ValueError("six fields are needed, and one of day-of-month and day-of-week is ?")
        minute, hour, days, month, weekdays, year = fields
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
        return cron

    def due_at(self, after: datetime.datetime, until: datetime.datetime) -> datetime.datetime | None:
        """The latest due time in `(after, until]`, both UTC."""
        minute = until.replace(second=0, microsecond=0)
        while minute > after:
            local = minute.astimezone(self.zone)
            if self._date_matches(local.date()):
                if self._minute_matches(local):
                    return minute
                minute -= datetime.timedelta(minutes=1)
            else:
                minute = self._end_of_day_before(local)
        return None

    def _end_of_day_before(self, local: datetime.datetime) -> datetime.datetime:
        """The last minute of the day before, so that a long gap does not cost a look at each of its minutes."""
        before = datetime.datetime.combine(local.date() - _DAY, datetime.time(23, 59), self.zone).replace(fold=1)
        return before.astimezone(datetime.UTC)

    def _minute_matches(self, local: datetime.datetime) -> bool:
        return not local.fold and local.minute in self.minutes and local.hour in self.hours

    def _date_matches(self, day: datetime.date) -> bool:
        return day.month in self.months and day.year in self.years and self._day_matches(day)

    def _day_matches(self, day: datetime.date) -> bool:
        if self.weekdays == "?":
            return _matches_day_of_month(self.days, day)
        return _matches_weekday(self.weekdays, day)


def _matches_day_of_month(field: str, day: datetime.date) -> bool:
    last = calendar.monthrange(day.year, day.month)[1]
    if field == "L":
        return day.day == last
    if field == "LW":
        return day.day == _nearest_working_day(day.year, day.month, last, last)
    if match := re.fullmatch(r"(\d{1,2})W", field):
        if not 1 <= int(match[1]) <= 31:
            raise ValueError(f"{field} is not within 1 to 31")
        return day.day == _nearest_working_day(day.year, day.month, min(int(match[1]), last), last)
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
    if field == "L":
        return number == 7
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
        match = re.fullmatch(r"(\*|[A-Z0-9]+)(?:-([A-Z0-9]+))?(?:/(\d+))?", part)
        if match is None or (match[1] == "*" and match[2]) or match[3] == "0":
            raise ValueError(f"{part!r} is no value of a cron field")
        start, end, step = match.groups()
        first = low if start == "*" else names.get(start) or int(start)
        last = (names.get(end) or int(end)) if end else (high if start == "*" or step else first)
        if not low <= first <= last <= high:
            raise ValueError(f"{part} is not within {low} to {high}")
        found.update(range(first, last + 1, int(step or 1)))
    return frozenset(found)
