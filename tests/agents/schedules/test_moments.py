"""The moments of a schedule: in order, none lost, none twice, whatever the clocks do."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.schedules.moments import LONGEST, SHORTEST, check_timing, moments, newest, upcoming
from foundation.errors import InvalidError

ZONES = (
    "UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "Africa/Casablanca",
    "Europe/Dublin", "America/St_Johns", "Pacific/Chatham", "Antarctica/Troll", "Pacific/Apia",
)  # fmt: skip
SINCE = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Plan:
    """A schedule without a row."""

    expression: str = ""
    time_zone: str = "UTC"
    kind: str = "cron"
    starts_at: datetime = datetime(2020, 1, 1, tzinfo=UTC)
    ends_at: datetime | None = None


def at(text: str) -> datetime:
    """UTC, without seconds."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def shown(plan: Plan, after: str, count: int) -> list[str]:
    """The next moments as the wall's clock of the schedule's zone shows them, with the offset."""
    zone = ZoneInfo(plan.time_zone)
    return [f"{one.astimezone(zone):%m-%d %H:%M %z}" for one in upcoming(plan, at(after), count)]


@pytest.mark.parametrize(
    ("zone", "line", "after", "expected"),
    [
        # The hour that is left out: once, right after it.
        ("Europe/Berlin", "30 2 * * *", "2026-03-28 12:00", ["03-29 03:00 +0200", "03-30 02:30 +0200"]),
        ("Europe/Berlin", "30 2 * * *", "2027-03-27 12:00", ["03-28 03:00 +0200", "03-29 02:30 +0200"]),
        ("America/New_York", "30 2 * * *", "2026-03-07 12:00", ["03-08 03:00 -0400", "03-09 02:30 -0400"]),
        ("America/New_York", "30 2 * * *", "2027-03-13 12:00", ["03-14 03:00 -0400", "03-15 02:30 -0400"]),
        # The hour that comes twice: once, the first time.
        ("Europe/Berlin", "30 2 * * *", "2026-10-24 12:00", ["10-25 02:30 +0200", "10-26 02:30 +0100"]),
        ("Europe/Berlin", "30 2 * * *", "2027-10-30 12:00", ["10-31 02:30 +0200", "11-01 02:30 +0100"]),
        ("America/New_York", "30 1 * * *", "2026-10-31 12:00", ["11-01 01:30 -0400", "11-02 01:30 -0500"]),
        ("America/New_York", "30 1 * * *", "2027-11-06 12:00", ["11-07 01:30 -0400", "11-08 01:30 -0500"]),
        # Seen from within the second of the two: it was there already.
        ("Europe/Berlin", "30 2 * * *", "2026-10-25 01:10", ["10-26 02:30 +0100"]),
        ("Europe/Berlin", "15,45 2 * * *", "2026-10-25 00:20", ["10-25 02:45 +0200", "10-26 02:15 +0100"]),
        # Moments of the gap that fall on one instant are one.
        ("Europe/Berlin", "*/15 2,3 * * *", "2026-03-29 00:00", ["03-29 03:00 +0200", "03-29 03:15 +0200"]),
        ("Europe/Berlin", "0 */2 * * *", "2026-03-28 23:00", ["03-29 03:00 +0200", "03-29 04:00 +0200"]),
        # Every hour means every hour that passes.
        ("Europe/Berlin", "0 * * * *", "2026-03-29 00:00", ["03-29 03:00 +0200", "03-29 04:00 +0200"]),
        ("Europe/Berlin", "0 * * * *", "2026-10-24 23:30",
         ["10-25 02:00 +0200", "10-25 02:00 +0100", "10-25 03:00 +0100"]),
        ("Europe/Berlin", "*/30 * * * *", "2026-10-25 00:00",
         ["10-25 02:30 +0200", "10-25 02:00 +0100", "10-25 02:30 +0100", "10-25 03:00 +0100"]),
        # A shift of half an hour, both ways.
        ("Australia/Lord_Howe", "15 2 * * *", "2026-10-03 00:00", ["10-04 02:30 +1100", "10-05 02:15 +1100"]),
        ("Australia/Lord_Howe", "45 1 * * *", "2027-04-03 00:00", ["04-04 01:45 +1100", "04-05 01:45 +1030"]),
        ("Australia/Lord_Howe", "*/15 * * * *", "2026-10-03 15:20", ["10-04 02:30 +1100", "10-04 02:45 +1100"]),
        ("Australia/Lord_Howe", "*/15 * * * *", "2027-04-03 14:40",
         ["04-04 01:45 +1100", "04-04 01:30 +1030", "04-04 01:45 +1030", "04-04 02:00 +1030"]),
        ("Australia/Lord_Howe", "10 * * * *", "2027-04-03 13:50",
         ["04-04 01:10 +1100", "04-04 02:10 +1030"]),
        # A whole day that was never there.
        ("Pacific/Apia", "0 9 * * *", "2011-12-29 00:00",
         ["12-29 09:00 -1000", "12-31 00:00 +1400", "12-31 09:00 +1400"]),
    ],
)  # fmt: skip
def test_when_the_clocks_change(zone: str, line: str, after: str, expected: list[str]) -> None:
    early = datetime(2000, 1, 1, tzinfo=UTC)
    assert shown(Plan(line, zone, starts_at=early), after, len(expected)) == expected


