"""A rehearsal counts what the import would count, however the list is cut, and writes nothing."""

from __future__ import annotations

import random
from itertools import product

import pytest

from newsletter.audience.importing import Entry, ImportCounts
from newsletter.audience.listing import Listing
from newsletter.audience.subscriber import State
from newsletter.store.entering import Rehearsal
from newsletter.usecases.enrol import import_people
from tests.contract.store.conftest import NOW, entry, evidence

WORDS = ("active", "pending", "left", "bounced", "complained", "")


def bring(rows: list[str], people) -> ImportCounts:
    entries = Listing(rows)
    return import_people(entries, people=people, evidence=evidence(), now=NOW, watch=lambda _: None).counts


def known(store) -> list[object]:
    return [(each, store.people.consent_of(each.id)) for each in store.people.everyone()]


@pytest.mark.parametrize("cut", [2, 7])
def test_a_rehearsal_counts_what_comes_to_pass(store, monkeypatch, cut):
    monkeypatch.setattr("newsletter.usecases.enrol.CHUNK", cut)
    # Everybody from 0 to 11 is here already, in every state; 12 to 15 are new; some of each must not be mailed.
    for number, (state, barred) in enumerate(product(set(State) - {State.ERASED}, (False, True))):
        store.enter(entry(f"r{number}", name="Old", state=state))
        if barred:
            store.people.suppress(f"r{number}@example.org", reason="asked", now=NOW)
    store.people.suppress("r14@example.org", reason="asked", now=NOW)
    store.people.suppress("r15@example.org", reason="asked", now=NOW)
    chance = random.Random(cut)
    for _ in range(4):
        rows = ["email,name,status\n"]
        for _ in range(40):
            address = f"{chance.choice('rR')}{chance.randrange(20)}@example.org"
            rows.append(f"{address},{chance.choice(('Old', 'New', ''))},{chance.choice(WORDS)}\n")
        before = known(store)
        expected = bring(rows, Rehearsal(store.db))
        assert known(store) == before
        assert bring(rows, store.people) == expected


def test_a_rehearsal_needs_no_right_to_write(store):
    assert Rehearsal(store.db).enter([entry()], evidence=evidence(), now=NOW) == ImportCounts(added=1)
    assert list(store.people.everyone()) == []


def test_a_second_row_of_somebody_who_is_not_there_enters_nobody(store):
    """As when they are forgotten while their list is being read."""
    again = Entry(address="ana@example.org", state=State.PENDING, again=True)
    assert store.enter(again) == ImportCounts(unchanged=1)
    assert list(store.people.everyone()) == []
