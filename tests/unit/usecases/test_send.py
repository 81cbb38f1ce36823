"""Sending: what is recorded when, and what is left for the next sender, whatever the provider does."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from newsletter.audience.subscriber import Subscriber
from newsletter.delivery.message import Batch
from newsletter.delivery.outcome import Event, Look, Receipt, Status
from newsletter.delivery.plan import Block, Claim, Claimed, PlannedIssue
from newsletter.delivery.retry import DOUBTS, FAILURES, TRIES
from newsletter.errors import LeaseLost, LetterHalted, ProviderBusy, ProviderRefused, QuotaReached, StoreError
from newsletter.usecases.build import finished
from newsletter.usecases.fill import filler
from newsletter.usecases.proof import send_proof
from newsletter.usecases.send import Run, Sender
from newsletter.usecases.settle import seal_of
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
    return Claim(
        issue_no=1,
        batch_no=batch_no,
        worker="me",
        claimed_at=NOW,
        due_at=NOW,
        revision=1,
        edition_hash=ISSUE.edition_hash,
        sealed=None,
        deliveries=tuple(people),
    )


@dataclass(slots=True)
class World:
    """A ledger, a gate and controls that keep in lists what they are told; and the sender's clock."""

    claims: list[Claim] = field(default_factory=list)
    dead: list[Claim] = field(default_factory=list)
    recorded: list[list[Receipt]] = field(default_factory=list)
    digests: dict[int, bytes] = field(default_factory=dict)
    closed: list[int] = field(default_factory=list)
    asked: list[tuple[datetime, datetime, int, str, int | None]] = field(default_factory=list)
    sealed: list[bytes] = field(default_factory=list)
    seals: list[bool] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)
    reserved: list[tuple[int, float]] = field(default_factory=list)
    paused: list[str] = field(default_factory=list)
    waited: list[float] = field(default_factory=list)
    now: datetime = NOW

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
        assert issue_no == 1
        self.seals.append(seals)
        self.asked.append((now, not_before, limit, worker, below))
        return self.claims.pop(0) if self.claims else None

    def abandoned(self, issue_no: int, *, now: datetime, worker: str) -> Claim | None:
        assert (issue_no, worker) == (1, "me")
        return self.dead.pop(0) if self.dead else None

    def record(
        self,
        claim: Claim,
        receipts: Sequence[Receipt],
        *,
        digests: Mapping[int, bytes],
        now: datetime,
        close: bool = False,
    ) -> None:
        assert set(digests) <= {each.seq for each in claim.deliveries}
        if receipts:
            self.recorded.append(list(receipts))
        self.digests |= digests
        if close:
            self.closed.append(claim.batch_no)

    def seal(self, claim: Claim, *, digest: bytes, now: datetime) -> None:
        self.sealed.append(digest)

    def reopen(self, issue_no: int, *, now: datetime) -> int:
        return 0

    def doubtful(self, issue_no: int, *, now: datetime, worker: str, after: int) -> Claim | None:
        raise NotImplementedError  # a sender never asks

    def revise(self, claim: Claim, receipts: Sequence[Receipt], *, now: datetime) -> None:
        raise NotImplementedError  # a sender never does

    def reserve(self, provider: str, *, count: int, rate: float, now: datetime) -> timedelta:
        self.reserved.append((count, rate))
        return timedelta(seconds=7)

    def blocked(self, provider: str, *, now: datetime) -> Block | None:
        return self.blocks[-1] if self.blocks else None

    def block(self, provider: str, *, until: datetime, why: str, now: datetime) -> None:
        self.blocks.append(Block(until=until, why=why))

    def pause(self, issue_no: int, *, by: str, why: str, now: datetime) -> None:
        self.paused.append(f"{by}: {why}")

    def resume(self, issue_no: int, *, by: str, why: str, now: datetime) -> None:
        raise NotImplementedError

    def cancel(self, issue_no: int, *, by: str, why: str, now: datetime) -> None:
        raise NotImplementedError

    def correct(self, issue_no: int, *, revision: int, edition_hash: str, by: str, why: str, now: datetime) -> None:
        raise NotImplementedError

    def decide(self, issue_no: int, what: str, *, by: str, why: str, now: datetime) -> None:
        raise NotImplementedError

    def wait(self, seconds: float) -> bool:
        if seconds:
            self.waited.append(seconds)
        return False

    @property
    def outcomes(self) -> dict[int, Status]:
        """Everything recorded, by number."""
        return {receipt.seq: receipt.status for receipts in self.recorded for receipt in receipts}


