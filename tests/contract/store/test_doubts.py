"""Doubts are settled by one at a time, with proof, and what they were is kept."""

from __future__ import annotations

from datetime import timedelta

import pytest

from newsletter.audience.subscriber import State
from newsletter.delivery.outcome import Receipt, Status
from newsletter.errors import IllegalMove, LeaseLost, StoreError
from newsletter.store.statements import LEASE_S
from newsletter.store.workers import this_worker
from tests.contract.store.conftest import LONG_AGO, NOW, accepted, evidence

LATER = NOW + timedelta(minutes=5)
LEASE = timedelta(seconds=LEASE_S)


def seqs(claim) -> list[int]:
    return [each.seq for each in claim.deliveries]


def test_batches_in_doubt_come_one_after_another(store):
    store.crowd(9)
    no = store.plan().no
    for doubts in ([2, 3], [], [9]):
        store.leave_in_doubt(no, *doubts, limit=3)
    first = store.doubtful(no)
    assert (seqs(first), first.batch_no, first.claimed_at, first.revision) == ([2, 3], 1, NOW, 1)
    second = store.doubtful(no, after=first.batch_no)
    assert seqs(second) == [9]
    assert store.doubtful(no, after=second.batch_no) is None
    assert store.doubtful(no) is None  # both are in somebody's hands


def test_a_doubt_tells_of_whom_may_not_be_mailed_any_more(store):
    store.crowd(2)
    no = store.plan().no
    store.leave_in_doubt(no, 1, 2)
    store.people.move(2, State.UNSUBSCRIBED, evidence=evidence(how="web"))
    assert [each.barred for each in store.doubtful(no).deliveries] == ["", "unsubscribed"]


def test_what_a_sender_has_is_not_settled_even_if_it_died(store):
    """There are deliveries without outcome in its batch; only `abandoned` knows that these may have left."""
    store.crowd(3)
    no = store.plan().no
    claim = store.claim(no, worker="one:1:a")
    store.ledger.record(claim, [Receipt(seq=1, status=Status.UNKNOWN)], digests={}, now=NOW)
    assert store.doubtful(no) is None
    store.leases_grow_old(LEASE)
    assert store.doubtful(no) is None
    taken = store.ledger.abandoned(no, now=NOW, worker="two:2:b")
    assert seqs(taken) == [2, 3]
    receipts = [Receipt(seq=2, status=Status.UNKNOWN), accepted(3)]
    store.ledger.record(taken, receipts, digests={}, now=NOW, close=True)
    assert seqs(store.doubtful(no)) == [1, 2]


def test_an_outcome_is_not_revised_without_the_lease(store):
    store.crowd(2)
    no = store.plan().no
    store.leave_in_doubt(no, 1)
    slow = store.doubtful(no, worker="slow:1:a")
    store.leases_grow_old(LEASE)
    quick = store.doubtful(no, worker="quick:1:b")
    assert seqs(quick) == [1]
    with pytest.raises(LeaseLost):
        store.ledger.revise(slow, [Receipt(seq=1, status=Status.PLANNED)], now=NOW)
    with pytest.raises(LeaseLost):
        store.close(slow)
    store.ledger.revise(quick, [accepted(1)], now=NOW)
    assert store.tally(no).by_status == {Status.ACCEPTED: 2}


def test_proof_that_nothing_left_opens_the_batch_once_it_is_closed(store):
    store.crowd(2)
    no = store.plan().no
    store.leave_in_doubt(no, 2)
    claim = store.doubtful(no)
    store.ledger.revise(claim, [Receipt(seq=2, status=Status.PLANNED, reason="not in the outbox")], now=LATER)
    assert store.claim(no) is None
    assert store.tally(no).by_status == {Status.ACCEPTED: 1, Status.PLANNED: 1}
    store.close(claim)
    again = store.claim(no, now=LATER)
    assert seqs(again) == [2]
    (story,) = store.chronicle.stories(2, now=LATER, not_before=NOW - timedelta(hours=36))
    assert [step.what for step in story.steps[3:]] == ["unknown: timeout", "planned: not in the outbox"]


