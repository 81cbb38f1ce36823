"""Forgetting a person: what could name them goes from every table and out of the file; their number stays.

The ledger goes on adding up, as it knows them by that number alone. What keeps them away is the keyed hash of their
address, which says nothing to anybody who has not the address already.
"""

from __future__ import annotations

import secrets
import sqlite3
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, insert, select, text, update

from newsletter.audience.addresses import BadAddress, address_key
from newsletter.audience.consent import Evidence
from newsletter.audience.subscriber import Frequency, State, ZoneSource
from newsletter.delivery.outcome import Status
from newsletter.errors import NewsletterError
from newsletter.store.db import Database
from newsletter.store.entering import address_hash, pepper
from newsletter.store.journal import announce
from newsletter.store.kinds import epoch
from newsletter.store.tables import (
    BatchState,
    batches,
    consent_events,
    deliveries,
    issues,
    mails,
    moves,
    outcomes,
    soft_bounces,
    subscribers,
    wishes,
)

_HANDED_OVER = [s.value for s in (Status.ACCEPTED, Status.DELIVERED, Status.BOUNCED, Status.COMPLAINED, Status.UNKNOWN)]
_TOUCHED = (subscribers, consent_events, mails, soft_bounces, wishes, outcomes, moves)


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgotten:
    """Whom we knew by an address: somebody on the list or nobody; what they were sent, and the last time."""

    on_list: bool
    letters: int = 0
    last_at: datetime | None = None