@dataclass(slots=True)
class FakeProvider:
    """Answers every row with what a function says."""

    answer: Callable[[int], Receipt | None]
    name: str = "fake"
    batch_size: int = 500
    record_every: int = 50
    keeps_keys: timedelta = timedelta(0)
    sent: list[int] = field(default_factory=list)

    def send(self, batch: Batch) -> Iterator[Receipt | None]:
        for row in batch.rows:
            self.sent.append(row.seq)
            yield self.answer(row.seq)

    def settle(self, batch: Batch) -> Iterator[Receipt | None]:
        """Of three in a row one had left, of one there is proof that it had not, and of one nothing is known."""
        for row in batch.rows:
            if row.seq % 3:
                yield Receipt(seq=row.seq, status=Status.ACCEPTED if row.seq % 3 == 1 else Status.PLANNED)

    def read_events(self, data: bytes) -> Iterator[Event]:
        raise NotImplementedError

    def examine(self) -> Iterator[Look]:
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError


def accepted(seq: int) -> Receipt:
    """Everything is taken."""
    return Receipt(seq=seq, status=Status.ACCEPTED)


def sender_in(world: World, provider: FakeProvider, **changes: object) -> Sender:
    """A sender in that world."""
    sender = Sender(
        issue=ISSUE,
        fillers=lambda _edition: FILLER,
        ledger=world,
        gate=world,
        controls=world,
        provider=provider,
        worker="me",
        window=timedelta(hours=36),
        rate=0,
        halt_percent=100,
        clock=lambda: world.now,
        wait=world.wait,
        roll=lambda: 0.5,
        run=Run(),
    )
    return replace(sender, **changes)  # type: ignore[arg-type]


def run(world: World, provider: FakeProvider, **changes: object) -> tuple[int, list[int]]:
    """What a sender says it did, and what it told while at it."""
    told: list[int] = []
    return sender_in(world, provider, **changes).send(told.append), told


def test_everything_due_is_claimed_sent_recorded_and_closed() -> None:
    world, provider = World([claim(1, 3), claim(4, 2, batch_no=2)]), FakeProvider(accepted)
    assert run(world, provider) == (5, [3, 2])
    assert list(world.outcomes) == [1, 2, 3, 4, 5]
    assert world.closed == [1, 2]
    assert world.asked == [(NOW, NOW - timedelta(hours=36), 500, "me", None)] * 3
    assert len(set(world.digests.values())) == 5


@pytest.mark.parametrize("every", [50, 1000])
def test_receipts_are_recorded_as_often_as_the_provider_needs(every: int) -> None:
    world = World([claim(1, 120)])
    run(world, FakeProvider(accepted, record_every=every))
    assert [len(each) for each in world.recorded] == ([50, 50, 20] if every == 50 else [120])


def test_the_batches_of_dead_senders_are_settled_first_and_not_sent() -> None:
    world, provider = World([claim(10, 1, batch_no=2)], dead=[claim(1, 4)]), FakeProvider(accepted)
    assert run(world, provider)[0] == 4  # 1 and 4 had left, 3 is in doubt, 10 was sent now
    assert provider.sent == [10]
    assert world.outcomes == {
        1: Status.ACCEPTED,
        2: Status.PLANNED,
        3: Status.UNKNOWN,
        4: Status.ACCEPTED,
        10: Status.ACCEPTED,
    }
    assert world.closed == [1, 2]
    assert set(world.digests) == {10}  # what was filled then may differ from what is known today


