"""Consent moves where it may, and one rule says who may be mailed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from newsletter.audience.consent import DEPARTED, MOVES, move
from newsletter.audience.predicate import All, Is, Paused, Suppressed, holds
from newsletter.audience.subscriber import State, Subscriber
from newsletter.audience.suppression import REASONS, why_not
from newsletter.errors import IllegalMove

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
ANA = Subscriber(id=1, address="ana@example.org", tags=frozenset({"tea"}), attributes={"city": "Ulm"}, language="de")


def test_nobody_who_left_becomes_active_without_confirming():
    for state in DEPARTED:
        assert State.ACTIVE not in MOVES[state]
        with pytest.raises(IllegalMove, match=f"from {state} to active"):
            move(state, State.ACTIVE)


def test_who_left_may_ask_again_but_who_was_erased_is_gone():
    assert move(State.UNSUBSCRIBED, State.PENDING) is State.PENDING
    assert MOVES[State.ERASED] == frozenset()


def test_every_state_has_its_moves():
    assert set(MOVES) == set(State)


@pytest.mark.parametrize("state", State)
def test_only_the_active_may_be_mailed(state):
    assert (why_not(replace(ANA, state=state), now=NOW) is None) == (state is State.ACTIVE)


def test_the_gravest_reason_is_the_one_given():
    person = replace(ANA, state=State.COMPLAINED, suppressed=True, paused_until=NOW + timedelta(days=1))
    assert why_not(person, now=NOW) == "complained"
    assert why_not(replace(person, state=State.PENDING), now=NOW) == "suppressed"
    assert why_not(replace(person, state=State.PENDING, suppressed=False), now=NOW) == "not confirmed"


def test_a_pause_ends_at_its_instant():
    person = replace(ANA, paused_until=NOW)
    assert why_not(person, now=NOW - timedelta(seconds=1)) == "paused"
    assert why_not(person, now=NOW) is None


def test_reasons_are_told_apart():
    assert len({reason for reason, _ in REASONS}) == len(REASONS)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (Is("tags", ("tea", "work")), True),
        (Is("tags", ("work",)), False),
        (Is("tags", ()), False),
        (Is("attributes.city", ("Ulm",)), True),
        (Is("attributes.food", ("",)), True),
        (Is("zone", ("",)), True),
        (Is("language", ("de", "en")), True),
        (Is("state", ("active",)), True),
        (Suppressed(), False),
        (Paused(), False),
        (All(()), True),
        (All((Is("tags", ("tea",)), Suppressed())), False),
    ],
)
def test_conditions(rule, expected):
    assert holds(rule, ANA, now=NOW) is expected


def test_an_unknown_field_is_a_mistake():
    with pytest.raises(ValueError, match="no such field"):
        holds(Is("shoe_size", ("44",)), ANA, now=NOW)
