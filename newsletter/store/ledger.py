"""Claim, then send, then record: the durable truth about every delivery.

A claim changes one row of `batches`, and outcomes are only added. So claims are quick, they do not stand
in each other's way, and what a killed sender leaves behind is a range whose missing outcomes say exactly
which deliveries are in doubt.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from newsletter.delivery.outcome import Receipt, Status, move
from newsletter.delivery.plan import Claim
from newsletter.errors import StoreError
from newsletter.pieces import one_line
from newsletter.store import leases, revising, statements
from newsletter.store.db import Database
from newsletter.store.kinds import epoch
from newsletter.store.quick import Quick
from newsletter.store.tables import outcomes
from newsletter.store.workers import hand_of

_PATIENCE = timedelta(minutes=5)  # until a delivery is tried again that was put off without a word of when
_ROUND_UP = timedelta(microseconds=999_999)  # a wait is never cut short

# A row of `outcomes`, in the order of its columns.
_Outcome = tuple[int, int, str, int, str, str, bytes, int | None, int]


class SqlLedger:
    """Every delivery's truth, in a database."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def claim(
        self,
        issue_no: int,
        *,
        now: datetime,
        not_before: datetime,
        limit: int,
        worker: str,
        below: int | None = None,
        seals: bool = False,
    ) -> Claim | None:
        """The next due deliveries, at most *limit*, durably ours before the provider is called.

        Only what was due after *not_before*, and only with a number under *below*; None if nothing is left to
        claim now, or the issue is paused or cancelled. That, the edition, and whether each person may still be
        mailed are asked here, in the transaction that claims. The claim's `worker` is the hand of *worker* that
        has it: no other claim has the same. With *seals*, it will be sealed before anything of it leaves.
        """
        at, since = epoch(now), epoch(not_before)
        while True:
            with self._db.quick() as quick:
                found = leases.next_due(quick, issue_no, now=at, not_before=since, below=below)
                if found is None:
                    return None
                batch, edition_hash = found
                hi = min(batch.hi, batch.lo + limit, below or batch.hi)
                taken = leases.take(quick, batch, hi=hi, now=at, hand=hand_of(worker), seals=seals)
                leases.hold_members(quick, taken)
                # By what was known of the batch before: one that was never claimed has no outcomes to leave out.
                asked = taken._replace(claimed_at=batch.claimed_at)
                everyone = leases.members(quick, asked, now=at)
                gone = [Receipt(seq=seq, status=Status.SUPPRESSED, reason=why) for seq, _, why in everyone if why]
                quick.append(outcomes, _outcomes(issue_no, gone, revision=taken.revision, digests={}, now=now))
                mailable = [each for each in everyone if not each[2]] if gone else everyone
                if mailable:
                    put_off = leases.deferrals(quick, asked)
                    return leases.claim_of(taken, mailable, edition_hash=edition_hash, put_off=put_off)
                leases.finish(quick, issue_no, taken.lo)

    def abandoned(self, issue_no: int, *, now: datetime, worker: str) -> Claim | None:
        """A batch whose sender died, taken over by *worker*: those of its deliveries without outcome.

        Everybody who may have been mailed is among them; `barred` says of whom may not be mailed any more.
        Batches that were held only to settle what is in doubt are given back as they were.
        """
        at = epoch(now)
        with self._db.quick() as quick:
            for seen in leases.dead(quick, issue_no, now=at):
                batch = leases.take_over(quick, seen, now=at, worker=worker)
                if batch is None:
                    continue
                if batch.settling:
                    leases.close(quick, issue_no, batch.lo)
                elif found := leases.members(quick, batch, now=at):
                    return leases.settle_of(quick, batch, found)
                else:
                    leases.finish(quick, issue_no, batch.lo)
        return None

    def seal(self, claim: Claim, *, digest: bytes, now: datetime) -> None:
        """Keep, durably and before the call, the digest of what is about to be handed over. Raises LeaseLost."""
        with self._db.quick() as quick:
            leases.renew(quick, claim, now=epoch(now), seal=digest)

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
        twice are no error: whoever lost the answer to a commit says them again. With *close* the batch is given
        back in the same transaction: deliveries that still have no outcome can be claimed again.
        """
        rows = _outcomes(claim.issue_no, receipts, revision=claim.revision, digests=digests, now=now)
        with self._db.quick() as quick:
            hi = leases.renew(quick, claim, now=epoch(now))
            if rows:
                quick.append(outcomes, _news(quick, claim, rows, hi=hi))
            if close:
                leases.close(quick, claim.issue_no, claim.batch_no)

    def reopen(self, issue_no: int, *, now: datetime) -> int:
        """Let deferred deliveries whose wait is over be claimed again; how many, some 10,000 at a time.

        What is in somebody's hands is left until it is given back.
        """
        with self._db.quick() as quick:
            return revising.reopen(quick, issue_no, now=epoch(now))

    def doubtful(self, issue_no: int, *, now: datetime, worker: str, after: int) -> Claim | None:
        """The next batch with a number over *after* that has deliveries in doubt, with these, leased by *worker*.

        Not what a sender has, living or dead: `abandoned` comes first. `barred` says who may not be mailed now.
        """
        at = epoch(now)
        with self._db.quick() as quick:
            for seen in leases.doubtful(quick, issue_no, now=at, after=after):
                batch = leases.take_over(quick, seen, now=at, worker=worker, to_settle=True)
                if batch is None:
                    continue  # somebody else was quicker
                found = leases.members(quick, batch, now=at, in_doubt=True)
                if found:
                    return leases.settle_of(quick, batch, found)
                leases.close(quick, issue_no, batch.lo)
        return None

    def revise(self, claim: Claim, receipts: Sequence[Receipt], *, now: datetime) -> None:
        """Change outcomes in doubt of a leased batch, because somebody knows better; what they were is kept.

        PLANNED, with the proof that it needs, makes the delivery claimable again once the batch is closed. What
        an event has settled meanwhile stays as it is. Raises LeaseLost, IllegalMove, or StoreError if a delivery
        is not of the claim.
        """
        with self._db.quick() as quick:
            revising.revise(quick, claim, receipts, now=epoch(now))

    def settle_event(
        self, issue_no: int, seq: int, status: Status, *, provider_id: str, reason: str, now: datetime
    ) -> bool:
        """Whether what a provider reported later changed the outcome of a delivery; what it was is kept.

        Not where nothing is recorded yet (the sender has the word), and not where no move leads there.
        """
        said = Receipt(seq=seq, status=status, provider_id=provider_id, reason=reason)
        with self._db.quick() as quick:
            return revising.settle_event(quick, issue_no, said, now=epoch(now))


def _outcomes(
    issue_no: int, receipts: Iterable[Receipt], *, revision: int, digests: Mapping[int, bytes], now: datetime
) -> list[_Outcome]:
    """The rows that *receipts* make, all but those that say nothing left. Raises IllegalMove."""
    rows: list[_Outcome] = []
    at, last, word = epoch(now), None, ""
    for receipt in receipts:
        status = receipt.status
        if status is not last:  # most say the same as the one before
            last, word = status, move(Status.CLAIMED, status).value
        if status is Status.PLANNED:
            continue
        retry_at = None
        if status is Status.DEFERRED:
            retry_at = epoch(now + (_PATIENCE if receipt.wait is None else receipt.wait) + _ROUND_UP)
        # A provider may say anything, and no database takes NUL or half a character.
        said = one_line(receipt.provider_id), one_line(receipt.reason)
        rows.append((issue_no, receipt.seq, word, at, *said, digests.get(receipt.seq, b""), retry_at, revision))
    return rows


def _news(quick: Quick, claim: Claim, rows: Sequence[_Outcome], *, hi: int) -> list[_Outcome]:
    """Those of *rows* that are not there yet. Raises StoreError if one is there that says something else."""
    seqs = [row[1] for row in rows]
    first, last = min(seqs), max(seqs)
    if first < claim.batch_no or last >= hi:
        stray = first if first < claim.batch_no else last
        raise StoreError(f"delivery {stray} is not in batch {claim.batch_no}")
    span = {"issue_no": claim.issue_no, "lo": first, "hi": last + 1}
    known = {row[1]: (row[2], *row[4:7]) for row in quick.all(statements.RECORDED, span)}
    if not known and len(set(seqs)) == len(seqs):
        return list(rows)
    news = []
    for row in rows:
        said = row[2], *row[4:7]  # all but the instants
        if row[1] not in known:
            known[row[1]] = said
            news.append(row)
        elif known[row[1]] != said:
            raise StoreError(f"a delivery of batch {claim.batch_no} has another outcome already")
    return news