@pytest.mark.parametrize("error", [ProviderRefused, ProviderBusy, QuotaReached])
def test_what_did_not_leave_is_given_back(error: type[ProviderRefused]) -> None:
    def answer(seq: int) -> Receipt:
        if seq == 3:
            raise error("full")
        return accepted(seq)

    world = World([claim(1, 5)])
    if error is ProviderBusy:
        run(world, FakeProvider(answer))
    else:
        with pytest.raises(error):
            run(world, FakeProvider(answer))
    assert list(world.outcomes) == [1, 2]
    assert world.closed == [1]  # so that 3, 4 and 5 can be claimed again


def busy(_seq: int) -> Receipt:
    """Nothing is taken."""
    raise ProviderBusy("come back later")


def test_a_busy_provider_is_waited_for_longer_each_time_and_then_left_alone() -> None:
    world = World([claim(1, 5) for _ in range(FAILURES + 5)])
    with pytest.raises(ProviderBusy):
        run(world, FakeProvider(busy))
    assert world.waited == [2, 4, 8, 16, 32]
    assert world.outcomes == {}  # nobody burnt a try
    assert len(world.closed) == FAILURES


def test_a_provider_that_asks_for_a_long_wait_is_left_alone_by_all_senders() -> None:
    def answer(_seq: int) -> Receipt:
        raise ProviderBusy("come back later", wait=timedelta(minutes=20))

    world = World([claim(1, 5)])
    with pytest.raises(ProviderBusy):
        run(world, FakeProvider(answer))
    assert world.blocks == [Block(until=NOW + timedelta(minutes=20), why="come back later")]
    other = replace_claims(world, [claim(6, 5)])
    with pytest.raises(QuotaReached, match="left alone until 2026"):
        run(other, FakeProvider(accepted))
    assert other.asked == []


def replace_claims(world: World, claims: list[Claim]) -> World:
    """Another sender's world, with the same gate."""
    return World(claims, blocks=world.blocks)


def test_a_used_up_quota_stops_everybody_for_an_hour_where_the_provider_does_not_say() -> None:
    def answer(_seq: int) -> Receipt:
        raise QuotaReached("that was all for today")

    world = World([claim(1, 5), claim(6, 5)])
    with pytest.raises(QuotaReached):
        run(world, FakeProvider(answer))
    assert world.blocks[0].until == NOW + timedelta(hours=1)
    assert len(world.claims) == 1


def test_doubt_after_doubt_stops_the_send_before_the_whole_list_is_in_doubt() -> None:
    world = World([claim(1 + 5 * each, 5, batch_no=1 + 5 * each) for each in range(10)])
    with pytest.raises(ProviderBusy, match="ended in doubt"):
        run(world, FakeProvider(lambda _seq: None))
    assert len(world.outcomes) == 5 * DOUBTS
    assert set(world.outcomes.values()) == {Status.UNKNOWN}
    assert len(world.closed) == DOUBTS


def test_one_doubt_between_answers_stops_nothing() -> None:
    world = World([claim(1 + each, 1, batch_no=1 + each) for each in range(30)])
    provider = FakeProvider(lambda seq: accepted(seq) if seq % 3 == 0 else None)
    assert run(world, provider)[0] == 30


def test_what_is_put_off_is_tried_again_later_each_time_and_held_in_the_end() -> None:
    waits = []
    for before in range(TRIES):
        due = replace(claim(1, 1), deliveries=(replace(claim(1, 1).deliveries[0], deferrals=before),))
        world = World([due])
        run(world, FakeProvider(lambda seq: Receipt(seq=seq, status=Status.DEFERRED, reason="mailbox busy")))
        waits.append(world.recorded[0][0])
    assert [receipt.status for receipt in waits] == [Status.DEFERRED] * (TRIES - 1) + [Status.HELD]
    minutes = [receipt.wait.total_seconds() / 60 for receipt in waits if receipt.wait]
    assert minutes == [5, 15, 45, 135, 240, 240, 240]
    assert waits[-1].reason == "put off too often: mailbox busy"


