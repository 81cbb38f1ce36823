"""Claim, send, record: nobody twice, nobody lost."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from newsletter.audience.consent import Evidence
from newsletter.audience.subscriber import State
from newsletter.delivery.outcome import Receipt, Status
from newsletter.errors import IllegalMove, LeaseLost, StoreError
from newsletter.store.statements import LEASE_S
from newsletter.store.workers import this_worker
from tests.contract.store.conftest import NOW, SOON, accepted, entry

LEASE, A_WHILE = timedelta(seconds=LEASE_S), timedelta(seconds=30)


def addresses(claim) -> set[str]:
    return {each.person.address for each in claim.deliveries}


def test_every_delivery_is_claimed_once(store):
    store.crowd(25)
    no = store.plan().no
    seen: list[int] = []
    while claim := store.claim(no, limit=10):
        seen += [each.seq for each in claim.deliveries]
        store.accept(claim)
        store.close(claim, now=NOW)
    assert seen == list(range(1, 26))
    assert store.tally(no).by_status == {Status.ACCEPTED: 25}


def test_a_claim_holds_the_people_and_the_instant(store):
    store.enter(entry("ana", name="Ana", tags=frozenset({"tea"}), attributes={"city": "Ulm"}))
    claim = store.claim(store.plan().no)
    (one,) = claim.deliveries
    assert (one.person.name, one.person.tags, one.person.attributes) == ("Ana", {"tea"}, {"city": "Ulm"})
    assert (claim.claimed_at, claim.due_at) == (NOW, NOW)
    assert claim.worker.startswith("here:1:a:")


def test_what_is_not_due_is_not_claimed(store):
    store.enter(entry("early", zone="Asia/Tokyo"), entry("late", zone="Europe/Berlin"))
    no = store.plan(due={"Asia/Tokyo": NOW, "Europe/Berlin": SOON}).no
    assert addresses(store.claim(no)) == {"early@example.org"}
    assert store.claim(no) is None
    assert addresses(store.claim(no, now=SOON)) == {"late@example.org"}


def test_what_is_too_late_is_held_and_not_claimed(store):
    store.crowd(2)
    no = store.plan().no
    later = NOW + timedelta(hours=36)
    assert store.claim(no, now=later) is None
    assert store.tally(no, now=later).by_status == {Status.HELD: 2}
    assert store.claim(no, now=later - timedelta(seconds=1)) is not None


def test_who_leaves_between_plan_and_claim_is_not_mailed(store):
    store.enter(entry("stays"), entry("leaves"))
    no = store.plan().no
    leaves = store.people.find("leaves@example.org")
    store.people.move(leaves.id, State.UNSUBSCRIBED, evidence=Evidence(at=NOW, how="web", source="one click"))
    claim = store.claim(no)
    assert addresses(claim) == {"stays@example.org"}
    tally = store.tally(no)
    assert tally.reasons == {(Status.SUPPRESSED, "unsubscribed"): 1}
    assert tally.adds_up


def test_a_batch_of_people_who_all_left_is_passed_over(store):
    store.crowd(3)
    no = store.plan().no
    for number in (1, 2, 3):
        store.people.suppress(f"reader{number}@example.org", reason="asked", now=NOW)
    assert store.claim(no, limit=2) is None
    assert store.tally(no).by_status == {Status.SUPPRESSED: 3}


def test_a_second_outcome_is_impossible(store):
    store.crowd(2)
    claim = store.claim(store.plan().no)
    store.ledger.record(claim, [accepted(1)], digests={1: b"d" * 16}, now=NOW)
    with pytest.raises(StoreError, match="another outcome already"):
        store.ledger.record(claim, [accepted(2), accepted(1)], digests={}, now=NOW)  # without its digest
    assert store.tally(claim.issue_no).by_status == {Status.ACCEPTED: 1, Status.CLAIMED: 1}


def test_the_same_receipts_twice_are_recorded_once(store):
    """The answer to a commit can get lost; whoever says it again must not be told that somebody else was there."""
    store.crowd(3)
    claim = store.claim(store.plan().no)
    refused = Receipt(seq=2, status=Status.REFUSED, reason="mailbox full")
    for _ in range(2):
        store.ledger.record(claim, [accepted(1), refused], digests={1: b"d" * 16}, now=NOW)
    store.ledger.record(claim, [accepted(3), refused], digests={}, now=NOW)
    store.close(claim, now=NOW)
    assert store.tally(claim.issue_no).by_status == {Status.ACCEPTED: 2, Status.REFUSED: 1}


@pytest.mark.parametrize("other", [{"provider_id": "other"}, {"status": Status.REFUSED}, {"reason": "late"}])
def test_a_receipt_that_says_otherwise_is_refused(store, other):
    store.crowd(1)
    claim = store.claim(store.plan().no)
    store.ledger.record(claim, [accepted(1)], digests={}, now=NOW)
    with pytest.raises(StoreError, match="another outcome already"):
        store.ledger.record(claim, [replace(accepted(1), **other)], digests={}, now=NOW)


def test_whatever_a_provider_says_is_recorded(store):
    store.crowd(1)
    no = store.plan().no
    said = Receipt(seq=1, status=Status.UNKNOWN, provider_id="a\0b", reason="no\ud800\r\nanswer \udcff")
    claim = store.claim(no)
    for _ in range(2):
        store.ledger.record(claim, [said], digests={}, now=NOW)
    store.ledger.revise(claim, [Receipt(seq=1, status=Status.ACCEPTED, reason="found\0")], now=NOW)
    (story,) = store.chronicle.stories(1, now=NOW, not_before=NOW - timedelta(hours=36))
    assert story.provider_id == "a b"
    assert [step.what for step in story.steps[3:]] == ["unknown: no answer", "accepted: found"]


def test_an_outcome_outside_the_batch_is_refused(store):
    store.crowd(2)
    claim = store.claim(store.plan().no, limit=1)
    with pytest.raises(StoreError, match="not in batch"):
        store.ledger.record(claim, [accepted(2)], digests={}, now=NOW)


def test_an_outcome_that_may_not_follow_is_refused(store):
    store.crowd(1)
    claim = store.claim(store.plan().no)
    with pytest.raises(IllegalMove):
        store.ledger.record(claim, [Receipt(seq=1, status=Status.DELIVERED)], digests={}, now=NOW)


def test_proof_that_nothing_left_makes_a_delivery_claimable_again(store):
    store.crowd(3)
    no = store.plan().no
    claim = store.claim(no)
    nothing_left = Receipt(seq=2, status=Status.PLANNED)
    store.ledger.record(claim, [accepted(1), nothing_left, accepted(3)], digests={}, now=NOW)
    store.close(claim, now=NOW)
    assert store.tally(no).by_status == {Status.ACCEPTED: 2, Status.PLANNED: 1}
    again = store.claim(no, now=NOW + timedelta(minutes=5))
    assert [each.seq for each in again.deliveries] == [2]
    assert again.claimed_at == NOW  # of the first claim, so that the same bytes are made
    (story,) = store.chronicle.stories(2, now=SOON, not_before=NOW - timedelta(hours=36))
    assert story.claimed_at == NOW


def test_a_lost_lease_writes_nothing(store):
    store.crowd(2)
    no = store.plan().no
    claim = store.claim(no, worker="one:1:a")
    store.leases_grow_old(LEASE - A_WHILE)
    assert store.ledger.abandoned(no, now=NOW, worker="two:2:b") is None
    store.leases_grow_old(A_WHILE)
    taken = store.ledger.abandoned(no, now=NOW, worker="two:2:b")
    assert [each.seq for each in taken.deliveries] == [1, 2]
    assert taken.claimed_at == NOW
    with pytest.raises(LeaseLost):
        store.ledger.record(claim, [accepted(1)], digests={}, now=NOW)
    with pytest.raises(LeaseLost):
        store.close(claim, now=NOW)
    assert store.tally(no).by_status == {Status.CLAIMED: 2}


def test_a_sign_of_life_prolongs_the_lease(store):
    store.crowd(2)
    no = store.plan().no
    claim = store.claim(no, worker="one:1:a")
    store.leases_grow_old(LEASE - A_WHILE)
    store.ledger.record(claim, [accepted(1)], digests={}, now=NOW)
    store.leases_grow_old(LEASE - A_WHILE)
    assert store.ledger.abandoned(no, now=NOW, worker="two:2:b") is None


def test_leases_go_by_the_servers_clock(store):
    """Two machines never agree about the time; the one that is ahead must not take what the other is at."""
    if store.db.is_sqlite:
        pytest.skip("SQLite is for one machine, and has no clock of its own")
    store.crowd(1)
    no = store.plan().no
    store.claim(no, worker="one:1:a", now=NOW)
    assert store.ledger.abandoned(no, now=NOW + timedelta(days=1), worker="two:2:b") is None
    store.leases_grow_old(LEASE)
    assert store.ledger.abandoned(no, now=NOW - timedelta(days=1), worker="two:2:b") is not None


def _assert_lost(store, claim) -> None:
    with pytest.raises(LeaseLost):
        store.ledger.record(claim, [accepted(1)], digests={}, now=NOW)
    with pytest.raises(LeaseLost):
        store.close(claim, now=NOW)


def test_what_a_worker_had_once_is_not_what_it_has_now(store):
    """Threads of one process have one name, and a claim may be settled and made anew while one of them sleeps."""
    store.crowd(2)
    no, worker = store.plan().no, this_worker()
    slept = store.claim(no, worker=worker)
    store.leases_grow_old(LEASE)
    settled = store.ledger.abandoned(no, now=NOW, worker=worker)
    _assert_lost(store, slept)
    store.close(settled, now=NOW)
    again = store.claim(no, worker=worker)
    _assert_lost(store, slept)
    _assert_lost(store, settled)
    store.accept(again)
    assert store.tally(no).by_status == {Status.ACCEPTED: 2}


def test_an_abandoned_batch_gives_only_what_is_in_doubt(store):
    store.crowd(3)
    no = store.plan().no
    claim = store.claim(no, worker="one:1:a")
    store.ledger.record(claim, [accepted(2)], digests={}, now=NOW)
    store.leases_grow_old(LEASE)
    taken = store.ledger.abandoned(no, now=NOW, worker="two:2:b")
    assert [each.seq for each in taken.deliveries] == [1, 3]


def test_who_left_after_the_claim_is_still_in_doubt(store):
    store.crowd(1)
    no = store.plan().no
    store.claim(no, worker="one:1:a")
    store.people.move(1, State.UNSUBSCRIBED, evidence=Evidence(at=NOW, how="web", source="one click"))
    store.leases_grow_old(LEASE)
    taken = store.ledger.abandoned(no, now=NOW, worker="two:2:b")
    assert [each.seq for each in taken.deliveries] == [1]


def test_an_abandoned_batch_that_was_complete_is_closed(store):
    store.crowd(1)
    no = store.plan().no
    store.accept(store.claim(no, worker="one:1:a"))
    store.leases_grow_old(LEASE)
    assert store.ledger.abandoned(no, now=NOW, worker="two:2:b") is None
    assert store.tally(no).by_status == {Status.ACCEPTED: 1}


def test_a_batch_that_was_given_back_can_be_split_again(store):
    store.crowd(10)
    no = store.plan().no
    first = store.claim(no, limit=6)
    store.ledger.record(first, [accepted(1), accepted(5)], digests={}, now=NOW)
    store.close(first, now=NOW)
    claims = [store.claim(no, limit=4) for _ in range(3)]
    assert [[each.seq for each in claim.deliveries] for claim in claims] == [[2, 3, 4], [6], [7, 8, 9, 10]]
    assert store.tally(no).adds_up
