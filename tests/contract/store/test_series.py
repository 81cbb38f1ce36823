"""Parts of series in the database: whose turn it is, whatever editors, readers and ticks do."""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select, update

from newsletter.audience.predicate import EVERYONE
from newsletter.audience.segments import to_data
from newsletter.audience.subscriber import State
from newsletter.delivery.outcome import Status
from newsletter.store.series import SqlSeries
from newsletter.store.tables import deliveries, issues, subscribers
from newsletter.usecases.series import Approved, extension_of
from tests.contract.store.conftest import Store, entry

if TYPE_CHECKING:
    from newsletter.rendering.edition import Edition

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
START = datetime(2026, 3, 20, 12, tzinfo=UTC)  # clocks change in Europe nine days later
ZONES = ("Europe/Berlin", "Pacific/Kiritimati", "America/Los_Angeles", "Asia/Kathmandu", "Pacific/Apia", None)


@dataclass
class Course:
    """A series that is edited, and who got what of it: by reader, part and instant."""

    store: Store
    parts: dict[str, int] = field(default_factory=dict)  # in their order → days
    approved_at: dict[str, datetime] = field(default_factory=dict)
    got: dict[int, list[tuple[str, datetime]]] = field(default_factory=lambda: defaultdict(list))

    def insert(self, part: str, days: int, *, at: int, now: datetime) -> None:
        rows = list(self.parts.items())
        rows.insert(at, (part, days))
        self.parts = dict(rows)
        self.approved_at[part] = now
        self.store.editions.put("e" * 64, b"part", issue_id=part, now=now)

    def approved(self, part: str) -> Approved:
        edition: Any = SimpleNamespace(
            issue_id=part,
            hash="e" * 64,
            send_at="08:00",
            audience=SimpleNamespace(rule=to_data(EVERYONE)),
            series={"days": self.parts[part], "since": "2026-03-01", "quiet": []},
        )
        return Approved(edition=cast("Edition", edition), revision=1, at=self.approved_at[part], by="Ada")

    def tick(self, now: datetime, *, take: bool = True) -> None:
        """Plan every part, then send everything that is due, unless the provider does not *take* it."""
        series, order = SqlSeries(self.store.db), list(self.parts)
        for place, part in enumerate(order):
            extension = extension_of(
                order,
                self.approved(part),
                self.approved(order[place - 1]) if place else None,
                swept_at=series.swept_at(part),
                zones=self.store.planner.zones(),
                fallback_zone="UTC",
                now=now,
            )
            series.extend(extension, now=now)
        for issue in self.store.planner.issues() if take else ():
            while claim := self.store.claim(issue.no, now=now):
                for each in claim.deliveries:
                    self.got[each.person.id].append((issue.issue_id, now))
                self.store.accept(claim, now=now)
                self.store.close(claim, now=now)

    def zones_by_reader(self) -> dict[int, str]:
        with self.store.db.reading() as connection:
            rows = connection.execute(select(subscribers.c.id, subscribers.c.zone)).all()
        return {number: zone or "UTC" for number, zone in rows}

    def pause(self, number: int, *, until: datetime) -> None:
        with self.store.db.writing() as connection:
            connection.execute(update(subscribers).where(subscribers.c.id == number).values(paused_until=until))

    def names(self, number: int) -> list[str]:
        return [part for part, _ in self.got[number]]


@pytest.fixture
def course(store: Store) -> Course:
    made = Course(store)
    for place, (part, days) in enumerate({"c.a": 0, "c.b": 1, "c.c": 3}.items()):
        made.insert(part, days, at=place, now=START - 30 * DAY)
    return made


def test_who_joined_gets_part_after_part_at_their_own_eight_o_clock(course: Course) -> None:
    for place, zone in enumerate(ZONES):
        course.store.enter(entry(f"reader{place}", zone=zone), at=START)
    for hours in range(5 * 24):
        course.tick(START + hours * HOUR)
    homes = course.zones_by_reader()
    assert len(course.got) == len(ZONES)
    for number, parts in course.got.items():
        local = [(part, at.astimezone(ZoneInfo(homes[number]))) for part, at in parts]
        assert [part for part, _ in local] == ["c.a", "c.b", "c.c"]
        assert all(time(8) <= at.time() < time(9) for _, at in local)
        first = local[0][1].date()
        assert [(at.date() - first).days for _, at in local] == [0, 1, 3]


def test_who_pauses_goes_on_where_they_stopped(course: Course) -> None:
    course.store.enter(entry("reader1", zone="Europe/Berlin"), at=START)
    number = next(iter(course.zones_by_reader()))
    for hours in range(0, 12 * 24, 6):
        now = START + timedelta(hours=hours)
        if hours == 30:
            course.pause(number, until=now + 5 * DAY)
        course.tick(now)
        if hours == 5 * 24:
            assert course.names(number) == ["c.a"]
    assert course.names(number) == ["c.a", "c.b", "c.c"]


