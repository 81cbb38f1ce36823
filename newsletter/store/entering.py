"""People coming in, a thousand at a time: who is new, who is refreshed, who must stay away."""

from __future__ import annotations

import os
from binascii import b2a_base64
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import blake2b
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, select, update

from newsletter.audience.consent import DEPARTED, LIFTED, MOVES, Evidence
from newsletter.audience.importing import Entry, ImportCounts
from newsletter.audience.seen import Seen
from newsletter.audience.subscriber import State, ZoneSource
from newsletter.store.db import Database, among, append, one_at_a_time
from newsletter.store.journal import announce
from newsletter.store.kinds import epoch
from newsletter.store.quick import within
from newsletter.store.rows import read_attributes, read_tags, write_attributes, write_tags
from newsletter.store.tables import consent_events, instance, subscribers, suppressions

_KNOWN = select(
    subscribers.c.address_key,
    subscribers.c.id,
    subscribers.c.state,
    subscribers.c.name,
    subscribers.c.first_name,
    subscribers.c.zone,
    subscribers.c.zone_source,
    subscribers.c.language,
    subscribers.c.tags,
    subscribers.c.attributes,
)
_COLUMNS = tuple(subscribers.columns.keys())
_REFRESHED = ("name", "first_name", "zone", "zone_source", "language", "tags", "attributes")


_Person = dict[str, Any]  # what we know of somebody, by column, as it is after the rows so far


@dataclass(slots=True)
class _Changes:
    """What a list leads to, worked out before any of it is written."""

    added: list[tuple[object, ...]] = field(default_factory=list)
    said: list[str] = field(default_factory=list)  # by the list itself, of the consent of each who is added
    refreshed: dict[int, _Person] = field(default_factory=dict)
    departed: list[tuple[State, bytes]] = field(default_factory=list)  # of those added; and who they are
    moved: list[tuple[int, State, str]] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)


def enter(connection: Connection, entries: Sequence[Entry], *, evidence: Evidence, now: datetime) -> ImportCounts:
    """Add or refresh people; whoever left, or must not be mailed, stays as they are.

    Rows are taken as if each came by itself, so several with one address have their effect one after the
    other. An import never blanks what is known, and never overrules what a person's browser said of their zone.
    """
    one_at_a_time(connection, "enter")
    known = _known(connection, entries, hold=True)
    changes = _worked_out(connection, entries, known, now=now)
    _write(connection, changes, evidence)
    return ImportCounts(**changes.counts)


class Rehearsal:
    """What `enter` would count, list by list of entries, if it entered them; nothing is written."""

    def __init__(self, db: Database) -> None:
        """Begin with what *db* knows."""
        self._db = db
        self._departed = Seen()  # who would have left by now

    def enter(self, entries: Sequence[Entry], *, evidence: Evidence, now: datetime) -> ImportCounts:  # noqa: ARG002
        """As `enter` would, after all the entries before these."""
        with self._db.reading() as connection:
            known = _known(connection, entries, hold=False)
            for entry in entries:
                if entry.key in self._departed:
                    known.setdefault(entry.key, {})["state"] = State.UNSUBSCRIBED.value
            changes = _worked_out(connection, entries, known, now=now)
        for key, person in known.items():
            if State(person["state"]) in DEPARTED:
                self._departed.add(key)
        return ImportCounts(**changes.counts)


def _worked_out(
    connection: Connection, entries: Sequence[Entry], known: dict[str, _Person], *, now: datetime
) -> _Changes:
    """What *entries* lead to; *known* are those of them whom we know, and becomes what it is afterwards."""
    changes = _Changes()
    secret = pepper(connection)
    hashes = [address_hash(entry.key, pepper=secret) for entry in entries]
    barred = _barred(connection, hashes)
    waiting = _left_and_asked(connection, known.values())
    next_id = connection.execute(select(func.coalesce(func.max(subscribers.c.id), 0))).scalar_one() + 1
    for entry, hashed, token in zip(entries, hashes, _tokens(len(entries)), strict=True):
        key, leaves = entry.key, entry.state in DEPARTED
        person = known.get(key)
        if person is not None:
            kept = hashed in barred or person.get("id") in waiting
            changes.counts[_meet_again(entry, person, barred=kept, changes=changes)] += 1
        elif hashed in barred:
            changes.counts["unchanged" if leaves else "kept_away"] += 1
        elif entry.again:  # whom an earlier row brought, and who is not there: a rehearsal, or forgotten since
            changes.counts["departed" if leaves else "unchanged"] += 1
            known |= {key: {"state": entry.state.value}} if leaves else {}
        else:
            number = next_id + len(changes.added)
            row = (number, entry.address, key, hashed, *_told(entry, token, now=now))
            known[key] = dict(zip(_COLUMNS, row, strict=True))
            changes.added.append(row)
            changes.said.append(entry.evidence)
            if leaves:
                changes.departed.append((entry.state, hashed))
    changes.counts["added"] = len(changes.added)
    return changes


def pepper(connection: Connection) -> bytes:
    """The key of this database's address hashes."""
    found: bytes = connection.execute(select(instance.c.pepper)).scalar_one()
    return found


def address_hash(address_key: str, *, pepper: bytes) -> bytes:
    """16 bytes that stand for an address (in lower case) and that nobody can search for without the pepper."""
    return blake2b(address_key.encode(), key=pepper, digest_size=16).digest()


def _barred(connection: Connection, hashes: Iterable[bytes]) -> frozenset[bytes]:
    """Those of *hashes* that are suppressed."""
    query = select(suppressions.c.address_hash).where(among(connection, suppressions.c.address_hash, list(hashes)))
    return frozenset(connection.execute(query).scalars())


