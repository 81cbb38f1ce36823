"""What people decide holds for every later claim, and is kept with who and why."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import text

from newsletter.delivery.outcome import Receipt, Status
from newsletter.delivery.report import Decision, Step
from newsletter.errors import NotFound, StoreError
from newsletter.store.statements import LEASE_S
from tests.contract.store.conftest import NOW, SOON, accepted

LATER = NOW + timedelta(minutes=5)
WINDOW = timedelta(hours=36)
BETTER = "f" * 64


def told(store, subscriber_id: int, *, now=LATER) -> list[str]:
    (found,) = store.chronicle.stories(subscriber_id, now=now, not_before=now - WINDOW)
    return [step.what for step in found.steps]


def correct(store, no: int, revision: int = 2, edition_hash: str = BETTER) -> None:
    store.editions.put(BETTER, b"better", issue_id="2026-11-23-tea", now=NOW)
    store.controls.correct(no, revision=revision, edition_hash=edition_hash, by="ana", why="a typo", now=LATER)


def test_a_paused_issue_is_not_claimed_until_it_is_resumed(store):
    store.crowd(4)
    no = store.plan().no
    store.plan("another")
    first = store.claim(no, limit=2)
    for _ in range(2):
        store.controls.pause(no, by="ana", why="a wrong price", now=NOW)
    assert store.planner.planned("2026-11-23-tea").paused == "a wrong price"
    assert store.claim(no) is None
    assert store.claim(no + 1) is not None
    store.accept(first)  # what was claimed may be handed over
    store.close(first)
    store.controls.resume(no, by="ana", why="", now=LATER)
    assert [each.seq for each in store.claim(no).deliveries] == [3, 4]
    assert store.planner.planned("2026-11-23-tea").paused == ""


def test_a_pause_without_a_reason_is_one(store):
    store.crowd(1)
    no = store.plan().no
    store.controls.pause(no, by="ana", why="", now=NOW)
    assert store.claim(no) is None


def test_whoever_was_still_to_get_a_cancelled_issue_counts_as_cancelled(store):
    store.crowd(6)
    no = store.plan().no
    claim = store.claim(no, limit=4)
    receipts = [
        accepted(1),
        Receipt(seq=2, status=Status.HELD, reason="no first name"),
        Receipt(seq=3, status=Status.DEFERRED, reason="greylisted"),
    ]
    store.ledger.record(claim, receipts, digests={}, now=NOW)
    store.controls.cancel(no, by="ana", why="the fair is off", now=LATER)
    assert store.tally(no).by_status == {Status.ACCEPTED: 1, Status.CLAIMED: 1, Status.CANCELLED: 4}
    store.ledger.record(claim, [accepted(4)], digests={}, now=LATER, close=True)
    tally = store.tally(no, now=LATER)
    assert tally.by_status == {Status.ACCEPTED: 2, Status.CANCELLED: 4}
    assert tally.reasons == {(Status.CANCELLED, "the fair is off"): 4}
    assert (tally.next_due_at, tally.next_retry_at, tally.adds_up) == (None, None, True)
    assert store.claim(no) is None
    assert store.tally(no, now=NOW + 2 * WINDOW).by_status == {Status.ACCEPTED: 2, Status.CANCELLED: 4}
    for number in (2, 3, 5):
        (story,) = store.chronicle.stories(number, now=SOON, not_before=SOON - WINDOW)
        assert (story.status, story.reason) == (Status.CANCELLED, "the fair is off")
        assert story.steps[-1] == Step(at=LATER, what="cancelled by ana: the fair is off")


def test_cancelled_is_for_good(store):
    no = store.plan().no
    store.controls.cancel(no, by="ana", why="the fair is off", now=NOW)
    for decide in (store.controls.cancel, store.controls.pause, store.controls.resume):
        with pytest.raises(StoreError, match="cancelled already") as caught:
            decide(no, by="ana", why="", now=NOW)
        assert caught.value.hint
    with pytest.raises(StoreError, match="cancelled already"):
        correct(store, no)
    assert [each.what for each in store.controls.decisions(no)] == ["cancel"]
    assert store.planner.planned("2026-11-23-tea").cancelled == "the fair is off"


def test_what_was_not_claimed_yet_is_sent_as_corrected(store):
    store.crowd(4)
    no = store.plan().no
    first = store.claim(no, limit=2)
    correct(store, no)
    store.ledger.record(first, [accepted(1), Receipt(seq=2, status=Status.PLANNED)], digests={}, now=LATER)
    (before,) = store.chronicle.stories(2, now=LATER, not_before=NOW - WINDOW)
    assert before.revision == 1  # it is in the hands of who sends the first
    store.close(first)
    found = [store.claim(no, now=LATER) for _ in range(2)]
    assert [(each.batch_no, each.revision, each.edition_hash) for each in found] == [(1, 2, BETTER), (3, 2, BETTER)]
    for claim in found:
        store.accept(claim, now=LATER)
    stories = [store.chronicle.stories(number, now=LATER, not_before=NOW - WINDOW)[0] for number in (1, 2, 3)]
    assert [(each.revision, each.edition_hash[0]) for each in stories] == [(1, "e"), (2, "f"), (2, "f")]
    assert "corrected by ana: a typo" in told(store, 3)
    assert (store.planner.issues()[0].revision, store.planner.issues()[0].edition_hash) == (2, BETTER)


def test_a_decision_after_the_letter_left_did_not_matter_to_it(store):
    store.crowd(1)
    no = store.plan().no
    store.accept(store.claim(no))
    store.controls.pause(no, by="ana", why="a typo", now=LATER)
    assert told(store, 1)[-1] == "accepted"


@pytest.mark.parametrize(("revision", "words"), [(1, "not newer"), (0, "not newer")])
def test_a_correction_is_newer(store, revision, words):
    no = store.plan().no
    with pytest.raises(StoreError, match=words) as caught:
        correct(store, no, revision)
    assert caught.value.hint
    assert store.planner.issues()[0].edition_hash == "e" * 64


def test_a_correction_is_an_edition_that_is_kept(store):
    no = store.plan().no
    with pytest.raises(NotFound, match="no edition 0000"):
        correct(store, no, edition_hash="0" * 64)
    assert store.controls.decisions(no) == []


def test_decisions_are_kept_in_their_order(store):
    store.crowd(1)
    no = store.plan().no
    store.controls.pause(no, by="ana", why="a typo?", now=NOW)
    store.controls.resume(no, by="ben", why="it is none", now=LATER)
    store.leave_in_doubt(no, 1)
    store.controls.decide(no, "resolve", by="ana", why="she has it", now=SOON)
    assert store.controls.decisions(no) == [
        Decision(at=NOW, what="pause", who="ana", why="a typo?"),
        Decision(at=LATER, what="resume", who="ben", why="it is none"),
        Decision(at=SOON, what="resolve", who="ana", why="she has it"),
    ]
    assert told(store, 1, now=SOON)[-1] == "resolved by ana: she has it"


def test_there_is_nothing_to_decide_about_no_issue(store):
    for decide in (store.controls.pause, store.controls.resume, store.controls.cancel):
        with pytest.raises(NotFound, match="no plan number 7"):
            decide(7, by="ana", why="", now=NOW)
    with pytest.raises(NotFound):
        store.controls.decide(7, "resolve", by="ana", why="", now=NOW)


@pytest.mark.parametrize("table", ["decisions", "revisions"])
@pytest.mark.parametrize("change", ["UPDATE {} SET at = 0", "DELETE FROM {}", "{}"])
def test_what_was_decided_cannot_be_changed(store, table, change):
    no = store.plan().no
    store.controls.pause(no, by="ana", why="a typo", now=NOW)
    again = f"INSERT OR REPLACE INTO {table} SELECT * FROM {table}" if store.db.is_sqlite else f"TRUNCATE {table}"
    statement = again if change == "{}" else change.format(table)
    with pytest.raises(StoreError), store.db.writing() as connection:
        connection.execute(text(statement))
    assert len(store.controls.decisions(no)) == 1


def test_a_claim_stops_before_a_number(store):
    """For a canary: only the first so many are let through."""
    store.crowd(10)
    no = store.plan().no
    found = [store.ledger.claim(no, now=NOW, not_before=NOW - WINDOW, limit=4, worker="a:1:b", below=7) for _ in "123"]
    assert [claim and [each.seq for each in claim.deliveries] for claim in found] == [[1, 2, 3, 4], [5, 6], None]
    assert [each.seq for each in store.claim(no).deliveries] == [7, 8, 9, 10]


def test_a_seal_is_a_sign_of_life(store):
    store.crowd(1)
    no = store.plan().no
    claim = store.claim(no)
    store.leases_grow_old(timedelta(seconds=LEASE_S - 30))
    store.ledger.seal(claim, digest=b"s" * 32, now=NOW)
    store.leases_grow_old(timedelta(seconds=LEASE_S - 30))
    assert store.ledger.abandoned(no, now=NOW, worker="two:2:b") is None
