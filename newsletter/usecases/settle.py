"""Settle: find out what became of deliveries that were handed over and never answered for.

There are three ways, tried in this order: repeat the call, where the provider recognises its key and sends
once; ask the provider; leave it to a person. Nothing here ever mails anybody a second time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2b

from newsletter.delivery.message import Batch
from newsletter.delivery.outcome import Receipt, Status
from newsletter.delivery.plan import Claim, PlannedIssue
from newsletter.usecases.fill import Filler
from newsletter.usecases.ports import Provider

KEY_MARGIN = timedelta(hours=1)  # a key is not trusted in its last hour, nor one from further in the future


def seal_of(batch: Batch, provider: Provider) -> bytes:
    """What is kept of a call before it is made: 32 bytes for what is handed over, and to whom."""
    return blake2b(batch.digest, digest_size=32, key=provider.name.encode()).digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Settler:
    """Answers for the claims of one issue. `fillers` gives the filler of an edition by its hash."""

    issue: PlannedIssue
    fillers: Callable[[str], Filler]
    provider: Provider
    window: timedelta
    clock: Callable[[], datetime]

    def receipts(self, claim: Claim) -> Iterator[Receipt | None]:
        """A receipt for every delivery of *claim* that can be answered for, none for the others."""
        batch = self._same_call(claim)
        if batch is None:
            yield from self.provider.settle(self.fillers(claim.edition_hash).names(self.issue, claim))
            return
        for receipt in self.provider.send(batch):
            # That nothing left *now* proves nothing about the first time.
            if receipt is None or receipt.status in (Status.ACCEPTED, Status.REFUSED):
                yield receipt

    def complete(self, claim: Claim) -> Iterator[Receipt | None]:
        """As `receipts`, and UNKNOWN for every other delivery of a claim whose sender died.

        Where it would have sealed the claim before anything left, and had not, nothing has left.
        """
        if claim.sealed == b"":
            why = "its sender died before it handed anything over"
            yield from (Receipt(seq=each.seq, status=Status.PLANNED, reason=why) for each in claim.deliveries)
            return
        silent = {each.seq for each in claim.deliveries}
        for receipt in self.receipts(claim):
            if receipt is not None:
                silent.discard(receipt.seq)
            yield receipt
        for seq in sorted(silent):
            yield Receipt(seq=seq, status=Status.UNKNOWN, reason="its sender died in the middle")

    def _same_call(self, claim: Claim) -> Batch | None:
        """The call that was made, if it may be repeated: the provider would send it once, or not at all by now.

        It must be the same to the byte and for the same provider; and since it may be the first to arrive,
        everybody in it may still be mailed, its time has not passed, and nobody stopped or corrected the letter.
        """
        now = self.clock()
        if (
            not claim.sealed
            or not -KEY_MARGIN < now - claim.claimed_at < self.provider.keeps_keys - KEY_MARGIN
            or now - claim.due_at >= self.window
            or self.issue.paused
            or self.issue.cancelled
            or claim.edition_hash != self.issue.edition_hash
            or any(each.barred for each in claim.deliveries)
        ):
            return None
        batch, held = self.fillers(claim.edition_hash).batch(self.issue, claim)
        return batch if not held and seal_of(batch, self.provider) == claim.sealed else None
