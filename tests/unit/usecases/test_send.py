"""Sending: what is recorded when, and what is left for the next sender, whatever the provider does."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest

from newsletter.audience.subscriber import Subscriber
from newsletter.delivery.message import Batch
from newsletter.delivery.outcome import Receipt, Status
from newsletter.delivery.plan import Claim, Claimed, PlannedIssue
from newsletter.errors import LeaseLost, ProviderRefused
from newsletter.usecases.build import finished
from newsletter.usecases.fill import filler
from newsletter.usecases.send import RECORD_EVERY, Sender
from tests.conftest import NOW
from tests.unit.letters import built

ISSUE = PlannedIssue(
    no=1,
    issue_id="2026-11-23-a-letter",
    revision=1,
    edition_hash="sha256:0",
    secret=b"s" * 32,
    planned_at=NOW,
    candidates=1000,
)
EDITION, CUT = finished(built("::: text\nDear {{ first_name | default('friend') }}\n:::\n"))
FILLER = filler(
    EDITION,
    lambda person, _at: {"unsubscribe_url": f"https://x.example/{person.id}", "preferences_url": "https://x.example/p"},
    cut=CUT,
)


def claim(first: int, size: int, *, batch_no: int = 1) -> Claim:
    """A batch of people."""
    people = [
        Claimed(seq=seq, person=Subscriber(id=seq, address=f"a{seq}@example.org")) for seq in range(first, first + size)
    ]
    return Claim(issue_no=1, batch_no=batch_no, worker="me", claimed_at=NOW, due_at=NOW, deliveries=tuple(people))


@dataclass(slots=True)
class FakeLedger:
    """Keeps in lists what it is told, and gives out the claims it was made with."""

    claims: list[Claim]
    dead: list[Claim] = field(default_factory=list)
    recorded: list[list[Receipt]] = field(default_factory=list)
    digests: dict[int, bytes] = field(default_factory=dict)
    finished: list[int] = field(default_factory=list)
    asked: list[tuple[datetime, datetime, int, str]] = field(default_factory=list)

    def claim(self, issue_no: int, *, now: datetime, not_before: datetime, limit: int, worker: str) -> Claim | None:
        """The next one."""
        assert issue_no == 1
        self.asked.append((now, not_before, limit, worker))
        return self.claims.pop(0) if self.claims else None

    def abandoned(self, issue_no: int, *, now: datetime, worker: str) -> Claim | None:
        """The next one whose sender died."""
        assert (issue_no, now, worker) == (1, NOW, "me")
        return self.dead.pop(0) if self.dead else None

    def record(self, claim: Claim, receipts: Sequence[Receipt], *, digests: Mapping[int, bytes], now: datetime) -> None:
        """Remember."""
        assert now == NOW
        assert set(digests) <= {each.seq for each in claim.deliveries}
        self.recorded.append(list(receipts))
        self.digests |= digests

    def finish(self, claim: Claim, *, now: datetime) -> None:
        """Remember."""
        assert now == NOW
        self.finished.append(claim.batch_no)


@dataclass(slots=True)
class FakeProvider:
    """Answers every row with what a function says."""

    answer: Callable[[int], Receipt]
    name: str = "fake"
    batch_size: int = 500
    sent: list[int] = field(default_factory=list)

    def send(self, batch: Batch) -> Iterator[Receipt]:
        """One receipt a row."""
        for row in batch.rows:
            self.sent.append(row.seq)
            yield self.answer(row.seq)

    def settle(self, batch: Batch) -> Iterator[Receipt]:
        """Odd ones had left; of the others there is proof that they had not."""
        for row in batch.rows:
            yield Receipt(seq=row.seq, status=Status.ACCEPTED if row.seq % 2 else Status.PLANNED)


def accepted(seq: int) -> Receipt:
    """Everything is taken."""
    return Receipt(seq=seq, status=Status.ACCEPTED)


def run(ledger: FakeLedger, provider: FakeProvider) -> tuple[int, list[int]]:
    """What a sender says it did, and what it told while at it."""
    told: list[int] = []
    sender = Sender(
        issue=ISSUE,
        filler=FILLER,
        ledger=ledger,
        provider=provider,
        worker="me",
        window=timedelta(hours=36),
        clock=lambda: NOW,
    )
    return sender.run(told.append), told


def test_everything_due_is_claimed_sent_recorded_and_closed() -> None:
    ledger, provider = FakeLedger([claim(1, 3), claim(4, 2, batch_no=2)]), FakeProvider(accepted)
    assert run(ledger, provider) == (5, [3, 2])
    assert [receipt.seq for receipts in ledger.recorded for receipt in receipts] == [1, 2, 3, 4, 5]
    assert ledger.finished == [1, 2]
    assert ledger.asked == [(NOW, NOW - timedelta(hours=36), 500, "me")] * 3
    assert len(set(ledger.digests.values())) == 5


def test_receipts_are_recorded_at_least_every_fifty() -> None:
    ledger = FakeLedger([claim(1, 120)])
    run(ledger, FakeProvider(accepted))
    assert max(map(len, ledger.recorded)) <= RECORD_EVERY == 50
    assert sum(map(len, ledger.recorded)) == 120


def test_the_batches_of_dead_senders_are_settled_first_and_not_sent() -> None:
    ledger, provider = FakeLedger([claim(10, 1, batch_no=2)], dead=[claim(1, 4)]), FakeProvider(accepted)
    assert run(ledger, provider)[0] == 3  # 1 and 3 had left, 10 was sent now
    assert provider.sent == [10]
    assert [(receipt.seq, receipt.status) for receipt in ledger.recorded[0]] == [
        (1, Status.ACCEPTED),
        (2, Status.PLANNED),
        (3, Status.ACCEPTED),
        (4, Status.PLANNED),
    ]
    assert ledger.finished == [1, 2]


def test_a_provider_that_will_take_nothing_more_stops_the_run_and_gives_the_rest_back() -> None:
    def answer(seq: int) -> Receipt:
        if seq == 3:
            raise ProviderRefused("full")
        return accepted(seq)

    ledger = FakeLedger([claim(1, 5), claim(6, 5, batch_no=2)])
    with pytest.raises(ProviderRefused):
        run(ledger, FakeProvider(answer))
    assert [receipt.seq for receipts in ledger.recorded for receipt in receipts] == [1, 2]
    assert ledger.finished == [1]  # so that 3, 4 and 5 can be claimed again; 6 was never claimed
    assert len(ledger.claims) == 1


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_sender_that_breaks_keeps_what_it_knows_and_leaves_the_rest_in_doubt(error: type[BaseException]) -> None:
    def answer(seq: int) -> Receipt:
        if seq == 3:
            raise error
        return accepted(seq)

    ledger = FakeLedger([claim(1, 5)])
    with pytest.raises(error):
        run(ledger, FakeProvider(answer))
    assert [receipt.seq for receipts in ledger.recorded for receipt in receipts] == [1, 2]
    assert ledger.finished == []  # 3 may have left: whoever comes next has to settle that


def test_each_reader_gets_their_own_values() -> None:
    ada = Subscriber(id=7, address="ada@example.org", name="Ada Example", first_name="Ada")
    batch, held = FILLER.batch(
        ISSUE,
        Claim(
            issue_no=1,
            batch_no=1,
            worker="me",
            claimed_at=NOW,
            due_at=NOW,
            deliveries=(Claimed(seq=1, person=ada), *claim(2, 1).deliveries),
        ),
    )
    assert held == []
    first, second = (batch.message(row) for row in batch.rows)
    assert b"Ada" in first
    assert b"https://x.example/7" in first
    assert b"friend" in second
    assert b"Ada" not in second
    assert b"https://x.example/7" not in second
    assert batch.message(batch.rows[0]) == first


def test_whoever_the_provider_forgot_is_in_doubt_and_never_sent_again_by_itself() -> None:
    class Forgetful(FakeProvider):
        def send(self, batch: Batch) -> Iterator[Receipt]:
            return (receipt for receipt in super().send(batch) if receipt.seq != 2)

    ledger = FakeLedger([claim(1, 3)])
    run(ledger, Forgetful(accepted))
    recorded = {receipt.seq: receipt.status for receipts in ledger.recorded for receipt in receipts}
    assert recorded == {1: Status.ACCEPTED, 2: Status.UNKNOWN, 3: Status.ACCEPTED}


def test_a_reader_that_cannot_be_filled_is_held_and_stops_nobody_else() -> None:
    def links_of(person: Subscriber, _at: datetime) -> dict[str, str]:
        if person.id == 2:
            raise ValueError(person.address)
        return {"unsubscribe_url": "https://x.example/", "preferences_url": "https://x.example/p"}

    ledger, provider = FakeLedger([claim(1, 3)]), FakeProvider(accepted)
    sender = Sender(
        issue=ISSUE,
        filler=filler(EDITION, links_of, cut=CUT),
        ledger=ledger,
        provider=provider,
        worker="me",
        window=timedelta(hours=36),
        clock=lambda: NOW,
    )
    assert sender.run(lambda _more: None) == 3
    held = [receipt for receipts in ledger.recorded for receipt in receipts if receipt.status is Status.HELD]
    assert [(receipt.seq, receipt.reason) for receipt in held] == [(2, "cannot be filled: ValueError")]
    assert provider.sent == [1, 3]


def test_a_sender_that_was_stopped_asks_whether_the_batch_is_still_its_own_before_it_goes_on() -> None:
    """The clock jumps after the second message, as when a machine sleeps; the next receipt is recorded at once."""
    now = [NOW]

    def answer(seq: int) -> Receipt:
        if seq == 2:
            now[0] += timedelta(minutes=30)
        return accepted(seq)

    class Taken(FakeLedger):
        def record(
            self, claim: Claim, receipts: Sequence[Receipt], *, digests: Mapping[int, bytes], now: datetime
        ) -> None:
            if now > NOW:
                raise LeaseLost("another sender took over")

    provider = FakeProvider(answer)
    sender = Sender(
        issue=ISSUE,
        filler=FILLER,
        ledger=Taken([claim(1, 40)]),
        provider=provider,
        worker="me",
        window=timedelta(hours=36),
        clock=lambda: now[0],
    )
    with pytest.raises(LeaseLost):
        sender.run(lambda _more: None)
    assert provider.sent == [1, 2]


def test_what_settling_finds_is_recorded_without_a_digest_of_todays_values() -> None:
    ledger = FakeLedger([], dead=[claim(1, 3)])
    run(ledger, FakeProvider(accepted))
    assert ledger.digests == {}
