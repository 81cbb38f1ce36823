"""What people do by themselves on the pages, on both databases."""

from __future__ import annotations

from datetime import timedelta

import pytest

from newsletter.audience.consent import UNDO_WITHIN
from newsletter.audience.subscriber import State
from newsletter.store.consenting import SqlConsent
from tests.contract.store.conftest import NOW, evidence

LATER = NOW + timedelta(minutes=10)


def said(how, at=NOW):
    return evidence(at=at, how=how)


@pytest.fixture
def reader(store):
    store.crowd(1)
    return store.people.find("reader1@example.org")


@pytest.mark.parametrize(
    ("how", "after", "undone"),
    [
        ("page", timedelta(minutes=10), True),
        ("one-click", timedelta(0), True),
        ("page", UNDO_WITHIN, True),
        ("page", UNDO_WITHIN + timedelta(seconds=1), False),
        ("sync", timedelta(minutes=10), False),
    ],
)
def test_leaving_by_ones_own_hand_is_taken_back_for_an_hour(store, reader, how, after, undone):
    consent = SqlConsent(store.db)
    assert consent.leave(reader.id, evidence=said(how))
    assert consent.undo(reader.id, evidence=said("page", NOW + after)) is undone
    assert consent.by_id(reader.id).state is (State.ACTIVE if undone else State.UNSUBSCRIBED)


def test_who_never_confirmed_gets_on_the_list_by_no_undoing(store, reader):
    consent = SqlConsent(store.db)
    consent.leave(reader.id, evidence=said("page"))
    store.people.move(reader.id, State.PENDING, evidence=said("web", LATER))
    assert consent.leave(reader.id, evidence=said("page", LATER))
    assert not consent.undo(reader.id, evidence=said("page", LATER))
    assert consent.by_id(reader.id).state is State.UNSUBSCRIBED
