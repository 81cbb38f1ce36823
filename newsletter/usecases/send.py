"""Send: claim, fill, hand over, record, until nothing is due.

The claim is durable before the provider is called, and every receipt as soon as it is known; so a sender
that is killed leaves at most the batches it had in its hands, and the next one settles those first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from newsletter.delivery.message import Batch, values_digest
from newsletter.delivery.outcome import Receipt, Status
from newsletter.delivery.plan import Claim, PlannedIssue
from newsletter.delivery.retry import Breaker, next_try
from newsletter.errors import LetterHalted, ProviderBusy, ProviderRefused, QuotaReached
from newsletter.usecases.fill import Filler
from newsletter.usecases.ports import Controls, Gate, Ledger, Provider
from newsletter.usecases.settle import Settler, seal_of

RENEW_EVERY = timedelta(seconds=20)  # a batch is asked for again so often; who was stopped meanwhile notices
REOPEN_EVERY = timedelta(seconds=30)  # how often deliveries are looked for whose wait is over
QUOTA_WAIT = timedelta(hours=1)  # where the provider does not say when it will take more
JUDGED_FROM = 50  # outcomes; fewer say nothing about a letter

Clock = Callable[[], datetime]
Watch = Callable[[int], None]  # told how many deliveries were just recorded


@dataclass(slots=True)
class Run:
    """What the lanes of one send have in common while it lasts."""

    breaker: Breaker = field(default_factory=Breaker)
    outcomes: int = 0
    refused: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """One lane of a sender at work on one planned issue.

    `window` is how long after its time a letter may leave, `rate` how many a second may (0: any), and
    `halt_percent` the share of refusals at which it pauses the issue by itself. `wait` waits so many seconds
    and says whether the operator asked to stop. `roll` gives random numbers from 0 to 1.
    """

    issue: PlannedIssue
    fillers: Callable[[str], Filler]
    ledger: Ledger
    gate: Gate
    controls: Controls
    provider: Provider
    worker: str
    window: timedelta
    rate: float
    halt_percent: int
    clock: Clock
    wait: Callable[[float], bool]
    roll: Callable[[], float]
    run: Run

    def send(self, watch: Watch, *, below: int | None = None) -> int:
        """How many deliveries got an outcome: first of batches whose sender died, then of all that is due.

        Only of deliveries with a number under *below*. Raises ProviderBusy, ProviderRefused or LetterHalted
        when it has to end before that.
        """
        done = self._settle_abandoned(watch) or 0
        reopened_at = None
        while not self.wait(0):
            now = self.clock()
            if reopened_at is None or _is_over(now - reopened_at, REOPEN_EVERY):
                self.ledger.reopen(self.issue.no, now=now)
                reopened_at = now
            claim = self._claim(below)
            if claim is not None:
                done += self._patiently(claim, watch)
                continue
            # Nobody else may come for those who died while this one was at work.
            late = self._settle_abandoned(watch)
            if late is None:
                break
            done += late
        return done

    def _settle_abandoned(self, watch: Watch) -> int | None:
        """How many deliveries of dead senders' batches are settled now; None if there was no such batch."""
        settler = Settler(
            issue=self.issue, fillers=self.fillers, provider=self.provider, window=self.window, clock=self.clock
        )
        done = None
        while not self.wait(0):
            claim = self.ledger.abandoned(self.issue.no, now=self.clock(), worker=self.worker)
            if claim is None:
                break
            # Recorded without digests: what was filled then may differ from what is known now.
            book = _Book(self, claim, {}, watch, since=self.clock())
            book.keep_all(settler.complete(claim))
            book.close()
            done = (done or 0) + book.done
        return done

    def _claim(self, below: int | None) -> Claim | None:
        """The next batch, once the provider may be handed one. Raises QuotaReached."""
        limit = self.provider.batch_size
        block = self.gate.blocked(self.provider.name, now=self.clock())
        if block:
            raise QuotaReached(
                f"{self.provider.name} is left alone until {block.until:%Y-%m-%d %H:%M} UTC: {block.why}"
            )
        if self.rate:
            limit = min(limit, max(1, int(self.rate)))
            turn = self.gate.reserve(self.provider.name, count=limit, rate=self.rate, now=self.clock())
            if self.wait(turn.total_seconds()):
                return None
        now = self.clock()
        return self.ledger.claim(
            self.issue.no,
            now=now,
            not_before=now - self.window,
            limit=limit,
            worker=self.worker,
            below=below,
            seals=bool(self.provider.keeps_keys),
        )

    def _patiently(self, claim: Claim, watch: Watch) -> int:
        """Hand over *claim*, and where the provider is busy, wait; raises ProviderBusy if that would be too long."""
        try:
            book = self._hand_over(claim, watch)
        except QuotaReached as err:
            self._leave_alone(err, err.wait or QUOTA_WAIT)
            raise
        except ProviderBusy as err:
            wait = self.run.breaker.failed(asked=err.wait, roll=self.roll())
            if wait is None:
                if err.wait:
                    self._leave_alone(err, err.wait)
                raise
            self.wait(wait.total_seconds())
            return 0
        self._judge(book)
        return book.done

    def _leave_alone(self, err: ProviderBusy, wait: timedelta) -> None:
        now = self.clock()
        self.gate.block(self.provider.name, until=now + wait, why=err.message, now=now)

    def _hand_over(self, claim: Claim, watch: Watch) -> _Book:
        since = self.clock()
        batch, held = self.fillers(claim.edition_hash).batch(self.issue, claim)
        book = _Book(self, claim, {row.seq: values_digest(row.values) for row in batch.rows}, watch, since=since)
        book.keep_all(held)
        book.flush()  # before the call: whoever settles this batch later must not take them for handed over
        try:
            if batch.rows:
                self._call(batch, claim, book)
        except (ProviderRefused, ProviderBusy):
            # By the port's word nothing beyond the receipts has left, so the rest may be claimed again.
            book.close()
            raise
        book.doubt()
        book.close()
        return book

    def _call(self, batch: Batch, claim: Claim, book: _Book) -> None:
        if self.provider.keeps_keys:
            self.ledger.seal(claim, digest=seal_of(batch, self.provider), now=self.clock())
        else:
            book.renew()
        book.keep_all(self.provider.send(batch))

    def _judge(self, book: _Book) -> None:
        """Whether to go on after a call. Raises ProviderBusy on doubt after doubt, LetterHalted on refusals."""
        if any(status is not Status.UNKNOWN for status in book.seen.values()):
            self.run.breaker.worked()
        elif self.run.breaker.doubted():
            raise ProviderBusy(
                f"{self.run.breaker.doubts} calls in a row to {self.provider.name} ended in doubt",
                hint="look at the network and the provider's status page; then: newsletter reconcile",
            )
        self.run.outcomes += len(book.seen)
        self.run.refused += sum(status is Status.REFUSED for status in book.seen.values())
        if self.run.outcomes >= JUDGED_FROM and self.run.refused * 100 > self.run.outcomes * self.halt_percent:
            why = f"halted: {self.run.refused:,} of {self.run.outcomes:,} were refused"
            self.controls.pause(self.issue.no, by="the sender", why=why, now=self.clock())
            raise LetterHalted(why, at=self.issue.issue_id, hint="see why: newsletter status; go on: newsletter resume")