def test_a_provider_that_asks_to_wait_longer_for_one_reader_gets_its_way() -> None:
    world = World([claim(1, 1)])
    wait = timedelta(hours=9)
    run(world, FakeProvider(lambda seq: Receipt(seq=seq, status=Status.DEFERRED, wait=wait)))
    assert world.recorded[0][0].wait == wait


def test_a_ceiling_is_shared_and_waited_for_before_anything_is_claimed() -> None:
    world = World([claim(1, 3)])
    run(world, FakeProvider(accepted), rate=14.5)
    assert world.reserved == [(14, 14.5), (14, 14.5)]
    assert world.waited == [7, 7]
    assert [each[2] for each in world.asked] == [14, 14]


def test_a_letter_that_is_refused_too_often_pauses_itself() -> None:
    def answer(seq: int) -> Receipt:
        return Receipt(seq=seq, status=Status.REFUSED if seq % 10 == 0 else Status.ACCEPTED)

    world = World([claim(1, 60), claim(61, 60, batch_no=61)])
    with pytest.raises(LetterHalted):
        run(world, FakeProvider(answer), halt_percent=9)
    assert world.paused == ["the sender: halted: 6 of 60 were refused"]
    assert len(world.claims) == 1
    world = World([claim(1, 60)])
    run(world, FakeProvider(answer), halt_percent=10)
    assert world.paused == []


def test_a_stopped_sender_claims_nothing_more() -> None:
    world, provider = World([claim(1, 3), claim(4, 3, batch_no=4)]), FakeProvider(accepted)
    assert sender_in(world, provider, wait=lambda _seconds: bool(provider.sent)).send(lambda _more: None) == 3
    assert provider.sent == [1, 2, 3]


def test_a_canary_goes_no_further_than_its_slice() -> None:
    world = World([claim(1, 3)])
    sender_in(world, FakeProvider(accepted)).send(lambda _more: None, below=101)
    assert {each[4] for each in world.asked} == {101}


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_sender_that_breaks_keeps_what_it_knows_and_leaves_the_rest_in_doubt(error: type[BaseException]) -> None:
    def answer(seq: int) -> Receipt:
        if seq == 3:
            raise error
        return accepted(seq)

    world = World([claim(1, 5)])
    with pytest.raises(error):
        run(world, FakeProvider(answer))
    assert list(world.outcomes) == [1, 2]
    assert world.closed == []  # 3 may have left: whoever comes next has to settle that


def test_each_reader_gets_their_own_values() -> None:
    ada = Subscriber(id=7, address="ada@example.org", name="Ada Example", first_name="Ada")
    two = replace(claim(1, 1), deliveries=(Claimed(seq=1, person=ada), *claim(2, 1).deliveries))
    batch, held = FILLER.batch(ISSUE, two)
    assert held == []
    first, second = (batch.message(row) for row in batch.rows)
    assert b"Ada" in first
    assert b"https://x.example/7" in first
    assert b"friend" in second
    assert b"Ada" not in second
    assert b"https://x.example/7" not in second
    assert batch.message(batch.rows[0]) == first


def test_a_reader_that_cannot_be_filled_is_held_before_the_call_and_stops_nobody_else() -> None:
    def links_of(person: Subscriber, _at: datetime) -> dict[str, str]:
        if person.id == 2:
            raise ValueError(person.address)
        return {"unsubscribe_url": "https://x.example/", "preferences_url": "https://x.example/p"}

    world, provider = World([claim(1, 3)]), FakeProvider(accepted)
    provider.answer = lambda seq: accepted(seq) if world.outcomes[2] is Status.HELD else None
    assert run(world, provider, fillers=lambda _edition: filler(EDITION, links_of, cut=CUT))[0] == 3
    assert world.recorded[0] == [Receipt(seq=2, status=Status.HELD, reason="cannot be filled: ValueError")]
    assert provider.sent == [1, 3]
    assert world.outcomes[3] is Status.ACCEPTED


