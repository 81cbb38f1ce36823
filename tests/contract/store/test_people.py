"""People come in, are refreshed, and stay away once they left."""

from __future__ import annotations

import contextlib
import stat
from dataclasses import replace
from datetime import timedelta
from itertools import product
from pathlib import Path

import pytest
from sqlalchemy import text

from newsletter.audience.addresses import read_address
from newsletter.audience.importing import Entry, ImportCounts
from newsletter.audience.listing import Listing
from newsletter.audience.predicate import EVERYONE, Is
from newsletter.audience.subscriber import Frequency, State, ZoneSource
from newsletter.errors import IllegalMove, NewsletterError, NotFound, StoreError
from newsletter.store.erasing import SqlErasure
from newsletter.store.portraits import SqlPortraits
from newsletter.usecases.enrol import import_people
from tests.contract.store.conftest import NOW, entry, evidence

HOSTILE = 'O\'Hara, "%s" \\ 100% _x_ | 👩‍👩‍👧 עברית'


def state_of(store, local_part: str) -> State:
    return store.people.find(f"{local_part}@example.org").state


def test_what_went_in_comes_out(store):
    person = entry(
        "ana",
        name=HOSTILE,
        first_name="Ana",
        zone="Europe/Berlin",
        language="de",
        tags=frozenset({"tea", "work.place-1"}),
        attributes={"city": HOSTILE, "größe": "0"},
    )
    assert store.enter(person) == ImportCounts(added=1)
    found = store.people.find("ANA@example.org")
    assert (found.name, found.first_name, found.zone, found.language) == (HOSTILE, "Ana", "Europe/Berlin", "de")
    assert (found.tags, found.attributes, found.zone_source) == (person.tags, person.attributes, ZoneSource.IMPORT)
    assert (found.state, found.suppressed, found.paused_until) == (State.ACTIVE, False, None)


def test_everyone_has_a_leave_token_of_their_own(store):
    store.crowd(50)
    tokens = {each.leave_token for each in store.people.everyone()}
    assert len(tokens) == 50
    assert {len(token) for token in tokens} == {22}
    assert set("".join(tokens)) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")


def test_the_same_list_twice_changes_nothing(store):
    people = [entry(f"r{n}", name=f"R {n}", tags=frozenset({"tea"}), attributes={"n": str(n)}) for n in range(5)]
    people.append(entry("gone", state=State.BOUNCED))
    store.enter(*people)
    before = list(store.people.everyone())
    assert store.enter(*people, at=NOW + timedelta(days=1)) == ImportCounts(unchanged=6)
    assert list(store.people.everyone()) == before
    assert all(len(store.people.consent_of(each.id)) == 1 for each in before)


def test_an_import_adds_to_what_is_known_and_never_blanks_it(store):
    store.enter(entry(name="Ana", language="de", tags=frozenset({"tea"}), attributes={"city": "Ulm", "food": "rice"}))
    counts = store.enter(
        Entry(
            address="Ana@example.org",
            first_name="A.",
            tags=frozenset({"work"}),
            attributes={"city": "Bonn", "food": ""},
        )
    )
    assert counts == ImportCounts(refreshed=1)
    found = store.people.find("ana@example.org")
    assert (found.name, found.first_name, found.language) == ("Ana", "A.", "de")
    assert (found.tags, found.attributes) == ({"tea", "work"}, {"city": "Bonn", "food": "rice"})


def test_an_import_does_not_overrule_a_browser(store):
    store.enter(entry(zone="Europe/Berlin"))
    assert store.enter(entry(zone="Asia/Tokyo")) == ImportCounts(refreshed=1)
    with store.db.writing() as connection:
        connection.execute(text("UPDATE subscribers SET zone_source = 'browser'"))
    assert store.enter(entry(zone="Europe/Paris")) == ImportCounts(unchanged=1)
    assert store.people.find("ana@example.org").zone == "Asia/Tokyo"