def test_the_same_word_twice_is_said_once(store):
    """The answer to a commit can get lost."""
    store.crowd(2)
    no = store.plan().no
    store.leave_in_doubt(no, 1, 2)
    claim = store.doubtful(no)
    for _ in range(2):
        store.ledger.revise(claim, [accepted(1), Receipt(seq=2, status=Status.PLANNED)], now=NOW)
    store.close(claim)
    assert store.tally(no).by_status == {Status.ACCEPTED: 1, Status.PLANNED: 1}


def test_only_what_was_claimed_to_be_settled_is_settled(store):
    store.crowd(3)
    no = store.plan().no
    store.leave_in_doubt(no, 1, 2)
    claim = store.doubtful(no)
    with pytest.raises(StoreError, match="not one of those"):
        store.ledger.revise(claim, [accepted(1), Receipt(seq=3, status=Status.REFUSED)], now=NOW)
    with pytest.raises(IllegalMove):
        store.ledger.revise(claim, [accepted(1), Receipt(seq=2, status=Status.BOUNCED)], now=NOW)
    assert store.tally(no).by_status == {Status.UNKNOWN: 2, Status.ACCEPTED: 1}  # all or nothing


@pytest.mark.parametrize("worker", ["elsewhere:1:a", None])
def test_what_a_dead_reconciler_had_is_given_back_as_it_was(store, worker):
    """What was to be sent still is, nobody in doubt is sent again, and nothing comes into doubt."""
    store.crowd(4)
    no = store.plan().no
    claim = store.claim(no)
    receipts = [accepted(1), Receipt(seq=2, status=Status.UNKNOWN), Receipt(seq=3, status=Status.UNKNOWN)]
    store.ledger.record(claim, receipts, digests={}, now=NOW, close=True)  # 4 was proven unsent
    machine, pid, _ = this_worker().split(":")
    dead = store.doubtful(no, worker=worker or f"{machine}:{pid}:00000000")
    store.ledger.revise(dead, [Receipt(seq=2, status=Status.PLANNED)], now=NOW)
    assert store.tally(no).by_status == {Status.ACCEPTED: 1, Status.UNKNOWN: 1, Status.PLANNED: 2}
    if worker:
        assert store.ledger.abandoned(no, now=NOW, worker="two:2:b") is None
        assert store.claim(no) is None
        store.leases_grow_old(LEASE)
    assert store.ledger.abandoned(no, now=NOW, worker="two:2:b") is None
    assert seqs(store.claim(no)) == [2, 4]
    with pytest.raises(LeaseLost):
        store.close(dead)
    assert store.tally(no).by_status == {Status.ACCEPTED: 1, Status.UNKNOWN: 1, Status.CLAIMED: 2}


def test_what_an_abandoned_batch_was_claimed_with_stays(store):
    store.crowd(2)
    no = store.plan().no
    claim = store.claim(no, worker="one:1:a")
    store.ledger.seal(claim, digest=b"s" * 32, now=NOW)
    store.people.move(2, State.UNSUBSCRIBED, evidence=evidence(how="web"))
    store.editions.put("f" * 64, b"better", issue_id="2026-11-23-tea", now=NOW)
    store.controls.correct(no, revision=2, edition_hash="f" * 64, by="ana", why="a typo", now=NOW)
    store.leases_grow_old(LEASE)
    taken = store.ledger.abandoned(no, now=LATER, worker="two:2:b")
    assert (taken.sealed, taken.revision, taken.edition_hash) == (b"s" * 32, 1, "e" * 64)
    assert [each.barred for each in taken.deliveries] == ["", "unsubscribed"]
    with pytest.raises(LeaseLost):
        store.ledger.seal(claim, digest=b"t" * 32, now=NOW)
    store.close(taken)  # proof that nothing left
    again = store.claim(no, now=LATER)
    assert (again.sealed, again.revision, again.edition_hash, seqs(again)) == (None, 2, "f" * 64, [1])
    store.leases_grow_old(2 * LEASE)
    taken = store.ledger.abandoned(no, now=LATER + LEASE, worker="two:2:b")
    assert (taken.sealed, taken.revision, taken.edition_hash) == (None, 2, "f" * 64)