class SqlErasure:
    """Forgetting, in a database."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def forget(self, address: str, *, evidence: Evidence) -> Forgotten:
        """Erase whoever has this address, and let no import bring it back; also if nobody has it.

        Raises NewsletterError if it is no address, or while a letter to them is being handed over.
        """
        try:
            key = address_key(address)
        except BadAddress as problem:
            raise NewsletterError(str(problem)) from None
        with self._db.writing() as connection:
            person = connection.execute(select(subscribers.c.id).where(subscribers.c.address_key == key)).scalar()
            if person is None:
                _forget_wishes(connection, key)
                bar_erased(connection, address_hash(key, pepper=pepper(connection)), at=evidence.at)
                return Forgotten(on_list=False)
            letters = _letters(connection, person)
            if any(_in_hands(connection, *each) for each in letters):
                hint = "let the send end (one that died is ended by: newsletter send), then run the same command again"
                raise NewsletterError("a letter to this person is being handed over right now", hint=hint)
            handed_over = [at for each in letters if (at := _handed_over(connection, *each))]
            erase(connection, person, evidence=evidence)
            return Forgotten(on_list=True, letters=len(handed_over), last_at=max(handed_over, default=None))

    @property
    def leaves_nothing(self) -> bool:
        """Whether `scrub` can see to it that nothing is left in the files."""
        return self._db.is_sqlite

    def scrub(self, *, patience_s: float = 10.0) -> bool:
        """Let what was erased be gone from the database's own files too; False if others kept us from it so long.

        Of SQLite's file nothing is left then. A PostgreSQL overwrites what is free when it needs the room.
        """
        if not self._db.is_sqlite:
            with self._db.outside() as raw:
                raw.execute(f"VACUUM {', '.join(table.name for table in _TOUCHED)}")
            return True
        with self._db.outside() as raw:
            try:
                raw.execute(f"PRAGMA busy_timeout = {int(patience_s * 1000)}").close()
                # Without the list of free pages and the rest of moved rows, then without the log of all that.
                raw.execute("VACUUM").close()
                busy, *_ = raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                    raise
                return False
            return not busy


def erase(connection: Connection, subscriber_id: int, *, evidence: Evidence, bars: bool = True) -> None:
    """Blank a person's row, and take away all else that could name them, for good.

    It *bars* their address too, unless they never were on the list.
    """
    # A claim holds the batch before it holds the people: so do we, lest one waits for the other in a circle.
    letters = [{"issue": issue_no, "number": seq} for issue_no, seq in _letters(connection, subscriber_id)]
    table = subscribers.c
    query = select(table.address_key, table.address_hash).where(table.id == subscriber_id).with_for_update()
    key, hashed = connection.execute(query).one()
    if not hashed:
        return
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA secure_delete = ON")
    _forget_wishes(connection, key)
    for each in (consent_events, mails, soft_bounces):
        connection.execute(delete(each).where(each.c.subscriber_id == subscriber_id))
    if letters:
        connection.execute(_BLANK_OUTCOMES, letters)
        connection.execute(_BLANK_MOVES, letters)
    row = {"address_key": f"erased {subscriber_id}", "leave_token": secrets.token_urlsafe(16)}
    connection.execute(update(subscribers).where(table.id == subscriber_id).values(_BLANK | row))
    said = {"subscriber_id": subscriber_id, "no": 1, "at": evidence.at, "how": evidence.how, "source": evidence.source}
    connection.execute(insert(consent_events), said | {"text": "", "state": State.ERASED.value})
    if bars:
        bar_erased(connection, bytes(hashed), at=evidence.at)


def bar_erased(connection: Connection, hashed: bytes, *, at: datetime) -> None:
    """Keep an address away whose person asked to be forgotten; what was said of it before goes."""
    connection.execute(_BAR, {"hash": hashed, "reason": State.ERASED.value, "at": epoch(at)})
    announce(connection, at=at, what=State.ERASED.value, who=hashed)


_BAR = text(
    "INSERT INTO suppressions (address_hash, reason, at) VALUES (:hash, :reason, :at) "
    "ON CONFLICT (address_hash) DO UPDATE SET reason = excluded.reason, at = excluded.at"
)

# All but the number, the key and the token, which have to be somebody's own, and the day they came, for the counts.
_BLANK: dict[str, Any] = {
    "address": "",
    "address_hash": b"",
    "name": "",
    "first_name": "",
    "state": State.ERASED.value,
    "paused_until": None,
    "zone": None,
    "zone_source": ZoneSource.DEFAULT.value,
    "language": "",
    "tags": "",
    "attributes": "{}",
    "frequency": Frequency.WEEKLY.value,
}


def _of_delivery(table: Any) -> Any:  # noqa: ANN401 - outcomes or moves
    return (table.c.issue_no == bindparam("issue")) & (table.c.seq == bindparam("number"))


# Servers say what they like about an address, in words that hold it; the digest is of a name and links.
_BLANK_OUTCOMES = update(outcomes).where(_of_delivery(outcomes)).values(provider_id="", reason="", values_digest=b"")
_BLANK_MOVES = update(moves).where(_of_delivery(moves)).values(old_reason="", reason="")


def _forget_wishes(connection: Connection, key: str) -> None:
    connection.execute(delete(wishes).where(func.lower(wishes.c.address) == key))


def _letters(connection: Connection, subscriber_id: int) -> list[tuple[int, int]]:
    """The deliveries to a person; nobody claims them, or changes what became of them, until we are done."""
    query = select(deliveries.c.issue_no, deliveries.c.seq).where(
        # One look into the index for each issue; without the list SQLite would read every delivery.
        deliveries.c.issue_no.in_(select(issues.c.no)),
        deliveries.c.subscriber_id == subscriber_id,
    )
    found = [(issue_no, seq) for issue_no, seq in connection.execute(query.order_by(deliveries.c.issue_no))]
    for issue_no, seq in found:
        connection.execute(_batch(issue_no, seq).with_for_update())
    return found


def _batch(issue_no: int, seq: int) -> Any:  # noqa: ANN401 - a select
    here = (batches.c.issue_no == issue_no) & (batches.c.lo <= seq) & (batches.c.hi > seq)
    return select(batches.c.state).where(here)


def _in_hands(connection: Connection, issue_no: int, seq: int) -> bool:
    """Whether a sender has a delivery, or died having it, and has not told what became of it."""
    outcome = select(outcomes.c.seq).where(outcomes.c.issue_no == issue_no, outcomes.c.seq == seq)
    state = connection.execute(_batch(issue_no, seq)).scalar()
    return state == BatchState.CLAIMED.value and connection.execute(outcome).first() is None


def _handed_over(connection: Connection, issue_no: int, seq: int) -> datetime | None:
    """When a letter left us, or may have."""
    query = select(outcomes.c.at).where(outcomes.c.issue_no == issue_no, outcomes.c.seq == seq)
    found: datetime | None = connection.execute(query.where(outcomes.c.status.in_(_HANDED_OVER))).scalar()
    return found