def test_who_left_stays_away(store):
    store.enter(entry(name="Ana"))
    store.people.move(1, State.UNSUBSCRIBED, evidence=evidence(how="web"))
    assert store.enter(entry(name="New name")) == ImportCounts(kept_away=1)
    assert store.people.find("ana@example.org").name == "Ana"
    assert state_of(store, "ana") is State.UNSUBSCRIBED
    assert store.enter(entry(state=State.BOUNCED)) == ImportCounts(unchanged=1)
    assert state_of(store, "ana") is State.UNSUBSCRIBED


def test_a_departure_in_the_list_always_wins(store):
    store.enter(entry("a"), entry("p", state=State.PENDING))
    counts = store.enter(entry("a", state=State.UNSUBSCRIBED), entry("p", state=State.COMPLAINED))
    assert counts == ImportCounts(departed=2)
    assert (state_of(store, "a"), state_of(store, "p")) == (State.UNSUBSCRIBED, State.COMPLAINED)


def test_evidence_of_consent_confirms_who_was_pending(store):
    store.enter(entry(state=State.PENDING))
    assert store.enter(entry(), at=NOW + timedelta(days=1)) == ImportCounts(refreshed=1)
    assert [each.state for each in store.people.consent_of(1)] == [State.PENDING, State.ACTIVE]
    assert store.enter(entry(state=State.PENDING)) == ImportCounts(unchanged=1)
    assert state_of(store, "ana") is State.ACTIVE


def test_a_suppressed_address_is_not_entered(store):
    store.people.suppress("Ana@example.org", reason="asked to be forgotten", now=NOW)
    store.people.suppress("ana@example.org", reason="again", now=NOW)
    assert store.enter(entry(), entry("bob")) == ImportCounts(kept_away=1, added=1)
    assert store.people.find("ana@example.org") is None


def test_what_somebody_decided_outweighs_what_a_new_consent_would_lift(store):
    SqlErasure(store.db).forget("ana@example.org", evidence=evidence(how="forget"))
    noted = SqlPortraits(store.db)
    assert noted.suppressed("ana@example.org").what == "erased"
    for reason in ("a lawyer wrote", "again"):
        store.people.suppress("ana@example.org", reason=reason, now=NOW)
        assert noted.suppressed("ana@example.org").what == "a lawyer wrote"


def test_a_known_but_suppressed_person_is_left_as_they_are_but_may_depart(store):
    store.enter(entry(name="Ana"))
    store.people.suppress("ana@example.org", reason="complained by mail", now=NOW)
    assert store.enter(entry(name="Other")) == ImportCounts(kept_away=1)
    found = store.people.find("ana@example.org")
    assert (found.name, found.suppressed) == ("Ana", True)
    assert store.enter(entry(state=State.UNSUBSCRIBED)) == ImportCounts(departed=1)


ROWS = [
    entry(name="Ana", state=State.PENDING, tags=frozenset({"tea"})),
    entry("ANA", first_name="A.", tags=frozenset({"work"})),
    entry(name="Anna", zone="Europe/Berlin", attributes={"city": "Ulm"}),
    entry(name="Anna", state=State.UNSUBSCRIBED),
    entry(name="Other"),
    entry(state=State.BOUNCED),
]


@pytest.mark.parametrize("size", [1, 2, 3, 6])
def test_several_rows_of_one_person_have_their_effect_one_after_the_other(store, size):
    counts = [store.enter(*ROWS[start : start + size]) for start in range(0, len(ROWS), size)]
    assert sum(counts, ImportCounts()) == ImportCounts(added=1, refreshed=2, departed=1, kept_away=1, unchanged=1)
    found = store.people.find("ana@example.org")
    assert (found.name, found.first_name, found.tags, found.zone) == ("Anna", "A.", {"tea", "work"}, "Europe/Berlin")
    assert (found.attributes, found.state) == ({"city": "Ulm"}, State.UNSUBSCRIBED)
    states = [each.state for each in store.people.consent_of(found.id)]
    assert states == [State.PENDING, State.ACTIVE, State.UNSUBSCRIBED]


