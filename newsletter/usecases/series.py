"""Series: letters that come one after the other to everybody who joined, each at its own time after joining.

Nobody gets a part twice or misses one, whatever is moved, edited or put in between: a part goes to those who have had
all parts before it and not this one, and never sooner after the last than the parts are apart.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from newsletter.audience.predicate import Predicate
from newsletter.audience.segments import from_data
from newsletter.delivery.plan import Extension, Turnout
from newsletter.errors import NotFound
from newsletter.rendering.edition import Edition
from newsletter.schedule import Part, Quiet, due_at, earliest, joined_before, today_in

CATCH_UP = timedelta(hours=24)  # how long after its time of day a part is still planned for that day
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Approved:
    """A part of a series as it was approved."""

    edition: Edition
    revision: int
    at: datetime
    by: str

    @property
    def days(self) -> int:
        """How many days after joining it is due."""
        return int(self._series["days"])

    @property
    def part(self) -> Part:
        """When it is due."""
        quiet = frozenset(self._series["quiet"])
        weekdays = frozenset(number for number, name in enumerate(_WEEKDAYS) if name in quiet)
        at = time.fromisoformat(self.edition.send_at)
        return Part(days=self.days, at=at, quiet=Quiet(weekdays=weekdays, days=quiet))

    @property
    def audience(self) -> Predicate:
        """Whom it is for, of those who joined."""
        return from_data(self.edition.audience.rule)

    @property
    def since(self) -> datetime:
        """When the first who get it can have joined: as soon as it was that day anywhere."""
        return earliest(date.fromisoformat(self._series["since"]))

    @property
    def _series(self) -> dict[str, str]:
        if self.edition.series is None:
            raise ValueError("this letter is no part of a series")
        return dict(self.edition.series)


_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def extension_of(
    parts: Sequence[str],
    approved: Approved,
    before: Approved | None,
    *,
    swept_at: datetime | None,
    zones: Iterable[str],
    fallback_zone: str,
    now: datetime,
) -> Extension:
    """Whom a part goes to now: in the zones whose time for it has come since *swept_at*, for at most a day.

    *parts* are the ids of all parts in their order, *before* is the one before it. A part that was never looked at
    is new since its approval: the time of day that was before was nobody's. One that was looked at in the future, by
    a clock that was ahead, is looked at as after a long pause.
    """
    if swept_at and swept_at > now:
        swept_at = now - CATCH_UP
    place = parts.index(approved.edition.issue_id)
    rest = max(1, approved.days - before.days) if before else 1
    return Extension(
        issue_id=approved.edition.issue_id,
        revision=approved.revision,
        edition_hash=approved.edition.hash,
        audience=approved.audience,
        since=approved.since,
        earlier=tuple(parts[:place]),
        parts=tuple(parts),
        turnouts=tuple(
            _turnouts(
                approved.part,
                zones,
                fallback_zone,
                rest=rest,
                since=max(swept_at or approved.at, now - CATCH_UP),
                now=now,
            )
        ),
    )


def _turnouts(
    part: Part, zones: Iterable[str], fallback_zone: str, *, rest: int, since: datetime, now: datetime
) -> Iterable[Turnout]:
    """The zones in which the part's time of day came after *since*, grouped by what they have in common."""
    groups: dict[tuple[datetime, datetime, datetime], list[str]] = defaultdict(list)
    for zone in (*zones, ""):
        try:
            bounds = list(_bounds(part, zone or fallback_zone, rest=rest, since=since, now=now))
        except NotFound:  # no zone: as for those whose zone is unknown
            bounds = list(_bounds(part, fallback_zone, rest=rest, since=since, now=now))
        for found in bounds:
            groups[found].append(zone)
    for (due, joined, rested), members in sorted(groups.items()):
        named = tuple(zone for zone in members if zone)
        yield Turnout(due_at=due, joined_before=joined, rested_since=rested, zones=named, others="" in members)


def _bounds(
    part: Part, zone: str, *, rest: int, since: datetime, now: datetime
) -> Iterable[tuple[datetime, datetime, datetime]]:
    today = today_in(zone, now)
    for day in (today - _DAY, today):
        due = due_at(day, part.at, zone)
        if since < due <= now and (joined := joined_before(part, day, zone)):
            yield due, joined, due_at(day - (rest - 1) * _DAY, time(0), zone)