@pytest.mark.parametrize("limit", [2, 9])
def test_a_claim_that_is_to_be_sealed_is_told_from_one_that_never_is(store, limit):
    store.crowd(4)
    no = store.plan().no
    for worker, seals, sealed in (("one:1:a", True, b""), ("two:2:b", False, None)):
        taken = store.ledger.claim(no, now=NOW, not_before=LONG_AGO, limit=limit, worker=worker, seals=seals)
        assert taken.sealed == sealed
        store.leases_grow_old(LEASE)
        found = store.ledger.abandoned(no, now=NOW, worker="three:3:c")
        assert found.sealed == sealed
        store.close(found)


@pytest.mark.parametrize(
    ("old", "new", "changes"),
    [
        (Status.UNKNOWN, Status.ACCEPTED, True),
        (Status.UNKNOWN, Status.REFUSED, True),
        (Status.ACCEPTED, Status.DELIVERED, True),
        (Status.ACCEPTED, Status.BOUNCED, True),
        (Status.ACCEPTED, Status.REFUSED, True),
        (Status.ACCEPTED, Status.COMPLAINED, True),
        (Status.UNKNOWN, Status.PLANNED, False),  # that needs proof, and the lease
        (Status.UNKNOWN, Status.DELIVERED, False),
        (Status.ACCEPTED, Status.ACCEPTED, False),
        (Status.REFUSED, Status.DELIVERED, False),
        (Status.DEFERRED, Status.PLANNED, False),
    ],
)
def test_an_event_moves_an_outcome_only_where_a_move_leads(store, old, new, changes):
    store.crowd(1)
    no = store.plan().no
    claim = store.claim(no)
    store.ledger.record(claim, [Receipt(seq=1, status=old, provider_id="p1")], digests={}, now=NOW, close=True)
    assert store.event(no, 1, new, now=LATER) is changes
    (story,) = store.chronicle.stories(1, now=LATER, not_before=NOW - timedelta(hours=36))
    assert (story.status, story.provider_id) == (new if changes else old, "p1")


def test_an_event_that_comes_before_the_receipt_changes_nothing(store):
    store.crowd(1)
    no = store.plan().no
    assert not store.event(no, 1, Status.DELIVERED)
    claim = store.claim(no)
    assert not store.event(no, 1, Status.ACCEPTED)
    assert not store.event(no, 7, Status.ACCEPTED)
    store.accept(claim)
    assert store.event(no, 1, Status.DELIVERED)
    assert store.event(no, 1, Status.COMPLAINED)
    store.close(claim)
    assert store.tally(no).by_status == {Status.COMPLAINED: 1}


def test_an_event_is_quicker_than_a_reconciler(store):
    store.crowd(2)
    no = store.plan().no
    store.leave_in_doubt(no, 1, 2)
    claim = store.doubtful(no)
    assert store.event(no, 1, Status.ACCEPTED)
    store.ledger.revise(claim, [Receipt(seq=seq, status=Status.PLANNED) for seq in (1, 2)], now=NOW)
    store.close(claim)
    assert seqs(store.claim(no)) == [2]


def test_doubts_are_listed_for_a_person(store):
    store.crowd(5)
    no = store.plan().no
    store.leave_in_doubt(no, limit=2)
    store.leave_in_doubt(no, 3, 5, limit=3, now=LATER)
    found = store.chronicle.doubts(no, limit=10)
    assert [(each.seq, each.address, each.batch_no) for each in found] == [
        (3, "reader3@example.org", 3),
        (5, "reader5@example.org", 3),
    ]
    assert {(each.claimed_at, each.at, each.reason) for each in found} == {(LATER, LATER, "timeout")}
    assert [each.seq for each in store.chronicle.doubts(no, limit=1)] == [3]