def test_without_changes_it_is_plain_cron() -> None:
    assert shown(Plan("0 9 * * MON-FRI", "Asia/Kolkata"), "2026-11-20 12:00", 3) == [
        "11-23 09:00 +0530", "11-24 09:00 +0530", "11-25 09:00 +0530",
    ]  # fmt: skip
    assert shown(Plan("0 0 29 2 *"), "2026-01-01", 2) == ["02-29 00:00 +0000"] * 2


def test_the_start_counts_and_so_does_the_end() -> None:
    plan = Plan("0 * * * *", starts_at=at("2026-01-01 10:00"), ends_at=at("2026-01-01 12:00"))
    assert upcoming(plan, SINCE - timedelta(days=9), 9) == [at(f"2026-01-01 {hour}:00") for hour in (10, 11, 12)]
    assert upcoming(plan, at("2026-01-01 12:00"), 9) == []


def test_an_interval_counts_real_seconds_from_its_start() -> None:
    start = at("2026-03-28 12:30")
    plan = Plan("86400", "Europe/Berlin", "interval", starts_at=start)
    assert upcoming(plan, start - timedelta(days=3), 3) == [start + timedelta(days=day) for day in range(3)]
    assert upcoming(plan, start, 1) == [start + timedelta(days=1)]


def test_once_is_once() -> None:
    plan = Plan(kind="once", starts_at=SINCE)
    assert upcoming(plan, SINCE - timedelta(days=1), 5) == [SINCE]
    assert upcoming(plan, SINCE, 5) == []


def on_the_wall(line: Any, minute: datetime) -> bool:
    """The plainest reading of a cron line: does the clock on the wall show it?"""
    minutes, hours, days, _months, weekdays = line
    return (
        minute.minute in minutes and minute.hour in hours and minute.day in days and minute.isoweekday() % 7 in weekdays
    )  # fmt: skip


def written(values: set[int], whole: int) -> str:
    return "*" if len(values) == whole else ",".join(map(str, sorted(values)))


FIELDS = st.tuples(
    st.sets(st.integers(0, 59), min_size=1, max_size=4),
    st.one_of(st.just(set(range(24))), st.sets(st.integers(0, 23), min_size=1, max_size=4),
              st.sets(st.integers(0, 4), min_size=1)),
    st.one_of(st.just(set(range(1, 32))), st.sets(st.integers(1, 31), min_size=9, max_size=20)),
    st.just({*range(1, 13)}),
    st.just({*range(7)}),
)  # fmt: skip
CHANGES = [  # some days at which clocks change somewhere, and some at which none does
    datetime(2026, month, day, tzinfo=UTC)
    for month, day in ((3, 29), (10, 25), (3, 8), (11, 1), (4, 5), (10, 4), (2, 15), (3, 22), (4, 12), (9, 27), (6, 1))
]


