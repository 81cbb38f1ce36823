"""Claim, then send, then record: the durable truth about every delivery.

A claim changes one row of `batches`, and outcomes are only added. So claims are quick, they do not stand
in each other's way, and what a killed sender leaves behind is a range whose missing outcomes say exactly
which deliveries are in doubt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from math import ceil
from types import MappingProxyType
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row

from newsletter.audience.subscriber import Subscriber
from newsletter.delivery.outcome import MOVES, Event, Receipt, Status, move
from newsletter.delivery.plan import Claim, Claimed
from newsletter.errors import LeaseLost, StoreError
from newsletter.pieces import one_line
from newsletter.store import statements
from newsletter.store.db import Database, append
from newsletter.store.rows import person
from newsletter.store.tables import BatchState, epoch, outcomes
from newsletter.store.workers import hand_of, is_gone

_Batch = Row[*tuple[Any, ...]]
_Outcome = tuple[
    int, int, str, int, str, str, bytes, int | None, int
]  # a row of `outcomes`, in the order of its columns
_NO_END = 2**31 - 1  # beyond the number of any delivery
_ASKING = ":asks"  # at the end of a hand that has a batch only to ask about it
_Member = tuple[int, Subscriber, str | None]  # seq, person, and why they may not be mailed now, if so


class SqlLedger:
    """Every delivery's truth, in a database."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def claim(
        self, issue_no: int, *, now: datetime, not_before: datetime, limit: int, worker: str, below: int | None = None
    ) -> Claim | None:
        """The next due deliveries, at most *limit*, durably ours before the provider is called.

        Only what was due after *not_before* and has a number under *below*; None if nothing is left to claim
        now, or the issue is paused or cancelled. Whether each person may still be mailed is asked again here,
        in the transaction that claims. The claim's `worker` is the hand of *worker* that has it: no other
        claim has the same.
        """
        window = {"issue_no": issue_no, "now": now, "not_before": not_before, "below": below or _NO_END}
        while True:
            with self._db.writing() as connection:
                batch = _next_due(connection, window)
                if batch is None:
                    return None
                hi, hand = min(batch.hi, batch.lo + limit, below or _NO_END), hand_of(worker)
                _take(connection, batch, hi=hi, now=now, hand=hand)
                if not self._db.is_sqlite:  # which has one writer at a time
                    span = {"issue_no": issue_no, "lo": batch.lo, "hi": hi}
                    connection.execute(statements.HOLD_MEMBERS, span)
                members = _members(connection, batch, hi=hi, now=now)
                gone = [Receipt(seq=seq, status=Status.SUPPRESSED, reason=why) for seq, _, why in members if why]
                rows = [_outcome(issue_no, each, at=epoch(now), revision=batch.now_revision) for each in gone]
                append(connection, outcomes, rows)
                mailable = [member for member in members if not member[2]]
                if mailable:
                    edition = _Edition(batch.now_revision, batch.now_edition, b"")
                    put_off = _deferrals(connection, batch, hi=hi)
                    at = batch.claimed_at or now
                    return _claim(batch, mailable, claimed_at=at, hand=hand, edition=edition, deferrals=put_off)
                _close(connection, issue_no, batch.lo, BatchState.DONE)

    def abandoned(self, issue_no: int, *, now: datetime, worker: str) -> Claim | None:
        """A batch whose sender died, taken over by *worker*: those of its deliveries without outcome.

        Everybody who may have been mailed is among them, whether or not they may still be. A batch that
        somebody was only asking about is given back as it was.
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
                members = [] if batch.worker.endswith(_ASKING) else _members(connection, batch, hi=batch.hi, now=now)
                if members:
                    edition = _frozen(batch)
                    return _claim(batch, members, claimed_at=batch.claimed_at, hand=hand, edition=edition)
                _close_by_completeness(connection, issue_no, batch.lo, batch.hi)
        return None

    def seal(self, claim: Claim, *, digest: bytes, now: datetime) -> None:
        """Keep, durably and before the call, the digest of what is about to be handed over. Raises LeaseLost."""
        with self._db.writing() as connection:
            ours = {"issue": claim.issue_no, "first": claim.batch_no, "from": claim.worker}
            if connection.execute(statements.SEAL, ours | {"digest": digest, "now": now}).scalar() is None:
                raise _lost(claim)

    def record(
        self,
        claim: Claim,
        receipts: Sequence[Receipt],
        *,
        digests: Mapping[int, bytes],
        now: datetime,
        close: bool = False,
    ) -> None:
        """Keep receipts, durably, and the lease alive. Raises LeaseLost if the batch is not ours any more.

        A receipt that says PLANNED is proof that nothing left; nothing is written for it. The same receipts
        twice are no error: whoever lost the answer to a commit says them again. With *close* the batch is
        given back; deliveries of it that still have no outcome can be claimed again.
        """
        with self._db.writing() as connection:
            hi = _renew(connection, claim, now=now)
            rows, at = [], epoch(now)
            for receipt in receipts:
                if move(Status.CLAIMED, receipt.status) is Status.PLANNED:
                    continue
                if not claim.batch_no <= receipt.seq < hi:
                    raise StoreError(f"delivery {receipt.seq} is not in batch {claim.batch_no}")
                digest = digests.get(receipt.seq, b"")
                rows.append(_outcome(claim.issue_no, receipt, at=at, revision=claim.revision, digest=digest))
            append(connection, outcomes, _news(connection, claim, rows))
            if close:
                _close_by_completeness(connection, claim.issue_no, claim.batch_no, hi)

    def reopen(self, issue_no: int, *, now: datetime) -> int:
        """Let deferred deliveries whose wait is over be claimed again; how many (at most those of 200 batches)."""
        with self._db.writing() as connection:
            count = 0
            for lo, hi in connection.execute(statements.RIPE_BATCHES, {"issue_no": issue_no, "now": now}).all():
                span = {"issue_no": issue_no, "lo": lo, "hi": hi, "now": now}
                connection.execute(statements.REMEMBER_RIPE, span)
                count += connection.execute(statements.FORGET_RIPE, span).rowcount
                _close(connection, issue_no, lo, BatchState.PLANNED)
        return count

    def doubtful(self, issue_no: int, *, now: datetime, worker: str, after: int) -> Claim | None:
        """The next batch with a number over *after* that has deliveries in doubt, with these, leased by *worker*."""
        with self._db.writing() as connection:
            batch = connection.execute(statements.NEXT_DOUBTFUL, {"issue_no": issue_no, "after": after}).first()
            if batch is None:
                return None
            hand = hand_of(worker) + _ASKING
            connection.execute(statements.ASK, {"issue": issue_no, "first": batch.lo, "worker": hand, "now": now})
            span = {"issue_no": issue_no, "lo": batch.lo, "hi": batch.hi}
            unknown = frozenset(connection.execute(statements.IN_DOUBT, span).scalars())
            rows = connection.execute(statements.MEMBERS, span | {"now": now}).all()
            members = [(row[-2], person(row), row[-1]) for row in rows if row[-2] in unknown]
            return _claim(batch, members, claimed_at=batch.claimed_at, hand=hand, edition=_frozen(batch))

    def revise(self, claim: Claim, receipts: Sequence[Receipt], *, now: datetime) -> None:
        """Change outcomes that are in doubt, because somebody knows better; what they were is kept.

        PLANNED, with the proof that it needs, makes the delivery claimable again once the batch is closed.
        What is not in doubt any more stays as it is. Raises IllegalMove, and LeaseLost.
        """
        with self._db.writing() as connection:
            _renew(connection, claim, now=now)
            for receipt in receipts:
                old = connection.execute(statements.OUTCOME, {"issue_no": claim.issue_no, "seq": receipt.seq}).first()
                if old is not None and old.status == Status.UNKNOWN.value:
                    _revise(connection, claim.issue_no, receipt, old, now=now)

    def settle_event(self, issue_no: int, seq: int, event: Event, *, now: datetime) -> bool:
        """Move a delivery as *event* says; False, and nothing changed, where it may not go there."""
        with self._db.writing() as connection:
            connection.execute(statements.HOLD_BATCH, {"issue": issue_no, "number": seq})
            old = connection.execute(statements.OUTCOME, {"issue_no": issue_no, "seq": seq}).first()
            if old is None or event.status not in MOVES.get(Status(old.status), ()):
                return False
            receipt = Receipt(seq=seq, status=event.status, provider_id=event.provider_id, reason=event.reason)
            _revise(connection, issue_no, receipt, old, now=now)
            return True


class _Edition(NamedTuple):
    revision: int
    edition_hash: str
    sealed: bytes


def _frozen(batch: _Batch) -> _Edition:
    """The edition of a batch that was claimed before."""
    return _Edition(batch.revision, batch.edition_hash, bytes(batch.sealed or b""))


def _revise(connection: Connection, issue_no: int, receipt: Receipt, old: _Batch, *, now: datetime) -> None:
    """Change one outcome, and remember what it was."""
    key = {"issue_no": issue_no, "seq": receipt.seq}
    named = {"issue": issue_no, "number": receipt.seq}
    new = move(Status(old.status), receipt.status)
    reason = one_line(receipt.reason)
    was = {"old": old.status, "old_at": old.at, "old_reason": old.reason}
    connection.execute(statements.REMEMBER, key | named | was | {"new": new.value, "at": now, "reason": reason})
    if new is Status.PLANNED:
        connection.execute(statements.FORGET_OUTCOME, key)
    else:
        name = one_line(receipt.provider_id) or old.provider_id
        says = {"status": new.value, "at": now, "reason": reason, "provider_id": name}
        connection.execute(statements.CHANGE_OUTCOME, named | says)


def _deferrals(connection: Connection, batch: _Batch, *, hi: int) -> Mapping[int, int]:
    """How often deliveries of a batch were put off before; a batch that was never claimed has none."""
    if batch.claimed_at is None:
        return {}
    span = {"issue_no": batch.issue_no, "lo": batch.lo, "hi": hi}
    return {row[0]: row[1] for row in connection.execute(statements.DEFERRALS, span)}


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
    mine = {
        "claimed_at": batch.claimed_at or now,
        "now": now,
        "worker": hand,
        "revision": batch.now_revision,
        "edition_hash": batch.now_edition,
    }
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
        raise _lost(claim)
    return hi


def _lost(claim: Claim) -> LeaseLost:
    return LeaseLost(
        f"another sender took over batch {claim.batch_no}",
        hint="nothing of it was recorded here; the other sender finds out what became of it",
    )


def _news(connection: Connection, claim: Claim, rows: Sequence[_Outcome]) -> list[_Outcome]:
    """Those of *rows* that are not there yet. Raises StoreError if one is there that says something else."""
    seqs = [row[1] for row in rows] or [0]
    span = {"issue_no": claim.issue_no, "lo": min(seqs), "hi": max(seqs) + 1}
    known = {row[1]: (row[2], *row[4:7]) for row in connection.execute(statements.RECORDED, span)}
    news = []
    for row in rows:
        said = row[2], *row[4:7]  # all but instants
        if row[1] not in known:
            known[row[1]] = said
            news.append(row)
        elif known[row[1]] != said:
            raise StoreError(f"a delivery of batch {claim.batch_no} has another outcome already")
    return news


def _close_by_completeness(connection: Connection, issue_no: int, lo: int, hi: int) -> None:
    """Give a batch back: done if every delivery of it has an outcome, else to be claimed again."""
    span = {"issue_no": issue_no, "lo": lo, "hi": hi}
    complete = connection.execute(statements.COUNT_OUTCOMES, span).scalar_one() == hi - lo
    _close(connection, issue_no, lo, BatchState.DONE if complete else BatchState.PLANNED)


def _close(connection: Connection, issue_no: int, lo: int, state: BatchState) -> None:
    """Give a batch back; `claimed_at` stays."""
    connection.execute(statements.CLOSE, {"issue": issue_no, "first": lo, "state": state.value})


def _claim(
    batch: _Batch,
    members: Sequence[_Member],
    *,
    claimed_at: datetime,
    hand: str,
    edition: _Edition,
    deferrals: Mapping[int, int] = MappingProxyType({}),
) -> Claim:
    return Claim(
        issue_no=batch.issue_no,
        batch_no=batch.lo,
        worker=hand,
        claimed_at=claimed_at,
        due_at=batch.due_at,
        revision=edition.revision,
        edition_hash=edition.edition_hash,
        sealed=edition.sealed,
        deliveries=tuple(
            Claimed(seq=seq, person=who, deferrals=deferrals.get(seq, 0), barred=why or "") for seq, who, why in members
        ),
    )


def _outcome(issue_no: int, receipt: Receipt, *, at: int, revision: int, digest: bytes = b"") -> _Outcome:
    # A provider may say anything, and no database takes NUL or half a character.
    words = one_line(receipt.provider_id), one_line(receipt.reason)
    retry_at = None if receipt.wait is None else at + ceil(receipt.wait.total_seconds())
    return (issue_no, receipt.seq, receipt.status.value, at, *words, digest, retry_at, revision)
