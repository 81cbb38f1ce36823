"""A year under a virtual clock: readers come, leave and move; ticks are late, dropped, doubled and killed.

Everything is the program's own but the provider, which writes down who got what when, and the clock. What should have
happened is worked out beside it, from the list as it was and from the definitions alone.
"""

from __future__ import annotations

import heapq
import json
import os
import random
import re
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock_time
from itertools import pairwise
from pathlib import Path
from zoneinfo import available_timezones

from newsletter.app import carriers
from newsletter.app.founding import found, upgrade_database
from newsletter.app.letters import Letters
from newsletter.app.newsletter import Newsletter
from newsletter.app.sending import Sending
from newsletter.app.ticking import Ticking
from newsletter.audience.consent import Evidence
from newsletter.audience.importing import Entry
from newsletter.audience.subscriber import State
from newsletter.delivery.message import Batch
from newsletter.delivery.outcome import Event, Look, Receipt, Status
from newsletter.schedule import Part, due_at, part_due
from newsletter.settings.read import read_settings
from newsletter.store.agenda import SqlAgenda
from newsletter.store.subscribers import SqlPeople

ZONES = sorted(available_timezones() - {"localtime", "Factory"})
FIRST = date(2026, 3, 2)  # a Monday; by the end of the month clocks change nearly everywhere that changes them
EIGHT = clock_time(8)
WINDOW = timedelta(hours=36)
HOME = "Europe/Berlin"
PARTS = {"pause": 1, "learn": 3, "act": 8}
# How late GitHub starts a scheduled job, in minutes: half within 26, nine of ten within an hour, at most two (2026).
LATE = ((0.5, 1, 26), (0.9, 26, 60), (0.99, 60, 107), (1.0, 107, 123))
DROPPED, DOUBLED = 0.02, 0.03
_HEAD = "---\ntitle: {name}\nsubject: {name}\npreheader: What the inbox shows after the subject line.\n{when}\n---\n"
_BODY = "\n::: text\nGood morning.\n:::\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What came of a year; everything from `twice` on must be nothing."""

    letters: int
    ticks: int
    killed: int
    people: int
    delivered: int
    held: int
    in_doubt: int
    seconds: float
    twice: int = 0
    early: int = 0
    late: int = 0
    missed: int = 0
    strangers: int = 0  # got what they should not: after leaving, or without having been on the list
    out_of_turn: int = 0  # a part of the series before one that comes before it, or two on a day

    @property
    def good(self) -> bool:
        """Whether every promise was kept."""
        return not (self.twice or self.early or self.late or self.missed or self.strangers or self.out_of_turn)


@dataclass(slots=True)
class Reader:
    """Somebody, as the year knows them."""

    joined: datetime
    zones: list[str]  # where they lived, the last one where they live now
    left: datetime | None = None


@dataclass(slots=True)
class Book:
    """Writes down what was accepted, in a file that survives whoever is killed."""

    path: Path
    now: datetime
    left: int = -1  # messages until the process ends as if by -9; never, if negative
    name: str = "book"
    batch_size: int = 50
    record_every: int = 50
    keeps_keys: timedelta = timedelta(0)

    def send(self, batch: Batch) -> Iterator[Receipt]:
        """Accept everybody, one after the other."""
        with self.path.open("a") as file:
            for row in batch.rows:
                if not self.left:
                    os._exit(9)
                self.left -= 1
                line = [self.now.isoformat(), batch.letter.issue_id, row.address, row.ref]
                file.write(json.dumps(line) + "\n")
                file.flush()
                yield Receipt(seq=row.seq, status=Status.ACCEPTED, provider_id=row.ref)

    def settle(self, batch: Batch) -> Iterator[Receipt]:
        """What is in the book was accepted, and nothing else was."""
        refs = {json.loads(line)[3] for line in self.path.read_text().splitlines()} if self.path.exists() else set()
        for row in batch.rows:
            status = Status.ACCEPTED if row.ref in refs else Status.PLANNED
            yield Receipt(seq=row.seq, status=status, provider_id=row.ref, reason="looked up")

    def read_events(self, data: bytes) -> Iterator[Event]:
        """Nothing happens later."""
        return iter(())

    def examine(self) -> Iterator[Look]:
        """There is nothing to look at."""
        return iter(())

    def close(self) -> None:
        """Nothing is open."""