def test_a_sender_that_was_stopped_asks_whether_the_batch_is_still_its_own_before_it_goes_on() -> None:
    """The clock jumps after the second message, as when a machine sleeps; the next receipt is recorded at once."""

    def answer(seq: int) -> Receipt:
        if seq == 2:
            world.now += timedelta(minutes=30)
        return accepted(seq)

    class Taken(World):
        def record(self, *_claim: object, now: datetime, **_more: object) -> None:
            if now > NOW:
                raise LeaseLost("another sender took over")

    world, provider = Taken([claim(1, 40)]), FakeProvider(answer)
    with pytest.raises(LeaseLost):
        run(world, provider)
    assert provider.sent == [1, 2]


def test_a_silent_provider_that_gives_signs_of_life_keeps_its_batch() -> None:
    class Slow(FakeProvider):
        def send(self, batch: Batch) -> Iterator[Receipt | None]:
            for row in batch.rows:
                world.now += timedelta(seconds=25)
                yield None
                assert self.answer
                yield accepted(row.seq)

    renewed = []

    class Renewing(World):
        def record(self, claim: Claim, receipts: Sequence[Receipt], **more: Any) -> None:
            renewed.append(len(receipts))
            World.record(self, claim, receipts, **more)

    world = Renewing([claim(1, 3)])
    assert run(world, Slow(accepted))[0] == 3
    assert renewed == [0, 1, 1, 1]


KEYS = timedelta(hours=24)


def sealed_claim(**changes: object) -> Claim:
    """The claim of a dead sender that had sealed what it was about to hand over."""
    found: Claim = replace(claim(1, 3), **changes)  # type: ignore[arg-type]
    batch, _ = FILLER.batch(ISSUE, found)
    return found if "sealed" in changes else replace(found, sealed=seal_of(batch, FakeProvider(accepted)))


def test_a_batch_is_sealed_before_the_call_where_the_provider_keeps_keys() -> None:
    world = World([claim(1, 3)])
    provider = FakeProvider(lambda seq: accepted(seq) if world.sealed else None, keeps_keys=KEYS)
    run(world, provider)
    assert world.sealed == [sealed_claim().sealed]
    assert set(world.seals) == {True}
    assert set(world.outcomes.values()) == {Status.ACCEPTED}


def test_a_dead_senders_call_is_repeated_where_the_provider_keeps_keys() -> None:
    world, provider = World(dead=[sealed_claim()]), FakeProvider(accepted, keeps_keys=KEYS)
    assert run(world, provider)[0] == 3
    assert provider.sent == [1, 2, 3]
    assert set(world.outcomes.values()) == {Status.ACCEPTED}


def test_what_a_dead_sender_would_have_sealed_and_had_not_never_left() -> None:
    world = World(dead=[sealed_claim(sealed=b"")])
    provider = FakeProvider(accepted, keeps_keys=KEYS)
    run(world, provider)
    assert provider.sent == []
    assert world.outcomes == {1: Status.PLANNED, 2: Status.PLANNED, 3: Status.PLANNED}
    assert world.closed == [1]


def test_a_repeated_call_proves_nothing_by_what_it_did_not_do() -> None:
    def answer(seq: int) -> Receipt:
        return Receipt(seq=seq, status={1: Status.PLANNED, 2: Status.DEFERRED, 3: Status.REFUSED}[seq])

    world = World(dead=[sealed_claim()])
    run(world, FakeProvider(answer, keeps_keys=KEYS))
    assert world.outcomes == {1: Status.UNKNOWN, 2: Status.UNKNOWN, 3: Status.REFUSED}


def left(person: Claimed) -> Claimed:
    """Somebody who may not be mailed any more."""
    return replace(person, barred="unsubscribed")


