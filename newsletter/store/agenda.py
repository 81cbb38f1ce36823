"""What there is to do now, asked without reading through what is done; and whose turn it is to do it."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, func, insert, literal_column, or_, select, update
from sqlalchemy.exc import IntegrityError

from newsletter.delivery.plan import PlannedIssue
from newsletter.delivery.report import Turn
from newsletter.errors import StoreError
from newsletter.store.db import Database
from newsletter.store.planner import PLANNED_ISSUES, planned_issue
from newsletter.store.tables import BatchState, batches, issues, outcomes, turns
from newsletter.store.workers import is_gone, this_worker

TURN = timedelta(minutes=5)  # without a sign of life, and somebody else may have it

# In the words of the partial indexes, so that they are used: what is done is never read.
_OPEN = batches.c.state != literal_column("'done'")
_DOUBTFUL = outcomes.c.status == literal_column("'unknown'")
_WAITS = outcomes.c.retry_at.is_not(None)
_GOES_ON = and_(issues.c.paused == "", issues.c.cancelled == "")


class SqlAgenda:
    """Planned issues that want something done, in a database."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def planned(self) -> set[str]:
        """The ids of all issues that were ever planned."""
        with self._db.reading() as connection:
            return set(connection.execute(select(issues.c.issue_id)).scalars())

    def due(self, *, now: datetime, not_before: datetime) -> list[PlannedIssue]:
        """Issues with something to hand over, to settle or to try again, oldest first; none that is paused."""
        claimable = and_(batches.c.due_at > not_before, batches.c.due_at <= now)
        left_behind = batches.c.state == BatchState.CLAIMED.value
        return self._issues(
            or_(
                issues.c.no.in_(select(batches.c.issue_no).where(_OPEN, or_(claimable, left_behind))),
                issues.c.no.in_(select(outcomes.c.issue_no).where(_WAITS, outcomes.c.retry_at <= now)),
            )
        )

    def doubtful(self, *, since: datetime) -> list[PlannedIssue]:
        """Issues with deliveries that came into doubt after *since*."""
        return self._issues(issues.c.no.in_(select(outcomes.c.issue_no).where(_DOUBTFUL, outcomes.c.at > since)))

    def waiting(self, *, now: datetime, not_before: datetime) -> dict[str, int]:
        """How many deliveries of each issue could be handed over now."""
        return self._people(batches.c.due_at > not_before, batches.c.due_at <= now, _GOES_ON)

    def held(self, *, not_before: datetime, since: datetime) -> dict[str, int]:
        """How many deliveries of each issue were due between *since* and *not_before* and never left."""
        return self._people(batches.c.due_at > since, batches.c.due_at <= not_before)

    def next_due(self, *, now: datetime) -> datetime | None:
        """When the next planned delivery is due, of what is neither paused nor cancelled."""
        query = (
            select(func.min(batches.c.due_at))
            .join(issues, issues.c.no == batches.c.issue_no)
            .where(_OPEN, batches.c.due_at > now, _GOES_ON)
        )
        with self._db.reading() as connection:
            return connection.execute(query).scalar()

    def _issues(self, which: ColumnElement[bool]) -> list[PlannedIssue]:
        query = PLANNED_ISSUES.where(which, _GOES_ON).order_by(issues.c.no)
        with self._db.reading() as connection:
            return [planned_issue(row) for row in connection.execute(query)]

    def _people(self, *span: ColumnElement[bool]) -> dict[str, int]:
        query = (
            select(issues.c.issue_id, func.sum(batches.c.hi - batches.c.lo))
            .join(issues, issues.c.no == batches.c.issue_no)
            .where(_OPEN, batches.c.state == BatchState.PLANNED.value, issues.c.cancelled == "", *span)
            .group_by(issues.c.no, issues.c.issue_id)
            .order_by(issues.c.no)
        )
        with self._db.reading() as connection:
            return {issue_id: int(count) for issue_id, count in connection.execute(query)}


class SqlTurns:
    """Whose turn it is. Two at once would do no harm, but each other's work twice."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._worker = this_worker()

    def take(self, *, now: datetime) -> bool:
        """Whether it is ours now: nobody else has it, or whoever had it is gone or silent for long."""
        mine = {"worker": self._worker, "until": now + TURN, "began_at": now, "ended_at": None}
        with self._db.writing() as connection:
            row = connection.execute(select(turns).with_for_update()).first()
            if row is None:
                try:
                    with connection.begin_nested():
                        connection.execute(insert(turns).values(no=1, said="", **mine))
                except IntegrityError:  # somebody else was first
                    return False
                return True
            if row.worker not in ("", self._worker) and _lives(row.worker, row.until, now=now):
                return False
            connection.execute(update(turns).values(**mine))
            return True

    def keep(self, *, now: datetime) -> bool:
        """Give a sign of life; whether it still is ours."""
        sign = update(turns).where(turns.c.worker == self._worker).values(until=now + TURN)
        with self._db.writing() as connection:
            return bool(connection.execute(sign).rowcount)

    def end(self, said: str, *, now: datetime) -> None:
        """Give it back, with a word about what came of it. Raises StoreError if it was taken meanwhile."""
        done = update(turns).where(turns.c.worker == self._worker).values(worker="", ended_at=now, said=said)
        with self._db.writing() as connection:
            if not connection.execute(done).rowcount:
                hint = "this one was silent for minutes; nobody was mailed twice"
                raise StoreError("another tick took over", at=self._db.place, hint=hint)

    def last(self) -> Turn | None:
        """The last one, which may be under way."""
        with self._db.reading() as connection:
            row = connection.execute(select(turns)).first()
        return Turn(began_at=row.began_at, ended_at=row.ended_at, said=row.said) if row else None


def _lives(worker: str, until: datetime, *, now: datetime) -> bool:
    """Whether *worker* may be at work. What ends far in the future was begun by a clock that was wrong."""
    return now < until <= now + 2 * TURN and not is_gone(worker)
