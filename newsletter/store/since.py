"""What an older database does not know: the letters that were sent since, none of which anybody may get again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select

from newsletter.delivery.outcome import Status
from newsletter.store.controls import SqlControls
from newsletter.store.db import Database
from newsletter.store.tables import BatchState, batches, editions, issues, moves, outcomes, revisions

_BY, _WHY = "state push", "an older database was put in the place of the one that knew who has it"
_UNSETTLED = (Status.DEFERRED.value, Status.UNKNOWN.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Letter:
    """A planned letter, as one database knows it: whether any of it was claimed, and whether any may still leave."""

    begun: bool
    open: bool
    told: tuple[Any, ...]  # equal in two databases only if nothing happened to it in between


def call_off(older: Database, newer: Connection, *, now: datetime) -> list[str]:
    """The letters that *older* must not go on with, called off in it: more of them was sent, as *newer* knows.

    To whom, *older* cannot tell; so nobody gets them any more. Those that it has never heard of are entered, called
    off, so that nobody plans them anew.
    """
    with older.writing() as connection:
        here, there = _letters(connection), _letters(newer)
        sent = [name for name, letter in sorted(there.items()) if letter.begun and _is_news(letter, here.get(name))]
        for name in sent:
            if name not in here:
                _enter(connection, newer, name)
        going_on = select(issues.c.no).where(issues.c.issue_id.in_(sent), issues.c.cancelled == "")
        numbers = connection.execute(going_on).scalars().all()
    for number in numbers:
        SqlControls(older).cancel(number, by=_BY, why=_WHY, now=now)
    return sent


def _is_news(letter: _Letter, known: _Letter | None) -> bool:
    return known is None or (known.open and known.told != letter.told)


def _letters(connection: Connection) -> dict[str, _Letter]:
    query = select(issues.c.issue_id, issues.c.no).order_by(issues.c.no)
    return {name: _letter(connection, no) for name, no in connection.execute(query)}


def _letter(connection: Connection, no: int) -> _Letter:
    ranges = connection.execute(select(batches).where(batches.c.issue_no == no).order_by(batches.c.lo)).all()
    ends = select(func.count(), func.max(outcomes.c.at)).where(outcomes.c.issue_no == no)
    unsettled = connection.execute(ends.where(outcomes.c.status.in_(_UNSETTLED))).one()
    changed = connection.execute(select(func.count()).select_from(moves).where(moves.c.issue_no == no)).scalar_one()
    return _Letter(
        begun=any(each.claimed_at for each in ranges),
        open=bool(unsettled[0]) or any(each.state != BatchState.DONE.value for each in ranges),
        told=(*ranges, *unsettled, *connection.execute(ends).one(), changed),
    )


def _enter(connection: Connection, newer: Connection, name: str) -> None:
    """A letter that *newer* knows, for nobody at all."""
    letter = newer.execute(select(issues).where(issues.c.issue_id == name)).mappings().one()
    no = connection.execute(select(func.coalesce(func.max(issues.c.no), 0) + 1)).scalar_one()
    sent = newer.execute(select(revisions).where(revisions.c.issue_no == letter["no"])).mappings().all()
    known = connection.execute(select(editions.c.hash)).scalars().all()
    wanted = {each["edition_hash"] for each in sent}.difference(known)
    for edition in newer.execute(select(editions).where(editions.c.hash.in_(wanted))).mappings():
        connection.execute(insert(editions), dict(edition))
    connection.execute(insert(issues), dict(letter) | {"no": no, "candidates": 0})
    connection.execute(insert(revisions), [dict(each) | {"issue_no": no} for each in sent])
