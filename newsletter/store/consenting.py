"""What people themselves do on the pages: leave and take it back, confirm, change what they told us."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from sqlalchemy import ColumnElement, Connection, delete, select, update

from newsletter.audience.asking import MailKind
from newsletter.audience.consent import LIFTED, MOVES, OWN_DOORS, UNDO_WITHIN, Evidence
from newsletter.audience.subscriber import State, Subscriber
from newsletter.store.db import Database
from newsletter.store.entering import change_state
from newsletter.store.mails import queue
from newsletter.store.rows import COLUMNS, person
from newsletter.store.tables import consent_events, subscribers, suppressions


class SqlConsent:
    """The consent of single people, in a database. What has been done already is no error and not done again."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def by_token(self, token: str) -> Subscriber | None:
        """Whom a link for leaving belongs to."""
        # A server cannot even be asked for a text with a zero in it; that must not look like a fault of ours.
        return self._one(subscribers.c.leave_token == token) if token and "\0" not in token else None

    def by_id(self, subscriber_id: int) -> Subscriber | None:
        """The person with this number."""
        return self._one(subscribers.c.id == subscriber_id)

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
            row = subscribers.c.id == subscriber_id
            connection.execute(update(subscribers).where(row).values(joined_at=evidence.at))
            hashed = select(subscribers.c.address_hash).where(row).scalar_subquery()
            lifted = (suppressions.c.address_hash == hashed) & suppressions.c.reason.in_(LIFTED)
            connection.execute(delete(suppressions).where(lifted))
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

    def _one(self, condition: ColumnElement[bool]) -> Subscriber | None:
        with self._db.reading() as connection:
            row = connection.execute(select(*COLUMNS).where(condition)).first()
        return person(row) if row else None


def _held(connection: Connection, subscriber_id: int) -> State | None:
    """Where a person's consent stands; nobody else moves it until we are done."""
    query = select(subscribers.c.state).where(subscribers.c.id == subscriber_id).with_for_update()
    state = connection.execute(query).scalar()
    return State(state) if state is not None else None