def test_who_paused_just_before_they_were_sent_a_part_gets_it_afterwards(course: Course) -> None:
    for name in ("reader1", "reader2"):
        course.store.enter(entry(name, zone="Europe/Berlin"), at=START)
    number = max(course.zones_by_reader())
    course.tick(START + 20 * HOUR, take=False)  # planned, and the provider takes nothing just then
    course.pause(number, until=START + 2 * DAY)
    for hours in range(21, 7 * 24, 6):
        course.tick(START + timedelta(hours=hours))
    assert course.names(number) == ["c.a", "c.b", "c.c"]
    issue = course.store.planner.planned("c.a")
    assert issue
    tally = course.store.tally(issue.no, now=START + 7 * DAY)
    assert tally.adds_up
    assert tally.by_status == {Status.ACCEPTED: 2, Status.SUPPRESSED: 1}
    (story,) = [
        each
        for each in course.store.chronicle.stories(number, now=START + 7 * DAY, not_before=START)
        if each.issue_id == "c.a"
    ]
    assert story.status is Status.ACCEPTED


def test_after_a_late_tick_the_next_part_waits_for_the_next_day(course: Course) -> None:
    """What was due at eight and left at seven the next day is not followed by more an hour later."""
    course.store.enter(entry("reader1", zone="Europe/Berlin"), at=START)
    number = next(iter(course.zones_by_reader()))
    for hours in (0, 42, 43.5, 67.5, 91.5, 115.5, 139.5):  # of the 22nd: at seven, and half past eight
        course.tick(START + timedelta(hours=hours))
    assert [f"{at:%d %H:%M}" for _, at in course.got[number]] == ["22 06:00", "23 07:30", "25 07:30"]


def test_two_ticks_that_plan_at_once_plan_nobody_twice(course: Course) -> None:
    course.store.crowd(30, zone="Asia/Kathmandu")
    now = START + 2 * DAY
    part = extension_of(
        list(course.parts),
        course.approved("c.a"),
        None,
        swept_at=None,
        zones=["Asia/Kathmandu"],
        fallback_zone="UTC",
        now=now,
    )
    assert [SqlSeries(course.store.db).extend(part, now=now) for _ in range(2)] in ([0, 0], [30, 0])
    with course.store.db.reading() as connection:
        rows = connection.execute(select(deliveries.c.seq).order_by(deliveries.c.seq)).scalars().all()
        assert connection.execute(select(issues.c.candidates)).scalar() == len(rows)
    assert rows == sorted(set(rows))


@dataclass
class Life:
    """What editors and readers do to a series, by chance."""

    course: Course
    dice: random.Random
    born: int = 0
    away: set[int] = field(default_factory=set)

    def one_deed(self, now: datetime) -> None:
        deeds = (
            self.join,
            self.join,
            self.insert,
            self.remove,
            self.shuffle,
            self.move,
            self.move,
            self.pause,
            self.leave,
        )
        (self.dice.choice(deeds) if self.born else self.join)(now)

    def join(self, now: datetime) -> None:
        self.born += 1
        self.course.store.enter(entry(f"reader{self.born}", zone=self.dice.choice(ZONES)), at=now)

    def insert(self, now: datetime) -> None:
        if len(self.course.parts) < 6:
            place = self.dice.randrange(len(self.course.parts) + 1)
            self.course.insert(f"c.new{now:%d%H%M}", self.dice.randrange(4), at=place, now=now)

    def remove(self, _now: datetime) -> None:
        if len(self.course.parts) > 2:
            self.course.parts.pop(self.dice.choice(list(self.course.parts)))

    def shuffle(self, _now: datetime) -> None:
        rows = list(self.course.parts.items())
        self.dice.shuffle(rows)
        self.course.parts = dict(rows)

    def move(self, now: datetime) -> None:
        mover = self.dice.randint(1, self.born)
        self.course.store.enter(entry(f"reader{mover}", zone=self.dice.choice(ZONES)), at=now)

    def pause(self, now: datetime) -> None:
        number = self.dice.choice(list(self.course.zones_by_reader()))
        self.course.pause(number, until=now + timedelta(days=self.dice.uniform(0, 4)))

    def leave(self, now: datetime) -> None:
        gone = self.dice.randint(1, self.born)
        self.away.add(gone)
        self.course.store.enter(entry(f"reader{gone}", state=State.UNSUBSCRIBED), at=now)


def test_whatever_happens_nobody_gets_a_part_twice_or_two_at_once_and_nobody_misses_one(course: Course) -> None:
    """Parts are put in, removed and moved; readers join, leave, pause and move; ticks are late, providers busy."""
    life = Life(course, random.Random(2))
    now, took = START, True
    while now < START + 10 * DAY:
        life.one_deed(now)
        took = not took or life.dice.random() < 0.8
        course.tick(now, take=took)
        now += timedelta(minutes=life.dice.choice((30, 60, 180, 360, 720)))
    for _ in range(24):  # and then nothing happens any more
        now += 12 * HOUR
        course.tick(now)
    with course.store.db.reading() as connection:
        people = connection.execute(select(subscribers.c.id, subscribers.c.address)).all()
    for number, address in people:
        names, times = course.names(number), [at for _, at in course.got[number]]
        assert len(names) == len(set(names))
        assert all(later - sooner >= 6 * HOUR for sooner, later in pairwise(times))
        if int(address.partition("@")[0].removeprefix("reader")) not in life.away:
            assert set(course.parts) <= set(names)