class Year:
    """A newsletter in *root* with *people* readers, for so many weeks."""

    def __init__(self, root: Path, *, people: int, weeks: int, kills: int, seed: int, url: str = "") -> None:
        self._chance = random.Random(seed)
        self._root, self._weeks, self._kills = root, weeks, kills
        self._readers: dict[str, Reader] = {}
        self._at_plan: dict[str, dict[str, str]] = {}  # letter → address → zone, of all who were mailable then
        self._book = Book(root.parent / "book.jsonl", datetime.now(UTC))
        self._environment = {"NEWSLETTER_DATABASE_URL": url} if url else {}
        self._ticks = self._killed = self._born = 0
        self._people = people

    def live(self) -> Found:
        """The year, and what came of it."""
        began = time.monotonic()
        start = datetime.combine(FIRST, clock_time(0), tzinfo=UTC) - timedelta(days=3)
        self._found(start)
        real = carriers._CARRIERS["outbox"]
        carriers._CARRIERS["outbox"] = lambda _order: self._book
        try:
            for at, deed in self._calendar(start):
                deed(at)
        finally:
            carriers._CARRIERS["outbox"] = real
        return self._judge(seconds=time.monotonic() - began)

    def _found(self, start: datetime) -> None:
        found(self._root)
        for path in (self._root / "issues").rglob("*.md"):
            path.unlink()
        settings = self._root / "newsletter.toml"
        text = re.sub(r"(?ms)^\[canary\].*?(?=^\[|\Z)", "", settings.read_text())
        settings.write_text(text + "\n[canary]\npeople = 0\n")
        folder = self._root / "issues" / "series" / "welcome"
        (folder / "series.toml").write_text(f"since = {FIRST}\nquiet = []\n")
        names = [f"welcome.{name}" for name in PARTS]
        for number, (name, days) in enumerate(PARTS.items(), start=1):
            head = _HEAD.format(name=f"About {name}", when=f"after: {days} days")
            (folder / f"{number:02}-{name}.md").write_text(head + _BODY)
        for week in range(self._weeks):
            day = FIRST + timedelta(days=7 * week)
            head = _HEAD.format(name=f"Week {week}", when=f"send: {day} 08:00")
            (self._root / "issues" / f"{day}-week.md").write_text(head + _BODY)
            names.append(f"{day}-week")
        with self._open(start) as newsletter:
            upgrade_database(newsletter)
            letters = Letters(newsletter)
            for name in names:
                source = letters.read(name)
                letters.approve(source, source.build())
        self._enter([self._new(start) for _ in range(self._people)], at=start)

    def _open(self, at: datetime) -> Newsletter:
        return Newsletter(read_settings(self._root, self._environment | {"NEWSLETTER_NOW": at.isoformat()}))

    def _calendar(self, start: datetime) -> Iterator[tuple[datetime, Callable[[datetime], None]]]:
        """Everything that happens, in order: ticks as GitHub would start them, and people's doings between them."""
        deeds: list[tuple[datetime, int, Callable[[datetime], None]]] = []
        for day in range(self._weeks * 7 + 12):
            today = start + timedelta(days=day)
            for slot in _slots(today):
                if self._chance.random() < DROPPED:
                    continue
                at = slot + timedelta(minutes=self._lateness())
                deeds.append((at, len(deeds), self._tick))
                if self._chance.random() < DOUBLED:
                    deeds.append((at + timedelta(seconds=1), len(deeds), self._tick))
            if day < self._weeks * 7:
                deeds += [
                    (today + timedelta(minutes=self._chance.uniform(0, 1440)), len(deeds) + number, deed)
                    for number, deed in enumerate((self._join, self._leave, self._move))
                ]
        heapq.heapify(deeds)
        while deeds:
            at, _, deed = heapq.heappop(deeds)
            yield at.replace(microsecond=0), deed

    def _lateness(self) -> float:
        drawn = self._chance.random()
        _, low, high = next(row for row in LATE if drawn <= row[0])
        return self._chance.uniform(low, high)

    def _tick(self, at: datetime) -> None:
        self._ticks += 1
        if self._killed < self._kills and self._chance.random() < 0.3 and (due := self._due(at)):
            last = self._chance.randrange(due)
            child = os.fork()
            if not child:
                self._book.left = last
                self._tick_here(at)
                os._exit(0)
            self._killed += os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
            self._note_plans(at)
        self._tick_here(at)
        self._note_plans(at)

    def _due(self, at: datetime) -> int:
        """About how many messages a tick would send."""
        with self._open(at) as newsletter:
            did = Ticking(newsletter, tell=lambda _: None).rehearse()
        return sum(did.sent.values()) or sum(did.planned.values()) // len(ZONES) + bool(did.planned)

    def _tick_here(self, at: datetime) -> None:
        self._book.now = at
        with self._open(at) as newsletter:
            did = Ticking(newsletter, tell=lambda _: None).tick(threading.Event())
        assert not did.problems, did.problems

    def _note_plans(self, at: datetime) -> None:
        """Of a letter that was planned just now, who was mailable and where they lived."""
        with self._open(at) as newsletter:
            planned = SqlAgenda(newsletter.database).planned()
        for letter in planned:
            if letter not in self._at_plan and "." not in letter:
                self._at_plan[letter] = {
                    address: reader.zones[-1] for address, reader in self._readers.items() if reader.left is None
                }

    def _new(self, at: datetime) -> str:
        self._born += 1
        address = f"reader{self._born}@example.org"
        self._readers[address] = Reader(joined=at, zones=[self._chance.choice(ZONES)])
        return address

    def _some(self, share: float) -> list[str]:
        here = [address for address, reader in self._readers.items() if reader.left is None]
        return self._chance.sample(here, k=max(1, round(len(here) * share)))

    def _join(self, at: datetime) -> None:
        self._enter([self._new(at) for _ in range(max(1, self._people // 300))], at=at)

    def _leave(self, at: datetime) -> None:
        leaving = self._some(0.002)
        for address in leaving:
            self._readers[address].left = at
        self._enter(leaving, at=at, state=State.UNSUBSCRIBED)

    def _move(self, at: datetime) -> None:
        moving = self._some(0.003)
        for address in moving:
            self._readers[address].zones.append(self._chance.choice(ZONES))
        self._enter(moving, at=at)

    def _enter(self, addresses: list[str], *, at: datetime, state: State = State.ACTIVE) -> None:
        evidence = Evidence(at=at, how="import", source="made up")
        entries = [Entry(address=each, zone=self._readers[each].zones[-1], state=state) for each in addresses]
        with self._open(at) as newsletter, closing(newsletter.database):
            for first in range(0, len(entries), 500):
                SqlPeople(newsletter.database).enter(entries[first : first + 500], evidence=evidence, now=at)

    def _judge(self, *, seconds: float) -> Found:
        got: dict[str, dict[str, list[datetime]]] = defaultdict(lambda: defaultdict(list))
        for line in self._book.path.read_text().splitlines():
            at, letter, address, _ = json.loads(line)
            got[letter][address].append(datetime.fromisoformat(at))
        end = datetime.combine(FIRST, clock_time(0), tzinfo=UTC) + timedelta(days=self._weeks * 7 + 12)
        wrong: Counter[str] = Counter()
        held = in_doubt = 0
        with self._open(end) as newsletter:
            for standing in Sending(newsletter).status():
                assert standing.tally
                assert standing.tally.adds_up
                if "." in standing.issue_id:
                    continue
                held += standing.tally.held
                in_doubt += standing.tally.in_doubt
                wrong += self._judge_letter(standing.issue_id, got[standing.issue_id], spared=standing.tally.held)
        wrong += self._judge_series(got)
        return Found(
            letters=len(self._at_plan),
            ticks=self._ticks,
            killed=self._killed,
            people=len(self._readers),
            delivered=sum(len(times) for readers in got.values() for times in readers.values()),
            held=held,
            in_doubt=in_doubt,
            seconds=seconds,
            **wrong,
        )

    def _judge_letter(self, letter: str, got: dict[str, list[datetime]], *, spared: int) -> Counter[str]:
        """What was wrong with one letter; *spared* were held, and reported as that."""
        wrong: Counter[str] = Counter()
        expected = self._at_plan[letter]
        missing = 0
        for address, zone in expected.items():
            due = due_at(date.fromisoformat(letter[:10]), EIGHT, zone)
            times = got.get(address, [])
            left = self._readers[address].left
            wrong["twice"] += len(times) > 1
            wrong["early"] += any(at < due for at in times)
            wrong["late"] += any(at >= due + WINDOW for at in times)
            wrong["strangers"] += any(left is not None and at > left for at in times)
            missing += not times and (left is None or left >= due + WINDOW)
        wrong["missed"] += max(0, missing - spared)
        wrong["strangers"] += len(got.keys() - expected.keys())
        return wrong

    def _judge_series(self, got: dict[str, dict[str, list[datetime]]]) -> Counter[str]:
        """What was wrong with the series: order, spacing, and who was left out."""
        wrong: Counter[str] = Counter()
        end = datetime.combine(FIRST, clock_time(0), tzinfo=UTC) + timedelta(days=self._weeks * 7)
        since = datetime.combine(FIRST, clock_time(0), tzinfo=UTC) - timedelta(hours=14)
        for address, reader in self._readers.items():
            parts = [got[f"welcome.{name}"].get(address, []) for name in PARTS]
            wrong["twice"] += sum(len(times) > 1 for times in parts)
            firsts = [times[0] for times in parts if times]
            wrong["out_of_turn"] += firsts != sorted(firsts) or any(
                later - sooner < timedelta(hours=8) for sooner, later in pairwise(firsts)
            )
            wrong["out_of_turn"] += any(later and not sooner for sooner, later in pairwise(parts))
            wrong["strangers"] += any(reader.left and at > reader.left for at in firsts)
            wrong["strangers"] += bool(firsts) and reader.joined < since
            for days, times in zip(PARTS.values(), parts, strict=True):
                first = min(part_due(Part(days=days, at=EIGHT), reader.joined, zone) for zone in reader.zones)
                wrong["early"] += any(at < first for at in times)
            stayed = reader.left is None and since <= reader.joined < end - timedelta(days=5)
            wrong["missed"] += stayed and not all(parts)
        return wrong


def _slots(day: datetime) -> list[datetime]:
    """When the workflow is to run on a day: often while it is Monday somewhere, else once."""
    midnight = day.replace(hour=0, minute=0, second=0)
    hours = {6: range(18, 24), 0: range(24), 1: range(13)}.get(day.weekday(), range(0))
    often = [midnight + timedelta(hours=hour, minutes=minute) for hour in hours for minute in (17, 47)]
    return often or [midnight + timedelta(hours=5, minutes=41)]
