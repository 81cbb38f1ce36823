"""Tallies add up at every moment; a story tells every step."""

from __future__ import annotations

import contextlib
from datetime import timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from sqlalchemy import select, update

from newsletter.audience.consent import Evidence
from newsletter.audience.subscriber import State
from newsletter.delivery.outcome import Receipt, Status
from newsletter.delivery.report import Step
from newsletter.errors import LeaseLost, NotFound, StoreError
from newsletter.store import stories
from newsletter.store.tables import deliveries, exclusions, outcomes, subscribers
from tests.contract.store.conftest import NOW, SOON, accepted, entry, evidence

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


class Week(RuleBasedStateMachine):
    """Anything that senders, readers and time can do to one plan, in any order."""

    store = None

    def __init__(self) -> None:
        super().__init__()
        Week.number += 1
        with self.store.db.writing() as connection:  # everybody is back, whatever the run before did
            connection.execute(update(subscribers).values(state=State.ACTIVE.value))
        self.now = NOW
        self.no = self.store.plan(f"issue-{Week.number}", due={"Asia/Tokyo": NOW, "Europe/Berlin": SOON}).no
        self.claims: list = []
        self.settled: list = []
        self.mailed: dict[int, Status] = {}
        self.paused = False

    number = 0

    @rule(limit=st.integers(1, 8), worker=st.sampled_from(["elsewhere:1:a", "elsewhere:2:b"]))
    def claim(self, limit, worker):
        claim = self.store.claim(self.no, limit=limit, worker=worker, now=self.now)
        if claim:
            assert not self.paused
            assert self.mailed.keys().isdisjoint(each.seq for each in claim.deliveries)
            self.claims.append(claim)

    @precondition(lambda self: self.claims)
    @rule(data=st.data())
    def record(self, data):
        claim = data.draw(st.sampled_from(self.claims))
        each = data.draw(st.sampled_from(claim.deliveries))
        status = data.draw(
            st.sampled_from(
                [Status.ACCEPTED, Status.REFUSED, Status.UNKNOWN, Status.UNKNOWN, Status.DEFERRED, Status.PLANNED]
            )
        )
        said = Receipt(seq=each.seq, status=status, wait=timedelta(minutes=2))
        try:
            self.store.ledger.record(claim, [said], digests={}, now=self.now)
        except (LeaseLost, StoreError):
            return
        if status is not Status.PLANNED:
            assert self.mailed.setdefault(each.seq, status) is status  # the same again is no second one

    @precondition(lambda self: self.claims)
    @rule(data=st.data())
    def finish(self, data):
        claim = self.claims.pop(data.draw(st.integers(0, len(self.claims) - 1)))
        with contextlib.suppress(LeaseLost):
            self.store.close(claim, now=self.now)

    @rule(worker=st.sampled_from(["elsewhere:1:a", "elsewhere:3:c"]))
    def take_over(self, worker):
        claim = self.store.ledger.abandoned(self.no, now=self.now, worker=worker)
        if claim:
            assert self.mailed.keys().isdisjoint(each.seq for each in claim.deliveries)
            self.claims.append(claim)

    @rule()
    def reconciler_takes(self):
        claim = self.store.doubtful(self.no, now=self.now)
        if claim:
            assert {self.mailed[each.seq] for each in claim.deliveries} == {Status.UNKNOWN}
            self.settled.append(claim)

    @precondition(lambda self: self.settled)
    @rule(data=st.data(), status=st.sampled_from([Status.ACCEPTED, Status.REFUSED, Status.PLANNED]))
    def reconciler_decides(self, data, status):
        claim = data.draw(st.sampled_from(self.settled))
        each = data.draw(st.sampled_from(claim.deliveries))
        try:
            self.store.ledger.revise(claim, [Receipt(seq=each.seq, status=status)], now=self.now)
        except LeaseLost:
            return
        if self.mailed.get(each.seq) is Status.UNKNOWN:
            self.mailed[each.seq] = status
        if self.mailed.get(each.seq) is Status.PLANNED:
            del self.mailed[each.seq]

    @precondition(lambda self: self.settled)
    @rule(data=st.data())
    def reconciler_finishes(self, data):
        claim = self.settled.pop(data.draw(st.integers(0, len(self.settled) - 1)))
        with contextlib.suppress(LeaseLost):
            self.store.close(claim, now=self.now)

    @rule(seq=st.integers(1, 40), status=st.sampled_from([Status.ACCEPTED, Status.BOUNCED, Status.PLANNED]))
    def event(self, seq, status):
        if self.store.event(self.no, seq, status, now=self.now):
            assert (self.mailed[seq], status) in {
                (Status.UNKNOWN, Status.ACCEPTED),
                (Status.ACCEPTED, Status.BOUNCED),
            }
            self.mailed[seq] = status

    @rule()
    def what_waited_comes_back(self):
        waiting = {seq for seq, status in self.mailed.items() if status is Status.DEFERRED}
        before = self.store.tally(self.no, now=self.now)
        reopened = self.store.ledger.reopen(self.no, now=self.now)
        assert reopened <= len(waiting)
        if reopened:
            for seq in waiting:
                status = self.status_of(seq)
                if status is not Status.DEFERRED:
                    del self.mailed[seq]
        assert before.candidates == self.store.tally(self.no, now=self.now).candidates

    def status_of(self, seq):
        with self.store.db.reading() as connection:
            query = select(outcomes.c.status).where(outcomes.c.issue_no == self.no, outcomes.c.seq == seq)
            return connection.execute(query).scalar()

    @rule(pause=st.booleans())
    def somebody_pauses_or_resumes(self, pause):
        decide = self.store.controls.pause if pause else self.store.controls.resume
        decide(self.no, by="ana", why="a typo", now=self.now)
        self.paused = pause

    @rule(minutes=st.sampled_from([1, 3, 60, 60 * 20]))
    def time_passes(self, minutes):
        self.now += timedelta(minutes=minutes)
        if not self.store.db.is_sqlite:
            self.store.leases_grow_old(timedelta(minutes=minutes))

    @rule(number=st.integers(1, 40))
    def somebody_leaves(self, number):
        person = self.store.people.find(f"reader{number}@example.org")
        if person.state is State.ACTIVE:
            self.store.people.move(person.id, State.UNSUBSCRIBED, evidence=evidence(how="web"))

    @invariant()
    def nobody_is_lost(self):
        tally = self.store.tally(self.no, now=self.now)
        assert tally.adds_up
        final = (Status.ACCEPTED, Status.REFUSED, Status.UNKNOWN, Status.BOUNCED)
        assert {each: tally.count(each) for each in final} == {
            each: list(self.mailed.values()).count(each) for each in final
        }


def test_whatever_happens_a_tally_adds_up_and_nobody_is_mailed_twice(store):
    store.crowd(20, zone="Asia/Tokyo")
    store.crowd(20, zone="Europe/Berlin", start=21)
    Week.store = store
    run_state_machine_as_test(Week, settings=settings(max_examples=15, stateful_step_count=40, deadline=None))


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
