"""Claim, then send, then record: the durable truth about every delivery.

A claim changes one row of `batches`, and outcomes are only added. So claims are quick, they do not stand
in each other's way, and what a killed sender leaves behind is a range whose missing outcomes say exactly
which deliveries are in doubt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, func, insert, select, update

from newsletter.delivery.outcome import Receipt, Status, move
from newsletter.delivery.plan import Claim, Claimed
from newsletter.errors import LeaseLost, StoreError
from newsletter.store import rules
from newsletter.store.db import Database, append, is_duplicate
from newsletter.store.rows import COLUMNS, person
from newsletter.store.tables import BatchState, batches, deliveries, epoch, outcomes, subscribers
from newsletter.store.workers import is_gone

LEASE_S = 120  # how long a worker may keep a batch without a sign of life


class SqlLedger:
    """Every delivery's truth, in a database."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def claim(self, issue_no: int, *, now: datetime, not_before: datetime, limit: int, worker: str) -> Claim | None:
        """The next due deliveries, at most *limit*, durably ours before the provider is called.

        Only what was due after *not_before*; None if nothing is left to claim now. Whether each person may
        still be mailed is asked again here, in the transaction that claims.
        """
        while True:
            with self._db.writing() as connection:
                batch = _next_due(connection, issue_no, now=now, not_before=not_before)
                if batch is None:
                    return None
                hi = _take(connection, issue_no, batch, hi=min(batch.hi, batch.lo + limit), now=now, worker=worker)
                members = _members(connection, issue_no, batch, hi=hi, now=now)
                gone = [(issue_no, seq, why) for seq, _, why in members if why is not None]
                append(connection, outcomes, [_outcome(*each, at=epoch(now)) for each in gone])
                if len(gone) < len(members):
                    left = tuple(Claimed(seq=seq, person=who) for seq, who, why in members if why is None)
                    return _claim(issue_no, batch, left, claimed_at=batch.claimed_at or now, worker=worker)
                _close(connection, issue_no, batch.lo, BatchState.DONE)

    def abandoned(self, issue_no: int, *, now: datetime, worker: str) -> Claim | None:
        """A batch whose sender died, taken over by *worker*: those of its deliveries without outcome.

        Everybody who may have been mailed is among them, whether or not they may still be.
        """
        held = select(batches).where(batches.c.issue_no == issue_no, batches.c.state == BatchState.CLAIMED.value)
        with self._db.writing() as connection:
            for batch in connection.execute(held.order_by(batches.c.lo)).all():
                if batch.lease_until > now and not is_gone(batch.worker):
                    continue
                mine = and_(_named(issue_no, batch.lo), *_as_seen(batch))
                values = {"worker": worker, "lease_until": _lease(now)}
                if connection.execute(update(batches).where(mine).values(values)).rowcount == 0:
                    continue  # somebody else was quicker
                members = _members(connection, issue_no, batch, hi=batch.hi, now=now)
                if members:
                    left = tuple(Claimed(seq=seq, person=who) for seq, who, _ in members)
                    return _claim(issue_no, batch, left, claimed_at=batch.claimed_at, worker=worker)
                _close(connection, issue_no, batch.lo, BatchState.DONE)
        return None

    def record(self, claim: Claim, receipts: Sequence[Receipt], *, digests: Mapping[int, bytes], now: datetime) -> None:
        """Keep receipts, durably, and the lease alive. Raises LeaseLost if the batch is not ours any more.

        A receipt that says PLANNED is proof that nothing left; nothing is written for it.
        """
        with self._db.writing() as connection:
            hi = _renew(connection, claim, now=now)
            rows = []
            for receipt in receipts:
                if move(Status.CLAIMED, receipt.status) is Status.PLANNED:
                    continue
                if not claim.batch_no <= receipt.seq < hi:
                    raise StoreError(f"delivery {receipt.seq} is not in batch {claim.batch_no}")
                rows.append(
                    _outcome(
                        claim.issue_no,
                        receipt.seq,
                        receipt.reason,
                        at=epoch(now),
                        status=receipt.status,
                        provider_id=receipt.provider_id,
                        digest=digests.get(receipt.seq, b""),
                    )
                )
            try:
                append(connection, outcomes, rows)
            except Exception as error:
                if is_duplicate(error):
                    raise StoreError(f"a delivery of batch {claim.batch_no} has an outcome already") from None
                raise

    def finish(self, claim: Claim, *, now: datetime) -> None:
        """Close the batch; deliveries of it that still have no outcome can be claimed again."""
        with self._db.writing() as connection:
            hi = _renew(connection, claim, now=now)
            known = select(func.count()).where(_outcomes_of(claim.issue_no, claim.batch_no, hi))
            complete = connection.execute(known).scalar_one() == hi - claim.batch_no
            _close(connection, claim.issue_no, claim.batch_no, BatchState.DONE if complete else BatchState.PLANNED)


