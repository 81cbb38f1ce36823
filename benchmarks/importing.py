"""A list of people brought in: how much of the time goes into looking at it, and how much memory it takes."""

from __future__ import annotations

import csv
import resource
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.measure import Row, Target, compare, judge
from benchmarks.people import entries
from newsletter.audience.consent import Evidence
from newsletter.audience.importing import Entry, Rejected
from newsletter.audience.listing import Listing
from newsletter.audience.subscriber import State
from newsletter.sources.lists import lines_of
from newsletter.store.db import connect
from newsletter.store.schema import upgrade
from newsletter.store.subscribers import SqlPeople
from newsletter.usecases.enrol import import_people

PEOPLE, MILLION = 50_000, 1_000_000
BAD = 500  # one row in so many is not taken
MEMORY_MB = 150
_NOW = datetime(2026, 11, 20, tzinfo=UTC)
_HEADER = ("email", "name", "first_name", "timezone", "language", "tags", "status", "city")
_BOTH = ("SQLite", "PostgreSQL")

Read = Callable[[Path], Iterator[Entry | Rejected]]


def rows(*, full: bool) -> Iterator[Row]:
    """The table's lines; *full* with a million people, on both databases."""
    people = MILLION if full else PEOPLE
    with TemporaryDirectory() as name:
        path = Path(name) / "people.csv"
        _write(path, people)
        for kind in _BOTH if full else _BOTH[:1]:
            peaks: list[float] = []
            yield compare(
                f"{people:,} people from CSV into {kind}, every row checked: speed left",
                ours=_import(path, kind, _checked, expected=people - -(-people // BAD), peaks=peaks),
                ceiling=_import(path, kind, _taken_as_they_are, expected=people, peaks=[]),
                called="no row checked",
                target=Target(least=0.7, per_cent=True),
                pairs=1 if full else 5,
            )
            yield Row(
                what=f"{people:,} people from CSV into {kind}: peak memory",
                ours=f"{max(peaks):.0f} MB",
                ceiling=f"{MEMORY_MB} MB",
                verdict=judge([max(peaks) / MEMORY_MB], Target(most=1)),
            )


def _write(path: Path, count: int) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(_HEADER)
        for number, person in enumerate(entries(count)):
            # What makes a row bad does not keep it from being taken as it is.
            address = person.address.replace("@", "@@") if number % BAD == 0 else person.address
            writer.writerow(
                (
                    address,
                    person.name,
                    person.first_name,
                    person.zone,
                    person.language,
                    ",".join(person.tags),
                    person.state.value,
                    person.attributes.get("city", ""),
                )
            )


def _checked(path: Path) -> Iterator[Entry | Rejected]:
    return iter(Listing(lines_of(path)))


def _taken_as_they_are(path: Path) -> Iterator[Entry]:
    """The rows as people, nothing asked."""
    with path.open(newline="", encoding="utf-8") as lines:
        yield from _as_they_are(lines)


def _as_they_are(lines: Iterable[str]) -> Iterator[Entry]:
    reader = csv.reader(lines)
    next(reader)
    for address, name, first_name, zone, language, tags, state, city in reader:
        yield Entry(
            address=address,
            name=name,
            first_name=first_name,
            zone=zone,
            language=language,
            tags=frozenset(tags.split(",")) if tags else frozenset(),
            attributes={"city": city} if city else {},
            state=State(state),
        )


def _import(path: Path, kind: str, read: Read, *, expected: int, peaks: list[float]) -> Callable[[], float]:
    """A measurement: seconds from the first line read to the last row committed, into a new database.

    In a process of its own, whose peak of memory in MB is added to *peaks*.
    """

    def measure() -> float:
        with _database(kind) as url, get_context("spawn").Pool(1) as pool:
            seconds, taken, peak = pool.apply(_brought, (path, url, read))
        assert taken == expected
        peaks.append(peak)
        return seconds

    return measure


def _brought(path: Path, url: str, read: Read) -> tuple[float, int, float]:
    """(seconds, people added, peak of memory in MB) of an import."""
    database = connect(url)
    upgrade(database)
    start = time.perf_counter()
    report = import_people(
        read(path),
        people=SqlPeople(database),
        evidence=Evidence(at=_NOW, how="import", source="made up"),
        now=_NOW,
        watch=lambda _: None,
    )
    seconds = time.perf_counter() - start
    database.close()
    unit = 1024 if sys.platform == "linux" else 1  # macOS counts bytes
    return seconds, report.counts.added, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


@contextmanager
def _database(kind: str) -> Iterator[str]:
    if kind == "SQLite":
        with TemporaryDirectory() as folder:
            yield f"sqlite:///{folder}/people.db"
        return
    from tests.postgres import Postgres, find_binaries  # noqa: PLC0415  only this one needs a server

    binaries = find_binaries()
    assert binaries is not None, "this benchmark needs the programs of PostgreSQL"
    with Postgres(binaries) as server:
        server.create("people")
        yield server.url("people")
