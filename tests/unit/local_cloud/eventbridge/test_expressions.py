"""When schedules are due."""

from __future__ import annotations

import datetime

import pytest

from local_cloud.eventbridge.expressions import InvalidScheduleError, parse


def utc(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(text).replace(tzinfo=datetime.UTC)


ANCHOR = utc("2026-11-23T00:00:30")


def due(expression: str, moment: str, zone: str = "UTC") -> bool:
    """Whether an expression is due in the minute that ends at `moment`."""
    until = utc(moment)
    return parse(expression, zone, ANCHOR).due_at(until - datetime.timedelta(minutes=1), until) is not None


@pytest.mark.parametrize(
    ("expression", "zone", "moment"),
    [
        ("cron(0 2 ? * MON,THU *)", "UTC", "2026-11-23T02:00:00"),
        ("cron(0 2 ? * MON,THU *)", "UTC", "2026-11-26T02:00:10"),
        ("cron(30 8 ? * 2-6 *)", "Europe/Berlin", "2026-11-23T07:30:00"),
        ("cron(30 8 ? * 2-6 *)", "Europe/Berlin", "2026-07-01T06:30:00"),
        ("cron(0/15 * * * ? *)", "UTC", "2026-11-23T10:45:00"),
        ("cron(0 0 L * ? *)", "UTC", "2028-02-29T00:00:00"),
        ("cron(0 0 1W * ? *)", "UTC", "2026-08-03T00:00:00"),
        ("cron(0 0 ? * 3#2 *)", "UTC", "2026-11-10T00:00:00"),
        ("cron(0 0 ? * FRIL *)", "UTC", "2026-11-27T00:00:00"),
        ("cron(0 12 25 DEC ? 2026)", "UTC", "2026-12-25T12:00:00"),
        ("cron(0 0 LW * ? *)", "UTC", "2026-10-30T00:00:00"),
        ("cron(0 0 ? * L *)", "UTC", "2026-11-28T00:00:00"),
        ("cron(0 0 15W * ? *)", "UTC", "2026-11-16T00:00:00"),
        ("cron(5-10/5,20 0 * JAN-MAR ? 2026/2)", "UTC", "2028-02-01T00:10:00"),
        ("cron(0 2 ? * mon *)", "UTC", "2026-11-23T02:00:00"),
        ("at(2026-11-24T09:00:00)", "Asia/Tokyo", "2026-11-24T00:00:00"),
    ],
)
def test_due(expression: str, zone: str, moment: str) -> None:
    assert due(expression, moment, zone)


@pytest.mark.parametrize(
    ("expression", "zone", "moment"),
    [
        ("cron(0 2 ? * MON,THU *)", "UTC", "2026-11-24T02:00:00"),
        ("cron(0 2 ? * MON,THU *)", "UTC", "2026-11-23T02:02:00"),
        ("cron(30 8 ? * 2-6 *)", "Europe/Berlin", "2026-11-23T08:30:00"),
        ("cron(0 0 L * ? *)", "UTC", "2028-02-28T00:00:00"),
        ("cron(0 12 25 DEC ? 2026)", "UTC", "2027-12-25T12:00:00"),
        ("at(2026-11-24T09:00:00)", "UTC", "2026-11-24T10:00:00"),
        ("cron(0 0 15W * ? *)", "UTC", "2026-11-15T00:00:00"),
        ("cron(5-10/5,20 0 * JAN-MAR ? 2026/2)", "UTC", "2027-02-01T00:10:00"),
    ],
)
def test_not_due(expression: str, zone: str, moment: str) -> None:
    assert not due(expression, moment, zone)


def test_a_local_time_that_daylight_saving_repeats_is_due_once_and_one_it_skips_never() -> None:
    repeated = [due("cron(30 2 * * ? *)", f"2026-10-25T{hour}:30:00", "Europe/Berlin") for hour in ("00", "01")]
    assert repeated == [True, False]
    skipped = [due("cron(30 2 * * ? *)", f"2026-03-29T{hour}:30:00", "Europe/Berlin") for hour in ("00", "01")]
    assert skipped == [False, False]


def test_one_time_is_due_once_also_where_the_clock_jumps() -> None:
    assert due("at(2026-03-29T02:30:00)", "2026-03-29T01:30:00", "Europe/Berlin")
    repeated = [due("at(2026-10-25T02:30:00)", f"2026-10-25T{hour}:30:00", "Europe/Berlin") for hour in ("00", "01")]
    assert repeated == [True, False]


def test_an_hourly_schedule_is_due_once_in_the_hour_that_comes_twice() -> None:
    schedule = parse("cron(0 * * * ? *)", "Europe/Berlin", ANCHOR)
    hours = [utc(f"2026-10-25T{hour:02d}:00:00") for hour in range(4)]
    due_hours = [hour for hour in hours if schedule.due_at(hour - datetime.timedelta(minutes=1), hour)]
    assert due_hours == [hours[0], hours[2], hours[3]]


def test_a_long_gap_is_searched_by_days_and_finds_the_last_due_time() -> None:
    schedule = parse("cron(30 2 L JAN ? *)", "America/New_York", ANCHOR)
    assert schedule.due_at(utc("1990-01-01T00:00:00"), utc("2026-11-23T00:00:00")) == utc("2026-01-31T07:30:00")
    assert schedule.due_at(utc("2026-02-01T00:00:00"), utc("2026-11-23T00:00:00")) is None


def test_a_rate_may_be_due_at_its_anchor() -> None:
    schedule = parse("rate(1 day)", "UTC", ANCHOR, at_once=True)
    assert schedule.due_at(ANCHOR - datetime.timedelta(seconds=1), ANCHOR) == ANCHOR
    assert schedule.due_at(ANCHOR, ANCHOR + datetime.timedelta(hours=23)) is None


def test_a_rate_counts_from_its_anchor_and_catches_up_once() -> None:
    schedule = parse("rate(5 minutes)", "UTC", ANCHOR)
    assert schedule.due_at(utc("2026-11-23T00:05:00"), utc("2026-11-23T00:05:29")) is None
    assert schedule.due_at(utc("2026-11-23T00:05:29"), utc("2026-11-23T00:05:30")) == utc("2026-11-23T00:05:30")
    assert schedule.due_at(utc("2026-11-23T00:05:30"), utc("2026-11-23T00:21:00")) == utc("2026-11-23T00:20:30")
    assert schedule.due_at(utc("2026-11-22T00:00:00"), utc("2026-11-23T00:01:00")) is None


@pytest.mark.parametrize(
    ("expression", "zone"),
    [
        ("daily", "UTC"),
        ("rate(0 minutes)", "UTC"),
        ("rate(1 minutes)", "UTC"),
        ("rate(2 minute)", "UTC"),
        ("rate(30 seconds)", "UTC"),
        ("cron(0 2 * * MON *)", "UTC"),
        ("cron(0 2 ? * ? *)", "UTC"),
        ("cron(60 2 * * ? *)", "UTC"),
        ("cron(0 2 ? * FUNDAY *)", "UTC"),
        ("cron(0 2 * * ?)", "UTC"),
        ("at(tomorrow)", "UTC"),
        ("at(2026-11-24T09:00:00Z)", "UTC"),
        ("cron(0/0 2 * * ? *)", "UTC"),
        ("cron(0 2 32W * ? *)", "UTC"),
        ("cron(0 2 ? * MON#6 *)", "UTC"),
        ("cron(*-5 2 * * ? *)", "UTC"),
        ("cron(0 2 * * ? 1969)", "UTC"),
        ("rate(0.5 hours)", "UTC"),
        ("rate(1 hour)", "Mars/Olympus"),
    ],
)
def test_what_aws_refuses_is_refused(expression: str, zone: str) -> None:
    with pytest.raises(InvalidScheduleError):
        parse(expression, zone, ANCHOR)
