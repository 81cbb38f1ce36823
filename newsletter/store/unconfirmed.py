"""Those who asked to join and never confirmed: after two weeks of silence it is as if nobody had asked."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, Select, delete, select

from newsletter.audience.asking import FORGOTTEN_AFTER
from newsletter.audience.consent import DEPARTED, Evidence
from newsletter.audience.subscriber import State
from newsletter.store.db import Database
from newsletter.store.entering import change_state
from newsletter.store.erasing import erase
from newsletter.store.mails import WAITING
from newsletter.store.tables import consent_events, mails, subscribers
from newsletter.store.wishes import HOW

AT_ONCE = 20  # people in one transaction, which others wait for


class SqlUnconfirmed:
    """Those who have yet to confirm, in a database. Whoever is among them was sent a mail, and by that is found."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def waiting(self, *, now: datetime) -> bool:
        """Whether there are mails so old that nothing is kept of them, and perhaps people to forget with them."""
        with self._db.reading() as connection:
            return connection.execute(_old(now=now).limit(1)).first() is not None

    def forget(self, *, now: datetime) -> int:
        """Forget some of those to whom no mail was sent for so long, and old mails; how many people."""
        with self._db.writing() as connection:
            numbers = [row.subscriber_id for row in connection.execute(_old(now=now).distinct().limit(AT_ONCE))]
            forgotten = sum(_forget(connection, number, now=now) for number in numbers)
            gone = mails.c.subscriber_id.in_(numbers) & ~WAITING & (mails.c.at <= now - FORGOTTEN_AFTER)
            connection.execute(delete(mails).where(gone))
            return forgotten


def _old(*, now: datetime) -> Select[tuple[int]]:
    """Who was sent a mail long ago."""
    return select(mails.c.subscriber_id).where(~WAITING, mails.c.at <= now - FORGOTTEN_AFTER)


def _forget(connection: Connection, number: int, *, now: datetime) -> bool:
    """Whether somebody was forgotten, or is again where they were before they asked anew.

    Not those to whom a mail is still to leave, or left lately; nor those whom others brought.
    """
    query = select(subscribers.c.state).where(subscribers.c.id == number).with_for_update()
    state = connection.execute(query).scalar_one()
    lately = select(mails.c.no).where(mails.c.subscriber_id == number, WAITING | (mails.c.at > now - FORGOTTEN_AFTER))
    if state != State.PENDING.value or connection.execute(lately).first() is not None:
        return False
    table = consent_events.c
    events = select(table.state, table.how).where(table.subscriber_id == number).order_by(table.no.desc())
    told = connection.execute(events).all()
    before = next((State(each.state) for each in told if each.state in DEPARTED), None)
    evidence = Evidence(at=now, how="silence", source="asked to join and did not confirm")
    if before:
        change_state(connection, number, before, evidence)
    elif all(each.how == HOW for each in told):
        erase(connection, number, evidence=evidence, bars=False)
    else:
        return False
    return True
