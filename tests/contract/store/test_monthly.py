"""Once a month: one letter of each month for those who asked for that, the first that they can get."""

from __future__ import annotations

import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import delete, insert, select, text, update

from newsletter.audience.predicate import EVERYONE, All, Is, Received
from newsletter.audience.subscriber import Frequency, State
from newsletter.delivery.outcome import Receipt, Status
from newsletter.store.monthly import MONTHLY
from newsletter.store.tables import deliveries, exclusions, issues, outcomes, subscribers
from tests.contract.store.conftest import NOW, accepted, entry, plan

FIRST, SECOND, THIRD = "2026-11-02-tea", "2026-11-09-rain", "2026-11-30-wind"
NEXT_MONTH, LAST_YEAR = "2026-12-07-snow", "2025-11-03-fog"
TEA = Is("tags", ("tea",))


def monthly(store, *numbers: int, frequency: Frequency = Frequency.MONTHLY) -> None:
    change(store, *numbers, frequency=frequency.value)


def change(store, *numbers: int, **values: object) -> None:
    with store.db.writing() as connection:
        connection.execute(update(subscribers).where(subscribers.c.id.in_(numbers)).values(**values))


def readers(store, no: int) -> set[int]:
    with store.db.reading() as connection:
        return set(connection.execute(select(deliveries.c.subscriber_id).where(deliveries.c.issue_no == no)).scalars())


def left_out(store, no: int) -> dict[int, str]:
    query = select(exclusions.c.subscriber_id, exclusions.c.reason).where(exclusions.c.issue_no == no)
    with store.db.reading() as connection:
        return dict(connection.execute(query).all())


@pytest.fixture
def pair(store):
    """Two readers; the second wants the letter once a month."""
    store.crowd(2)
    monthly(store, 2)
    return store


def test_the_first_letter_of_the_month_and_no_other(pair):
    planned = [pair.plan(letter) for letter in (LAST_YEAR, FIRST, SECOND, THIRD, NEXT_MONTH)]
    assert [readers(pair, each.no) for each in planned] == [{1, 2}, {1, 2}, {1}, {1}, {1, 2}]
    assert left_out(pair, planned[2].no) == {2: "monthly"}
    tally = pair.tally(planned[2].no)
    assert (tally.candidates, tally.excluded, tally.adds_up) == (2, {"monthly": 1}, True)


def test_planned_in_any_order_it_is_one(pair):
    planned = [pair.plan(letter) for letter in (THIRD, FIRST, THIRD, SECOND)]
    assert [readers(pair, each.no) for each in planned] == [{1, 2}, {1}, {1, 2}, {1}]


def test_planned_at_once_it_is_one(pair):
    letters = (FIRST, SECOND, THIRD)
    for letter in letters:
        pair.editions.put("e" * 64, b"letter", issue_id=letter, now=NOW)
    with ThreadPoolExecutor(3) as pool:
        planned = list(pool.map(lambda letter: pair.planner.write(plan(letter), now=NOW), letters))
    assert sorted(len(readers(pair, each.no)) for each in planned) == [1, 1, 2]


def test_a_planned_letter_looks_the_same_ahead_as_before(pair):
    pair.plan(FIRST)
    for letter, people in ((FIRST, 2), (SECOND, 1)):
        forecast = pair.planner.forecast(plan(letter), now=NOW)
        assert (forecast.candidates, forecast.planned, sum(forecast.excluded.values())) == (2, people, 2 - people)


def test_a_graver_reason_is_the_one_recorded(pair):
    pair.plan(FIRST)
    change(pair, 2, state=State.UNSUBSCRIBED.value)
    assert left_out(pair, pair.plan(SECOND).no) == {2: "unsubscribed"}


def test_who_could_not_get_the_first_gets_the_next(pair):
    change(pair, 2, paused_until=NOW + timedelta(days=1))
    first = pair.plan(FIRST)
    assert left_out(pair, first.no) == {2: "paused"}
    second = pair.plan(SECOND, now=NOW + timedelta(days=1))
    third = pair.plan(THIRD, now=NOW + timedelta(days=1))
    assert [readers(pair, each.no) for each in (second, third)] == [{1, 2}, {1}]


def test_who_was_not_meant_by_the_first_gets_the_next(pair):
    pair.plan(FIRST, audience=TEA)
    assert readers(pair, pair.plan(SECOND).no) == {1, 2}


