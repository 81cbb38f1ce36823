"""What the ledger can tell: tallies that add up, one person's story, and what is in doubt."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Connection, and_, case, exists, func, select

from newsletter.delivery.outcome import Status
from newsletter.delivery.report import DeliveryStory, InDoubt, Tally
from newsletter.errors import NotFound
from newsletter.store.db import Database
from newsletter.store.statements import IS_UNKNOWN
from newsletter.store.stories import stories, without_outcome
from newsletter.store.tables import BatchState, batches, deliveries, exclusions, issues, moves, outcomes, subscribers

_RECENT = timedelta(minutes=1)
_CALLED_OFF = (Status.PLANNED, Status.HELD, Status.DEFERRED)  # what cancelling an issue ends


class SqlChronicle:
    """Reports, from a database."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def tally(self, issue_no: int, *, now: datetime, not_before: datetime) -> Tally:
        """Counts by state and reason that add up to the frozen audience. Raises NotFound."""
        with self._db.reading() as connection:
            query = select(issues.c.candidates, issues.c.cancelled).where(issues.c.no == issue_no)
            issue = connection.execute(query).first()
            if issue is None:
                raise NotFound(f"there is no plan number {issue_no}", at=self._db.place)
            count = _settled(connection, issue_no, since=now - _RECENT)
            retry_at = _waiting(connection, count, issue_no, not_before=not_before)
            count.by_status += _open(connection, issue_no, not_before=not_before)
            if issue.cancelled:
                _cancel(count, issue.cancelled)
            to_come = select(func.min(batches.c.due_at)).where(
                batches.c.issue_no == issue_no, batches.c.state == BatchState.PLANNED.value, batches.c.due_at > now
            )
            excluded = select(exclusions.c.reason, func.count()).where(exclusions.c.issue_no == issue_no)
            return Tally(
                candidates=issue.candidates,
                by_status=dict(+count.by_status),
                excluded=dict(connection.execute(excluded.group_by(exclusions.c.reason)).all()),
                reasons=dict(+count.reasons),
                next_due_at=None if issue.cancelled else connection.execute(to_come).scalar(),
                next_retry_at=None if issue.cancelled else retry_at,
                first_outcome_at=count.first_at,
                last_outcome_at=count.last_at,
                recent=count.recent,
            )

    def stories(self, subscriber_id: int, *, now: datetime, not_before: datetime) -> list[DeliveryStory]:
        """What every issue did for one person, newest first."""
        with self._db.reading() as connection:
            return stories(connection, subscriber_id, now=now, not_before=not_before)

    def first(self, issue_no: int, people: int, *, not_before: datetime) -> tuple[Counter[Status], datetime | None]:
        """Where the first *people* of an issue stand, and when the last of them got an outcome.

        Whoever was due before *not_before* and got none will never get one, and is not counted.
        """
        query = (
            select(outcomes.c.status, func.count(), func.max(outcomes.c.at))
            .where(outcomes.c.issue_no == issue_no, outcomes.c.seq <= people)
            .group_by(outcomes.c.status)
        )
        same = (outcomes.c.issue_no == deliveries.c.issue_no) & (outcomes.c.seq == deliveries.c.seq)
        to_come = select(func.count()).where(
            deliveries.c.issue_no == issue_no,
            deliveries.c.seq <= people,
            deliveries.c.due_at > not_before,
            ~exists().where(same),
        )
        with self._db.reading() as connection:
            rows = connection.execute(query).all()
            counts = Counter({Status(status): count for status, count, _ in rows})
            counts[Status.PLANNED] = connection.execute(to_come).scalar_one()
        return +counts, max((at for *_, at in rows), default=None)

    def planned(self, issue_no: int) -> int:
        """How many deliveries an issue has."""
        with self._db.reading() as connection:
            query = select(func.max(deliveries.c.seq)).where(deliveries.c.issue_no == issue_no)
            return connection.execute(query).scalar() or 0

    def hears(self) -> bool:
        """Whether anything ever reported what became of a message after it was handed over."""
        later = [Status.DELIVERED.value, Status.BOUNCED.value, Status.COMPLAINED.value]
        query = select(moves.c.seq).where(moves.c.new.in_(later)).limit(1)
        with self._db.reading() as connection:
            return connection.execute(query).first() is not None

    def doubts(self, issue_no: int, *, limit: int) -> list[InDoubt]:
        """The first *limit* deliveries that are in doubt, for a person to resolve."""
        with self._db.reading() as connection:
            rows = connection.execute(_DOUBTS.where(outcomes.c.issue_no == issue_no).limit(limit))
            return [InDoubt(**row._mapping) for row in rows]


