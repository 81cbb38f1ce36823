"""Two at once, one of them stopped at the worst moment: as if one had come after the other."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import timedelta

import pytest

from newsletter.audience.subscriber import State
from newsletter.delivery.outcome import Receipt, Status
from newsletter.store import leases, planner, subscribers
from tests.contract.store.conftest import NOW, accepted, entry, evidence


@pytest.fixture
def at_once(monkeypatch):
    """Runs *first* until it comes to a function, then *second* as far as it gets, then both to their end."""

    def run(module, name, first, second):
        real, here, go_on = getattr(module, name), threading.Event(), threading.Event()

        def stop(*arguments, **named):
            if not here.is_set():
                here.set()
                go_on.wait(20)
            return real(*arguments, **named)

        monkeypatch.setattr(module, name, stop)
        with ThreadPoolExecutor(2) as pool:
            one = pool.submit(first)
            assert here.wait(20)
            two = pool.submit(second)
            wait([two], timeout=0.5)
            go_on.set()
            return one.result(20), two.result(20)

    return run


def seqs(claim) -> list[int]:
    return [each.seq for each in claim.deliveries]


def test_nobody_hears_that_nothing_is_left_while_others_claim(store, at_once):
    store.crowd(10)
    no = store.plan().no
    found = at_once(leases, "claim_of", lambda: store.claim(no, limit=4), lambda: store.claim(no, limit=4))
    assert [seqs(claim) for claim in found] == [[1, 2, 3, 4], [5, 6, 7, 8]]


def leave(store) -> None:
    store.people.move(2, State.UNSUBSCRIBED, evidence=evidence(how="web"))


def suppress(store) -> None:
    store.people.suppress("reader2@example.org", reason="asked", now=NOW)


@pytest.mark.parametrize(("step", "go"), [("change_state", leave), ("address_hash", suppress)])
def test_who_is_leaving_is_waited_for_by_a_claim(store, at_once, step, go):
    store.crowd(3)
    no = store.plan().no
    _, claim = at_once(subscribers, step, lambda: go(store), lambda: store.claim(no))
    assert seqs(claim) == [1, 3]
    assert store.tally(no).by_status == {Status.CLAIMED: 2, Status.SUPPRESSED: 1}


@pytest.mark.parametrize("go", [leave, suppress])
def test_who_leaves_while_they_are_claimed_leaves_afterwards(store, at_once, monkeypatch, go):
    store.crowd(3)
    no = store.plan().no
    told: list[str] = []
    real = leases.claim_of

    def claim_made(*arguments, **named):
        told.append("claimed")
        return real(*arguments, **named)

    monkeypatch.setattr(leases, "claim_of", claim_made)
    claim, _ = at_once(leases, "claim_of", lambda: store.claim(no), lambda: (go(store), told.append("left")))
    assert seqs(claim) == [1, 2, 3]
    assert told == ["claimed", "left"]


def test_a_batch_in_doubt_is_settled_by_one_at_a_time(store, at_once):
    store.crowd(3)
    no = store.plan().no
    store.leave_in_doubt(no, 2)
    found = at_once(leases, "claim_of", lambda: store.doubtful(no), lambda: store.doubtful(no, worker="other:1:b"))
    assert sorted(seqs(claim) if claim else [] for claim in found) == [[], [2]]


def test_a_batch_is_either_sent_or_settled(store, at_once):
    store.crowd(3)
    no = store.plan().no
    claim = store.claim(no)
    receipts = [accepted(1), Receipt(seq=2, status=Status.UNKNOWN)]
    store.ledger.record(claim, receipts, digests={}, now=NOW, close=True)
    settles, sends = at_once(leases, "claim_of", lambda: store.doubtful(no), lambda: store.claim(no))
    assert seqs(settles) == [2]
    assert sends is None
    store.close(settles)
    sends, settles = at_once(leases, "claim_of", lambda: store.claim(no), lambda: store.doubtful(no))
    assert seqs(sends) == [3]
    assert settles is None


def test_what_waited_is_not_lost_while_its_batch_is_split(store, at_once):
    store.crowd(4)
    no = store.plan().no
    claim = store.claim(no)
    put_off = Receipt(seq=1, status=Status.DEFERRED, wait=timedelta(0))
    store.ledger.record(claim, [put_off], digests={}, now=NOW, close=True)
    found, _ = at_once(leases, "claim_of", lambda: store.claim(no, limit=2), lambda: store.ledger.reopen(no, now=NOW))
    assert seqs(found) == [2]
    store.accept(found)
    store.close(found)
    store.ledger.reopen(no, now=NOW)
    assert [seqs(store.claim(no)) for _ in range(2)] == [[1], [3, 4]]
    assert store.tally(no).adds_up


@pytest.mark.parametrize("stop", ["pause", "cancel"])
def test_once_it_is_paused_nothing_more_is_claimed(store, at_once, stop):
    """A claim that was under way is durable before the pause is; none comes after it."""
    store.crowd(6)
    no = store.plan().no
    told: list[str] = []

    def claim():
        found = store.claim(no, limit=2)
        told.append("claimed")
        return found

    def decide():
        getattr(store.controls, stop)(no, by="ana", why="a typo", now=NOW)
        told.append("stopped")

    found, _ = at_once(leases, "claim_of", claim, decide)
    assert seqs(found) == [1, 2]
    assert told == ["claimed", "stopped"]
    assert store.claim(no) is None


def test_a_pause_does_not_wait_for_the_plan_of_another_issue(store, at_once):
    if store.db.is_sqlite:
        pytest.skip("SQLite has one writer at a time")
    store.crowd(2)
    no = store.plan().no
    told: list[str] = []

    def plan():
        store.plan("another")
        told.append("planned")

    def pause():
        store.controls.pause(no, by="ana", why="a typo", now=NOW)
        told.append("paused")

    at_once(planner, "_write_deliveries", plan, pause)
    assert told == ["paused", "planned"]


def test_an_address_that_two_suppress_is_suppressed(store, at_once):
    at_once(subscribers, "address_hash", lambda: suppress(store), lambda: suppress(store))
    store.enter(entry("reader2"))
    assert store.people.find("reader2@example.org") is None
