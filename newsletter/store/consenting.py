"""What people themselves do on the pages: leave and take it back, confirm, change what they told us."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, Select, bindparam, delete, or_, select, update

from newsletter.audience.asking import MailKind
from newsletter.audience.consent import LIFTED, MOVES, OWN_DOORS, UNDO_WITHIN, Evidence
from newsletter.audience.subscriber import State, Subscriber
from newsletter.store.db import Database
from newsletter.store.entering import change_state
from newsletter.store.kinds import epoch
from newsletter.store.mails import queue
from newsletter.store.quick import within
from newsletter.store.rows import COLUMNS, person
from newsletter.store.tables import consent_events, subscribers, suppressions


class SqlConsent:
    """The consent of single people, in a database. What has been done already is no error and not done again."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def by_token(self, token: str) -> Subscriber | None:
        """Whom a link for leaving belongs to."""
        # A server cannot even be asked for a text with a zero in it; that must not look like a fault of ours.
        return self._one(_BY_TOKEN, token=token) if token and "\0" not in token else None

    def by_id(self, subscriber_id: int) -> Subscriber | None:
        """The person with this number."""
        return self._one(_BY_ID, person_id=subscriber_id)

    def leave(self, subscriber_id: int, *, state: State = State.UNSUBSCRIBED, evidence: Evidence) -> bool:
        """Let a person be gone; False if they were already, or for a graver reason."""
        with self._db.writing() as connection:
            old = _held(connection, subscriber_id)
            if old is None or state not in MOVES[old]:
                return False
            change_state(connection, subscriber_id, state, evidence)
            return True

    def confirm(self, subscriber_id: int, *, evidence: Evidence) -> bool:
        """Let somebody who asked to join be on the list, from now on; False if they did not ask, or are already."""
        with self._db.writing() as connection:
            if _held(connection, subscriber_id) is not State.PENDING:
                return False
            change_state(connection, subscriber_id, State.ACTIVE, evidence)
            quick = within(connection)
            quick.run(_JOINED, {"person_id": subscriber_id, "now": epoch(evidence.at)})
            quick.run(_LIFT, {"person_id": subscriber_id})
            queue(connection, subscriber_id, MailKind.WELCOME, now=evidence.at)
            return True

    def undo(self, subscriber_id: int, *, evidence: Evidence) -> bool:
        """Take back that a person left by their own hand a moment ago; False if that is not what happened last."""
        with self._db.writing() as connection:
            if _held(connection, subscriber_id) is not State.UNSUBSCRIBED:
                return False
            table = consent_events.c
            moves = select(table.at, table.how, table.state).where(
                table.subscriber_id == subscriber_id, table.state.is_not(None)
            )
            last, *before = connection.execute(moves.order_by(table.no.desc()).limit(2)).all()
            # Whoever had not confirmed yet when they left has nothing to go back to but asking.
            if [each.state for each in before] != [State.ACTIVE.value]:
                return False
            if last.how not in OWN_DOORS or evidence.at - last.at > UNDO_WITHIN:
                return False
            # Later than the leaving by the clock too, so that the journal of departures takes it for what it is.
            after = max(evidence.at, last.at + timedelta(seconds=1))
            said = Evidence(at=after, how=evidence.how, source=evidence.source, text=evidence.text)
            change_state(connection, subscriber_id, State.ACTIVE, said)
            return True

    def change(self, subscriber_id: int, values: Mapping[str, object]) -> bool:
        """Keep what a person says of themselves: columns of `subscribers` as the table has them; False if gone."""
        with self._db.writing() as connection:
            if _held(connection, subscriber_id) in (None, State.ERASED):
                return False
            connection.execute(update(subscribers).where(subscribers.c.id == subscriber_id).values(**values))
            return True

    def _one(self, query: Select[Any], **values: object) -> Subscriber | None:
        with self._db.looking() as quick:
            row = quick.first(query, values)
        return person(row) if row else None


# Put together once: a page is asked for more often than all else.
_BY_TOKEN = select(*COLUMNS).where(subscribers.c.leave_token == bindparam("token"))
_BY_ID = select(*COLUMNS).where(subscribers.c.id == bindparam("person_id"))
_STATE = select(subscribers.c.state).where(subscribers.c.id == bindparam("person_id")).with_for_update()
_JOINED = update(subscribers).where(subscribers.c.id == bindparam("person_id")).values(joined_at=bindparam("now"))
_HASH = select(subscribers.c.address_hash).where(subscribers.c.id == bindparam("person_id")).scalar_subquery()
_LIFT = delete(suppressions).where(
    suppressions.c.address_hash == _HASH, or_(*(suppressions.c.reason == reason for reason in sorted(LIFTED)))
)


def _held(connection: Connection, subscriber_id: int) -> State | None:
    """Where a person's consent stands; nobody else moves it until we are done."""
    row = within(connection).first(_STATE, {"person_id": subscriber_id})
    return State(row[0]) if row else None
