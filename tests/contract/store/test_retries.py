"""What a provider put off comes back when its wait is over, and not before."""

from __future__ import annotations

from datetime import timedelta

from newsletter.delivery.outcome import Receipt, Status
from newsletter.store import changes
from newsletter.store.statements import LEASE_S
from tests.contract.store.conftest import NOW, accepted

HOUR = timedelta(hours=1)
WINDOW = timedelta(hours=36)


def put_off(store, no: int, *seqs: int, wait: timedelta | None = HOUR, now=NOW, limit: int = 1000) -> None:
    claim = store.claim(no, now=now, limit=limit)
    receipts = [
        Receipt(seq=each.seq, status=Status.DEFERRED, reason="greylisted", wait=wait)
        if each.seq in seqs
        else accepted(each.seq)
        for each in claim.deliveries
    ]
    store.ledger.record(claim, receipts, digests={}, now=now, close=True)


def test_what_was_put_off_comes_back_after_its_wait(store):
    store.crowd(4)
    no = store.plan().no
    put_off(store, no, 2, 3)
    assert store.tally(no).next_retry_at == NOW + HOUR
    assert store.ledger.reopen(no, now=NOW + HOUR - timedelta(seconds=1)) == 0
    assert store.claim(no, now=NOW + HOUR) is None
    assert store.ledger.reopen(no, now=NOW + HOUR) == 2
    assert store.ledger.reopen(no, now=NOW + HOUR) == 0
    tally = store.tally(no, now=NOW + HOUR)
    assert (tally.by_status, tally.next_retry_at) == ({Status.ACCEPTED: 2, Status.PLANNED: 2}, None)
    again = store.claim(no, now=NOW + HOUR)
    assert [(each.seq, each.deferrals) for each in again.deliveries] == [(2, 1), (3, 1)]


def test_it_is_known_how_often_something_was_put_off(store):
    store.crowd(2)
    no = store.plan().no
    for tries in range(3):
        put_off(store, no, 1, now=NOW + tries * HOUR)
        assert store.ledger.reopen(no, now=NOW + (tries + 1) * HOUR) == 1
    claim = store.claim(no, now=NOW + 3 * HOUR)
    assert [(each.seq, each.deferrals) for each in claim.deliveries] == [(1, 3)]
    (story,) = store.chronicle.stories(1, now=NOW + 3 * HOUR, not_before=NOW - HOUR)
    assert [step.what for step in story.steps[3:]] == ["deferred: greylisted", "planned: its wait is over"] * 3
    store.leases_grow_old(timedelta(seconds=LEASE_S))
    taken = store.ledger.abandoned(no, now=NOW + 3 * HOUR + timedelta(seconds=LEASE_S), worker="two:2:b")
    assert [each.deferrals for each in taken.deliveries] == [3]


def test_a_wait_is_never_cut_short(store):
    store.crowd(1)
    no = store.plan().no
    put_off(store, no, 1, wait=timedelta(milliseconds=1500))
    assert store.ledger.reopen(no, now=NOW + timedelta(seconds=1)) == 0
    assert store.ledger.reopen(no, now=NOW + timedelta(seconds=2)) == 1


def test_without_a_word_of_when_it_is_tried_again_in_a_while(store):
    store.crowd(1)
    no = store.plan().no
    put_off(store, no, 1, wait=None)
    assert store.ledger.reopen(no, now=NOW) == 0
    assert store.ledger.reopen(no, now=NOW + HOUR) == 1


def test_what_is_in_somebodys_hands_is_left_until_it_is_given_back(store):
    """Else its sender, killed now, would leave a delivery in doubt that certainly did not leave."""
    store.crowd(2)
    no = store.plan().no
    claim = store.claim(no, worker="one:1:a")
    waits = Receipt(seq=1, status=Status.DEFERRED, wait=timedelta(0))
    store.ledger.record(claim, [waits], digests={}, now=NOW)
    assert store.ledger.reopen(no, now=NOW) == 0
    store.leases_grow_old(timedelta(seconds=LEASE_S))
    taken = store.ledger.abandoned(no, now=NOW, worker="two:2:b")
    assert [each.seq for each in taken.deliveries] == [2]
    store.close(taken)
    assert store.ledger.reopen(no, now=NOW) == 1


def test_many_come_back_in_several_steps(store, monkeypatch):
    monkeypatch.setattr(changes, "AT_A_TIME", 4)
    store.crowd(12)
    no = store.plan().no
    for _ in range(4):
        put_off(store, no, *range(1, 13), limit=3)
    found = [store.ledger.reopen(no, now=NOW + HOUR) for _ in range(4)]
    assert sum(found) == 12
    assert max(found) < 12
    assert store.tally(no).by_status == {Status.PLANNED: 12}


def test_what_waits_beyond_its_time_is_held(store):
    store.crowd(2)
    no = store.plan().no
    put_off(store, no, 1, wait=2 * WINDOW)
    later = NOW + WINDOW
    tally = store.tally(no, now=later)
    assert (tally.by_status, tally.next_retry_at) == ({Status.ACCEPTED: 1, Status.HELD: 1}, None)
    assert tally.reasons == {(Status.HELD, "greylisted"): 1}
    (story,) = store.chronicle.stories(1, now=later, not_before=later - WINDOW)
    assert (story.status, story.steps[-1].what) == (Status.HELD, "held: its time had passed")


def test_a_story_tells_when_it_is_tried_again(store):
    store.crowd(1)
    put_off(store, store.plan().no, 1)
    (story,) = store.chronicle.stories(1, now=NOW, not_before=NOW - WINDOW)
    assert [(step.at, step.what) for step in story.steps[-2:]] == [
        (NOW, "deferred: greylisted"),
        (NOW + HOUR, "may be tried again"),
    ]


def test_a_tally_knows_the_pace(store):
    store.crowd(3)
    no = store.plan().no
    claim = store.claim(no)
    for seq, at in ((1, NOW), (2, NOW + timedelta(seconds=30)), (3, NOW + timedelta(seconds=70))):
        store.ledger.record(claim, [accepted(seq)], digests={}, now=at)
    tally = store.tally(no, now=NOW + timedelta(seconds=70))
    assert (tally.recent, tally.first_outcome_at) == (2, NOW)
    assert store.tally(no, now=NOW + HOUR).recent == 0
