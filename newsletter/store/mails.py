"""Mails to one person: queued, claimed before the provider is called, and what became of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    exists,
    func,
    insert,
    literal_column,
    or_,
    select,
    update,
)

from newsletter.audience.asking import MAY_GET, MailKind, MailState, OwnMail, is_barred
from newsletter.pieces import one_line
from newsletter.store.db import Database, one_at_a_time
from newsletter.store.rows import COLUMNS, person
from newsletter.store.tables import batches, issues, mails, subscribers, suppressions

CALL = timedelta(minutes=15)  # longer than any call takes: whoever claimed a mail before that is gone
AN_HOUR = timedelta(hours=1)

# In the words of the partial index, so that what is done is never read.
WAITING = mails.c.state.in_([literal_column("'queued'"), literal_column("'claimed'")])
_QUEUED = and_(WAITING, mails.c.state == MailState.QUEUED.value)


def queue(connection: Connection, subscriber_id: int, kind: MailKind, *, now: datetime) -> None:
    """Queue a mail for somebody, to leave when its turn comes."""
    row = {"subscriber_id": subscriber_id, "kind": kind.value, "state": MailState.QUEUED.value}
    connection.execute(insert(mails), row | {"queued_at": now, "at": now, "reason": ""})


class SqlMails:
    """The mails of one newsletter, in a database. Where one is put off, its `at` is when it may leave."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def waiting(self, *, now: datetime) -> bool:
        """Whether there is one to claim, or one that somebody claimed and never told what became of it."""
        query = select(mails.c.no).where(or_(and_(_QUEUED, mails.c.at <= now), _abandoned(now=now))).limit(1)
        with self._db.reading() as connection:
            return connection.execute(query).first() is not None

    def claim(self, *, confirmations_an_hour: int, welcome: bool, now: datetime) -> OwnMail | None:
        """The next mail, durably ours before the provider is called; None if none may leave now.

        What others claimed long ago is in doubt. Who may not be mailed any more is not, and nobody is made *welcome*
        where that is not wanted.
        """
        with self._db.writing() as connection:
            one_at_a_time(connection, "mails")
            _give_up(connection, now=now)
            kinds = _kinds(connection, confirmations_an_hour, now=now)
            while (row := connection.execute(_next(kinds, now=now)).first()) is not None:
                who, kind = person(row), MailKind(row.kind)
                may = who.state in MAY_GET[kind] and not is_barred(row.barred or "")
                if may and (welcome or kind is not MailKind.WELCOME):
                    _move(connection, row.no, MailState.CLAIMED, at=now)
                    return OwnMail(no=row.no, kind=kind, person=who, queued_at=row.queued_at, claimed_at=now)
                _move(connection, row.no, MailState.REFUSED, at=now, reason="not wanted any more")
            return None

    def record(self, mail: OwnMail, state: MailState, *, reason: str, at: datetime) -> None:
        """Keep what became of a mail that was claimed; QUEUED is for what certainly never left, from *at* on."""
        with self._db.writing() as connection:
            _move(connection, mail.no, state, at=at, reason=one_line(reason))

    def newest_letter(self, *, since: datetime) -> str | None:
        """The newest letter to everybody that began to leave after *since*."""
        left = exists().where(batches.c.issue_no == issues.c.no, batches.c.claimed_at > since)
        query = select(issues.c.issue_id).where(issues.c.cancelled == "", issues.c.issue_id.not_like("%.%"), left)
        with self._db.reading() as connection:
            return connection.execute(query.order_by(issues.c.no.desc()).limit(1)).scalar()

    def counts(self) -> Mapping[MailState, int]:
        """How many mails stand where."""
        query = select(mails.c.state, func.count()).group_by(mails.c.state)
        with self._db.reading() as connection:
            return {MailState(state): count for state, count in connection.execute(query)}


def _abandoned(*, now: datetime) -> ColumnElement[bool]:
    return and_(WAITING, mails.c.state == MailState.CLAIMED.value, mails.c.at <= now - CALL)


def _give_up(connection: Connection, *, now: datetime) -> None:
    """Have in doubt what somebody claimed long ago."""
    values = {"state": MailState.DOUBT.value, "reason": "its sender was gone"}
    connection.execute(update(mails).where(_abandoned(now=now)).values(values))


def _kinds(connection: Connection, confirmations_an_hour: int, *, now: datetime) -> list[MailKind]:
    """The kinds of mail that may leave: no more mails to strangers in an hour than somebody set."""
    left = select(func.count()).where(
        mails.c.kind == MailKind.CONFIRM.value, mails.c.state != MailState.QUEUED.value, mails.c.at > now - AN_HOUR
    )
    if connection.execute(left).scalar_one() < confirmations_an_hour:
        return list(MailKind)
    return [kind for kind in MailKind if kind is not MailKind.CONFIRM]


def _next(kinds: Sequence[MailKind], *, now: datetime) -> Select[tuple[Any, ...]]:
    """The mail that was queued last, and the person, who cannot change before we are done.

    Who asked a moment ago looks into their mailbox now; who waits behind a flood does not look any more.
    """
    barred = select(suppressions.c.reason).where(suppressions.c.address_hash == subscribers.c.address_hash)
    return (
        select(*COLUMNS, mails.c.no, mails.c.kind, mails.c.queued_at, barred.scalar_subquery().label("barred"))
        .join_from(mails, subscribers, subscribers.c.id == mails.c.subscriber_id)
        .where(_QUEUED, mails.c.at <= now, mails.c.kind.in_([kind.value for kind in kinds]))
        .order_by(mails.c.no.desc())
        .limit(1)
        .with_for_update(of=subscribers)  # of mails there is one claim at a time
    )


def _move(connection: Connection, no: int, state: MailState, *, at: datetime, reason: str = "") -> None:
    connection.execute(update(mails).where(mails.c.no == no).values(state=state.value, at=at, reason=reason))