# Seven people, who stand in a list two or three times, with other data and often with another state.
STATES = (
    *("active", "pending", "", "left", "active", "pending", "active"),
    *("", "active", "bounced", "active", "pending", "left", "active"),
    *("left", "active", "active", "bounced", "active", ""),
)
LIST = ["email,name,status,timezone,number\n"] + [
    f"R{n % 7}@example.org,Name {n},{state},{'Europe/Berlin' if n % 3 else ''},{n}\n" for n, state in enumerate(STATES)
]


class Killed(Exception):
    """What ends an import in the middle."""


def test_a_list_has_one_outcome_wherever_it_is_cut_or_killed(store, monkeypatch):
    def bring(*, cut: int, kill_after: int = 1000) -> ImportCounts:
        def watch(_rows: int) -> None:
            nonlocal kill_after
            kill_after -= 1
            if not kill_after:
                raise Killed

        monkeypatch.setattr("newsletter.usecases.enrol.CHUNK", cut)
        rows = Listing(LIST)
        return import_people(rows, people=store.people, evidence=evidence(), now=NOW, watch=watch).counts

    def known() -> list[object]:
        people = [replace(each, leave_token="") for each in store.people.everyone()]
        return [(each, store.people.consent_of(each.id)) for each in people]

    bring(cut=1000)
    expected = known()
    assert [each.name for each, _ in expected] == [f"Name {n}" for n in range(7)]
    left, waits, stays, bounced = State.UNSUBSCRIBED, State.PENDING, State.ACTIVE, State.BOUNCED
    assert [each.state for each, _ in expected] == [left, waits, bounced, left, stays, left, stays]
    for cut, kill_after in product((1, 2, 5), (1, 2, 3)):
        with store.db.writing() as connection:
            connection.execute(text("DELETE FROM consent_events"))
            connection.execute(text("DELETE FROM subscribers"))
        with contextlib.suppress(Killed):
            bring(cut=cut, kill_after=kill_after)
        bring(cut=cut)
        assert known() == expected
        again = bring(cut=cut)
        assert again.unchanged + again.kept_away == 20
        assert known() == expected


def test_evidence_is_kept_as_it_was_given(store):
    proof = replace(evidence(source='sheet, "spring" fair'), text="v3")
    store.people.enter([entry()], evidence=proof, now=NOW)
    assert store.people.consent_of(1) == [replace(proof, state=State.ACTIVE)]


def test_what_the_list_says_of_somebodys_consent_is_their_evidence(store):
    store.enter(entry("a", evidence="Ghost: signed up 2024-03-14"), entry("b"), entry("c"))
    store.enter(entry("b", state=State.UNSUBSCRIBED, evidence="Ghost: left 2025-01-01"))
    said = [[each.text for each in store.people.consent_of(number)] for number in (1, 2, 3)]
    assert said == [["Ghost: signed up 2024-03-14"], ["", "Ghost: left 2025-01-01"], [""]]


def test_who_is_new_comes_with_their_dates_and_wishes_and_who_is_known_keeps_theirs(store):
    long_ago, ahead = NOW - timedelta(days=900), NOW + timedelta(days=9)
    came = {"joined_at": long_ago, "paused_until": ahead, "frequency": Frequency.MONTHLY}
    store.enter(entry("a", **came), entry("b", joined_at=ahead))
    first, second = store.people.everyone()
    assert (first.joined_at, first.paused_until, first.frequency) == (long_ago, ahead, Frequency.MONTHLY)
    assert (second.joined_at, second.paused_until, second.frequency) == (NOW, None, Frequency.WEEKLY)
    assert store.enter(entry("a"), entry("b", **came)) == ImportCounts(unchanged=2)
    assert list(store.people.everyone()) == [first, second]


def test_evidence_cannot_be_changed_but_can_be_erased(store):
    store.enter(entry())
    with pytest.raises(StoreError), store.db.writing() as connection:
        connection.execute(text("UPDATE consent_events SET source = 'other'"))
    with store.db.writing() as connection:
        connection.execute(text("DELETE FROM consent_events"))
    assert store.people.consent_of(1) == []