def _known(connection: Connection, entries: Iterable[Entry], *, hold: bool) -> dict[str, _Person]:
    """The rows of those who are on the list already; with *hold*, nobody else may change them until we are done."""
    keys = list({entry.key for entry in entries})
    query = _KNOWN.where(among(connection, subscribers.c.address_key, keys)).order_by(subscribers.c.id)
    query = query.with_for_update() if hold else query
    return {row["address_key"]: dict(row) for row in connection.execute(query).mappings()}


def _left_and_asked(connection: Connection, people: Iterable[_Person]) -> frozenset[int]:
    """Those who left and have asked to come back: that it was they who asked, only they can confirm."""
    numbers = [person["id"] for person in people if person["state"] == State.PENDING.value]
    events = consent_events.c
    query = select(events.subscriber_id).where(among(connection, events.subscriber_id, numbers))
    return frozenset(connection.execute(query.where(events.state.in_(LIFTED))).scalars()) if numbers else frozenset()


def _meet_again(entry: Entry, person: _Person, *, barred: bool, changes: _Changes) -> str:
    """Note what *entry* changes for somebody we know; the count it belongs to."""
    state = State(person["state"])
    if state in DEPARTED:
        return "unchanged" if entry.state in DEPARTED else "kept_away"
    moves = entry.state in DEPARTED or (entry.state in MOVES[state] and not barred)
    if moves:
        person["state"] = entry.state.value
        changes.moved.append((person["id"], entry.state, entry.evidence))
    if entry.state in DEPARTED:
        return "departed"
    if barred:
        return "kept_away"
    news = _news(entry, person)
    if news:
        person |= news
        changes.refreshed[person["id"]] = person
    return "refreshed" if news or moves else "unchanged"


def _news(entry: Entry, person: _Person) -> dict[str, object]:
    """The columns in which *entry* says more or other than the row."""
    told: dict[str, object] = {"name": entry.name, "first_name": entry.first_name, "language": entry.language}
    if entry.zone and person["zone_source"] != ZoneSource.BROWSER.value:
        told |= {"zone": entry.zone, "zone_source": ZoneSource.IMPORT.value}
    if entry.tags:
        told["tags"] = write_tags(entry.tags | read_tags(person["tags"]))
    values = {name: value for name, value in entry.attributes.items() if value}
    if values:
        told["attributes"] = write_attributes({**read_attributes(person["attributes"]), **values})
    return {name: value for name, value in told.items() if value and value != person[name]}


def _told(entry: Entry, token: str, *, now: datetime) -> tuple[object, ...]:
    """What an entry says of a new person: the columns of `subscribers` from `name` on."""
    return (
        entry.name,
        entry.first_name,
        entry.state.value,
        epoch(entry.paused_until) if entry.paused_until else None,
        entry.zone,
        (ZoneSource.IMPORT if entry.zone else ZoneSource.DEFAULT).value,
        entry.language,
        write_tags(entry.tags),
        write_attributes({name: value for name, value in entry.attributes.items() if value}),
        token,
        epoch(min(entry.joined_at or now, now)),
        entry.frequency.value,
    )


def _tokens(count: int) -> list[str]:
    """Random leave tokens of 128 bits, 22 characters each."""
    raw = os.urandom(16 * count)
    return [
        b2a_base64(raw[start : start + 16], newline=False)[:22].translate(_URL_SAFE).decode()
        for start in range(0, 16 * count, 16)
    ]


_URL_SAFE = bytes.maketrans(b"+/", b"-_")


def _write(connection: Connection, changes: _Changes, evidence: Evidence) -> None:
    """Write what was worked out, with the evidence of every state that anybody comes to."""
    append(connection, subscribers, changes.added)
    for state, hashed in changes.departed:
        announce(connection, at=evidence.at, what=state.value, who=hashed)
    said = (epoch(evidence.at), evidence.how, evidence.source)
    rows = zip(changes.added, changes.said, strict=True)
    append(connection, consent_events, [(row[0], 1, *said, text or evidence.text, row[6]) for row, text in rows])
    if changes.refreshed:
        values: dict[str, Any] = {name: bindparam(f"new_{name}") for name in _REFRESHED}
        connection.execute(
            update(subscribers).where(subscribers.c.id == bindparam("person_id")).values(values),
            [
                {"person_id": number, **{f"new_{name}": person[name] for name in _REFRESHED}}
                for number, person in changes.refreshed.items()
            ],
        )
    for subscriber_id, state, text in changes.moved:
        change_state(connection, subscriber_id, state, replace(evidence, text=text or evidence.text))


def change_state(connection: Connection, subscriber_id: int, state: State, evidence: Evidence) -> None:
    """Set where a person's consent stands, and append why; the caller has checked the move."""
    quick = within(connection)
    quick.run(_SET_STATE, {"person_id": subscriber_id, "new_state": state.value})
    details = {"at": epoch(evidence.at), "how": evidence.how, "source": evidence.source, "text": evidence.text}
    quick.run(_KEEP, {"person_id": subscriber_id, "state": state.value, **details})
    if state in DEPARTED:
        announce(connection, at=evidence.at, what=state.value, who=subscriber_id)


_SET_STATE = update(subscribers).where(subscribers.c.id == bindparam("person_id")).values(state=bindparam("new_state"))
_KEEP = insert(consent_events).values(
    subscriber_id=bindparam("person_id"),
    no=select(func.coalesce(func.max(consent_events.c.no), 0) + 1)
    .where(consent_events.c.subscriber_id == bindparam("person_id"))
    .scalar_subquery(),
    **{name: bindparam(name) for name in ("at", "how", "source", "text", "state")},
)
