"""The list of people: who is on it, what we know of them, and where their consent stands."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from sqlalchemy import bindparam, case, func, or_, select, text

from newsletter.audience import consent
from newsletter.audience.addresses import BadAddress, address_key
from newsletter.audience.consent import LIFTED, Evidence
from newsletter.audience.importing import Entry, ImportCounts
from newsletter.audience.predicate import Predicate
from newsletter.audience.subscriber import State, Subscriber
from newsletter.errors import IllegalMove, NewsletterError, NotFound
from newsletter.pieces import one_line
from newsletter.store import rules
from newsletter.store.db import Database
from newsletter.store.entering import address_hash, change_state, enter, pepper
from newsletter.store.journal import SUPPRESSED, announce
from newsletter.store.kinds import epoch, instant
from newsletter.store.rows import COLUMNS, person
from newsletter.store.tables import consent_events, subscribers

_PAGE = 2000  # people per query when going through all of them
_EVENTS = consent_events.c
_MOVES = (
    select(_EVENTS.at, _EVENTS.how, _EVENTS.source, _EVENTS.state, _EVENTS.text)
    .where(_EVENTS.subscriber_id == bindparam("person_id"))
    .order_by(_EVENTS.no)
)


class SqlPeople:
    """The list, in a database."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def enter(self, entries: Sequence[Entry], *, evidence: Evidence, now: datetime) -> ImportCounts:
        """Add or refresh people in one transaction; never brings back anyone who left."""
        with self._db.writing() as connection:
            return enter(connection, entries, evidence=evidence, now=now)

    def find(self, address: str) -> Subscriber | None:
        """The person with this address, however it is capitalised or its domain written."""
        try:
            key = address_key(address)
        except BadAddress:
            return None
        query = select(*COLUMNS).where(subscribers.c.address_key == key)
        with self._db.reading() as connection:
            row = connection.execute(query).first()
        return person(row) if row else None

    def called(self, words: str, *, limit: int, now: datetime) -> list[Subscriber]:
        """The first mailable people whose name or address holds *words*, in the order of their names."""
        # SQLite knows capitals of ASCII only: whoever is called Élodie is found by the word as it is written in names.
        forms = {words, words.lower(), words.title()}
        holds = [column.icontains(form, autoescape=True) for column in _CALLED for form in sorted(forms)]
        query = select(*COLUMNS).where(or_(*holds), rules.mailable(now=now))
        query = query.order_by(subscribers.c.name, subscribers.c.id).limit(limit)
        with self._db.reading() as connection:
            return [person(row) for row in connection.execute(query).all()]

    def consent_of(self, subscriber_id: int) -> list[Evidence]:
        """Every recorded move of a person's consent, oldest first."""
        with self._db.looking() as quick:
            return [
                Evidence(at=instant(at), how=how, source=source, state=state and State(state), text=text)
                for at, how, source, state, text in quick.all(_MOVES, {"person_id": subscriber_id})
            ]

    def everyone(self) -> Iterator[Subscriber]:
        """All people by id, in constant memory and without holding a transaction open between pages."""
        last = 0
        while True:
            query = select(*COLUMNS).where(subscribers.c.id > last).order_by(subscribers.c.id).limit(_PAGE)
            with self._db.reading() as connection:
                page = [person(row) for row in connection.execute(query).all()]
            if not page:
                return
            yield from page
            last = page[-1].id

    def count_by_state(self) -> Mapping[State, int]:
        """How many people stand where; states without anybody are not in it."""
        query = select(subscribers.c.state, func.count()).group_by(subscribers.c.state)
        with self._db.reading() as connection:
            return {State(state): count for state, count in connection.execute(query)}

    def lacking(self, fields: Iterable[str], *, audience: Predicate, now: datetime) -> Mapping[str, int]:
        """For each field, how many mailable people of the audience have no value for it.

        A field is `first_name`, `name`, `language`, or else the name of an attribute.
        """
        names = list(fields)
        if not names:
            return {}
        values = [rules.value_of(name if name in _OWN_FIELDS else f"attributes.{name}") for name in names]
        query = select(*(func.count(case((value == "", 1))) for value in values)).where(
            rules.condition(audience, now=now), rules.mailable(now=now)
        )
        with self._db.reading() as connection:
            return dict(zip(names, connection.execute(query).one(), strict=True))

    def move(self, subscriber_id: int, state: State, *, evidence: Evidence) -> None:
        """Let a person's consent go to *state*, and keep why. Raises IllegalMove or NotFound.

        Never to ERASED: see `erasing`.
        """
        with self._db.writing() as connection:
            query = select(subscribers.c.state).where(subscribers.c.id == subscriber_id).with_for_update()
            old = connection.execute(query).scalar()
            if old is None:
                raise NotFound("there is no such subscriber")
            new = consent.move(State(old), state)
            if new is State.ERASED:
                raise IllegalMove("nobody is erased by a word in their row")
            change_state(connection, subscriber_id, new, evidence)

    def suppress(self, address: str, *, reason: str, now: datetime) -> None:
        """Never mail this address again, whatever becomes of the person; only a keyed hash of it is kept.

        Raises NewsletterError if it is none.
        """
        try:
            key = address_key(address)
        except BadAddress as problem:
            raise NewsletterError(str(problem)) from None
        with self._db.writing() as connection:
            # A claim holds the rows of those it takes: it is before this, or sees it.
            connection.execute(select(subscribers.c.id).where(subscribers.c.address_key == key).with_for_update())
            hashed = address_hash(key, pepper=pepper(connection))
            connection.execute(_SUPPRESS, {"address_hash": hashed, "reason": one_line(reason), "at": epoch(now)})
            announce(connection, at=now, what=SUPPRESSED, who=hashed)


# The first reason stays, unless it is one that a new consent would lift: nothing lifts what somebody decided.
_SUPPRESS = text(
    "INSERT INTO suppressions (address_hash, reason, at) VALUES (:address_hash, :reason, :at) "
    "ON CONFLICT (address_hash) DO UPDATE SET reason = excluded.reason, at = excluded.at "
    "WHERE suppressions.reason IN :lifted"
).bindparams(bindparam("lifted", sorted(LIFTED), expanding=True))


_CALLED = (subscribers.c.name, subscribers.c.first_name, subscribers.c.address)
_OWN_FIELDS = frozenset({"first_name", "name", "language"})
