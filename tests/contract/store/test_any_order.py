"""Anything that senders, reconcilers, readers, people and time can do to one plan, in any order."""

from __future__ import annotations

import contextlib
from datetime import timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from sqlalchemy import select, update

from newsletter.audience.subscriber import State
from newsletter.delivery.outcome import Receipt, Status
from newsletter.errors import LeaseLost, StoreError
from newsletter.store.tables import outcomes, subscribers
from tests.contract.store.conftest import NOW, SOON, evidence


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