def _next_due(
    connection: Connection, issue_no: int, *, now: datetime, not_before: datetime
) -> Row[*tuple[Any, ...]] | None:
    """The first batch that can be claimed; on PostgreSQL it is locked, and those locked by others are passed over."""
    query = (
        select(batches)
        .where(batches.c.issue_no == issue_no, batches.c.state == BatchState.PLANNED.value)
        .where(batches.c.due_at > not_before, batches.c.due_at <= now)
        .order_by(batches.c.lo)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    return connection.execute(query).first()


def _take(
    connection: Connection, issue_no: int, batch: Row[*tuple[Any, ...]], *, hi: int, now: datetime, worker: str
) -> int:
    """Claim the deliveries from the batch's `lo` up to *hi*, which comes back; what is beyond stays planned."""
    claimed = {
        "state": BatchState.CLAIMED.value,
        "claimed_at": batch.claimed_at or now,
        "lease_until": _lease(now),
        "worker": worker,
    }
    if hi == batch.hi:
        connection.execute(update(batches).where(_named(issue_no, batch.lo)).values(claimed))
    else:
        connection.execute(update(batches).where(_named(issue_no, batch.lo)).values(lo=hi))
        part = {"issue_no": issue_no, "lo": batch.lo, "hi": hi, "due_at": batch.due_at, **claimed}
        connection.execute(insert(batches).values(part))
    return hi


def _members(
    connection: Connection, issue_no: int, batch: Row[*tuple[Any, ...]], *, hi: int, now: datetime
) -> list[tuple[int, Any, str | None]]:
    """The deliveries of a batch without outcome: seq, person, and why they may not be mailed now, if so."""
    known: frozenset[int] = frozenset()
    if batch.claimed_at is not None:  # a batch that was never claimed has no outcomes
        known = frozenset(
            connection.execute(select(outcomes.c.seq).where(_outcomes_of(issue_no, batch.lo, hi))).scalars()
        )
    query = (
        select(deliveries.c.seq, rules.why_not(now=now), *COLUMNS)
        .join_from(deliveries, subscribers, subscribers.c.id == deliveries.c.subscriber_id)
        .where(deliveries.c.issue_no == issue_no, deliveries.c.seq >= batch.lo, deliveries.c.seq < hi)
        .order_by(deliveries.c.seq)
    )
    return [(row[0], person(row[2:]), row[1]) for row in connection.execute(query) if row[0] not in known]


def _renew(connection: Connection, claim: Claim, *, now: datetime) -> int:
    """Prolong the lease of our batch; its `hi`. Raises LeaseLost if it is not ours any more."""
    ours = and_(_named(claim.issue_no, claim.batch_no), batches.c.state == BatchState.CLAIMED.value)
    renewed = (
        update(batches)
        .where(ours, batches.c.worker == claim.worker)
        .values(lease_until=_lease(now))
        .returning(batches.c.hi)
    )
    hi: int | None = connection.execute(renewed).scalar()
    if hi is None:
        raise LeaseLost(
            f"another sender took over batch {claim.batch_no}",
            hint="nothing of it was recorded here; the other sender finds out what became of it",
        )
    return hi


def _close(connection: Connection, issue_no: int, lo: int, state: BatchState) -> None:
    """Give a batch back; `claimed_at` stays."""
    values = {"state": state.value, "worker": None, "lease_until": None}
    connection.execute(update(batches).where(_named(issue_no, lo)).values(values))


def _claim(
    issue_no: int, batch: Row[*tuple[Any, ...]], left: tuple[Claimed, ...], *, claimed_at: datetime, worker: str
) -> Claim:
    return Claim(
        issue_no=issue_no,
        batch_no=batch.lo,
        worker=worker,
        claimed_at=claimed_at,
        due_at=batch.due_at,
        deliveries=left,
    )


def _outcome(
    issue_no: int,
    seq: int,
    reason: str,
    *,
    at: int,
    status: Status = Status.SUPPRESSED,
    provider_id: str = "",
    digest: bytes = b"",
) -> tuple[object, ...]:
    """A row of `outcomes`, in the order of its columns."""
    return (issue_no, seq, status.value, at, provider_id, reason, digest)


def _named(issue_no: int, lo: int) -> ColumnElement[bool]:
    return and_(batches.c.issue_no == issue_no, batches.c.lo == lo)


def _as_seen(batch: Row[*tuple[Any, ...]]) -> tuple[ColumnElement[bool], ...]:
    """That nobody touched the batch since we looked."""
    return (
        batches.c.state == batch.state,
        batches.c.worker == batch.worker,
        batches.c.lease_until == batch.lease_until,
    )


def _outcomes_of(issue_no: int, lo: int, hi: int) -> ColumnElement[bool]:
    return and_(outcomes.c.issue_no == issue_no, outcomes.c.seq >= lo, outcomes.c.seq < hi)


def _lease(now: datetime) -> datetime:
    return now + timedelta(seconds=LEASE_S)
