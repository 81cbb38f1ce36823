"""Who has left, as a journal that outlives any one copy of the database.

A restored backup, or an older state, no longer knows of those who left after it was made. Merged with the
journal, it does: whoever left stays gone, unless they themselves asked to come back later than that.
A line names nobody: it holds the keyed hash of an address, which says nothing without the database's pepper.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from functools import partial
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, func, select, text

from newsletter.audience.consent import DEPARTED, LIFTED, MOVES, Evidence
from newsletter.audience.subscriber import State
from newsletter.store.bookmarks import position_of, put
from newsletter.store.db import Database, among
from newsletter.store.entering import change_state, pepper
from newsletter.store.erasing import SqlErasure, erase
from newsletter.store.journal import SUPPRESSED, Announced, Departure, Journal, announced
from newsletter.store.kinds import epoch, instant
from newsletter.store.tables import bookmarks, consent_events, subscribers, suppressions

T = TypeVar("T")

_AT_ONCE = 5000  # departures looked up in one query
_BY_OTHERS = ("import", "add")  # doors by which nobody who left comes back, see `consent.MOVES`
_HOW, _SOURCE = "journal", "the journal of departures"


def known(connection: Connection) -> frozenset[Departure]:
    """All departures that this database knows of."""
    left = (
        select(consent_events.c.at, consent_events.c.state, subscribers.c.address_hash)
        .join_from(consent_events, subscribers, consent_events.c.subscriber_id == subscribers.c.id)
        .where(consent_events.c.state.in_([state.value for state in DEPARTED]))
    )
    barred = select(suppressions.c.at, suppressions.c.reason, suppressions.c.address_hash)
    found = {Departure(at=at, what=str(what), who=who.hex()) for at, what, who in connection.execute(left)}
    for at, reason, who in connection.execute(barred):
        found.add(Departure(at=at, what=reason if reason in LIFTED else SUPPRESSED, who=who.hex()))
    return frozenset(each for each in found if each.who)  # the row of somebody erased has no hash


def apply(connection: Connection, departures: Iterable[Departure]) -> int:
    """Let everybody who left be gone from this database too; how many it had not known to be.

    The newest word counts: whoever asked anew after leaving stays. An address that is on no list here is
    suppressed, so that no import brings it in.
    """
    missing = sorted(set(departures) - known(connection))
    return sum(_apply(connection, chunk) for chunk in _chunks(missing))


def fingerprint(connection: Connection) -> str:
    """What tells the databases of one newsletter from those of another, whose hashes mean nothing to it."""
    return blake2b(pepper(connection), person=b"departures", digest_size=8).hexdigest()


def keep_journal(db: Database, path: Path, *, now: datetime) -> int:
    """Bring *db* and the journal at *path* together, and from now on write there who leaves; how many it lacked.

    Cheap where nothing is new. A journal that is not the one that *db* was brought together with before, as one that
    was lost and begun anew, is also given what it lacks.
    """
    with db.reading() as connection:
        journal = Journal(path, newsletter=fingerprint(connection))
        name = _BOOKMARK + journal.name()
        news = journal.since(position_of(connection, name))
    changed = 0
    if news is not None:
        with db.writing() as connection:
            changed = apply(connection, news.departures)
            mark = news.mark
            if news.whole and (lacking := known(connection) - news.departures):
                _, before, after = journal.add(lacking)
                mark = after if before == mark else mark  # else others added to it meanwhile, which we have not read
            put(connection, name, mark, now=now)
        if changed and any(each.what == State.ERASED for each in news.departures):
            SqlErasure(db).scrub()
    db.before_commit = partial(_keep, journal)
    return changed


_BOOKMARK = "journal of departures "


def other_journal_until(db: Database, path: Path) -> datetime | None:
    """When this database last knew another journal than the one at *path*; None if it never did."""
    with db.reading() as connection:
        ours = _BOOKMARK + Journal(path, newsletter=fingerprint(connection)).name()
        others = bookmarks.c.name.startswith(_BOOKMARK) & (bookmarks.c.name != ours)
        return connection.execute(select(func.max(bookmarks.c.at)).where(others)).scalar()


def _keep(journal: Journal, connection: Connection) -> None:
    """Write down who leaves in a transaction, before it is durable."""
    departures = _named(connection, announced(connection))
    if departures:
        name, before, after = journal.add(departures)
        # Unless others added what is in no database yet, as far as we see: whoever opens it next reads that, and this.
        if position_of(connection, _BOOKMARK + name) == before:
            put(connection, _BOOKMARK + name, after, now=max(each.at for each in departures))


def _named(connection: Connection, found: Sequence[Announced]) -> list[Departure]:
    """The departures that were announced, with the hashes of those of whom only the number was known."""
    numbers = [each.who for each in found if isinstance(each.who, int)]
    table = subscribers.c
    hashes: dict[int, bytes] = {}
    for chunk in _chunks(numbers):
        rows = connection.execute(select(table.id, table.address_hash).where(among(connection, table.id, chunk)))
        hashes.update((number, who) for number, who in rows)
    named = [(at, what, hashes[who] if isinstance(who, int) else who) for at, what, who in found]
    # The row of somebody who was erased right after has no hash, and was announced by it.
    return [Departure(at=at, what=what, who=who.hex()) for at, what, who in named if who]


def _apply(connection: Connection, departures: Sequence[Departure]) -> int:
    people = _people(connection, {bytes.fromhex(each.who) for each in departures})
    back = returned(connection, [number for number, _ in people.values()])
    changed = 0
    for each in departures:
        number, state = people.get(each.who, (None, None))
        if number is not None and back.get(number, each.at) > each.at:
            continue
        if number is None or state is None or each.what == SUPPRESSED:
            changed += _suppress(connection, each)
        elif State(each.what) in {state, *MOVES[state]}:  # once more, too: then the last word is not theirs to undo
            evidence = Evidence(at=each.at, how=_HOW, source=_SOURCE)
            if each.what == State.ERASED:
                erase(connection, number, evidence=evidence)
                del people[each.who]
            else:
                change_state(connection, number, State(each.what), evidence)
                people[each.who] = number, State(each.what)
            changed += 1
    return changed


def _people(connection: Connection, hashes: Collection[bytes]) -> dict[str, tuple[int, State]]:
    """Those whom the hashes stand for: their number and state, locked where the database does that."""
    table = subscribers.c
    query = (
        select(table.address_hash, table.id, table.state)
        .where(among(connection, table.address_hash, list(hashes)))
        .order_by(table.id)
        .with_for_update()
    )
    return {who.hex(): (number, State(state)) for who, number, state in connection.execute(query)}


def returned(connection: Connection, numbers: Collection[int]) -> dict[int, datetime]:
    """When each of them last asked, themselves, to be on the list."""
    table = consent_events.c
    query = (
        select(table.subscriber_id, func.max(table.at))
        .where(among(connection, table.subscriber_id, list(numbers)))
        .where(table.state.in_([State.PENDING.value, State.ACTIVE.value]), table.how.not_in(_BY_OTHERS))
        .group_by(table.subscriber_id)
    )
    return {number: at if isinstance(at, datetime) else instant(at) for number, at in connection.execute(query)}


_SUPPRESS = text(
    "INSERT INTO suppressions (address_hash, reason, at) VALUES (:who, :reason, :at) ON CONFLICT DO NOTHING"
)


def _suppress(connection: Connection, departure: Departure) -> int:
    reason = _SOURCE if departure.what == SUPPRESSED else departure.what
    values = {"who": bytes.fromhex(departure.who), "reason": reason, "at": epoch(departure.at)}
    return connection.execute(_SUPPRESS, values).rowcount


def _chunks(many: Iterable[T]) -> Iterator[list[T]]:
    remaining = iter(many)
    while chunk := list(islice(remaining, _AT_ONCE)):
        yield chunk