@settings(max_examples=50, deadline=None)
@given(FIELDS, st.sampled_from(ZONES), st.sampled_from(CHANGES), st.integers(-36 * 60, 12 * 60))
@pytest.mark.slow
def test_in_order_none_lost_none_twice(line: Any, name: str, around: datetime, minutes: int) -> None:
    """Against a walk through every minute of two days around a change of the clocks."""
    zone, hours = ZoneInfo(name), line[1]
    fields = [written(values, whole) for values, whole in zip(line, (60, 24, 31, 12, 7), strict=True)]
    plan = Plan(" ".join(fields), name)
    since = around + timedelta(minutes=minutes)
    until = since + timedelta(days=2)
    found = [one for one in upcoming(plan, since, 60 * 48) if one <= until]
    assert all(one < other for one, other in pairwise([since, *found]))
    if len(hours) == 24:
        passing = (since + timedelta(minutes=step) for step in range(1, 2 * 1440 + 1))
        assert found == [one for one in passing if on_the_wall(line, one.astimezone(zone))]
        return
    wall = (around - timedelta(days=2)).replace(tzinfo=None)
    shown_once = set()
    for step in range(6 * 1440):
        minute = wall + timedelta(minutes=step)
        if on_the_wall(line, minute):
            instant = minute.replace(tzinfo=zone).astimezone(UTC)
            while instant.astimezone(zone).replace(tzinfo=None) != minute:  # in the gap: the first minute after it
                minute += timedelta(minutes=1)
                instant = minute.replace(tzinfo=zone).astimezone(UTC)
            shown_once.add(instant)
    assert found == sorted(one for one in shown_once if since < one <= until)


@settings(max_examples=25, deadline=None)
@given(FIELDS, st.sampled_from(ZONES), st.sampled_from(CHANGES), st.integers(1, 9))
def test_one_by_one_is_the_same_as_all_at_once(line: Any, name: str, around: datetime, step: int) -> None:
    """A tick that takes them in any portions, each after the last one, misses none."""
    fields = [written(values, whole) for values, whole in zip(line, (60, 24, 31, 12, 7), strict=True)]
    plan, here, taken = Plan(" ".join(fields), name), around - timedelta(days=1), []
    while len(taken) < 30:
        some = upcoming(plan, here, step)
        taken += some
        here = some[-1]
    assert taken[:30] == upcoming(plan, around - timedelta(days=1), 30)


@settings(max_examples=25, deadline=None)
@given(FIELDS, st.sampled_from(ZONES), st.sampled_from(CHANGES), st.integers(1, 500), st.integers(1, 20))
@pytest.mark.slow
def test_the_newest_are_the_end_of_all(line: Any, name: str, around: datetime, hours: int, most: int) -> None:
    fields = [written(values, whole) for values, whole in zip(line, (60, 24, 31, 12, 7), strict=True)]
    plan, until = Plan(" ".join(fields), name), around + timedelta(hours=hours)
    whole = [one for one in upcoming(plan, around - timedelta(microseconds=1), 5_000) if one <= until]
    found = newest(plan, around, until, most)
    assert found.moments == whole[-most:]
    assert found.older == (len(whole) > most)


def test_a_year_of_minutes_is_not_walked() -> None:
    plan = Plan("* * * * *", "Europe/Berlin")
    found = newest(plan, SINCE, SINCE + timedelta(days=365), 100)
    assert (len(found.moments), found.older) == (100, True)
    assert found.moments[-1] == SINCE + timedelta(days=365)


@given(st.text(alphabet="0123456789*/,-#LW MONJAN", max_size=30))
@settings(max_examples=300, deadline=None)
def test_a_line_is_right_or_refused(line: str) -> None:
    try:
        check_timing(Plan(line))
    except InvalidError:
        return
    first = upcoming(Plan(line), SINCE, 2)
    assert first == sorted(first)
    assert next(moments(Plan(line), SINCE)) == first[0]


@pytest.mark.parametrize(
    ("field", "plan"),
    [
        ("expression", Plan("* * * *")),
        ("expression", Plan("* * * * * *")),
        ("expression", Plan("61 * * * *")),
        ("expression", Plan("@daily")),
        ("expression", Plan("* * */20 * 1L")),
        ("expression", Plan("0 0 31 2 *")),
        ("time_zone", Plan("* * * * *", "Europe/Atlantis")),
        ("time_zone", Plan("* * * * *", "../../etc/passwd")),
        ("time_zone", Plan("* * * * *", "")),
        ("time_zone", Plan("* * * * *", "Europe")),
        ("ends_at", Plan("* * * * *", ends_at=datetime(2019, 1, 1, tzinfo=UTC))),
        ("expression", Plan(str(SHORTEST - 1), kind="interval")),
        ("expression", Plan(str(LONGEST + 1), kind="interval")),
        ("expression", Plan("١٢٣", kind="interval")),
        ("expression", Plan("60.5", kind="interval")),
        ("expression", Plan("60", kind="once")),
        ("kind", Plan(kind="often")),
    ],
)
def test_what_names_no_moments_is_refused(field: str, plan: Plan) -> None:
    with pytest.raises(InvalidError) as told:
        check_timing(plan)
    assert told.value.field == field
