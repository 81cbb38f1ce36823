"""The rules as SQL say what the rules in Python say, for any person and any rule."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, select, update

from newsletter.audience.importing import Entry
from newsletter.audience.predicate import (
    All,
    Any,
    Is,
    Joined,
    Not,
    Paused,
    Predicate,
    Received,
    Suppressed,
    holds,
)
from newsletter.audience.segments import from_data, to_data
from newsletter.audience.subscriber import Frequency, State
from newsletter.audience.suppression import why_not
from newsletter.delivery.outcome import Status
from newsletter.store import rules
from newsletter.store.segments import SqlSegments
from newsletter.store.tables import deliveries, issues, outcomes, subscribers
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

# Midnights on both sides of the days that rules name, to the second.
DAYS = [date(2026, 11, day) for day in (1, 2, 3)]
JOINED = [NOW.replace(day=day, hour=0) - timedelta(seconds=second) for day in (1, 2, 3, 4) for second in (0, 1)]
LETTERS = ["2026-11-09-tea", "2026-11-16-rice", "welcome.one", "2020-01-01-unknown"]

STORABLE = [word for word in WORDS if "\0" not in word and "\ud800" not in word]


def someone(chance: random.Random) -> dict:
    return {
        "language": chance.choice(STORABLE),
        "zone": chance.choice(ZONES),
        "tags": frozenset(chance.sample(TAGS, k=chance.randrange(4))),
        "attributes": {name: chance.choice(STORABLE) for name in NAMES if chance.random() < 0.5},
        "state": chance.choice([State.ACTIVE] * 3 + [state for state in State if state is not State.ERASED]),
        "paused_until": chance.choice(PAUSES),
        "frequency": chance.choice(list(Frequency)),
        "suppressed": chance.random() < 0.2,
        "erased": chance.random() < 0.1,
        "joined_at": chance.choice(JOINED),
    }


def some(words: list[str]) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(words), max_size=3).map(tuple)


ODD_NAMES = ["", "a.b", 'a"y', "a'", "$", "%s", ":x", "city.x", '"', "\\"]
leaves = st.one_of(
    st.builds(Is, st.just("tags"), some([*TAGS, *TAGS, *WORDS])),
    st.builds(Is, st.sampled_from(["zone", "language", "state"]), some([*WORDS, "Europe/Berlin", "active", "pending"])),
    st.builds(Is, st.sampled_from([f"attributes.{name}" for name in [*NAMES, *ODD_NAMES]]), some(WORDS)),
    st.builds(Is, st.just("frequency"), some(["weekly", "monthly", *WORDS])),
    st.just(Suppressed()),
    st.just(Paused()),
    st.builds(Joined, after=st.sampled_from([None, *DAYS]), before=st.sampled_from([None, *DAYS])),
    st.builds(Received, st.sampled_from(LETTERS), st.sampled_from([None, 1, 2, 3])),
)
predicates = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda each: All(tuple(each))),
        st.lists(inner, max_size=3).map(lambda each: Any(tuple(each))),
        inner.map(Not),
    ),
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
            changes = {key: each[key] for key in ("paused_until", "frequency", "joined_at")} | (
                {"state": "erased"} if each["erased"] else {}
            )
            connection.execute(update(subscribers).where(subscribers.c.id == n).values(changes))
    for n, each in enumerate(drawn, start=1):
        if each["suppressed"]:
            store.people.suppress(f"p{n}@example.org", reason="asked", now=NOW)


def send(store, chance: random.Random) -> dict[int, set[tuple[str, int]]]:
    """Give some people letters, in every state that a delivery can be in; who has which by the ledger's own words."""
    had: dict[int, set[tuple[str, int]]] = {}
    for no, letter in enumerate(LETTERS[:3], start=1):
        deliver, result = [], []
        people = chance.sample(range(1, 101), k=60)
        for seq, who in enumerate(people, start=1):
            deliver.append({"issue_no": no, "seq": seq, "subscriber_id": who, "due_at": NOW})
            status = chance.choice([*Status, Status.ACCEPTED, Status.DELIVERED])
            revision = chance.choice([1, 2])
            if status not in (Status.PLANNED, Status.CLAIMED):
                outcome = {"status": status.value, "revision": revision, "at": NOW, "values_digest": b""}
                result.append({"issue_no": no, "seq": seq, "provider_id": "", "reason": "", **outcome})
            if status in (Status.ACCEPTED, Status.DELIVERED, Status.COMPLAINED, Status.UNKNOWN):
                had.setdefault(who, set()).add((letter, revision))
        store.editions.put(f"{no}", b"letter", issue_id=letter, now=NOW)
        issue = {"no": no, "issue_id": letter, "revision": 2, "edition_hash": f"{no}", "secret": b"", "audience": "{}"}
        with store.db.writing() as connection:
            connection.execute(insert(issues), issue | {"due_elsewhere": NOW, "planned_at": NOW, "candidates": 60})
            connection.execute(insert(deliveries), deliver)
            connection.execute(insert(outcomes), result)
    return had


