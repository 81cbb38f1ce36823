"""What the ledger can tell: tallies that add up, and one person's story."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, func, select

from newsletter.delivery.outcome import Status
from newsletter.delivery.report import DeliveryStory, Doubtful, Step, Tally
from newsletter.errors import NotFound
from newsletter.store.db import Database
from newsletter.store.tables import (
    BatchState,
    batches,
    deliveries,
    exclusions,
    issues,
    moves,
    outcomes,
    revisions,
    subscribers,
)


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
            by_status, reasons, last_outcome_at = _settled(connection, issue_no)
            by_status += _open(connection, issue_no, not_before=not_before)
            if issue.cancelled:
                for status in _CALLED_OFF:
                    by_status[Status.CANCELLED] += by_status.pop(status, 0)
            to_come = select(func.min(batches.c.due_at)).where(
                batches.c.issue_no == issue_no, batches.c.state == BatchState.PLANNED.value, batches.c.due_at > now
            )
            excluded = select(exclusions.c.reason, func.count()).where(exclusions.c.issue_no == issue_no)
            return Tally(
                candidates=issue.candidates,
                by_status=dict(by_status),
                excluded=dict(connection.execute(excluded.group_by(exclusions.c.reason)).all()),
                reasons=reasons,
                next_due_at=connection.execute(to_come).scalar(),
                next_retry_at=connection.execute(_next_retry(issue_no)).scalar(),
                last_outcome_at=last_outcome_at,
                recent=connection.execute(_since(issue_no, now - _LATELY)).scalar_one(),
            )

    def first(self, issue_no: int, people: int) -> tuple[Counter[Status], datetime | None]:
        """Where the first *people* of an issue stand, and when the last of them got an outcome."""
        query = (
            select(outcomes.c.status, func.count(), func.max(outcomes.c.at))
            .where(outcomes.c.issue_no == issue_no, outcomes.c.seq <= people)
            .group_by(outcomes.c.status)
        )
        with self._db.reading() as connection:
            rows = connection.execute(query).all()
        counts = Counter({Status(status): count for status, count, _ in rows})
        counts[Status.PLANNED] = people - counts.total()
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

    def doubts(self, issue_no: int) -> list[Doubtful]:
        """Everybody of whom nobody knows whether they were mailed, by number."""
        query = (
            select(outcomes.c.seq, subscribers.c.id, subscribers.c.address, outcomes.c.at, outcomes.c.reason)
            .join_from(
                outcomes,
                deliveries,
                and_(deliveries.c.issue_no == outcomes.c.issue_no, deliveries.c.seq == outcomes.c.seq),
            )
            .join(subscribers, subscribers.c.id == deliveries.c.subscriber_id)
            .where(outcomes.c.issue_no == issue_no, outcomes.c.status == Status.UNKNOWN.value)
            .order_by(outcomes.c.seq)
        )
        with self._db.reading() as connection:
            return [
                Doubtful(seq=seq, subscriber_id=number, address=address, at=at, reason=reason)
                for seq, number, address, at, reason in connection.execute(query)
            ]

    def stories(self, subscriber_id: int, *, now: datetime, not_before: datetime) -> list[DeliveryStory]:
        """What every issue did for one person, newest first."""
        with self._db.reading() as connection:
            planned = {
                row.no: _planned_story(row, _moves(connection, row), now=now, not_before=not_before)
                for row in connection.execute(_STORIES.where(deliveries.c.subscriber_id == subscriber_id)).all()
            }
            excluded = {
                row.no: _excluded_story(row)
                for row in connection.execute(_EXCLUDED.where(exclusions.c.subscriber_id == subscriber_id))
            }
        return [story for _, story in sorted((planned | excluded).items(), reverse=True)]


_LATELY = timedelta(minutes=1)
_CALLED_OFF = (Status.PLANNED, Status.HELD, Status.DEFERRED)  # where a delivery of a cancelled issue can stand


def _next_retry(issue_no: int) -> Select[datetime]:
    return select(func.min(outcomes.c.retry_at)).where(
        outcomes.c.issue_no == issue_no, outcomes.c.retry_at.is_not(None)
    )


def _since(issue_no: int, at: datetime) -> Select[int]:
    return select(func.count()).where(outcomes.c.issue_no == issue_no, outcomes.c.at > at)


def _settled(
    connection: Connection, issue_no: int
) -> tuple[Counter[Status], dict[tuple[Status, str], int], datetime | None]:
    """The deliveries that have an outcome: by status, by status and reason, and the latest instant."""
    query = (
        select(outcomes.c.status, outcomes.c.reason, func.count(), func.max(outcomes.c.at))
        .where(outcomes.c.issue_no == issue_no)
        .group_by(outcomes.c.status, outcomes.c.reason)
    )
    by_status: Counter[Status] = Counter()
    reasons: dict[tuple[Status, str], int] = {}
    latest: datetime | None = None
    for status, reason, people, at in connection.execute(query):
        by_status[Status(status)] += people
        if reason:
            reasons[Status(status), reason] = people
        latest = max(latest or at, at)
    return by_status, reasons, latest


def _open(connection: Connection, issue_no: int, *, not_before: datetime) -> Counter[Status]:
    """The deliveries without outcome, from the ranges of the batches that are not done."""
    within = and_(outcomes.c.issue_no == issue_no, outcomes.c.seq >= batches.c.lo, outcomes.c.seq < batches.c.hi)
    settled = select(func.count()).select_from(outcomes).where(within).correlate(batches).scalar_subquery()
    query = select(batches.c.state, batches.c.due_at, batches.c.hi - batches.c.lo - settled).where(
        batches.c.issue_no == issue_no, batches.c.state.in_([BatchState.PLANNED.value, BatchState.CLAIMED.value])
    )
    found: Counter[Status] = Counter()
    for state, due_at, people in connection.execute(query):
        found[_status_of(state, due_at, not_before=not_before)] += people
    return +found


def _status_of(batch_state: str, due_at: datetime, *, not_before: datetime) -> Status:
    """The status of a delivery without outcome: held, once the time in which it may be sent has passed."""
    if batch_state == BatchState.CLAIMED.value:
        return Status.CLAIMED
    return Status.HELD if due_at <= not_before else Status.PLANNED


# One index look-up per issue, however many deliveries there are: without the list of issues SQLite would
# read every delivery to find one person's.
_STORIES = (
    select(
        issues.c.no,
        issues.c.issue_id,
        revisions.c.revision,
        revisions.c.edition_hash,
        issues.c.planned_at,
        issues.c.cancelled,
        deliveries.c.seq,
        deliveries.c.due_at,
        outcomes.c.status,
        outcomes.c.at,
        outcomes.c.provider_id,
        outcomes.c.reason,
        outcomes.c.values_digest,
        outcomes.c.retry_at,
        batches.c.state,
        batches.c.claimed_at,
    )
    .join_from(issues, deliveries, deliveries.c.issue_no == issues.c.no)
    .join(
        batches,
        and_(batches.c.issue_no == issues.c.no, batches.c.lo <= deliveries.c.seq, batches.c.hi > deliveries.c.seq),
    )
    .outerjoin(outcomes, and_(outcomes.c.issue_no == issues.c.no, outcomes.c.seq == deliveries.c.seq))
    .join(
        revisions,
        and_(
            revisions.c.issue_no == issues.c.no,
            revisions.c.revision == func.coalesce(outcomes.c.revision, issues.c.revision),
        ),
    )
    .where(deliveries.c.issue_no.in_(select(issues.c.no)))
)

_EXCLUDED = (
    select(
        issues.c.no,
        issues.c.issue_id,
        issues.c.revision,
        issues.c.edition_hash,
        issues.c.planned_at,
        exclusions.c.reason,
    )
    .join_from(issues, exclusions, exclusions.c.issue_no == issues.c.no)
    .where(exclusions.c.issue_no.in_(select(issues.c.no)))
)


def _moves(connection: Connection, row: Row[*tuple[Any, ...]]) -> list[Row[*tuple[Any, ...]]]:
    """How an outcome changed, oldest first."""
    query = select(moves).where(moves.c.issue_no == row.no, moves.c.seq == row.seq).order_by(moves.c.no)
    return list(connection.execute(query))


def _planned_story(
    row: Row[*tuple[Any, ...]], earlier: list[Row[*tuple[Any, ...]]], *, now: datetime, not_before: datetime
) -> DeliveryStory:
    # A plan may come after the time that it sets; all else follows in the order in which it happened.
    steps = sorted([Step(at=row.planned_at, what="planned"), Step(at=row.due_at, what="due")], key=lambda step: step.at)
    if row.claimed_at is not None:
        steps.append(Step(at=row.claimed_at, what=Status.CLAIMED.value))
    steps += [Step(at=change.old_at, what=_told(change.old, change.old_reason)) for change in earlier]
    if row.status is not None:
        status = Status(row.status)
        steps.append(Step(at=row.at, what=_told(row.status, row.reason)))
        if row.cancelled and status in _CALLED_OFF:
            status = Status.CANCELLED
        elif row.retry_at is not None:
            steps.append(Step(at=row.retry_at, what="to be tried again"))
    else:
        status = _status_of(row.state, row.due_at, not_before=not_before)
        if row.cancelled and status is not Status.CLAIMED:
            status = Status.CANCELLED
        if status is Status.HELD:
            passed = max(row.due_at + (now - not_before), steps[-1].at)
            steps.append(Step(at=passed, what=_told(status.value, "its time had passed")))
    return DeliveryStory(
        issue_id=row.issue_id,
        issue_no=row.no,
        revision=row.revision,
        edition_hash=row.edition_hash,
        status=status,
        reason=row.reason or "",
        seq=row.seq,
        provider_id=row.provider_id or "",
        values_digest=bytes(row.values_digest or b""),
        claimed_at=row.claimed_at,
        steps=tuple(steps),
    )


def _excluded_story(row: Row[*tuple[Any, ...]]) -> DeliveryStory:
    return DeliveryStory(
        issue_id=row.issue_id,
        issue_no=row.no,
        revision=row.revision,
        edition_hash=row.edition_hash,
        status=None,
        reason=row.reason,
        seq=None,
        provider_id="",
        values_digest=b"",
        claimed_at=None,
        steps=(Step(at=row.planned_at, what=_told("excluded", row.reason)),),
    )


def _told(what: str, reason: str) -> str:
    return f"{what}: {reason}" if reason else what
