"""Parts of series: planned again and again, for those whose turn it is, and for nobody twice.

A part is one issue, whose audience grows. That the key of `deliveries` has each reader once in an issue is what
keeps a part from coming twice, whatever is edited, moved or run at the same time.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnElement, Connection, delete, func, insert, literal, or_, select, text, update

from newsletter.delivery.outcome import Status
from newsletter.delivery.plan import Extension, Plan, Turnout
from newsletter.store import rules
from newsletter.store.db import Database, wait_longer
from newsletter.store.planner import BATCH, add_batches, write_issue
from newsletter.store.tables import batches, deliveries, issues, outcomes, subscribers


class SqlSeries:
    """The parts of series, in a database."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def swept_at(self, issue_id: str) -> datetime | None:
        """Until when it is planned for whom a part is due; None if that was never done."""
        with self._db.reading() as connection:
            return connection.execute(select(issues.c.swept_at).where(issues.c.issue_id == issue_id)).scalar()

    def extend(self, part: Extension, *, now: datetime) -> int:
        """Plan a part for those whose turn it is, in one transaction; how many they are."""
        with self._db.writing(snapshot=True) as connection:
            wait_longer(connection)
            if not self._db.is_sqlite:
                connection.execute(text("LOCK TABLE deliveries IN SHARE ROW EXCLUSIVE MODE"))  # as a plan does
            no = _number(connection, part, now=now)
            _take_back(connection, no, now=now)
            people = sum(_turn_out(connection, part, turnout, no=no, now=now) for turnout in part.turnouts)
            grown = {"candidates": issues.c.candidates + people, "swept_at": now}
            connection.execute(update(issues).where(issues.c.no == no).values(grown))
        return people


def _number(connection: Connection, part: Extension, *, now: datetime) -> int:
    """The number of the part's issue, which is made if this is the first time."""
    found = connection.execute(select(issues.c.no).where(issues.c.issue_id == part.issue_id)).scalar()
    if found is not None:
        return int(found)
    plan = Plan(
        issue_id=part.issue_id,
        revision=part.revision,
        edition_hash=part.edition_hash,
        audience=part.audience,
        due={},
        due_elsewhere=now,
    )
    return write_issue(connection, plan, candidates=0, now=now)


def _take_back(connection: Connection, no: int, *, now: datetime) -> None:
    """Let it be the turn again of whoever paused just before they were sent it, and goes on now.

    That they were left out stays in `outcomes`.
    """
    went_on = select(subscribers.c.id).where(subscribers.c.paused_until.is_not(None), rules.mailable(now=now))
    left_out = select(outcomes.c.seq).where(
        outcomes.c.issue_no == no,
        outcomes.c.seq == deliveries.c.seq,
        outcomes.c.status == Status.SUPPRESSED.value,
    )
    connection.execute(
        delete(deliveries).where(
            deliveries.c.issue_no == no, deliveries.c.subscriber_id.in_(went_on), left_out.exists()
        )
    )


def _turn_out(connection: Connection, part: Extension, turnout: Turnout, *, no: int, now: datetime) -> int:
    """Add the deliveries of one turnout at the end of the issue; how many."""
    # By the batches, which cover every number that was ever given.
    last = connection.execute(select(func.max(batches.c.hi) - 1).where(batches.c.issue_no == no)).scalar() or 0
    of_series = dict(
        connection.execute(select(issues.c.issue_id, issues.c.no).where(issues.c.issue_id.in_(part.parts))).all()
    )
    if any(earlier not in of_series for earlier in part.earlier):
        return 0  # an earlier part has never gone out: everybody waits for that one
    chosen = select(
        literal(no),
        literal(last) + func.row_number().over(order_by=subscribers.c.id),
        subscribers.c.id,
        literal(turnout.due_at, deliveries.c.due_at.type),
    ).where(
        subscribers.c.joined_at >= part.since,
        subscribers.c.joined_at < turnout.joined_before,
        _zones(turnout),
        rules.condition(part.audience, now=now),
        rules.mailable(now=now),
        ~_had(no),
        *(_had(of_series[earlier], done=True) for earlier in part.earlier),
        *(~_had(number, after=turnout.rested_since) for number in of_series.values()),
    )
    columns = ["issue_no", "seq", "subscriber_id", "due_at"]
    connection.execute(insert(deliveries).from_select(columns, chosen))
    people = connection.execute(
        select(func.count()).where(deliveries.c.issue_no == no, deliveries.c.seq > last)
    ).scalar_one()
    add_batches(connection, no, first=last + 1, people=people, due_at=turnout.due_at, size=BATCH)
    return people


def _zones(turnout: Turnout) -> ColumnElement[bool]:
    """Whether a reader lives in one of a turnout's zones."""
    inside = subscribers.c.zone.in_(turnout.zones)
    return or_(inside, subscribers.c.zone.is_(None)) if turnout.others else inside


def _had(no: int, *, done: bool = False, after: datetime | None = None) -> ColumnElement[bool]:
    """Whether a reader is in that issue; *done*, if nothing more comes of it; *after*, if it was due or sent since."""
    mine = select(deliveries.c.seq).where(deliveries.c.issue_no == no, deliveries.c.subscriber_id == subscribers.c.id)
    outcome = select(outcomes.c.seq).where(outcomes.c.issue_no == no, outcomes.c.seq == deliveries.c.seq)
    if after is not None:  # by a tick that was late, it was sent long after it was due
        mine = mine.where(or_(deliveries.c.due_at >= after, outcome.where(outcomes.c.at >= after).exists()))
    if done:
        ended = outcome.where(outcomes.c.status != Status.DEFERRED.value)
        called_off = select(issues.c.no).where(issues.c.no == no, issues.c.cancelled != "")
        mine = mine.where(or_(ended.exists(), called_off.exists()))
    return mine.exists()