@pytest.mark.parametrize(
    "changed",
    [
        {"claim": {"claimed_at": NOW - timedelta(hours=23)}},
        {"claim": {"claimed_at": NOW + timedelta(hours=2)}},
        {"claim": {"sealed": b"other"}},
        {"provider": {"name": "another"}},
        {"claim": {"sealed": None}},
        {"claim": {"due_at": NOW - timedelta(hours=37)}},
        {"claim": {"edition_hash": "sha256:older"}},
        {"claim": {"deliveries": (left(claim(1, 1).deliveries[0]), *claim(2, 2).deliveries)}},
        {"issue": {"paused": "wait"}},
        {"issue": {"cancelled": "no"}},
    ],
    ids=lambda changed: next(f"{key}.{next(iter(value))}" for key, value in changed.items()),
)
def test_a_call_is_not_repeated_if_anything_changed(changed: dict[str, dict[str, Any]]) -> None:
    world = World(dead=[sealed_claim(**changed.get("claim", {}))])
    provider = FakeProvider(accepted, keeps_keys=KEYS, **changed.get("provider", {}))
    run(world, provider, issue=replace(ISSUE, **changed.get("issue", {})))
    assert provider.sent == []
    assert world.outcomes[3] is Status.UNKNOWN


class Forgetful(World):
    """A ledger that cannot be reached at one of its writes."""

    def record(self, claim: Claim, receipts: Sequence[Receipt], *, close: bool = False, **more: Any) -> None:
        if receipts and not self.waited:
            self.waited.append(0)
            raise StoreError("the database cannot be reached")
        World.record(self, claim, receipts, close=close, **more)


@pytest.mark.parametrize("every", [2, 50], ids=["in the middle", "at the end"])
def test_what_could_not_be_recorded_is_recorded_again_and_does_not_turn_to_doubt(every: int) -> None:
    world = Forgetful([claim(1, 3)])
    with pytest.raises(StoreError):
        run(world, FakeProvider(accepted, record_every=every))
    assert list(world.outcomes) == ([1, 2] if every == 2 else [1, 2, 3])


def test_who_dies_while_others_send_is_settled_before_they_end() -> None:
    def answer(seq: int) -> Receipt:
        world.dead = [claim(1, 1)] if seq == 10 else world.dead
        return accepted(seq)

    world = World([claim(10, 1, batch_no=10)])
    assert run(world, FakeProvider(answer))[0] == 2
    assert world.closed == [10, 1]


def test_asked_to_stop_a_sender_leaves_the_dead_to_the_next_one() -> None:
    world = World(dead=[claim(1, 1)])
    assert sender_in(world, FakeProvider(accepted), wait=lambda _seconds: True).send(lambda _more: None) == 0
    assert len(world.dead) == 1


@pytest.mark.parametrize("jump", [timedelta(minutes=30), timedelta(minutes=-30)], ids=["slept", "put back"])
def test_a_batch_that_was_taken_over_while_it_was_filled_is_not_handed_over(jump: timedelta) -> None:
    """Between the claim and the call, too, a machine may sleep, or nobody may know how long it took."""

    class Taken(World):
        def record(self, *_claim: object, **_more: object) -> None:
            raise LeaseLost("another sender took over")

    def slowly(_edition: str) -> Any:
        world.now += jump
        return FILLER

    world, provider = Taken([claim(1, 3)]), FakeProvider(accepted)
    with pytest.raises(LeaseLost):
        run(world, provider, fillers=slowly)
    assert provider.sent == []


def test_a_proof_that_cannot_leave_says_why() -> None:
    class Unreachable(FakeProvider):
        def send(self, batch: Batch) -> Iterator[Receipt | None]:
            yield Receipt(seq=batch.rows[0].seq, status=Status.PLANNED, reason="not begun")
            raise ProviderBusy("it cannot be reached")

    person = Subscriber(id=1, address="ada@example.org")
    with pytest.raises(ProviderBusy, match="cannot be reached"):
        send_proof(FILLER, person, provider=Unreachable(accepted), ref="proof-1", now=NOW)
