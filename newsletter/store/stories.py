"""What an issue did for one person, step by step."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, case, func, not_, select

from newsletter.delivery.outcome import Status
from newsletter.delivery.report import DeliveryStory, Step
from newsletter.store.tables import (
    BatchState,
    Deed,
    batches,
    decisions,
    deliveries,
    exclusions,
    issues,
    moves,
    outcomes,
    revisions,
    soft_bounces,
)

_Row = Row[*tuple[Any, ...]]

_DONE = {
    Deed.PAUSE: "paused",
    Deed.RESUME: "resumed",
    Deed.CANCEL: "cancelled",
    Deed.CORRECT: "corrected",
    Deed.RESOLVE: "resolved",
}


def stories(connection: Connection, subscriber_id: int, *, now: datetime, not_before: datetime) -> list[DeliveryStory]:
    """What every issue did for one person, newest first."""
    found = {
        row.no: _excluded(row)
        for row in connection.execute(EXCLUDED.where(exclusions.c.subscriber_id == subscriber_id))
    }
    for row in connection.execute(STORIES.where(deliveries.c.subscriber_id == subscriber_id)).all():
        changes = _rows(connection, row.no, select(moves).where(moves.c.seq == row.seq), moves)
        decided = _rows(connection, row.no, select(decisions), decisions)
        found[row.no] = _planned(row, changes, decided, now=now, not_before=not_before)
    return [story for _, story in sorted(found.items(), reverse=True)]


def without_outcome(batch_state: str, due_at: datetime, *, settling: bool, not_before: datetime) -> Status:
    """The status of a delivery without outcome: held, once the time in which it may be sent has passed."""
    if batch_state == BatchState.CLAIMED.value and not settling:
        return Status.CLAIMED
    return Status.HELD if due_at <= not_before else Status.PLANNED


# What it was sent with, or is being sent with, or would be.
_revision = func.coalesce(
    outcomes.c.revision,
    case((and_(batches.c.state == BatchState.CLAIMED.value, not_(batches.c.settling)), batches.c.revision)),
    issues.c.revision,
)

# One index look-up per issue, however many deliveries there are: without the list of issues SQLite would
# read every delivery to find one person's.
STORIES = (
    select(
        issues.c.no,
        issues.c.issue_id,
        issues.c.planned_at,
        issues.c.cancelled,
        revisions.c.revision,
        revisions.c.edition_hash,
        deliveries.c.seq,
        deliveries.c.due_at,
        outcomes.c.status,
        outcomes.c.at,
        outcomes.c.provider_id,
        outcomes.c.reason,
        outcomes.c.values_digest,
        outcomes.c.retry_at,
        batches.c.state,
        batches.c.settling,
        batches.c.claimed_at,
        soft_bounces.c.at.label("soft_at"),
        soft_bounces.c.reason.label("soft_reason"),
    )
    .join_from(issues, deliveries, deliveries.c.issue_no == issues.c.no)
    .join(
        batches,
        and_(batches.c.issue_no == issues.c.no, batches.c.lo <= deliveries.c.seq, batches.c.hi > deliveries.c.seq),
    )
    .outerjoin(outcomes, and_(outcomes.c.issue_no == issues.c.no, outcomes.c.seq == deliveries.c.seq))
    .outerjoin(
        soft_bounces,
        and_(
            soft_bounces.c.issue_no == deliveries.c.issue_no, soft_bounces.c.subscriber_id == deliveries.c.subscriber_id
        ),
    )
    .join(revisions, and_(revisions.c.issue_no == issues.c.no, revisions.c.revision == _revision))
    .where(deliveries.c.issue_no.in_(select(issues.c.no)))
)

EXCLUDED = (
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


def _rows(connection: Connection, issue_no: int, query: Any, table: Any) -> list[_Row]:  # noqa: ANN401 - a select, a table
    """What *query* finds of an issue, oldest first."""
    return list(connection.execute(query.where(table.c.issue_no == issue_no).order_by(table.c.no)))


def _planned(
    row: _Row, changes: Sequence[_Row], decided: Sequence[_Row], *, now: datetime, not_before: datetime
) -> DeliveryStory:
    steps = [Step(at=row.planned_at, what="planned"), Step(at=row.due_at, what="due")]
    if row.claimed_at is not None:
        steps.append(Step(at=row.claimed_at, what=Status.CLAIMED.value))
    for change in changes:
        steps.append(Step(at=change.old_at, what=_told(change.old, change.old_reason)))
        if change.new == Status.PLANNED.value:  # all else is told by the next change, or by the outcome
            steps.append(Step(at=change.at, what=_told(change.new, change.reason)))
    if row.status is not None:
        steps.append(Step(at=row.at, what=_told(row.status, row.reason)))
    if row.soft_at is not None:
        steps.append(Step(at=row.soft_at, what=_told("counts as a soft bounce", row.soft_reason)))
    steps += _decisions(row, changes, decided)
    status = _status(row, not_before=not_before)
    reason = row.cancelled if status is Status.CANCELLED else row.reason or ""
    if status is Status.HELD and row.status != Status.HELD.value:
        passed = max(row.due_at + (now - not_before), *(step.at for step in steps))
        steps.append(Step(at=passed, what=_told(status.value, "its time had passed")))
    if status is Status.DEFERRED and row.retry_at is not None:
        steps.append(Step(at=max(row.retry_at, row.at), what="may be tried again"))
    return DeliveryStory(
        issue_id=row.issue_id,
        issue_no=row.no,
        revision=row.revision,
        edition_hash=row.edition_hash,
        status=status,
        reason=reason,
        seq=row.seq,
        provider_id=row.provider_id or "",
        values_digest=bytes(row.values_digest or b""),
        claimed_at=row.claimed_at,
        # What happened at one instant stays in the order in which it was told.
        steps=tuple(sorted(steps, key=lambda step: step.at)),
    )


def _status(row: _Row, *, not_before: datetime) -> Status:
    """Where a delivery stands; what time or a cancelled issue made of it is written nowhere."""
    if row.status is None:
        status = without_outcome(row.state, row.due_at, settling=row.settling, not_before=not_before)
    else:
        status = Status(row.status)
    if status in (Status.PLANNED, Status.HELD, Status.DEFERRED) and row.cancelled:
        return Status.CANCELLED
    if status is Status.DEFERRED and row.due_at <= not_before:
        return Status.HELD
    return status


def _decisions(row: _Row, changes: Sequence[_Row], decided: Sequence[_Row]) -> list[Step]:
    """The decisions that mattered to a delivery: those made before it left, and those about doubts it was in."""
    ever = {change.old for change in changes} | {row.status}
    left_at = changes[0].old_at if changes else row.at
    open_still = row.status in (None, Status.HELD.value, Status.DEFERRED.value)
    return [
        Step(at=each.at, what=_told(f"{_DONE[Deed(each.what)]} by {each.who}", each.why))
        for each in decided
        if (Status.UNKNOWN.value in ever if each.what == Deed.RESOLVE.value else open_still or each.at <= left_at)
    ]


def _excluded(row: _Row) -> DeliveryStory:
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