@dataclass
class _Count:
    """People, counted so far."""

    by_status: Counter[Status] = field(default_factory=Counter)
    reasons: Counter[tuple[Status, str]] = field(default_factory=Counter)
    first_at: datetime | None = None
    last_at: datetime | None = None
    recent: int = 0


def _settled(connection: Connection, issue_no: int, *, since: datetime) -> _Count:
    """The deliveries that have an outcome; recent are those that got it after *since*."""
    at = outcomes.c.at
    query = (
        select(
            outcomes.c.status,
            outcomes.c.reason,
            func.count(),
            func.min(at),
            func.max(at),
            func.count(case((at > since, 1))),
        )
        .where(outcomes.c.issue_no == issue_no)
        .group_by(outcomes.c.status, outcomes.c.reason)
    )
    count = _Count()
    for status, reason, people, first_at, last_at, recent in connection.execute(query):
        count.by_status[Status(status)] += people
        if reason:
            count.reasons[Status(status), reason] = people
        count.first_at = min(count.first_at or first_at, first_at)
        count.last_at = max(count.last_at or last_at, last_at)
        count.recent += recent
    return count


def _waiting(connection: Connection, count: _Count, issue_no: int, *, not_before: datetime) -> datetime | None:
    """When the first deferred delivery may be tried again; those whose time has passed are counted as held."""
    query = (
        select(outcomes.c.reason, deliveries.c.due_at, func.count(), func.min(outcomes.c.retry_at))
        .join_from(
            outcomes,
            deliveries,
            and_(deliveries.c.issue_no == outcomes.c.issue_no, deliveries.c.seq == outcomes.c.seq),
        )
        .where(outcomes.c.issue_no == issue_no, outcomes.c.retry_at.is_not(None))
        .group_by(outcomes.c.reason, deliveries.c.due_at)
    )
    first: datetime | None = None
    for reason, due_at, people, retry_at in connection.execute(query):
        if due_at > not_before:
            first = min(first or retry_at, retry_at)
            continue
        count.by_status.update({Status.DEFERRED: -people, Status.HELD: people})
        if reason:
            count.reasons.update({(Status.DEFERRED, reason): -people, (Status.HELD, reason): people})
    return first


def _open(connection: Connection, issue_no: int, *, not_before: datetime) -> Counter[Status]:
    """The deliveries without outcome, from the ranges of the batches that are not done."""
    within = and_(outcomes.c.issue_no == issue_no, outcomes.c.seq >= batches.c.lo, outcomes.c.seq < batches.c.hi)
    settled = select(func.count()).select_from(outcomes).where(within).correlate(batches).scalar_subquery()
    query = select(batches.c.state, batches.c.settling, batches.c.due_at, batches.c.hi - batches.c.lo - settled).where(
        batches.c.issue_no == issue_no, batches.c.state.in_([BatchState.PLANNED.value, BatchState.CLAIMED.value])
    )
    found: Counter[Status] = Counter()
    for state, settling, due_at, people in connection.execute(query):
        found[without_outcome(state, due_at, settling=settling, not_before=not_before)] += people
    return +found


def _cancel(count: _Count, why: str) -> None:
    """Count whoever was still to get a cancelled issue as cancelled, for that reason."""
    people = sum(count.by_status.pop(status, 0) for status in _CALLED_OFF)
    ended: Mapping[tuple[Status, str], int] = {key: n for key, n in count.reasons.items() if key[0] in _CALLED_OFF}
    count.reasons.subtract(ended)
    count.by_status[Status.CANCELLED] += people
    count.reasons[Status.CANCELLED, why] += people


_each = batches.alias()
_holder = (
    select(func.max(_each.c.lo))
    .where(_each.c.issue_no == outcomes.c.issue_no, _each.c.lo <= outcomes.c.seq)
    .correlate(outcomes)
    .scalar_subquery()
)
_DOUBTS = (
    select(
        outcomes.c.seq,
        deliveries.c.subscriber_id,
        subscribers.c.address,
        batches.c.lo.label("batch_no"),
        batches.c.claimed_at,
        outcomes.c.at,
        outcomes.c.reason,
    )
    .join_from(
        outcomes, deliveries, and_(deliveries.c.issue_no == outcomes.c.issue_no, deliveries.c.seq == outcomes.c.seq)
    )
    .join(subscribers, subscribers.c.id == deliveries.c.subscriber_id)
    .join(batches, and_(batches.c.issue_no == outcomes.c.issue_no, batches.c.lo == _holder))
    .where(IS_UNKNOWN)
    .order_by(outcomes.c.seq)
)
