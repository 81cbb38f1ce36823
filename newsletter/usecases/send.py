"""Send: claim, fill, hand over, record, until nothing is due.

The claim is durable before the provider is called, and every receipt as soon as it is known; so a sender
that is killed leaves at most the batches it had in its hands, and the next one settles those first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from newsletter.delivery.message import Batch, values_digest
from newsletter.delivery.outcome import Receipt, Status
from newsletter.delivery.plan import Claim, PlannedIssue
from newsletter.errors import ProviderRefused
from newsletter.usecases.fill import Filler
from newsletter.usecases.ports import Ledger, Provider

RECORD_EVERY = 50  # receipts; a kill leaves at most so many in doubt

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
            done += self._hand_over(claim, self.provider.settle, watch)
        while claim := self._claim():
            done += self._hand_over(claim, self.provider.send, watch)
        return done

    def _claim(self) -> Claim | None:
        now = self.clock()
        return self.ledger.claim(
            self.issue.no, now=now, not_before=now - self.window, limit=self.provider.batch_size, worker=self.worker
        )

    def _hand_over(self, claim: Claim, call: Callable[[Batch], Iterable[Receipt]], watch: Watch) -> int:
        batch = self.filler.batch(self.issue, claim)
        digests = {row.seq: values_digest(row.values) for row in batch.rows}
        done, pending = 0, list[Receipt]()

        def keep() -> None:
            if not pending:  # a transaction that says nothing would still wait for the disk
                return
            self.ledger.record(claim, pending, digests=digests, now=self.clock())
            watch(sum(receipt.status is not Status.PLANNED for receipt in pending))
            pending.clear()

        try:
            for receipt in call(batch):
                pending.append(receipt)
                done += receipt.status is not Status.PLANNED
                if len(pending) >= RECORD_EVERY:
                    keep()
        except ProviderRefused:
            # By the port's word nothing beyond the receipts has left, so the rest may be claimed again.
            keep()
            self.ledger.finish(claim, now=self.clock())
            raise
        except BaseException:
            keep()  # what is known is kept; the rest of the batch is for the next sender to settle
            raise
        keep()
        self.ledger.finish(claim, now=self.clock())
        return done
