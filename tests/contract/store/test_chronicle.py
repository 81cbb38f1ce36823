"""Tallies add up at every moment; a story tells every step."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from newsletter.audience.consent import Evidence
from newsletter.audience.subscriber import State
from newsletter.delivery.outcome import Receipt, Status
from newsletter.delivery.report import Step
from newsletter.errors import NotFound
from newsletter.store import stories
from newsletter.store.tables import deliveries, exclusions
from tests.contract.store.conftest import NOW, SOON, accepted, entry, plan

LATER = NOW + timedelta(minutes=5)
WINDOW = timedelta(hours=36)


def story(store, subscriber_id: int = 1, *, now=NOW):
    (found,) = store.chronicle.stories(subscriber_id, now=now, not_before=now - WINDOW)
    return found


def test_a_tally_splits_by_reason_and_knows_what_comes_next(store):
    store.enter(entry("a"), entry("b"), entry("c"), entry("late", zone="Europe/Berlin"))
    no = store.plan(due={"Europe/Berlin": SOON}).no
    claim = store.claim(no)
    receipts = [accepted(1), Receipt(seq=2, status=Status.REFUSED, reason="mailbox full")]
    store.ledger.record(claim, receipts, digests={}, now=LATER)
    tally = store.tally(no, now=LATER)
    assert tally.by_status == {Status.ACCEPTED: 1, Status.REFUSED: 1, Status.CLAIMED: 1, Status.PLANNED: 1}
    assert tally.reasons == {(Status.REFUSED, "mailbox full"): 1}
    assert (tally.next_due_at, tally.last_outcome_at) == (SOON, LATER)
    assert tally.adds_up


def test_nothing_has_happened_yet(store):
    store.crowd(1)
    tally = store.tally(store.plan().no)
    assert (tally.next_due_at, tally.last_outcome_at, tally.reasons) == (None, None, {})


def test_a_tally_needs_a_plan(store):
    with pytest.raises(NotFound):
        store.tally(7)


def test_held_by_time_and_held_by_word_are_counted_together(store):
    store.crowd(3)
    no = store.plan().no
    claim = store.claim(no, limit=1)
    store.ledger.record(claim, [Receipt(seq=1, status=Status.HELD, reason="no first name")], digests={}, now=NOW)
    store.close(claim, now=NOW)
    assert store.tally(no, now=NOW + WINDOW).by_status == {Status.HELD: 3}


def test_a_story_tells_every_step(store):
    store.crowd(1)
    no = store.plan(due_elsewhere=NOW + timedelta(minutes=1)).no
    claim = store.claim(no, now=NOW + timedelta(minutes=2))
    told = NOW + timedelta(minutes=3)
    store.ledger.record(claim, [accepted(1)], digests={1: b"d" * 16}, now=told)
    store.close(claim, now=told)
    found = story(store, now=LATER)
    assert found.steps == (
        Step(at=NOW, what="planned"),
        Step(at=NOW + timedelta(minutes=1), what="due"),
        Step(at=NOW + timedelta(minutes=2), what="claimed"),
        Step(at=told, what="accepted"),
    )
    assert (found.status, found.seq, found.provider_id, found.values_digest) == (Status.ACCEPTED, 1, "p1", b"d" * 16)
    assert (found.edition_hash, found.revision, found.claimed_at) == ("e" * 64, 1, NOW + timedelta(minutes=2))


def test_a_story_of_what_is_still_to_come(store):
    store.crowd(1)
    store.plan(due_elsewhere=SOON)
    found = story(store)
    assert (found.status, found.claimed_at, found.provider_id, found.values_digest) == (Status.PLANNED, None, "", b"")
    assert found.steps == (Step(at=NOW, what="planned"), Step(at=SOON, what="due"))


def test_a_story_of_a_time_that_passed(store):
    store.crowd(1)
    store.plan()
    found = story(store, now=NOW + 2 * WINDOW)
    assert found.status is Status.HELD
    assert found.steps[-1] == Step(at=NOW + WINDOW, what="held: its time had passed")


@pytest.mark.parametrize("late", [timedelta(hours=1), WINDOW, 2 * WINDOW])
def test_nothing_is_held_before_it_was_planned(store, late):
    store.crowd(1)
    store.plan(due_elsewhere=NOW - late)
    found = story(store, now=NOW + WINDOW)
    assert [step.what for step in found.steps] == ["due", "planned", "held: its time had passed"]
    assert [step.at for step in found.steps] == [NOW - late, NOW, max(NOW, NOW - late + WINDOW)]


def test_a_story_of_somebody_who_was_not_to_be_mailed(store):
    store.enter(entry(state=State.BOUNCED))
    store.plan()
    found = story(store)
    assert (found.status, found.seq, found.reason) == (None, None, "bounced")
    assert found.steps == (Step(at=NOW, what="excluded: bounced"),)


def test_a_story_of_somebody_who_left_between_plan_and_claim(store):
    store.crowd(1)
    no = store.plan().no
    store.people.move(1, State.UNSUBSCRIBED, evidence=Evidence(at=NOW, how="web", source="one click"))
    assert store.claim(no, now=LATER) is None
    found = story(store, now=LATER)
    assert (found.status, found.reason) == (Status.SUPPRESSED, "unsubscribed")
    assert found.steps[-1] == Step(at=LATER, what="suppressed: unsubscribed")


def test_stories_come_newest_first(store):
    store.crowd(1)
    for name in ("one", "two", "three"):
        store.plan(name)
    found = store.chronicle.stories(1, now=NOW, not_before=NOW - WINDOW)
    assert [each.issue_id for each in found] == ["three", "two", "one"]
    assert store.chronicle.stories(2, now=NOW, not_before=NOW - WINDOW) == []


def test_a_revised_outcome_keeps_what_it_was(store):
    store.crowd(1)
    no = store.plan().no
    store.leave_in_doubt(no, 1)
    claim = store.doubtful(no)
    store.ledger.revise(
        claim, [Receipt(seq=1, status=Status.ACCEPTED, reason="found in the provider's log")], now=LATER
    )
    store.close(claim, now=LATER)
    assert store.event(no, 1, Status.BOUNCED, reason="no such mailbox", now=SOON)
    found = story(store, now=SOON)
    assert [step.what for step in found.steps[3:]] == [
        "unknown: timeout",
        "accepted: found in the provider's log",
        "bounced: no such mailbox",
    ]
    assert store.tally(no).by_status == {Status.BOUNCED: 1}


def test_a_story_is_looked_up_and_not_searched_for(store):
    """Reading a million deliveries for one person's story takes seconds."""
    if not store.db.is_sqlite:
        pytest.skip("PostgreSQL's plans depend on its statistics")
    store.crowd(3)
    store.plan()
    queries = (
        stories.STORIES.where(deliveries.c.subscriber_id == 1),
        stories.EXCLUDED.where(exclusions.c.subscriber_id == 1),
    )
    with store.db.reading() as connection:
        for query in queries:
            sql = query.compile(connection, compile_kwargs={"literal_binds": True})
            steps = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}")]
            assert [step for step in steps if step.startswith("SCAN") and "issues" not in step] == []


