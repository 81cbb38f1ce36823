"""Mails to one person: queued, claimed before the provider is called, and what became of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import (
    Connection,
    and_,
    bindparam,
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
from newsletter.store.db import Database
from newsletter.store.kinds import Instant, epoch, instant
from newsletter.store.quick import Quick, within
from newsletter.store.rows import COLUMNS, person
from newsletter.store.tables import batches, issues, mails, subscribers, suppressions

CALL = timedelta(minutes=15)  # longer than any call takes: whoever claimed a mail before that is gone
AN_HOUR = timedelta(hours=1)

# In the words of the partial index, so that what is done is never read.
WAITING = mails.c.state.in_([literal_column("'queued'"), literal_column("'claimed'")])
_QUEUED = and_(WAITING, mails.c.state == MailState.QUEUED.value)


def queue(connection: Connection, subscriber_id: int, kind: MailKind, *, now: datetime) -> None:
    """Queue a mail for somebody, to leave when its turn comes."""
    within(connection).run(_QUEUE, {"subscriber_id": subscriber_id, "kind": kind.value, "now": epoch(now)})


_QUEUE = insert(mails).values(
    subscriber_id=bindparam("subscriber_id"),
    kind=bindparam("kind"),
    state=MailState.QUEUED.value,
    queued_at=bindparam("now"),
    at=bindparam("now"),
    reason="",
)


class SqlMails:
    """The mails of one newsletter, in a database. Where one is put off, its `at` is when it may leave."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def waiting(self, *, now: datetime) -> bool:
        """Whether there is one to claim, or one that somebody claimed and never told what became of it."""
        with self._db.looking() as quick:
            return quick.first(_ANY, _instants(now)) is not None

    def claim(self, *, confirmations_an_hour: int, welcome: bool, now: datetime) -> OwnMail | None:
        """The next mail, durably ours before the provider is called; None if none may leave now.

        What others claimed long ago is in doubt. Who may not be mailed any more is not, and nobody is made *welcome*
        where that is not wanted.
        """
        with self._db.quick() as quick:
            quick.one_at_a_time("mails")
            quick.run(_GIVE_UP, _instants(now))
            left = quick.first(_CONFIRMATIONS, _instants(now))
            following = _NEXT if left and left[0] < confirmations_an_hour else _NEXT_TO_KNOWN
            while (row := quick.first(following, _instants(now))) is not None:
                no, named, queued_at, barred = row[len(COLUMNS) :]
                who, kind = person(row), MailKind(named)
                may = who.state in MAY_GET[kind] and not is_barred(barred or "")
                if may and (welcome or kind is not MailKind.WELCOME):
                    _move(quick, no, MailState.CLAIMED, at=now)
                    return OwnMail(no=no, kind=kind, person=who, queued_at=instant(queued_at), claimed_at=now)
                _move(quick, no, MailState.REFUSED, at=now, reason="not wanted any more")
            return None

    def record(self, mail: OwnMail, state: MailState, *, reason: str, at: datetime) -> None:
        """Keep what became of a mail that was claimed; QUEUED is for what certainly never left, from *at* on."""
        with self._db.quick() as quick:
            _move(quick, mail.no, state, at=at, reason=one_line(reason))

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


# Put together once, and run straight on the driver: a mail is claimed by itself, so each has its turn of all of them.
_NOW, _CALL_AGO, _HOUR_AGO = (bindparam(name, type_=Instant) for name in ("now", "call_ago", "hour_ago"))
_ABANDONED = and_(WAITING, mails.c.state == MailState.CLAIMED.value, mails.c.at <= _CALL_AGO)
_ANY = select(mails.c.no).where(or_(and_(_QUEUED, mails.c.at <= _NOW), _ABANDONED)).limit(1)
_GIVE_UP = update(mails).where(_ABANDONED).values(state=MailState.DOUBT.value, reason="its sender was gone")
_CONFIRMATIONS = select(func.count()).where(
    mails.c.kind == MailKind.CONFIRM.value, mails.c.state != MailState.QUEUED.value, mails.c.at > _HOUR_AGO
)
_BARRED = select(suppressions.c.reason).where(suppressions.c.address_hash == subscribers.c.address_hash)
# The mail that was queued last, and the person, who cannot change before we are done. Who asked a moment ago looks into
# their mailbox now; who waits behind a flood does not look any more.
_NEXT = (
    select(*COLUMNS, mails.c.no, mails.c.kind, mails.c.queued_at, _BARRED.scalar_subquery())
    .join_from(mails, subscribers, subscribers.c.id == mails.c.subscriber_id)
    .where(_QUEUED, mails.c.at <= _NOW)
    .order_by(mails.c.no.desc())
    .limit(1)
    .with_for_update(of=subscribers)  # of mails there is one claim at a time
)
# No more to strangers in an hour than somebody set.
_NEXT_TO_KNOWN = _NEXT.where(mails.c.kind != MailKind.CONFIRM.value)
_MOVE = (
    update(mails)
    .where(mails.c.no == bindparam("number"))
    .values({name: bindparam(name) for name in ("state", "at", "reason")})
)


def _instants(now: datetime) -> dict[str, int]:
    """What the statements above compare with, as the database has it."""
    return {"now": epoch(now), "call_ago": epoch(now - CALL), "hour_ago": epoch(now - AN_HOUR)}


def _move(quick: Quick, no: int, state: MailState, *, at: datetime, reason: str = "") -> None:
    quick.run(_MOVE, {"number": no, "state": state.value, "at": epoch(at), "reason": reason})
