"""Send: claim, fill, hand over, record, until nothing is due.

The claim is durable before the provider is called, and every receipt as soon as it is known; so a sender
that is killed leaves at most the batches it had in its hands, and the next one settles those first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from newsletter.delivery.message import values_digest
from newsletter.delivery.outcome import Receipt, Status
from newsletter.delivery.plan import Claim, PlannedIssue
from newsletter.errors import ProviderRefused
from newsletter.usecases.fill import Filler
from newsletter.usecases.ports import Ledger, Provider

RECORD_EVERY = 50  # receipts; a kill leaves at most so many in doubt
RENEW_EVERY = timedelta(seconds=20)  # a batch is asked for again so often; who was stopped meanwhile notices

Clock = Callable[[], datetime]
Watch = Callable[[int], None]  # told how many deliveries were just recorded


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """One sender at work on one planned issue. `window` is how long after its time a letter may leave."""

    issue: PlannedIssue
    filler: Filler
    ledger: Ledger
    provider: Provider
    worker: str
    window: timedelta
    clock: Clock

    def run(self, watch: Watch) -> int:
        """How many deliveries got a receipt: first of batches whose sender died, then of all that is due."""
        done = 0
        while claim := self.ledger.abandoned(self.issue.no, now=self.clock(), worker=self.worker):
            # Asked by name and recorded without digests: what was filled then may differ from what is known now.
            book = _Book(self, claim, {}, watch)
            book.keep_all(self.provider.settle(self.filler.names(self.issue, claim)))
            done += book.close()
        while claim := self._claim():
            done += self._hand_over(claim, watch)
        return done

    def _claim(self) -> Claim | None:
        now = self.clock()
        return self.ledger.claim(
            self.issue.no, now=now, not_before=now - self.window, limit=self.provider.batch_size, worker=self.worker
        )

    def _hand_over(self, claim: Claim, watch: Watch) -> int:
        batch, held = self.filler.batch(self.issue, claim)
        book = _Book(self, claim, {row.seq: values_digest(row.values) for row in batch.rows}, watch)
        try:
            book.keep_all(held)
            book.keep_all(self.provider.send(batch))
        except ProviderRefused:
            # By the port's word nothing beyond the receipts has left, so the rest may be claimed again.
            book.close()
            raise
        silent = {row.seq for row in batch.rows} - book.seen
        book.keep_all(
            Receipt(seq=seq, status=Status.UNKNOWN, reason="the provider did not say") for seq in sorted(silent)
        )
        return book.close()


class _Book:
    """The receipts of one claim on their way into the ledger."""

    def __init__(self, sender: Sender, claim: Claim, digests: Mapping[int, bytes], watch: Watch) -> None:
        self._sender, self._claim, self._digests, self._watch = sender, claim, digests, watch
        self._pending: list[Receipt] = []
        self._done = 0
        self._renewed_at = sender.clock()
        self.seen: set[int] = set()

    def keep_all(self, receipts: Iterable[Receipt]) -> None:
        """Keep *receipts* as they come; what is known is kept even if no more come."""
        try:
            for receipt in receipts:
                self._pending.append(receipt)
                self.seen.add(receipt.seq)
                stale = self._sender.clock() - self._renewed_at > RENEW_EVERY
                if len(self._pending) >= RECORD_EVERY or stale:
                    self._write()
        finally:
            if self._pending:
                self._write()

    def close(self) -> int:
        """Give the batch back; how many of its deliveries are settled now."""
        self._sender.ledger.finish(self._claim, now=self._sender.clock())
        return self._done

    def _write(self) -> None:
        """Record what is pending, and with it a sign of life. Raises LeaseLost if the batch is not ours any more."""
        written, self._pending = self._pending, []
        self._renewed_at = self._sender.clock()
        self._sender.ledger.record(self._claim, written, digests=self._digests, now=self._renewed_at)
        settled = sum(receipt.status is not Status.PLANNED for receipt in written)
        self._done += settled
        self._watch(settled)
