"""When a letter is due: the reader's own clock, through every jump of it."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.schedule import due_at, due_by_zone

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
