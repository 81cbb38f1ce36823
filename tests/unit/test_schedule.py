"""When a letter is due: the reader's own clock, through every jump of it."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.schedule import (
    Part,
    Quiet,
    due_at,
    due_by_zone,
    earliest,
    joined_before,
    next_weekday,
    part_due,
)

ZONES = sorted(available_timezones() - {"localtime", "Factory"})
MONDAY = date(2026, 11, 23)


def test_eight_oclock_comes_to_all_zones_within_25_hours() -> None:
    due = due_by_zone(MONDAY, time(8), ZONES)
    assert set(due) == set(ZONES)
    assert min(due.values()) == datetime(2026, 11, 22, 18, tzinfo=UTC)
    assert max(due.values()) == datetime(2026, 11, 23, 20, tzinfo=UTC)  # Etc/GMT+12, where nobody lives
    lived_in = [instant for zone, instant in due.items() if not zone.startswith("Etc/")]
    assert max(lived_in) == datetime(2026, 11, 23, 19, tzinfo=UTC)


@given(st.sampled_from(ZONES), st.dates(date(2020, 1, 1), date(2039, 12, 31)), st.times())
def test_the_clock_on_the_wall_shows_the_time_or_jumped_over_it(zone: str, day: date, at: time) -> None:
    at = at.replace(second=0, microsecond=0, fold=0)
    instant = due_at(day, at, zone)
    shown = instant.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    wanted = datetime.combine(day, at)
    assert instant.utcoffset() == timedelta(0)
    assert shown >= wanted
    assert shown - wanted <= timedelta(hours=24 if zone in ("Pacific/Apia", "Pacific/Fakaofo") else 2)


@pytest.mark.parametrize(
    ("day", "at", "zone", "instant"),
    [
        (date(2026, 3, 29), time(2, 30), "Europe/Berlin", datetime(2026, 3, 29, 1, 30, tzinfo=UTC)),  # skipped: 03:30
        (
            date(2026, 10, 25),
            time(2, 30),
            "Europe/Berlin",
            datetime(2026, 10, 25, 0, 30, tzinfo=UTC),
        ),  # twice: the first
        (MONDAY, time(8), "Asia/Kathmandu", datetime(2026, 11, 23, 2, 15, tzinfo=UTC)),
    ],
)
def test_a_skipped_time_shifts_and_a_doubled_one_is_the_first(
    day: date, at: time, zone: str, instant: datetime
) -> None:
    assert due_at(day, at, zone) == instant


def test_one_instant_for_all_is_one_instant() -> None:
    due = due_by_zone(MONDAY, time(17), ["Asia/Tokyo", "America/Chicago"], only="Europe/Berlin")
    assert set(due.values()) == {datetime(2026, 11, 23, 16, tzinfo=UTC)}


def test_names_that_are_no_zone_are_left_out() -> None:
    assert list(due_by_zone(MONDAY, time(8), ["Mars/Olympus", "", "../etc/passwd", "Asia/Tokyo"])) == ["Asia/Tokyo"]


def test_no_day_begins_before_its_earliest_instant() -> None:
    assert min(due_at(MONDAY, time(0), zone) for zone in ZONES) == earliest(MONDAY)


def test_the_next_weekday_is_never_today() -> None:
    assert next_weekday(MONDAY, 0) == MONDAY + timedelta(days=7)
    assert next_weekday(MONDAY, 3) == date(2026, 11, 26)
    assert next_weekday(MONDAY, 6) == date(2026, 11, 29)
    assert next_weekday(MONDAY, 0, quiet=Quiet(days=frozenset({"11-30"}))) == MONDAY + timedelta(days=14)


WEEKEND = Quiet(weekdays=frozenset({5, 6}), days=frozenset({"12-25", "2027-01-01"}))


@pytest.mark.parametrize(
    ("days", "joined", "due"),
    [
        (0, "2026-11-23T06:59:59", "2026-11-23T07:00:00"),  # before eight in Berlin: today
        (0, "2026-11-23T07:00:00", "2026-11-24T07:00:00"),  # at eight: tomorrow
        (1, "2026-11-23T22:59:00", "2026-11-24T07:00:00"),
        (1, "2026-11-23T23:01:00", "2026-11-25T07:00:00"),  # past midnight in Berlin
        (2, "2026-11-26T10:00:00", "2026-11-30T07:00:00"),  # Saturday: Monday
        (1, "2026-12-24T10:00:00", "2026-12-28T07:00:00"),  # Christmas, then a weekend
        (1, "2026-12-31T10:00:00", "2027-01-04T07:00:00"),
    ],
)
def test_a_part_comes_so_many_days_after_joining_and_skips_quiet_days(days: int, joined: str, due: str) -> None:
    part = Part(days=days, at=time(8), quiet=WEEKEND)
    at = part_due(part, datetime.fromisoformat(joined).replace(tzinfo=UTC), "Europe/Berlin")
    assert at == datetime.fromisoformat(due).replace(tzinfo=UTC)


def test_nobody_can_be_quiet_for_ever() -> None:
    with pytest.raises(ValueError, match="every day"):
        part_due(Part(days=0, at=time(8), quiet=Quiet(weekdays=frozenset(range(7)))), earliest(MONDAY), "UTC")


@given(
    st.sampled_from(ZONES),
    st.integers(int(datetime(2020, 1, 1, tzinfo=UTC).timestamp()), int(datetime(2039, 12, 1, tzinfo=UTC).timestamp())),
    st.builds(
        Part,
        days=st.integers(0, 60),
        at=st.times().map(lambda at: at.replace(second=0, microsecond=0, fold=0)),
        quiet=st.builds(Quiet, weekdays=st.frozensets(st.integers(0, 6), max_size=6)),
    ),
    st.integers(-3, 12),
)
def test_choosing_by_a_bound_is_choosing_one_by_one(zone: str, seconds: int, part: Part, later: int) -> None:
    joined = datetime.fromtimestamp(seconds, UTC)
    due = part_due(part, joined, zone)
    day = due.astimezone(ZoneInfo(zone)).date() + timedelta(days=later)
    bound = joined_before(part, day, zone)
    if day in part.quiet:
        assert bound is None
    else:
        assert bound is not None
        assert (joined < bound) == (due <= due_at(day, part.at, zone))
