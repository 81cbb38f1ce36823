"""A list of people brought in: how much of the time goes into looking at it."""

from __future__ import annotations

import csv
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.measure import Row, Target, compare
from benchmarks.people import entries
from newsletter.audience.consent import Evidence
from newsletter.audience.importing import Entry, Rejected
from newsletter.audience.listing import read_list
from newsletter.audience.subscriber import State
from newsletter.store.db import connect
from newsletter.store.schema import upgrade
from newsletter.store.subscribers import SqlPeople
from newsletter.usecases.enrol import import_people

PEOPLE = 50_000
BAD = 500  # one row in so many is not taken
_NOW = datetime(2026, 11, 20, tzinfo=UTC)
_HEADER = ("email", "name", "first_name", "timezone", "language", "tags", "status", "city")

Read = Callable[[Iterable[str]], Iterator[Entry | Rejected]]


def rows() -> Iterator[Row]:
    """The table's lines."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "people.csv"
        _write(path)
        bad = -(-PEOPLE // BAD)
        yield compare(
            f"{PEOPLE:,} people from CSV, every row checked: speed left",
            ours=_import(folder, path, read_list, rejected=bad),
            ceiling=_import(folder, path, _taken_as_they_are, rejected=0),
            called="no row checked",
            target=Target(least=0.7, per_cent=True),
        )


def _write(path: Path) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(_HEADER)
        for number, person in enumerate(entries(PEOPLE)):
            address = person.address.replace("@", " ") if number % BAD == 0 else person.address
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


def _taken_as_they_are(lines: Iterable[str]) -> Iterator[Entry]:
    """The rows as people, nothing asked."""
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


def _import(folder: Path, path: Path, read: Read, *, rejected: int) -> Callable[[], float]:
    """A measurement: seconds from the first line read to the last row committed, into a new database."""

    def measure() -> float:
        (folder / "people.db").unlink(missing_ok=True)
        database = connect(f"sqlite:///{folder / 'people.db'}")
        upgrade(database)
        start = time.perf_counter()
        with path.open(newline="") as lines:
            report = import_people(
                read(lines),
                people=SqlPeople(database),
                evidence=Evidence(at=_NOW, how="import", source="made up"),
                now=_NOW,
                watch=lambda _: None,
            )
        seconds = time.perf_counter() - start
        database.close()
        assert len(report.rejected) == rejected
        assert report.counts.added == PEOPLE - rejected
        return seconds

    return measure