def test_the_first_of_a_letter_are_counted_without_those_whose_time_has_passed(store):
    store.crowd(4)
    no = store.plan().no
    assert store.chronicle.first(no, 3, not_before=NOW - WINDOW) == ({Status.PLANNED: 3}, None)
    claim = store.claim(no, limit=2)
    refused = Receipt(seq=2, status=Status.REFUSED)
    store.ledger.record(claim, [accepted(1), refused], digests={}, now=LATER, close=True)
    expected = {Status.ACCEPTED: 1, Status.REFUSED: 1}
    assert store.chronicle.first(no, 3, not_before=NOW - WINDOW) == (expected | {Status.PLANNED: 1}, LATER)
    assert store.chronicle.first(no, 3, not_before=NOW) == (expected, LATER)
    assert store.chronicle.planned(no) == 4


def test_whether_anything_reports_back_is_known(store):
    store.crowd(1)
    no = store.plan().no
    store.ledger.record(store.claim(no), [accepted(1)], digests={}, now=NOW, close=True)
    assert not store.chronicle.hears()
    assert store.ledger.settle_event(no, 1, Status.DELIVERED, provider_id="", reason="", now=LATER)
    assert store.chronicle.hears()


def test_a_stride_brings_people_from_all_over_the_list_first(store):
    store.crowd(20)
    store.editions.put("e" * 64, b"letter", issue_id="2026-11-23-tea", now=NOW)
    no = store.planner.write(replace(plan(), stride=5), now=NOW).no
    first = [each.person.id for each in store.claim(no, limit=4).deliveries]
    assert first == [5, 10, 15, 20]
