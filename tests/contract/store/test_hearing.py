"""What was heard of people: of whom it is, what it does in every state, when it is too old, and when it is enough."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import count, product

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, select

from newsletter.audience.importing import Entry
from newsletter.audience.subscriber import State
from newsletter.delivery.news import Kind, News, Told
from newsletter.delivery.outcome import Receipt, Status
from newsletter.store.hearing import SqlHearing
from newsletter.store.tables import deliveries, outcomes, soft_bounces, subscribers
from tests.contract.store.conftest import NOW, accepted, entry, evidence

NEWS = News(kind=Kind.HARD, at=NOW + timedelta(hours=2), how="inbox", reason="5.1.1 no such address")
GONE = {Kind.LEFT: State.UNSUBSCRIBED, Kind.HARD: State.BOUNCED, Kind.SOFT: State.BOUNCED}
LEADS = {
    State.PENDING: GONE | {Kind.COMPLAINED: State.COMPLAINED},
    State.ACTIVE: GONE | {Kind.COMPLAINED: State.COMPLAINED},
    State.UNSUBSCRIBED: {Kind.COMPLAINED: State.COMPLAINED},
    State.BOUNCED: {Kind.LEFT: State.UNSUBSCRIBED, Kind.COMPLAINED: State.COMPLAINED},
    State.COMPLAINED: {},
    State.ERASED: {},
}
DAY = timedelta(days=1)


class Hearing(SqlHearing):
    """Hears one thing at a time."""

    def heard(self, who: int, news: News, *, issue_no: int | None) -> Kind | None:
        (kind,) = self.take([Told(subscriber_id=who, news=news, issue_no=issue_no)])
        return kind


@pytest.fixture
def hearing(store) -> Hearing:
    return Hearing(store.db)


def news(kind: Kind = Kind.HARD, *, hours: float = 2, reason: str = NEWS.reason) -> News:
    return replace(NEWS, kind=kind, at=NOW + timedelta(hours=hours), reason=reason)


def state(store, who: int = 1) -> State:
    with store.db.reading() as connection:
        return State(connection.execute(select(subscribers.c.state).where(subscribers.c.id == who)).scalar_one())


def letters(store, number: int, *, people: int = 1) -> list[int]:
    """So many letters, one a day, that everybody got."""
    numbers = []
    for n in range(number):
        no = store.plan(f"2026-11-{n + 1:02}-tea", due_elsewhere=NOW + n * DAY, now=NOW + n * DAY).no
        claim = store.claim(no, now=NOW + n * DAY)
        store.ledger.record(claim, [accepted(seq + 1) for seq in range(people)], digests={}, now=NOW, close=True)
        numbers.append(no)
    return numbers


def last_consent(store, who: int = 1):
    person = store.people.find(f"reader{who}@example.org")
    return store.people.consent_of(person.id)[-1]


def test_every_kind_of_news_in_every_state(store, hearing):
    cases = list(enumerate(product(State, Kind), 1))
    store.crowd(len(cases))
    numbers = letters(store, 3, people=len(cases))
    with store.db.writing() as connection:
        for who, (before, _) in cases:
            connection.execute(subscribers.update().where(subscribers.c.id == who).values(state=before.value))
    for who, (before, kind) in cases:
        # It is counted, and nobody goes; of somebody who was forgotten nothing is kept.
        counted = Kind.SOFT if kind is Kind.SOFT and before is not State.ERASED else None
        for no in numbers[: 2 if kind is Kind.SOFT else 0]:
            assert hearing.heard(who, news(kind), issue_no=no) is counted
        after = LEADS[before].get(kind)
        leads_to = counted
        if after:
            leads_to = Kind.HARD if kind is Kind.SOFT else kind
        assert hearing.heard(who, news(kind), issue_no=numbers[2]) is leads_to, (before, kind)
        assert state(store, who) is (after or before), (before, kind)
        assert hearing.heard(who, news(kind), issue_no=numbers[2]) is None, (before, kind)
        assert state(store, who) is (after or before), (before, kind)


def test_the_reason_is_kept(store, hearing):
    store.crowd(1)
    assert hearing.heard(1, news(reason="5.1.1 no\nsuch address"), issue_no=None) is Kind.HARD
    kept = last_consent(store)
    assert (kept.at, kept.how, kept.source, kept.state) == (NEWS.at, "inbox", "5.1.1 no such address", State.BOUNCED)


def test_who_complains_after_a_bounce_has_complained(store, hearing):
    store.crowd(1)
    hearing.heard(1, news(), issue_no=None)
    assert hearing.heard(1, news(Kind.COMPLAINED, hours=3), issue_no=None) is Kind.COMPLAINED
    assert state(store) is State.COMPLAINED


def test_news_from_before_somebody_asked_anew_says_nothing(store, hearing):
    store.crowd(len(Kind))
    numbers = letters(store, 4, people=len(Kind))
    for who, kind in enumerate(Kind, 1):
        store.people.move(who, State.BOUNCED, evidence=evidence(how="inbox"))
        store.people.move(who, State.PENDING, evidence=evidence(how="page", at=NOW + timedelta(hours=5)))
        for no in numbers:
            assert hearing.heard(who, news(kind, hours=4.9), issue_no=no) is None
        assert state(store, who) is State.PENDING
        for no in numbers:
            hearing.heard(who, news(kind, hours=5.1), issue_no=no)
        assert state(store, who) is LEADS[State.PENDING][kind]


def test_being_added_by_others_is_no_asking(store, hearing):
    for who, how in enumerate(("import", "add"), 1):
        store.people.enter([entry(f"reader{who}")], evidence=evidence(how=how, at=NOW + DAY), now=NOW)
        assert hearing.heard(who, news(), issue_no=None) is Kind.HARD


def test_soft_bounces_from_before_somebody_asked_anew_count_no_more(store, hearing):
    store.crowd(1)
    numbers = letters(store, 4)
    for no in numbers[:3]:
        last = hearing.heard(1, news(Kind.SOFT, hours=1), issue_no=no)
    assert last is Kind.HARD
    store.people.move(1, State.PENDING, evidence=evidence(how="page", at=NOW + timedelta(hours=2)))
    assert hearing.heard(1, news(Kind.SOFT, hours=3), issue_no=numbers[3]) is Kind.SOFT
    assert state(store) is State.PENDING


def test_three_of_the_last_five_are_enough_and_say_so(store, hearing):
    store.crowd(2)
    numbers = letters(store, 6, people=2)
    full = [news(Kind.SOFT, hours=n * 24 + 1, reason="5.2.2 full") for n in range(6)]
    came = [hearing.heard(1, full[n], issue_no=numbers[n]) for n in (0, 2, 4)]
    assert came == [Kind.SOFT] * 3  # of the last five, that is two
    assert state(store) is State.ACTIVE
    assert hearing.heard(1, full[1], issue_no=numbers[1]) is Kind.HARD
    assert last_consent(store).source == "3 of the last 5 letters came back: 5.2.2 full"
    assert state(store, 2) is State.ACTIVE


def test_a_soft_bounce_without_a_letter_counts_for_nothing(store, hearing):
    store.crowd(1)
    assert hearing.heard(1, news(Kind.SOFT), issue_no=None) is None


def test_much_is_heard_at_once_as_if_one_after_the_other(store, hearing):
    store.crowd(3)
    numbers = letters(store, 3, people=3)
    told = [Told(subscriber_id=1, news=news(Kind.SOFT, hours=24 * n + 1), issue_no=no) for n, no in enumerate(numbers)]
    told += [Told(subscriber_id=who, news=news(Kind.LEFT)) for who in (3, 1, 3)]
    told += [Told(subscriber_id=2, news=news(Kind.COMPLAINED))]
    came = [Kind.SOFT, Kind.SOFT, Kind.HARD, Kind.LEFT, Kind.LEFT, None, Kind.COMPLAINED]
    assert hearing.take(told) == came
    assert [state(store, who) for who in (1, 2, 3)] == [State.UNSUBSCRIBED, State.COMPLAINED, State.UNSUBSCRIBED]
    assert hearing.take(told) == [None] * len(told)


def test_people_are_found_by_delivery_token_and_address(store, hearing):
    store.crowd(2)
    no = store.plan().no
    person = store.people.find("reader2@example.org")
    assert hearing.of_delivery(no, 2) == 2
    assert hearing.of_delivery(no, 3) is None
    assert hearing.of_delivery(no + 1, 1) is None
    assert hearing.of_token(person.leave_token) == 2
    assert hearing.of_token("x" * 22) is None
    asked = ["Reader2@EXAMPLE.org", "reader1@example.org", "reader2@example.org", "nobody@example.org", "no address"]
    assert hearing.of_addresses(asked) == dict(zip(asked, (2, 1, 2), strict=False))
    assert hearing.of_addresses([]) == {}
    many = [f"nobody{n}@example.org" for n in range(2000)]
    assert hearing.of_addresses([*many, asked[0]]) == {asked[0]: 2}


def test_refusals_are_told_until_they_were_taken(store, hearing):
    store.crowd(5)
    no = store.plan().no
    claim = store.claim(no)
    said = ["550 5.1.1 unknown", "552 5.2.2 full", "550 5.1.1 unknown", "", "550 no"]
    refused = [Receipt(seq=n, status=Status.REFUSED, reason=why) for n, why in enumerate(said, 1) if why]
    store.ledger.record(claim, [*refused, accepted(4)], digests={}, now=NOW, close=True)
    store.people.move(5, State.UNSUBSCRIBED, evidence=evidence(how="page"))
    found = hearing.refusals(no)
    assert [(each.subscriber_id, each.at, each.reason) for each in found] == [
        (1, NOW, said[0]),
        (2, NOW, said[1]),
        (3, NOW, said[2]),
    ]
    hearing.heard(1, news(Kind.HARD), issue_no=no)
    hearing.heard(2, news(Kind.SOFT), issue_no=no)
    assert [each.subscriber_id for each in hearing.refusals(no)] == [3]
    assert hearing.refusals(no + 1) == []
    assert hearing.arrived(no) == 1


# What can become of one letter to one person, and whether it then counts among the last ones.
ARRIVES = {
    Status.ACCEPTED: True,
    Status.DELIVERED: True,
    Status.BOUNCED: True,
    Status.COMPLAINED: True,
    Status.REFUSED: False,
    Status.UNKNOWN: False,
    Status.HELD: False,
}
LETTER = st.tuples(st.sampled_from([*ARRIVES]), st.integers(0, 2))  # its outcome, and how often it is said to come back


def test_soft_bounces_are_counted_as_anybody_would_by_hand(store, hearing):
    """Letters of one a day in any number, of which news comes in any order."""
    numbers = [store.plan(f"2026-12-{n + 1:02}-tea").no for n in range(8)]
    person = count(1)

    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.lists(LETTER, max_size=8), st.randoms(use_true_random=False))
    def agrees(course, random):
        who = next(person)
        store.people.enter([Entry(address=f"reader{who}@example.org")], evidence=evidence(), now=NOW)
        with store.db.writing() as connection:
            for n, (status, _) in enumerate(course):
                due_at = NOW + n * DAY
                row = {"issue_no": numbers[n], "seq": who}
                connection.execute(insert(deliveries).values(**row, subscriber_id=who, due_at=due_at))
                told = {"status": status.value, "at": due_at, "provider_id": "", "reason": "", "values_digest": b""}
                connection.execute(insert(outcomes).values(**row, **told))
        said = [n for n, (_, times) in enumerate(course) for _ in range(times)]
        random.shuffle(said)
        soft: set[int] = set()
        gone = False
        for n in said:
            fresh = n not in soft
            soft.add(n)
            last = [m for m, (status, _) in enumerate(course) if ARRIVES[status] or m in soft][-5:]
            enough = len(soft.intersection(last)) >= 3
            expected = None if not fresh else Kind.HARD if enough and not gone else Kind.SOFT
            gone = gone or enough
            assert hearing.heard(who, news(Kind.SOFT, hours=24 * n + 1), issue_no=numbers[n]) is expected
            assert state(store, who) is (State.BOUNCED if gone else State.ACTIVE)
        with store.db.reading() as connection:
            kept = select(soft_bounces.c.issue_no).where(soft_bounces.c.subscriber_id == who)
            assert set(connection.execute(kept).scalars()) == {numbers[n] for n in soft}

    agrees()