class _Book:
    """The receipts of one claim on their way into the ledger."""

    def __init__(
        self, sender: Sender, claim: Claim, digests: Mapping[int, bytes], watch: Watch, *, since: datetime
    ) -> None:
        """Keep the receipts of *claim*, which was ours at the instant *since*."""
        self._sender, self._claim, self._digests, self._watch = sender, claim, digests, watch
        self._deferrals = {each.seq: each.deferrals for each in claim.deliveries}
        self._pending: list[Receipt] = []
        self.done = 0  # deliveries of it that are settled now
        self._renewed_at = since
        self.seen: dict[int, Status] = {}

    def keep_all(self, receipts: Iterable[Receipt | None]) -> None:
        """Keep *receipts* as they come; what is known is kept even if no more come."""
        try:
            for receipt in receipts:
                if receipt is not None:
                    self._pending.append(self._timed(receipt))
                    self.seen[receipt.seq] = receipt.status
                if len(self._pending) >= self._sender.provider.record_every:
                    self._write()
                else:
                    self.renew()
        except BaseException:
            self.flush()
            raise

    def renew(self) -> None:
        """See whether the batch is still ours, if that was long ago: this machine may have slept. Raises LeaseLost."""
        if _is_over(self._sender.clock() - self._renewed_at, RENEW_EVERY):
            self._write()

    def flush(self) -> None:
        """Record what is pending."""
        if self._pending:
            self._write()

    def doubt(self) -> None:
        """Say of every delivery without receipt that nobody knows."""
        silent = sorted(self._deferrals.keys() - self.seen.keys())
        why = "the provider did not say"
        self.keep_all(Receipt(seq=seq, status=Status.UNKNOWN, reason=why) for seq in silent)

    def close(self) -> None:
        """Give the batch back with what is pending."""
        try:
            self._write(close=True)
        except BaseException:
            self.flush()
            raise

    def _timed(self, receipt: Receipt) -> Receipt:
        """*receipt*, and where it puts off a delivery, until when."""
        if receipt.status is not Status.DEFERRED:
            return receipt
        wait = next_try(self._deferrals[receipt.seq] + 1, asked=receipt.wait, roll=self._sender.roll())
        if wait is None:
            return replace(receipt, status=Status.HELD, reason=f"put off too often: {receipt.reason}", wait=None)
        return replace(receipt, wait=wait)

    def _write(self, *, close: bool = False) -> None:
        """Record what is pending, and with it a sign of life. Raises LeaseLost if the batch is not ours any more.

        It stays pending where that fails: the same again is no error, and what is known must not turn to doubt.
        """
        now, written = self._sender.clock(), self._pending
        self._sender.ledger.record(self._claim, written, digests=self._digests, now=now, close=close)
        self._renewed_at, self._pending = now, []
        settled = sum(receipt.status is not Status.PLANNED for receipt in written)
        self.done += settled
        if settled:
            self._watch(settled)


def _is_over(passed: timedelta, most: timedelta) -> bool:
    """Whether more than *most* has passed; so it has where a clock was put back, for all that anybody knows."""
    return not timedelta(0) <= passed <= most