def test_who_asks_for_it_in_the_middle_of_a_month_has_had_its_letter(pair):
    pair.plan(FIRST)
    monthly(pair, 1)
    monthly(pair, 2, frequency=Frequency.WEEKLY)
    assert readers(pair, pair.plan(SECOND).no) == {2}


def test_a_correction_goes_to_all_and_is_nobodys_letter_of_the_month(pair):
    first = pair.plan(FIRST)
    pair.accept(pair.claim(first.no))
    assert readers(pair, pair.plan(SECOND, audience=Received(FIRST, 1)).no) == {1, 2}
    assert readers(pair, pair.plan(NEXT_MONTH, audience=Received(FIRST)).no) == {1, 2}
    assert readers(pair, pair.plan("2026-12-14-ice").no) == {1, 2}


def test_a_letter_to_a_segment_of_those_who_have_another_is_a_letter(pair):
    first = pair.plan(FIRST)
    pair.accept(pair.claim(first.no))
    assert readers(pair, pair.plan(SECOND, audience=All((Received(FIRST),))).no) == {1}


@pytest.mark.parametrize(
    ("status", "gets_another"),
    [
        (Status.ACCEPTED, False),
        (Status.UNKNOWN, False),
        (Status.DEFERRED, False),
        (Status.REFUSED, True),
        (Status.PLANNED, False),
    ],
)
def test_a_letter_counts_while_it_may_still_come(pair, status, gets_another):
    first = pair.plan(FIRST)
    claim = pair.claim(first.no)
    wait = timedelta(hours=1) if status is Status.DEFERRED else None
    pair.ledger.record(claim, [accepted(1), Receipt(seq=2, status=status, wait=wait)], digests={}, now=NOW, close=True)
    assert (2 in readers(pair, pair.plan(SECOND).no)) is gets_another


def test_who_paused_before_it_was_sent_gets_the_next(pair):
    first = pair.plan(FIRST)
    change(pair, 2, paused_until=NOW + timedelta(days=1))
    assert [each.seq for each in pair.claim(first.no).deliveries] == [1]
    assert readers(pair, pair.plan(SECOND, now=NOW + timedelta(days=2)).no) == {1, 2}


def test_of_a_cancelled_letter_counts_what_may_have_left(store):
    store.crowd(4)
    monthly(store, 1, 2, 3, 4)
    first = store.plan(FIRST)
    store.accept(store.claim(first.no, limit=1))
    store.claim(first.no, limit=1, worker="there:1:b")
    store.leave_in_doubt(first.no, 3, limit=1)
    store.controls.cancel(first.no, by="Ada", why="wrong", now=NOW)
    assert readers(store, store.plan(SECOND).no) == {4}


def test_what_was_held_counts_until_it_is_cancelled(pair):
    first = pair.plan(FIRST)
    late = NOW + timedelta(days=9)
    assert pair.tally(first.no, now=late).by_status["held"] == 2
    assert readers(pair, pair.plan(SECOND, now=late).no) == {1}
    pair.controls.cancel(first.no, by="Ada", why="too late", now=late)
    assert readers(pair, pair.plan(THIRD, now=late).no) == {1, 2}


LETTERS = (FIRST, SECOND, THIRD, "2026-11-23-hail", NEXT_MONTH, "2026-12-14-ice")
PEOPLE = range(1, 5)
GONE = (Status.REFUSED, Status.BOUNCED, Status.SUPPRESSED)
HAVE = (Status.ACCEPTED, Status.DELIVERED, Status.COMPLAINED, Status.UNKNOWN)
STATUSES = (None, *GONE, *HAVE, Status.DEFERRED)