@pytest.mark.parametrize("how", ["INSERT OR REPLACE INTO", "TRUNCATE"])
def test_evidence_cannot_be_replaced_or_swept_away(store, how):
    if store.db.is_sqlite == (how == "TRUNCATE"):
        pytest.skip("the other database's words")
    store.crowd(2)
    values = "" if how == "TRUNCATE" else "VALUES (1, 1, 0, 'web', 'forged', '', 'active')"
    with pytest.raises(StoreError), store.db.writing() as connection:
        connection.execute(text(f"{how} consent_events {values}"))
    assert [each.source for each in store.people.consent_of(1)] == [evidence().source]


@pytest.mark.parametrize("spelling", ["ANA@bücher.example.org", "Ana@XN--BCHER-KVA.example.org"])
def test_an_address_is_found_and_suppressed_however_it_is_written(store, spelling):
    store.enter(Entry(address=read_address("ana@bücher.example.org")))
    assert store.people.find(spelling).id == 1
    store.people.suppress(spelling, reason="asked", now=NOW)
    assert store.people.find(spelling).suppressed


@pytest.mark.parametrize(
    "wrong", ["", "ana", "\udcff@example.org", "ana@\udcff.org", "a\0na@example.org", "ana@localhost"]
)
def test_what_is_no_address_is_nobodys(store, wrong):
    assert store.people.find(wrong) is None
    with pytest.raises(NewsletterError) as caught:
        store.people.suppress(wrong, reason="asked", now=NOW)
    assert "@" not in wrong or wrong not in str(caught.value)


def test_consent_moves_only_where_it_may(store):
    store.enter(entry())
    with pytest.raises(IllegalMove):
        store.people.move(1, State.PENDING, evidence=evidence())
    with pytest.raises(NotFound):
        store.people.move(2, State.UNSUBSCRIBED, evidence=evidence())
    assert len(store.people.consent_of(1)) == 1


def test_people_are_counted_by_state(store):
    store.enter(entry("a"), entry("b"), entry("c", state=State.PENDING))
    assert store.people.count_by_state() == {State.ACTIVE: 2, State.PENDING: 1}


def test_everyone_comes_by_number_over_several_pages(store, monkeypatch):
    monkeypatch.setattr("newsletter.store.subscribers._PAGE", 7)
    store.crowd(20)
    assert [each.id for each in store.people.everyone()] == list(range(1, 21))


def test_what_readers_lack_is_counted_over_those_who_may_be_mailed(store):
    store.enter(
        entry("a", first_name="A", attributes={"city": "Ulm"}, tags=frozenset({"tea"})),
        entry("b", name="B", tags=frozenset({"tea"})),
        entry("c"),
        entry("gone", state=State.UNSUBSCRIBED),
    )
    fields = ["first_name", "name", "city", "language", "no such"]
    lacking = store.people.lacking(fields, audience=EVERYONE, now=NOW)
    assert lacking == {"first_name": 2, "name": 2, "city": 2, "language": 3, "no such": 3}
    assert store.people.lacking(["city"], audience=Is("tags", ("tea",)), now=NOW) == {"city": 1}
    assert store.people.lacking([], audience=EVERYONE, now=NOW) == {}


def test_no_address_is_kept_for_a_suppression(store):
    store.people.suppress("ana@example.org", reason="asked", now=NOW)
    with store.db.reading() as connection:
        (row,) = connection.execute(text("SELECT * FROM suppressions")).all()
    assert b"ana" not in bytes(row.address_hash)
    assert len(row.address_hash) == 16


def test_the_file_is_for_this_user_alone(store):
    if not store.db.is_sqlite:
        pytest.skip("only SQLite has a file of ours")
    store.crowd(1)
    for suffix in ("", "-wal", "-shm"):
        assert stat.S_IMODE(Path(f"{store.db.path}{suffix}").stat().st_mode) == 0o600