@pytest.fixture
def crowd(store):
    """A hundred people, alike on every run."""
    chance = random.Random(4)
    fill(store, [someone(chance) for _ in range(100)])
    had = send(store, chance)
    found = [replace(each, received=frozenset(had.get(each.id, ()))) for each in store.people.everyone()]
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
    @example(Not(Any(())))
    @example(Not(Paused()))
    @example(Joined(after=DAYS[0], before=DAYS[2]))
    @example(Not(Received(LETTERS[0], 1)))
    @example(Received("'; DROP TABLE subscribers; --"))
    @example(Received("a\0b", 1))
    @example(All((Any((Is("tags", ("a",)), Received(LETTERS[1]))), Not(All((Is("zone", ("",)), Joined()))))))
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


def test_a_rule_as_big_as_the_language_allows_is_asked(store, crowd):
    # A chain of 499 tags is a tree 499 high, below the deepest nesting that there may be.
    deep: Predicate = Is("tags", (*(f"t{n}" for n in range(480)), "a"))
    for _ in range(9):
        deep = All((Not(deep),))
    many = Is("attributes.city", tuple(f"{n}'%_" for n in range(10_000)))
    segments = SqlSegments(store.db)
    for rule in (deep, many, from_data(to_data(deep))):
        expected = [each for each in crowd if each.state is not State.ERASED and holds(rule, each, now=NOW)]
        assert segments.count(rule, now=NOW)[0] == len(expected)
    assert 0 < segments.count(deep, now=NOW)[0] < 100


def test_people_are_counted_on_the_list_and_by_who_may_be_mailed(store, crowd):
    rule = Not(Is("tags", ("a",)))
    chosen = [each for each in crowd if holds(rule, each, now=NOW)]
    on_list = [each for each in chosen if each.state is not State.ERASED]
    mailable = [each for each in chosen if why_not(each, now=NOW) is None]
    assert SqlSegments(store.db).count(rule, now=NOW) == (len(on_list), len(mailable))
    assert len(mailable) < len(on_list) < len(chosen)


@pytest.mark.parametrize("rule", [Received(LETTERS[0], 1), Not(Received(LETTERS[1])), Joined(after=DAYS[1])])
def test_some_of_them_are_the_first_and_know_what_they_received(store, crowd, rule):
    mailable = [each for each in crowd if why_not(each, now=NOW) is None and holds(rule, each, now=NOW)]
    found = SqlSegments(store.db).some(rule, limit=5, now=NOW)
    assert [each.id for each in found] == [each.id for each in mailable[:5]]
    assert [each.joined_at for each in found] == [each.joined_at for each in mailable[:5]]
    named = {rule.issue_id} if isinstance(rule, Received) else set()
    for here, there in zip(found, mailable, strict=False):
        assert here.received == {letter for letter in there.received if letter[0] in named}


def test_whoever_may_have_a_letter_is_not_among_those_who_have_not(store):
    store.crowd(3)
    planned = store.plan("2026-11-23-tea")
    store.leave_in_doubt(planned.no, 2, limit=2)
    segments = SqlSegments(store.db)
    assert [each.id for each in segments.some(Not(Received("2026-11-23-tea")), limit=9, now=NOW)] == [3]
    assert segments.count(Received("2026-11-23-tea", 1), now=NOW) == (2, 2)
    assert segments.count(Received("2026-11-23-tea", 2), now=NOW) == (0, 0)