class Model:
    """Who is planned for what, by the rule in its own words and nothing else."""

    def __init__(self) -> None:
        self.frequency = dict.fromkeys(PEOPLE, Frequency.MONTHLY)
        self.paused: set[int] = set()
        self.letters: dict[str, dict[int, Status | None]] = {}
        self.corrections: set[str] = set()
        self.cancelled: set[str] = set()

    def may_have(self, letter: str, person: int) -> bool:
        if person not in self.letters[letter]:
            return False
        status = self.letters[letter][person]
        return status in HAVE or (status not in GONE and letter not in self.cancelled)

    def plan(self, letter: str, audience: object) -> dict[int, str | None]:
        """Each candidate, and why they are left out."""
        meant = {
            EVERYONE: set(PEOPLE),
            TEA: {n for n in PEOPLE if n % 2},
            Received(FIRST): {n for n, status in self.letters.get(FIRST, {}).items() if status in HAVE},
        }[audience]
        found: dict[int, str | None] = {}
        for person in meant:
            others = [
                each
                for each in self.letters
                if each[:7] == letter[:7] and each not in self.corrections and self.may_have(each, person)
            ]
            once = self.frequency[person] is Frequency.MONTHLY and audience != Received(FIRST) and others
            found[person] = "paused" if person in self.paused else MONTHLY if once else None
        self.letters[letter] = {person: None for person, why in found.items() if why is None}
        if audience == Received(FIRST):
            self.corrections.add(letter)
        return found


def test_whatever_happens_it_is_as_the_rule_says(store):
    """Letters planned in any order, cancelled, refused, put off, for readers who change their minds."""
    store.enter(*(entry(f"r{n}", tags=frozenset({"tea"} if n % 2 else ())) for n in PEOPLE))
    chance = random.Random(7)
    reasons: Counter[str | None] = Counter()
    for _ in range(12):
        empty(store)
        model = Model()
        for letter in chance.sample(LETTERS, k=len(LETTERS)):
            reasons += check_plan(store, letter, chance.choice([EVERYONE, EVERYONE, TEA, Received(FIRST)]), model)
            for happening in chance.sample([come_to, come_to, cancel, ask, pause], k=2):
                happening(store, model, chance)
    assert min(reasons[why] for why in (None, MONTHLY, "paused")) > 20


def empty(store) -> None:
    """Only people are left, all of whom want the letter once a month."""
    with store.db.writing() as connection:
        for table in ("batches", "deliveries", "exclusions", "outcomes", "zone_dues"):
            connection.execute(text(f"DELETE FROM {table}"))
        for no in connection.execute(select(issues.c.no).where(issues.c.issue_id.in_(LETTERS))).scalars().all():
            connection.execute(update(issues).where(issues.c.no == no).values(issue_id=f"1999-01-01-no-{no}"))
    change(store, *PEOPLE, frequency="monthly", paused_until=None)


def check_plan(store, letter: str, audience, model: Model) -> Counter[str | None]:
    """What is forecast and what is planned is what the model says; how many have which reason."""
    forecast = store.planner.forecast(plan(letter, audience=audience), now=NOW)
    expected = model.plan(letter, audience)
    planned = store.plan(letter, audience=audience)
    assert readers(store, planned.no) == {person for person, why in expected.items() if why is None}
    assert left_out(store, planned.no) == {person: why for person, why in expected.items() if why}
    assert forecast.excluded == Counter(why for why in expected.values() if why)
    assert (forecast.candidates, planned.candidates) == (len(expected), len(expected))
    return Counter(expected.values())


def come_to(store, model: Model, chance: random.Random) -> None:
    letter = chance.choice([*model.letters])
    no = store.planner.planned(letter).no
    with store.db.writing() as connection:
        connection.execute(delete(outcomes).where(outcomes.c.issue_no == no))
        planned = connection.execute(select(deliveries.c.subscriber_id, deliveries.c.seq).filter_by(issue_no=no))
        for person, seq in planned.all():
            status = model.letters[letter][person] = chance.choice(STATUSES)
            row = {"issue_no": no, "seq": seq, "at": NOW, "provider_id": "", "reason": "", "values_digest": b""}
            if status:
                connection.execute(insert(outcomes), row | {"status": status.value, "revision": 1})


def cancel(store, model: Model, chance: random.Random) -> None:
    letter = chance.choice([*model.letters])
    with store.db.writing() as connection:
        connection.execute(update(issues).where(issues.c.issue_id == letter).values(cancelled="why not"))
    model.cancelled.add(letter)


def ask(store, model: Model, chance: random.Random) -> None:
    person, frequency = chance.choice(PEOPLE), chance.choice(list(Frequency))
    monthly(store, person, frequency=frequency)
    model.frequency[person] = frequency


def pause(store, model: Model, chance: random.Random) -> None:
    model.paused = set(chance.sample(PEOPLE, k=chance.randrange(3)))
    change(store, *PEOPLE, paused_until=None)
    change(store, *model.paused, paused_until=NOW + timedelta(days=1))
