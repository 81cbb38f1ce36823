"""The rules as SQL say what the rules in Python say, for any person and any rule."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update

from newsletter.audience.importing import Entry
from newsletter.audience.predicate import All, Is, Paused, Predicate, Suppressed, holds
from newsletter.audience.segments import from_data, to_data
from newsletter.audience.subscriber import State
from newsletter.audience.suppression import why_not
from newsletter.store import rules
from newsletter.store.tables import subscribers
from tests.contract.store.conftest import NOW, evidence

# Few words, so that rules and people meet, and among them every sign that means something to somebody.
WORDS = [
    "",
    "a",
    "A",
    "ab",
    "a|b",
    "%",
    "_",
    "a%",
    "'",
    '"',
    "\\",
    "''; --",
    "ä",
    "Ä",
    "🫖",
    "null",
    "[]",
    "{x}",
    "a\0b",
    "\ud800",
]
TAGS = ["a", "b", "ab", "a.b", "a_b", "a-b", "axb"]
NAMES = ["city", "ort", "größe", "a"]
ZONES = [None, "Europe/Berlin", "Asia/Tokyo"]
PAUSES = [None, NOW - timedelta(seconds=1), NOW, NOW + timedelta(seconds=1)]

STORABLE = [word for word in WORDS if "\0" not in word and "\ud800" not in word]


def someone(chance: random.Random) -> dict:
    return {
        "language": chance.choice(STORABLE),
        "zone": chance.choice(ZONES),
        "tags": frozenset(chance.sample(TAGS, k=chance.randrange(4))),
        "attributes": {name: chance.choice(STORABLE) for name in NAMES if chance.random() < 0.5},
        "state": chance.choice([State.ACTIVE] * 3 + [state for state in State if state is not State.ERASED]),
        "paused_until": chance.choice(PAUSES),
        "suppressed": chance.random() < 0.2,
        "erased": chance.random() < 0.1,
    }


def some(words: list[str]) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(words), max_size=3).map(tuple)


ODD_NAMES = ["", "a.b", 'a"y', "a'", "$", "%s", ":x", "city.x", '"', "\\"]
leaves = st.one_of(
    st.builds(Is, st.just("tags"), some([*TAGS, *TAGS, *WORDS])),
    st.builds(Is, st.sampled_from(["zone", "language", "state"]), some([*WORDS, "Europe/Berlin", "active", "pending"])),
    st.builds(Is, st.sampled_from([f"attributes.{name}" for name in [*NAMES, *ODD_NAMES]]), some(WORDS)),
    st.just(Suppressed()),
    st.just(Paused()),
)
predicates = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3).map(lambda each: All(tuple(each))),
    max_leaves=6,
)

slow = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def fill(store, drawn: list[dict]) -> None:
    """Put people into an empty list, in every state that exists."""
    entries = [
        Entry(
            address=f"p{n}@example.org",
            language=each["language"],
            zone=each["zone"],
            tags=each["tags"],
            attributes=each["attributes"],
            state=each["state"],
        )
        for n, each in enumerate(drawn, start=1)
    ]
    store.people.enter(entries, evidence=evidence(), now=NOW)
    with store.db.writing() as connection:
        for n, each in enumerate(drawn, start=1):
            changes = {"paused_until": each["paused_until"]} | ({"state": "erased"} if each["erased"] else {})
            connection.execute(update(subscribers).where(subscribers.c.id == n).values(changes))
    for n, each in enumerate(drawn, start=1):
        if each["suppressed"]:
            store.people.suppress(f"p{n}@example.org", reason="asked", now=NOW)


@pytest.fixture
def crowd(store):
    """A hundred people, alike on every run."""
    chance = random.Random(4)
    fill(store, [someone(chance) for _ in range(100)])
    found = list(store.people.everyone())
    assert {why_not(each, now=NOW) for each in found} >= {None, "erased", "unsubscribed", "suppressed", "paused"}
    return found


def test_a_rule_means_the_same_in_sql_and_in_python(store, crowd):
    @slow
    @given(predicates)
    @example(Is("tags", ("a_b",)))
    @example(Is("tags", ("A", "a|b", "%")))
    @example(Is("tags", ()))
    @example(Is("zone", ("",)))
    @example(Is("language", ("a\0b", "\ud800", "'")))
    @example(Is('attributes.a"y', ("", "a")))
    @example(Is('attributes.a"."b', ("",)))
    def check(rule: Predicate):
        with store.db.reading() as connection:
            found = set(connection.execute(select(subscribers.c.id).where(rules.condition(rule, now=NOW))).scalars())
        assert found == {each.id for each in crowd if holds(rule, each, now=NOW)}

    check()


def test_a_rule_survives_being_written_down():
    @settings(max_examples=200)
    @given(predicates)
    def check(rule: Predicate):
        assert from_data(to_data(rule)) == rule

    check()


@pytest.mark.parametrize("moment", [NOW, NOW + timedelta(seconds=0.5), NOW + timedelta(seconds=1)])
def test_the_reason_is_the_same_in_sql_and_in_python(store, crowd, moment):
    query = select(subscribers.c.id, rules.why_not(now=moment), rules.mailable(now=moment))
    with store.db.reading() as connection:
        found = {number: (reason, mailable) for number, reason, mailable in connection.execute(query)}
    expected = {each.id: why_not(each, now=moment) for each in crowd}
    assert found == {number: (reason, reason is None) for number, reason in expected.items()}


def test_an_unknown_field_is_an_error_here_as_there(store):
    with pytest.raises(ValueError, match="no such field"):
        rules.condition(Is("shoe_size", ("44",)), now=NOW)
