"""Claim, then send, then record: the durable truth about every delivery.

A claim changes one row of `batches`, and outcomes are only added. So claims are quick, they do not stand
in each other's way, and what a killed sender leaves behind is a range whose missing outcomes say exactly
which deliveries are in doubt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row

from newsletter.audience.subscriber import Subscriber
from newsletter.delivery.outcome import Receipt, Status, move
from newsletter.delivery.plan import Claim, Claimed
from newsletter.errors import LeaseLost, StoreError
from newsletter.pieces import one_line
from newsletter.store import statements
from newsletter.store.db import Database, append
from newsletter.store.rows import person
from newsletter.store.kinds import epoch
from newsletter.store.tables import BatchState, outcomes
from newsletter.store.workers import hand_of, is_gone

_Batch = Row[*tuple[Any, ...]]
_Outcome = tuple[int, int, str, int, str, str, bytes]  # a row of `outcomes`, in the order of its columns
_Member = tuple[int, Subscriber, str | None]  # seq, person, and why they may not be mailed now, if so


class SqlLedger:
    """Every delivery's truth, in a database."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def claim(self, issue_no: int, *, now: datetime, not_before: datetime, limit: int, worker: str) -> Claim | None:
        """The next due deliveries, at most *limit*, durably ours before the provider is called.

        Only what was due after *not_before*; None if nothing is left to claim now. Whether each person may
        still be mailed is asked again here, in the transaction that claims. The claim's `worker` is the hand
        of *worker* that has it: no other claim has the same.
        """
        window = {"issue_no": issue_no, "now": now, "not_before": not_before}
        while True:
            with self._db.writing() as connection:
                batch = _next_due(connection, window)
                if batch is None:
                    return None
                hi, hand = min(batch.hi, batch.lo + limit), hand_of(worker)
                _take(connection, batch, hi=hi, now=now, hand=hand)
                if not self._db.is_sqlite:  # which has one writer at a time
                    span = {"issue_no": issue_no, "lo": batch.lo, "hi": hi}
                    connection.execute(statements.HOLD_MEMBERS, span)
                members = _members(connection, batch, hi=hi, now=now)
                gone = [Receipt(seq=seq, status=Status.SUPPRESSED, reason=why) for seq, _, why in members if why]
                append(connection, outcomes, [_outcome(issue_no, each, at=epoch(now)) for each in gone])
                mailable = [member for member in members if not member[2]]
                if mailable:
                    return _claim(batch, mailable, claimed_at=batch.claimed_at or now, hand=hand)
                _close(connection, issue_no, batch.lo, BatchState.DONE)

    def abandoned(self, issue_no: int, *, now: datetime, worker: str) -> Claim | None:
        """A batch whose sender died, taken over by *worker*: those of its deliveries without outcome.

        Everybody who may have been mailed is among them, whether or not they may still be.
        """
        with self._db.writing() as connection:
            for batch in connection.execute(statements.CLAIMED, {"issue_no": issue_no, "now": now}).all():
                if not batch.silent and not is_gone(batch.worker):
                    continue
                hand = hand_of(worker)
                seen = {"issue": issue_no, "first": batch.lo, "from": batch.worker, "until": batch.lease_until}
                mine = {"worker": hand, "now": now}
                if connection.execute(statements.TAKE_OVER, seen | mine).rowcount == 0:
                    continue  # somebody else was quicker
                members = _members(connection, batch, hi=batch.hi, now=now)
                if members:
                    return _claim(batch, members, claimed_at=batch.claimed_at, hand=hand)
                _close(connection, issue_no, batch.lo, BatchState.DONE)
        return None

    def record(self, claim: Claim, receipts: Sequence[Receipt], *, digests: Mapping[int, bytes], now: datetime) -> None:
        """Keep receipts, durably, and the lease alive. Raises LeaseLost if the batch is not ours any more.

        A receipt that says PLANNED is proof that nothing left; nothing is written for it. The same receipts
        twice are no error: whoever lost the answer to a commit says them again.
        """
        with self._db.writing() as connection:
            hi = _renew(connection, claim, now=now)
            rows, at = [], epoch(now)
            for receipt in receipts:
                if move(Status.CLAIMED, receipt.status) is Status.PLANNED:
                    continue
                if not claim.batch_no <= receipt.seq < hi:
                    raise StoreError(f"delivery {receipt.seq} is not in batch {claim.batch_no}")
                rows.append(_outcome(claim.issue_no, receipt, at=at, digest=digests.get(receipt.seq, b"")))
            append(connection, outcomes, _news(connection, claim, rows))

    def finish(self, claim: Claim, *, now: datetime) -> None:
        """Close the batch; deliveries of it that still have no outcome can be claimed again."""
        with self._db.writing() as connection:
            hi = _renew(connection, claim, now=now)
            span = {"issue_no": claim.issue_no, "lo": claim.batch_no, "hi": hi}
            complete = connection.execute(statements.COUNT_OUTCOMES, span).scalar_one() == hi - claim.batch_no
            _close(connection, claim.issue_no, claim.batch_no, BatchState.DONE if complete else BatchState.PLANNED)

    def revise(self, issue_no: int, receipts: Sequence[Receipt], *, now: datetime) -> None:
        """Change outcomes, because the provider or a person knows better; what they were is kept.

        PLANNED, with the proof that it needs, makes the delivery claimable again. Raises IllegalMove, or
        StoreError if there is no outcome to change.
        """
        with self._db.writing() as connection:
            for receipt in sorted(receipts, key=lambda each: each.seq):  # so that no two wait for each other
                _revise(connection, issue_no, receipt, now=now)


