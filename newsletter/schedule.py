"""When a letter is due for whom: a pure function of the letter and a reader's time zone."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo


def due_at(day: date, at: time, zone: str) -> datetime:
    """The instant, in UTC, at which *zone*'s clocks show *at* on *day*.

    A time that a clock change skips is as much later as the clock jumps; of a time that comes twice it is
    the first (both as RFC 5545 §3.3.5 has it). Raises ZoneInfoNotFoundError for a name that is no zone.
    """
    return datetime.combine(day, at, tzinfo=ZoneInfo(zone)).astimezone(UTC)


def due_by_zone(day: date, at: time, zones: Iterable[str], *, only: str | None = None) -> dict[str, datetime]:
    """`due_at` of every zone that exists; with *only*, all are due when that one is.

    Names that are no zone are left out: whoever has one is due with those whose zone is unknown.
    """
    due = {}
    for zone in zones:
        try:
            due[zone] = due_at(day, at, only or zone)
        except (ValueError, KeyError, OSError):
            continue
    return due
