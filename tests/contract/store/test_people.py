"""People come in, are refreshed, and stay away once they left."""

from __future__ import annotations

import stat
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from newsletter.audience.importing import Entry, ImportCounts
from newsletter.audience.predicate import EVERYONE, Is
from newsletter.audience.subscriber import State, ZoneSource
from newsletter.errors import IllegalMove, NotFound, StoreError
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


def test_a_known_but_suppressed_person_is_left_as_they_are_but_may_depart(store):
    store.enter(entry(name="Ana"))
    store.people.suppress("ana@example.org", reason="complained by mail", now=NOW)
    assert store.enter(entry(name="Other")) == ImportCounts(kept_away=1)
    found = store.people.find("ana@example.org")
    assert (found.name, found.suppressed) == ("Ana", True)
    assert store.enter(entry(state=State.UNSUBSCRIBED)) == ImportCounts(departed=1)


def test_of_two_rows_the_first_gives_the_data_and_a_departure_the_state(store):
    counts = store.enter(
        entry(name="First"), entry("ANA", name="Second", state=State.UNSUBSCRIBED), entry(name="Third")
    )
    assert counts == ImportCounts(added=1, unchanged=2)
    found = store.people.find("ana@example.org")
    assert (found.name, found.state) == ("First", State.UNSUBSCRIBED)


def test_evidence_is_kept_as_it_was_given(store):
    proof = replace(evidence(source='sheet, "spring" fair'), text="v3")
    store.people.enter([entry()], evidence=proof, now=NOW)
    assert store.people.consent_of(1) == [replace(proof, state=State.ACTIVE)]


def test_evidence_cannot_be_changed_but_can_be_erased(store):
    store.enter(entry())
    with pytest.raises(StoreError), store.db.writing() as connection:
        connection.execute(text("UPDATE consent_events SET source = 'other'"))
    with store.db.writing() as connection:
        connection.execute(text("DELETE FROM consent_events"))
    assert store.people.consent_of(1) == []


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
