"""Plan, claim, fill, build, record: the whole engine on SQLite, with a provider that throws the messages away.

The sender is a process of its own, so that its memory is its own; nothing it says is believed before the
ledger says the same.
"""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import date, timedelta
from datetime import time as dawn
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks.letters import ROOT, compiled
from benchmarks.measure import PAIRS, Row, Target, Verdict, compare, judge
from benchmarks.people import ZONES, entries
from benchmarks.sender import WINDOW
from newsletter.audience.consent import Evidence
from newsletter.delivery.outcome import Status
from newsletter.delivery.plan import PlannedIssue
from newsletter.rendering.edition import Edition
from newsletter.schedule import due_at
from newsletter.store.chronicle import SqlChronicle
from newsletter.store.db import Database, connect
from newsletter.store.editions import SqlEditions
from newsletter.store.planner import SqlPlanner
from newsletter.store.schema import upgrade
from newsletter.store.subscribers import SqlPeople
from newsletter.usecases.enrol import import_people
from newsletter.usecases.prepare import look_ahead, plan_for, write_plan

BATCHES = (1000, 50)
SMALL, MIDDLE, LARGE = 10_000, 100_000, 1_000_000
LARGE_PAIRS = 3
SENDER_MB, GROWTH_MB = 70, 8
_AS_QUICK = Target(least=0.85, per_cent=True)
_AS_CHEAP = Target(most=1.15, per_cent=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """How sending one issue went; `mb` is the most memory the sender ever had."""

    people: int
    send_s: float
    cpu_s: float
    mb: float

    @property
    def rate(self) -> float:
        """Messages a second, the plan not counted."""
        return self.people / self.send_s

    @property
    def cpu_us(self) -> float:
        """Microseconds of processor time for one message."""
        return self.cpu_s / self.people * 1e6


def rows(*, full: bool) -> Iterator[Row]:
    """The table's lines; *full* goes on to a million people."""
    edition = compiled(45).edition
    with TemporaryDirectory(prefix="newsletter-engine-") as name:
        small, middle = (MailingList(Path(name), edition, people) for people in (SMALL, MIDDLE))
        for batch_size in BATCHES:
            yield from _sizes(small, middle, batch_size=batch_size, pairs=PAIRS)
        yield _plan(middle)
        if full:
            yield from _sizes(middle, MailingList(Path(name), edition, LARGE), batch_size=BATCHES[0], pairs=LARGE_PAIRS)


def _sizes(one: MailingList, other: MailingList, *, batch_size: int, pairs: int) -> Iterator[Row]:
    """Both lists mailed in turn: is the larger one as quick, and is the sender no bigger?"""
    sent = [(one.send(batch_size), other.send(batch_size)) for _ in range(pairs)]
    firsts, seconds = zip(*sent, strict=True)
    words = f"{other.people:,} people, batches of {batch_size:,}"
    yield Row(
        what=f"{words}: messages a second",
        ours=f"{median(each.rate for each in seconds):,.0f}/s",
        ceiling=f"{one.people:,} people: {median(each.rate for each in firsts):,.0f}/s",
        verdict=judge((second.rate / first.rate for first, second in sent), _AS_QUICK),
    )
    # The disk decides the rate, and others write to it too; what a message costs us they hardly touch.
    yield Row(
        what=f"{words}: processor time of a message",
        ours=f"{median(each.cpu_us for each in seconds):.0f} µs",
        ceiling=f"{one.people:,} people: {median(each.cpu_us for each in firsts):.0f} µs",
        verdict=judge((second.cpu_us / first.cpu_us for first, second in sent), _AS_CHEAP),
    )
    small, large = (median(each.mb for each in group) for group in (firsts, seconds))
    growth = [second.mb - first.mb for first, second in sent]
    yield Row(
        what=f"{words}: memory of the sender",
        ours=f"{large:.0f} MB",
        ceiling=f"{one.people:,} people: {small:.0f} MB",
        verdict=Verdict(
            result=f"{median(growth):+.1f} MB",
            spread=f"{min(growth):+.1f} to {max(growth):+.1f} MB",
            target=f"≤ +{GROWTH_MB} MB, ≤ {SENDER_MB} MB in all",
            met=median(growth) <= GROWTH_MB and large <= SENDER_MB,
        ),
    )


def _plan(people: MailingList) -> Row:
    return compare(
        f"the plan of {people.people:,} deliveries",
        ours=people.plan,
        ceiling=people.plan_by_hand,
        called="INSERT … SELECT typed by hand",
        target=Target(most=2),
    )


class MailingList:
    """A database with a list of *people*, and as many issues of one letter as are measured."""

    def __init__(self, folder: Path, edition: Edition, people: int) -> None:
        """Make the database below *folder* and enter everybody."""
        self._edition = edition
        self._issues = 0
        self._path = folder / f"{people}.db"
        self.people = people
        # All are due and nobody's time has passed: the last zone's eight o'clock was an hour ago.
        day, at = date.fromisoformat(edition.send_day), dawn.fromisoformat(edition.send_at)
        self._now = due_at(day, at, ZONES[0]) + timedelta(hours=1)
        self._url = f"sqlite:///{self._path}"
        database = connect(self._url)
        upgrade(database)
        evidence = Evidence(at=self._now, how="import", source="made up")
        import_people(
            entries(people),
            people=SqlPeople(database),
            evidence=evidence,
            now=self._now - timedelta(days=9),
            watch=lambda _: None,
        )
        database.close()

    def plan(self) -> float:
        """Seconds it takes to plan one more issue for everybody."""
        database = connect(self._url)
        start = time.perf_counter()
        self._plan(database)
        seconds = time.perf_counter() - start
        database.close()
        return seconds

    def plan_by_hand(self) -> float:
        """Seconds the database takes for the deliveries alone, into a table like the ledger's."""
        with closing(sqlite3.connect(self._path, isolation_level=None)) as raw:
            for statement in ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL", _LIKE_DELIVERIES):
                raw.execute(statement)
            start = time.perf_counter()
            for statement in ("BEGIN IMMEDIATE", _BY_HAND, "COMMIT"):
                raw.execute(statement)
            seconds = time.perf_counter() - start
            (found,) = raw.execute("SELECT count(*) FROM by_hand").fetchone()
            assert found == self._expected
            raw.execute("DROP TABLE by_hand")
        return seconds

    def send(self, batch_size: int, *, carrier: str = "building") -> Sent:
        """Plan and send one more issue by a carrier of the sender's. Raises AssertionError if one is missing."""
        database = connect(self._url)
        issue = self._plan(database)
        command = (sys.executable, "-m", "benchmarks.sender", self._url, issue.issue_id)
        done = subprocess.run(
            (*command, str(batch_size), self._now.isoformat(), carrier),
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
        )
        said = json.loads(done.stdout)
        tally = SqlChronicle(database).tally(issue.no, now=self._now, not_before=self._now - WINDOW)
        database.close()
        assert tally.adds_up
        assert dict(tally.by_status) == {Status.ACCEPTED: self._expected}
        assert said["receipts"] == self._expected
        assert said["unwanted"] == [], f"the sender loaded {said['unwanted']}"
        return Sent(
            people=self._expected, send_s=said["seconds"], cpu_s=said["cpu_seconds"], mb=said["peak_kib"] / 1024
        )

    @property
    def _expected(self) -> int:
        """How many are mailed: one in a hundred has left."""
        return self.people - self.people // 100

    def _plan(self, database: Database) -> PlannedIssue:
        self._issues += 1
        edition = replace(self._edition, issue_id=f"2026-11-23-number-{self._issues}")
        planner = SqlPlanner(database)
        plan = plan_for(edition, revision=1, zones=planner.zones(), fallback_zone="Europe/Berlin")
        before = self._now - timedelta(days=2)
        people = SqlPeople(database)
        outlook = look_ahead(edition, plan, planner=planner, people=people, now=before, window=timedelta(hours=36))
        return write_plan(edition, plan, outlook, planner=planner, editions=SqlEditions(database), canary=0, now=before)


_LIKE_DELIVERIES = """
CREATE TABLE by_hand (
    issue_no INTEGER NOT NULL, seq INTEGER NOT NULL, subscriber_id INTEGER NOT NULL, due_at BIGINT NOT NULL,
    PRIMARY KEY (issue_no, seq), UNIQUE (issue_no, subscriber_id)
) WITHOUT ROWID
"""
_BY_HAND = """
INSERT INTO by_hand
SELECT 1, row_number() OVER (ORDER BY z.due_at, s.id), s.id, z.due_at
FROM subscribers AS s JOIN zone_dues AS z ON z.zone = s.zone AND z.issue_no = 1
WHERE s.state = 'active'
"""
