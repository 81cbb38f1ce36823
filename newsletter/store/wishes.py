"""What visitors of the pages asked, queued: whether we know an address is looked up later, when nobody waits."""

from __future__ import annotations

import json
import secrets
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Integer, Row, bindparam, delete, func, insert, select

from newsletter.audience.addresses import BadAddress, address_key, beginning_of, mailbox_of
from newsletter.audience.asking import APART, FORGOTTEN_AFTER, Asker, MailKind, WishKind, answer_to
from newsletter.audience.columns import is_tag
from newsletter.audience.consent import Evidence
from newsletter.audience.subscriber import Frequency, State, ZoneSource
from newsletter.errors import StoreError
from newsletter.pieces import one_line
from newsletter.store.db import Database, one_at_a_time
from newsletter.store.entering import address_hash, change_state, pepper
from newsletter.store.kinds import Instant, epoch, instant
from newsletter.store.mails import WAITING, queue
from newsletter.store.quick import Quick, within
from newsletter.store.rows import write_tags
from newsletter.store.tables import mails, subscribers, suppressions, wishes

AT_ONCE = 20  # wishes in one transaction, which others wait for
# Whoever can ask from many places could fill the disk, and have us mail for weeks.
MOST_WISHES = 100_000  # that were not looked at yet
MOST_WAITING = 2_000  # strangers whose mail has yet to leave; nobody else comes to the list until some have
HOW = "page"  # the door by which people come themselves


class SqlWishes:
    """The queue, in a database."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def add(self, kind: WishKind, address: str, details: Mapping[str, object], *, now: datetime) -> None:
        """Queue what somebody asked; *address* is normalised.

        *details* is what they say of themselves: name, first_name, zone, language, tags, and as text what they agreed
        to. Of somebody we know already nothing of it is believed. Raises StoreError where too many wait.
        """
        said = json.dumps(dict(details), sort_keys=True)
        with self._db.quick() as quick:
            span = quick.first(_SPAN, {})
            if span and (span[0] or 0) >= MOST_WISHES - 1:
                hint = "newsletter serve, newsletter run or a tick looks at them; does one?"
                raise StoreError("too many wishes of visitors wait", hint=hint, at=self._db.place)
            quick.run(_ADD, {"kind": kind.value, "address": address, "details": said, "at": epoch(now)})

    def waiting(self) -> int:
        """How many were not looked at yet."""
        with self._db.reading() as connection:
            return connection.execute(select(func.count()).select_from(wishes)).scalar_one()

    def answer(self, *, now: datetime) -> int:
        """Let the oldest wishes come true, or come to nothing, in one transaction; how many it were."""
        with self._db.writing() as connection:
            one_at_a_time(connection, "enter")  # as for everybody who brings people in
            rows = connection.execute(select(wishes).order_by(wishes.c.no).limit(AT_ONCE)).all()
            for row in rows:
                _answer(connection, row, now=now)
            if self._db.is_sqlite:  # or who asked would be found in the free parts of the file
                connection.exec_driver_sql("PRAGMA secure_delete = ON")
            connection.execute(delete(wishes).where(wishes.c.no.in_([row.no for row in rows])))
            return len(rows)


_SPAN = select(func.max(wishes.c.no) - func.min(wishes.c.no))  # read from both ends, however many there are
_ADD = insert(wishes).values({name: bindparam(name) for name in ("kind", "address", "details", "at")})


@dataclass(frozen=True, slots=True)
class _Details:
    """What somebody says of themselves, in a form that every database can keep: one that cannot would stop all."""

    said: Mapping[str, Any]

    def text(self, name: str) -> str:
        return one_line(self.said.get(name, ""))

    @property
    def tags(self) -> frozenset[str]:
        return frozenset(filter(is_tag, self.said.get("tags", ())))


def _answer(connection: Connection, wish: Row[Any], *, now: datetime) -> None:
    try:
        key = address_key(wish.address)
    except BadAddress:
        return
    hashed = address_hash(key, pepper=pepper(connection))
    quick = within(connection)
    number, state = quick.first(_PERSON, {"key": key}) or (0, None)
    (barred,) = quick.first(_BARRED, {"hashed": hashed}) or ("",)
    mailed = _mailed(quick, number, now=now) if number else {}
    asker = Asker(state=state and State(state), barred=barred, mailed=mailed)
    answer = answer_to(WishKind(wish.kind), asker, now=now)
    if answer.mail is MailKind.CONFIRM and (_are_many(quick) or _mailed_as_another(quick, key, now=now)):
        return
    details = _Details(json.loads(wish.details))
    if answer.joins:
        if not number:
            number = _admit(quick, wish.address, key, hashed, details, now=now)
        evidence = Evidence(at=wish.at, how=HOW, source="asked to join", text=details.text("text"))
        change_state(connection, number, State.PENDING, evidence)
    if answer.mail:
        queue(connection, number, answer.mail, now=now)


def _are_many(quick: Quick) -> bool:
    """Whether as many strangers wait for their mail as may."""
    found = quick.first(_SOME, {"most": MOST_WAITING})
    return found is not None and found[0] >= MOST_WAITING


def _mailed_as_another(quick: Quick, key: str, *, now: datetime) -> bool:
    """Whether a stranger's mail was sent, or will be sent, lately to another address of the same mailbox."""
    mailbox = mailbox_of(key)
    pattern = f"{beginning_of(mailbox)}%{mailbox[mailbox.rindex('@') :]}"  # all addresses of it fit, and others too
    values = {"key": key, "pattern": pattern, "since": epoch(now - APART[MailKind.CONFIRM])}
    return any(mailbox_of(each) == mailbox for (each,) in quick.all(_LIKE, values))


