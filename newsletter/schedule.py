"""When a letter is due for whom: pure functions of the letter, a reader's time zone, and when they joined."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from newsletter.errors import NotFound

_AHEAD = timedelta(hours=14)  # Pacific/Kiritimati; nobody's clock is further on
_DAY = timedelta(days=1)
_QUIET_AT_MOST = 400  # days in a row; whoever is quiet for longer sends no series


@dataclass(frozen=True, slots=True, kw_only=True)
class Quiet:
    """The days on which nothing new begins: weekdays (Monday is 0), and days as `MM-DD` or `YYYY-MM-DD`."""

    weekdays: frozenset[int] = frozenset()
    days: frozenset[str] = frozenset()

    def __contains__(self, day: date) -> bool:
        """Whether *day* is one of them."""
        return day.weekday() in self.weekdays or bool(self.days & {f"{day:%m-%d}", day.isoformat()})


NEVER_QUIET = Quiet()


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """When a part of a series is due: *days* after joining, at a local time, on the first day that is not quiet."""

    days: int
    at: time
    quiet: Quiet = NEVER_QUIET


def due_at(day: date, at: time, zone: str) -> datetime:
    """The instant, in UTC, at which *zone*'s clocks show *at* on *day*.

    A time that a clock change skips is as much later as the clock jumps; of a time that comes twice it is
    the first (both as RFC 5545 §3.3.5 has it). Raises NotFound for a name that is no zone.
    """
    return datetime.combine(day, at, tzinfo=_zone(zone)).astimezone(UTC)


@cache
def _zone(name: str) -> ZoneInfo:
    """The zone; the library's own keeps eight, and there are six hundred. Raises NotFound."""
    try:
        return ZoneInfo(name)
    except (ValueError, KeyError, OSError):
        hint = "if it is a new one, this machine's time zones are too old: update tzdata"
        raise NotFound(f"no time zone is called {name!r} here", hint=hint) from None


def today_in(zone: str, now: datetime) -> date:
    """The day that it is in *zone*. Raises NotFound for a name that is no zone."""
    return now.astimezone(_zone(zone)).date()


def due_by_zone(day: date, at: time, zones: Iterable[str], *, only: str | None = None) -> dict[str, datetime]:
    """`due_at` of every zone that exists; with *only*, all are due when that one is.

    Names that are no zone are left out: whoever has one is due with those whose zone is unknown.
    """
    if only:
        return dict.fromkeys(zones, due_at(day, at, only))
    due = {}
    for zone in zones:
        try:
            due[zone] = due_at(day, at, zone)
        except NotFound:
            continue
    return due


def earliest(day: date) -> datetime:
    """The first instant at which it is *day* anywhere: nothing of that day is due before."""
    return datetime.combine(day, time(0), tzinfo=UTC) - _AHEAD


def day_in(letter: str) -> date | None:
    """The day in the name of a letter; None if no calendar has it."""
    try:
        return date.fromisoformat(letter[:10])
    except ValueError:
        return None


def newest_day(now: datetime) -> date:
    """The latest day that it is anywhere: the last whose `earliest` has come."""
    return (now + _AHEAD).date()


def next_weekday(today: date, weekday: int, *, quiet: Quiet = NEVER_QUIET) -> date:
    """The next day after *today* that is *weekday* (Monday is 0) and not quiet."""
    day = today + timedelta(days=(weekday - today.weekday() - 1) % 7 + 1)
    weeks = range(_QUIET_AT_MOST // 7)
    return next((each for week in weeks if (each := day + week * 7 * _DAY) not in quiet), day)


def part_due(part: Part, joined_at: datetime, zone: str) -> datetime:
    """The instant, in UTC, at which *part* is due for somebody who joined then and lives there."""
    day = today_in(zone, joined_at) + part.days * _DAY
    for _ in range(_QUIET_AT_MOST):
        if day not in part.quiet and (due := due_at(day, part.at, zone)) > joined_at:
            return due
        day += _DAY
    raise ValueError("every day is quiet")


def joined_before(part: Part, day: date, zone: str) -> datetime | None:
    """For whom *part* is due in *zone* on *day* or earlier: all who joined before this; None on a quiet day.

    The other side of `part_due`, by which people are chosen in the database and not one by one.
    """
    if day in part.quiet:
        return None
    midnight = due_at(day - (part.days - 1) * _DAY, time(0), zone)
    return min(midnight, due_at(day, part.at, zone))
