"""Reconcile: settle what is in doubt, by the provider's word or a person's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import datetime

from newsletter.delivery.outcome import Receipt, Status
from newsletter.delivery.plan import Claim, PlannedIssue
from newsletter.usecases.ports import Controls, Ledger
from newsletter.usecases.settle import Settler

SETTLED = (Status.ACCEPTED, Status.REFUSED, Status.PLANNED)

Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciler:
    """Asks about every delivery of one issue that is in doubt. `enough` says when to stop asking."""

    issue: PlannedIssue
    ledger: Ledger
    settler: Settler
    worker: str
    clock: Clock
    enough: Callable[[], bool]

    def reconcile(self) -> Counter[Status]:
        """How many were found accepted, refused, or (planned) certainly not sent."""
        while claim := self.ledger.abandoned(self.issue.no, now=self.clock(), worker=self.worker):
            receipts = [receipt for receipt in self.settler.complete(claim) if receipt is not None]
            self.ledger.record(claim, receipts, digests={}, now=self.clock(), close=True)
        found: Counter[Status] = Counter()
        for claim in _doubtful(self.issue, self.ledger, self.worker, self.clock):
            try:
                for receipt in self.settler.receipts(claim):
                    if receipt is not None and receipt.status in SETTLED:
                        self.ledger.revise(claim, [receipt], now=self.clock())
                        found[receipt.status] += 1
            finally:
                self.ledger.record(claim, [], digests={}, now=self.clock(), close=True)
            if self.enough():
                break
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """A person's word on deliveries in doubt: by their numbers, or all of them."""

    status: Status  # one of SETTLED
    seqs: Collection[int] | None
    by: str
    why: str


def resolve(issue: PlannedIssue, word: Word, *, ledger: Ledger, controls: Controls, worker: str, clock: Clock) -> int:
    """How many deliveries in doubt were settled as *word* says; its word is kept with each of them."""
    count = 0
    reason = f"{word.by}: {word.why}"
    for claim in _doubtful(issue, ledger, worker, clock):
        receipts = [
            Receipt(seq=each.seq, status=word.status, reason=reason)
            for each in claim.deliveries
            if word.seqs is None or each.seq in word.seqs
        ]
        try:
            ledger.revise(claim, receipts, now=clock())
        finally:
            ledger.record(claim, [], digests={}, now=clock(), close=True)
        count += len(receipts)
    if count:
        as_what = "not sent" if word.status is Status.PLANNED else word.status.value
        controls.decide(issue.no, "resolve", by=word.by, why=f"{count:,} as {as_what}: {word.why}", now=clock())
    return count


def _doubtful(issue: PlannedIssue, ledger: Ledger, worker: str, clock: Clock) -> Iterator[Claim]:
    """Every batch that has deliveries in doubt, each in our hands until the next one is asked for."""
    after = 0
    while claim := ledger.doubtful(issue.no, now=clock(), worker=worker, after=after):
        after = claim.batch_no
        yield claim