def _mailed(quick: Quick, subscriber_id: int, *, now: datetime) -> dict[MailKind, list[datetime]]:
    """When somebody was sent, or will be sent, mails of their own lately, by kind."""
    found: dict[MailKind, list[datetime]] = defaultdict(list)
    for kind, at, waits in quick.all(_MAILED, {"person_id": subscriber_id, "since": epoch(now - FORGOTTEN_AFTER)}):
        found[MailKind(kind)].append(now if waits else instant(at))
    return found


def _admit(quick: Quick, address: str, key: str, hashed: bytes, details: _Details, *, now: datetime) -> int:
    """The number of somebody new, who has yet to confirm; what they say of themselves is kept with them until then."""
    row = quick.first(_FREE, {})
    assert row is not None
    number: int = row[0]
    zone = details.text("zone") or None
    values = {
        "id": number,
        "address": address,
        "address_key": key,
        "address_hash": hashed,
        "name": details.text("name"),
        "first_name": details.text("first_name"),
        "state": State.PENDING.value,
        "paused_until": None,
        "zone": zone,
        "zone_source": (ZoneSource.BROWSER if zone else ZoneSource.DEFAULT).value,
        "language": details.text("language"),
        "tags": write_tags(details.tags),
        "attributes": "{}",
        "leave_token": secrets.token_urlsafe(16),
        "joined_at": epoch(now),
        "frequency": Frequency.WEEKLY.value,
    }
    quick.append(subscribers, [tuple(values[column.name] for column in subscribers.columns)])
    return number


_PERSON = select(subscribers.c.id, subscribers.c.state).where(subscribers.c.address_key == bindparam("key"))
_PERSON = _PERSON.with_for_update()
_BARRED = select(suppressions.c.reason).where(suppressions.c.address_hash == bindparam("hashed"))
_MAILED = select(mails.c.kind, mails.c.at, WAITING).where(
    mails.c.subscriber_id == bindparam("person_id"), WAITING | (mails.c.at > bindparam("since", type_=Instant))
)
_WAITS = select(mails.c.no).where(WAITING, mails.c.kind == MailKind.CONFIRM.value)
_SOME = select(func.count()).select_from(_WAITS.limit(bindparam("most", type_=Integer)).subquery())
_LIKE = (
    select(subscribers.c.address_key)
    .join_from(mails, subscribers, subscribers.c.id == mails.c.subscriber_id)
    .where(
        mails.c.kind == MailKind.CONFIRM.value,
        WAITING | (mails.c.at > bindparam("since", type_=Instant)),
        subscribers.c.address_key.like(bindparam("pattern")),
        subscribers.c.address_key != bindparam("key"),
    )
)
_FREE = select(func.coalesce(func.max(subscribers.c.id), 0) + 1)
