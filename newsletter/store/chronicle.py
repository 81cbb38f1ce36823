"""What the ledger can tell: tallies that add up, and one person's story."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, func, select

from newsletter.delivery.outcome import Status
from newsletter.delivery.report import DeliveryStory, Step, Tally
from newsletter.errors import NotFound
from newsletter.store.db import Database
from newsletter.store.tables import BatchState, batches, deliveries, exclusions, issues, moves, outcomes


class SqlChronicle:
    """Reports, from a database."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def tally(self, issue_no: int, *, now: datetime, not_before: datetime) -> Tally:
        """Counts by state and reason that add up to the frozen audience. Raises NotFound."""
        with self._db.reading() as connection:
            query = select(issues.c.candidates).where(issues.c.no == issue_no)
            candidates = connection.execute(query).scalar()
            if candidates is None:
                raise NotFound(f"there is no plan number {issue_no}", at=self._db.place)
            by_status, reasons, last_outcome_at = _settled(connection, issue_no)
            by_status += _open(connection, issue_no, not_before=not_before)
            to_come = select(func.min(batches.c.due_at)).where(
                batches.c.issue_no == issue_no, batches.c.state == BatchState.PLANNED.value, batches.c.due_at > now
            )
            excluded = select(exclusions.c.reason, func.count()).where(exclusions.c.issue_no == issue_no)
            return Tally(
                candidates=candidates,
                by_status=dict(by_status),
                excluded=dict(connection.execute(excluded.group_by(exclusions.c.reason)).all()),
                reasons=reasons,
                next_due_at=connection.execute(to_come).scalar(),
                last_outcome_at=last_outcome_at,
            )

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
        issues.c.revision,
        issues.c.edition_hash,
        issues.c.planned_at,
        deliveries.c.seq,
        deliveries.c.due_at,
        outcomes.c.status,
        outcomes.c.at,
        outcomes.c.provider_id,
        outcomes.c.reason,
        outcomes.c.values_digest,
        batches.c.state,
        batches.c.claimed_at,
    )
    .join_from(issues, deliveries, deliveries.c.issue_no == issues.c.no)
    .join(
        batches,
        and_(batches.c.issue_no == issues.c.no, batches.c.lo <= deliveries.c.seq, batches.c.hi > deliveries.c.seq),
    )
    .outerjoin(outcomes, and_(outcomes.c.issue_no == issues.c.no, outcomes.c.seq == deliveries.c.seq))
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
    else:
        status = _status_of(row.state, row.due_at, not_before=not_before)
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
