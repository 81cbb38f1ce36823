"""Whoever left stays gone, however old the database is that is put back; on each kind of database."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from sqlalchemy import text

from newsletter.audience.subscriber import State
from newsletter.store import departures, sealed, snapshot
from newsletter.store.departures import apply, fingerprint, known
from newsletter.store.journal import Departure, read_lines, write_lines
from newsletter.store.sealed import Keys
from newsletter.store.subscribers import SqlPeople
from tests.contract.store.conftest import NOW, entry, evidence
from tests.contract.store.remotes import OURS, make_database, make_remote, opened

LATER = NOW + timedelta(days=1)
DAY = timedelta(days=1)


def state_of(store, name: str) -> State:
    return store.people.find(f"{name}@example.org").state


def leave(store, name: str, state: State = State.UNSUBSCRIBED, at=LATER) -> None:
    number = store.people.find(f"{name}@example.org").id
    store.people.move(number, state, evidence=evidence(at=at, how="one-click", source="a letter"))


def journal(store) -> frozenset[Departure]:
    with store.db.reading() as connection:
        return known(connection)


def merge(store, entries) -> int:
    with store.db.writing() as connection:
        return apply(connection, entries)


def forget_all_since(store, moment) -> None:
    """As if the database were put back from a backup made at *moment*."""
    with store.db.writing() as connection:
        seconds = int(moment.timestamp())
        connection.execute(text("DELETE FROM consent_events WHERE at > :at"), {"at": seconds})
        connection.execute(text("DELETE FROM suppressions WHERE at > :at"), {"at": seconds})
        connection.execute(
            text(
                "UPDATE subscribers SET state = (SELECT state FROM consent_events WHERE subscriber_id = subscribers.id "
                "ORDER BY no DESC LIMIT 1)"
            )
        )


@pytest.mark.parametrize("state", [State.UNSUBSCRIBED, State.BOUNCED, State.COMPLAINED])
def test_whoever_left_since_the_backup_is_gone_from_it(store, state):
    store.crowd(3)
    leave(store, "reader2", state)
    left = journal(store)
    forget_all_since(store, NOW)
    assert state_of(store, "reader2") == State.ACTIVE
    assert merge(store, left) == 1
    assert [state_of(store, f"reader{n}") for n in (1, 2, 3)] == [State.ACTIVE, state, State.ACTIVE]
    last = store.people.consent_of(2)[-1]
    assert (last.at, last.how, last.state) == (LATER, "journal", state)
    assert journal(store) == left
    assert merge(store, left) == 0


def test_a_suppressed_address_is_again(store):
    store.crowd(2)
    store.people.suppress("reader1@example.org", reason="asked by telephone", now=LATER)
    store.people.suppress("nobody@example.org", reason="asked by telephone", now=LATER)
    left = journal(store)
    forget_all_since(store, NOW)
    assert merge(store, left) == 2
    assert store.people.find("reader1@example.org").suppressed
    assert not store.people.find("reader2@example.org").suppressed
    assert store.enter(entry("nobody")).kept_away == 1
    assert journal(store) == left


def test_who_is_not_on_the_older_list_cannot_be_imported_again(store):
    store.crowd(1)
    left = {Departure(at=LATER, what="unsubscribed", who=hash_of(store, "reader1"))}
    with store.db.writing() as connection:
        connection.execute(text("DELETE FROM consent_events"))
        connection.execute(text("DELETE FROM subscribers"))
    assert merge(store, left) == 1
    assert store.enter(entry("reader1"), at=LATER + DAY).kept_away == 1
    assert store.people.find("reader1@example.org") is None


def hash_of(store, name: str) -> str:
    with store.db.reading() as connection:
        query = text("SELECT address_hash FROM subscribers WHERE address = :address")
        return bytes(connection.execute(query, {"address": f"{name}@example.org"}).scalar()).hex()


def test_whoever_came_back_themselves_stays(store):
    store.crowd(1)
    leave(store, "reader1")
    left = journal(store)
    back = evidence(at=LATER + DAY, how="web")
    store.people.move(1, State.PENDING, evidence=back)
    store.people.move(1, State.ACTIVE, evidence=back)
    assert merge(store, left) == 0
    assert state_of(store, "reader1") == State.ACTIVE
    # Nor does a departure count that this database was never told of, if the person came back after it.
    unknown = {
        Departure(at=LATER + DAY / 2, what=what, who=hash_of(store, "reader1")) for what in ("bounced", "suppressed")
    }
    assert merge(store, unknown) == 0
    assert state_of(store, "reader1") == State.ACTIVE
    assert merge(store, {Departure(at=LATER + 2 * DAY, what="bounced", who=hash_of(store, "reader1"))}) == 1
    assert state_of(store, "reader1") == State.BOUNCED


def test_an_import_is_no_coming_back(store):
    store.crowd(1)
    leave(store, "reader1")
    left = journal(store)
    forget_all_since(store, NOW)
    with store.db.writing() as connection:
        connection.execute(
            text("INSERT INTO consent_events VALUES (1, 2, :at, 'import', 'an old list', '', 'active')"),
            {"at": int((LATER + DAY).timestamp())},
        )
    assert merge(store, left) == 1
    assert state_of(store, "reader1") == State.UNSUBSCRIBED


def test_whoever_left_twice_is_gone_in_the_gravest_way(store):
    store.crowd(1)
    leave(store, "reader1")
    leave(store, "reader1", State.COMPLAINED, at=LATER + DAY)
    left = journal(store)
    forget_all_since(store, NOW)
    assert merge(store, left) == 2
    assert state_of(store, "reader1") == State.COMPLAINED
    assert journal(store) == left


def test_many_are_merged_a_few_at_a_time(store, monkeypatch):
    monkeypatch.setattr(departures, "_AT_ONCE", 3)
    store.crowd(10)
    for number in range(1, 9):
        leave(store, f"reader{number}")
    left = journal(store)
    forget_all_since(store, NOW)
    assert merge(store, left) == 8
    assert store.people.count_by_state() == {State.ACTIVE: 2, State.UNSUBSCRIBED: 8}


def test_the_journal_as_text(store):
    store.crowd(2)
    leave(store, "reader2")
    store.people.suppress("reader1@example.org", reason="asked by Ana", now=NOW)
    lines = write_lines(journal(store))
    assert read_lines(lines) == journal(store)
    assert [sorted(json.loads(line)) for line in lines.splitlines()] == [["at", "what", "who"]] * 2
    assert lines.index("suppressed") < lines.index("unsubscribed")  # oldest first
    assert not any(word in lines for word in ("@", "reader", "Ana", "example"))


@pytest.mark.parametrize(
    "line",
    [
        "",
        "x",
        "[]",
        "{}",
        '{"at": "2026-11-23T12:00:00", "what": "bounced", "who": "00"}',
        '{"at": "2026-11-23T12:00:00+00:00", "what": "active", "who": "00"}',
        '{"at": "2026-11-23T12:00:00+00:00", "what": "bounced", "who": "xy"}',
        '{"at": "2026-11-23T12:00:00+00:00", "what": "bounced", "who": ""}',
        '{"at": 5, "what": "bounced", "who": "00"}',
    ],
)
def test_what_is_no_journal(line):
    with pytest.raises(ValueError, match="no departure"):
        read_lines(f"{line}\n")


@pytest.mark.needs("git")
def test_a_restored_backup_does_not_bring_back_who_left(tmp_path):
    """The whole way: a backup, somebody leaves, a later runner, the backup is put in the place of the state."""
    remote = make_remote(tmp_path)
    desk, runner, copy = make_database(tmp_path / "desk.db"), tmp_path / "runner.db", tmp_path / "newsletter.db"
    state = remote.state()
    state.init(desk)
    backup = desk.read_bytes()
    with opened(desk) as database:
        people = SqlPeople(database)
        people.move(2, State.UNSUBSCRIBED, evidence=evidence(at=LATER, how="one-click"))
        people.suppress("reader3@example.org", reason="asked", now=LATER)
    state.save(desk)
    desk.write_bytes(backup)
    assert remote.state().adopt(desk, copy, now=LATER) == (3, [])
    for path in (copy, runner):
        if path is runner:
            assert remote.state().load(path) == 3
        with opened(path) as database:
            people = SqlPeople(database)
            found = [people.find(f"reader{n}@example.org") for n in (1, 2, 3)]
        assert [(each.state, each.suppressed) for each in found] == [
            (State.ACTIVE, False),
            (State.UNSUBSCRIBED, False),
            (State.ACTIVE, True),
        ]


@pytest.mark.needs("git")
def test_a_state_that_is_older_than_its_journal_is_loaded_without_those_who_left(tmp_path):
    """As when somebody leaves in the moment in which the database was read to be saved."""
    remote, keys = make_remote(tmp_path), Keys([str(OURS.to_public())], str(OURS))
    desk, runner = make_database(tmp_path / "desk.db"), tmp_path / "runner.db"
    with opened(desk) as database:
        older = snapshot.take(desk)
        SqlPeople(database).move(2, State.UNSUBSCRIBED, evidence=evidence(at=LATER, how="one-click"))
        with database.reading() as connection:
            name, left = fingerprint(connection), known(connection)
    saved = sealed.State(generation=1, newsletter=name, journal=left, database=older)
    remote.branch().swap(None, sealed.write(saved, keys, at="here"))
    state = remote.state()
    state.load(runner)
    with opened(runner) as database:
        assert SqlPeople(database).find("reader2@example.org").state == State.UNSUBSCRIBED
    assert state.save(runner) == 2  # it now knows more than what was loaded


@pytest.mark.needs("git")
def test_an_older_file_that_is_simply_saved_does_not_either(tmp_path):
    remote = make_remote(tmp_path)
    desk = make_database(tmp_path / "desk.db")
    state = remote.state()
    state.init(desk)
    backup = desk.read_bytes()
    with opened(desk) as database:
        SqlPeople(database).move(2, State.UNSUBSCRIBED, evidence=evidence(at=LATER, how="one-click"))
    state.save(desk)
    desk.write_bytes(backup)
    state.save(desk)
    with opened(desk) as database:
        assert SqlPeople(database).find("reader2@example.org").state == State.UNSUBSCRIBED