def _revise(connection: Connection, issue_no: int, receipt: Receipt, *, now: datetime) -> None:
    """Change one outcome, and remember what it was."""
    key = {"issue_no": issue_no, "seq": receipt.seq}
    named = {"issue": issue_no, "number": receipt.seq}
    old = _held_outcome(connection, key, named)
    if old is None:
        raise StoreError(f"delivery {receipt.seq} has no outcome that could be changed")
    new = move(Status(old.status), receipt.status)
    reason = one_line(receipt.reason)
    was = {"old": old.status, "old_at": old.at, "old_reason": old.reason}
    connection.execute(statements.REMEMBER, key | named | was | {"new": new.value, "at": now, "reason": reason})
    if new is Status.PLANNED:
        connection.execute(statements.FORGET_OUTCOME, key)
        connection.execute(statements.REOPEN, named)
    else:
        says = {"status": new.value, "at": now, "reason": reason, "from": old.status}
        connection.execute(statements.CHANGE_OUTCOME, named | says)


def _held_outcome(
    connection: Connection, key: Mapping[str, object], named: Mapping[str, object]
) -> Row[*tuple[Any, ...]] | None:
    """What became of a delivery, if there is anything; nobody else may change it until we are done."""
    while connection.execute(statements.OUTCOME, key).first():
        if connection.execute(statements.HOLD_BATCH, named).first():
            return connection.execute(statements.OUTCOME, key).first()
        # It was in the part of a batch that a claim, which we waited for, has split off: look again.
    return None


def _next_due(connection: Connection, window: Mapping[str, object]) -> _Batch | None:
    """The first batch that may be claimed, locked; one that others are at is waited for if there is no other."""
    free = connection.execute(statements.NEXT_FREE, window).first()
    return free or connection.execute(statements.NEXT_DUE, window).first()


def _take(connection: Connection, batch: _Batch, *, hi: int, now: datetime, hand: str) -> None:
    """Claim the deliveries from the batch's `lo` up to *hi*; what is beyond stays planned."""
    named = {"issue": batch.issue_no, "first": batch.lo}
    if hi < batch.hi:
        connection.execute(statements.MOVE_UP, named | {"lo": hi})
        part = {"issue_no": batch.issue_no, "lo": batch.lo, "hi": hi, "due_at": batch.due_at}
        connection.execute(statements.SPLIT_OFF, part | {"state": BatchState.PLANNED.value})
    mine = {"claimed_at": batch.claimed_at or now, "now": now, "worker": hand}
    connection.execute(statements.TAKE, named | mine)


def _members(connection: Connection, batch: _Batch, *, hi: int, now: datetime) -> list[_Member]:
    """The deliveries of a batch that have no outcome."""
    span = {"issue_no": batch.issue_no, "lo": batch.lo, "hi": hi}
    known: frozenset[int] = frozenset()
    if batch.claimed_at is not None:  # a batch that was never claimed has none
        known = frozenset(connection.execute(statements.SETTLED, span).scalars())
    rows = connection.execute(statements.MEMBERS, span | {"now": now}).all()
    return [(row[-2], person(row), row[-1]) for row in rows if row[-2] not in known]


def _renew(connection: Connection, claim: Claim, *, now: datetime) -> int:
    """Prolong the lease of our batch; its `hi`. Raises LeaseLost if it is not ours any more."""
    ours = {"issue": claim.issue_no, "first": claim.batch_no, "from": claim.worker}
    hi: int | None = connection.execute(statements.RENEW, ours | {"now": now}).scalar()
    if hi is None:
        raise LeaseLost(
            f"another sender took over batch {claim.batch_no}",
            hint="nothing of it was recorded here; the other sender finds out what became of it",
        )
    return hi


def _news(connection: Connection, claim: Claim, rows: Sequence[_Outcome]) -> list[_Outcome]:
    """Those of *rows* that are not there yet. Raises StoreError if one is there that says something else."""
    seqs = [row[1] for row in rows] or [0]
    span = {"issue_no": claim.issue_no, "lo": min(seqs), "hi": max(seqs) + 1}
    known = {row[1]: (row[2], *row[4:]) for row in connection.execute(statements.RECORDED, span)}
    news = []
    for row in rows:
        said = row[2], *row[4:]  # all but the instant
        if row[1] not in known:
            known[row[1]] = said
            news.append(row)
        elif known[row[1]] != said:
            raise StoreError(f"a delivery of batch {claim.batch_no} has another outcome already")
    return news


def _close(connection: Connection, issue_no: int, lo: int, state: BatchState) -> None:
    """Give a batch back; `claimed_at` stays."""
    connection.execute(statements.CLOSE, {"issue": issue_no, "first": lo, "state": state.value})


def _claim(batch: _Batch, members: Sequence[_Member], *, claimed_at: datetime, hand: str) -> Claim:
    return Claim(
        issue_no=batch.issue_no,
        batch_no=batch.lo,
        worker=hand,
        claimed_at=claimed_at,
        due_at=batch.due_at,
        deliveries=tuple(Claimed(seq=seq, person=who) for seq, who, _ in members),
    )


def _outcome(issue_no: int, receipt: Receipt, *, at: int, digest: bytes = b"") -> _Outcome:
    # A provider may say anything, and no database takes NUL or half a character.
    words = one_line(receipt.provider_id), one_line(receipt.reason)
    return (issue_no, receipt.seq, receipt.status.value, at, *words, digest)
