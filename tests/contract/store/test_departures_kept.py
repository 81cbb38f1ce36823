"""The database and the journal beside it: whoever left is in the journal first, and gone from whatever is put back."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
from datetime import timedelta
from multiprocessing import get_context

import pytest
from sqlalchemy import text

from newsletter.audience.importing import ImportCounts
from newsletter.audience.subscriber import State
from newsletter.errors import StoreError
from newsletter.store import departures
from newsletter.store.consenting import SqlConsent
from newsletter.store.db import connect
from newsletter.store.departures import fingerprint, keep_journal, known
from newsletter.store.erasing import SqlErasure
from newsletter.store.journal import Journal
from newsletter.store.schema import upgrade
from newsletter.store.subscribers import SqlPeople
from tests.contract.store.conftest import NOW, Store, entry, evidence

LATER = NOW + timedelta(days=1)
DAY = timedelta(days=1)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "departures.jsonl"


@pytest.fixture
def keeping(store, path):
    keep_journal(store.db, path, now=NOW)
    return store


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()][1:]


def whats(path):
    return [line["what"] for line in lines(path)]


def leave(store, name, state=State.UNSUBSCRIBED, at=LATER):
    number = store.people.find(f"{name}@example.org").id
    store.people.move(number, state, evidence=evidence(at=at, how="one-click", source="a letter"))


def forget(store, name, at=LATER):
    return SqlErasure(store.db).forget(f"{name}@example.org", evidence=evidence(at=at, how="forget", source="asked"))


def without_journal(store):
    """As another program that was killed before it could tell: what it does is in no journal."""
    store.db.before_commit = lambda _: None


def test_every_way_out_is_in_the_journal_and_nothing_else_is(keeping, path):
    keeping.crowd(5)
    assert lines(path) == []
    leave(keeping, "reader1")
    keeping.enter(entry("reader2", state=State.COMPLAINED), entry("new", state=State.BOUNCED), entry("reader3"))
    keeping.people.suppress("reader3@example.org", reason="asked by telephone", now=LATER)
    SqlConsent(keeping.db).leave(4, evidence=evidence(at=LATER, how="page"))
    SqlConsent(keeping.db).undo(4, evidence=evidence(at=LATER + timedelta(minutes=1), how="undo"))
    forget(keeping, "reader5")
    forget(keeping, "nobody")
    assert sorted(whats(path)) == sorted(
        ["unsubscribed", "complained", "bounced", "suppressed", "unsubscribed", "erased", "erased"]
    )
    assert not any(word in path.read_text() for word in ("@", "reader", "telephone", "example"))


def test_it_is_durable_in_the_journal_before_it_is_in_the_database(keeping, path):
    keeping.crowd(1)
    seen = []
    keep = keeping.db.before_commit

    def look(connection):
        keep(connection)
        seen.append(whats(path))

    keeping.db.before_commit = look
    leave(keeping, "reader1")
    assert seen == [["unsubscribed"]]


def _left_and_killed(url, path):
    database = connect(url)
    keep_journal(database, path, now=NOW)
    keep = database.before_commit

    def die(connection):
        keep(connection)
        os.kill(os.getpid(), signal.SIGKILL)

    database.before_commit = die
    SqlPeople(database).move(1, State.UNSUBSCRIBED, evidence=evidence(at=LATER, how="page"))


def test_killed_between_the_two_the_journal_knows_and_the_next_to_open_hears_it(keeping, path, database_url):
    keeping.crowd(2)
    process = get_context("spawn").Process(target=_left_and_killed, args=(database_url, path))
    process.start()
    process.join(30)
    assert process.exitcode == -signal.SIGKILL
    assert keeping.people.find("reader1@example.org").state is State.ACTIVE
    assert keep_journal(keeping.db, path, now=LATER) == 1
    assert keeping.people.find("reader1@example.org").state is State.UNSUBSCRIBED
    assert keep_journal(keeping.db, path, now=LATER) == 0


def test_who_leaves_is_not_gone_where_the_journal_cannot_be_written(keeping, path):
    keeping.crowd(1)
    path.unlink()
    path.mkdir()
    with pytest.raises(StoreError, match="journal of departures cannot be used"):
        leave(keeping, "reader1")
    assert keeping.people.find("reader1@example.org").state is State.ACTIVE
    assert [each.state for each in keeping.people.consent_of(1)] == [State.ACTIVE]


def test_what_was_undone_is_not_told_by_the_next_transaction(keeping, path):
    keeping.crowd(2)
    with contextlib.suppress(ZeroDivisionError), keeping.db.writing() as connection:
        departures.change_state(connection, 1, State.UNSUBSCRIBED, evidence())
        raise ZeroDivisionError
    leave(keeping, "reader2")
    assert len(lines(path)) == 1


def test_who_leaves_and_is_forgotten_at_once_is_forgotten(keeping, path):
    keeping.crowd(1)
    with keeping.db.writing() as connection:
        departures.change_state(connection, 1, State.UNSUBSCRIBED, evidence())
        departures.erase(connection, 1, evidence=evidence())
    assert whats(path) == ["erased"]


def test_who_left_once_more_than_the_backup_knows_cannot_take_back_the_first_time(keeping, path):
    keeping.crowd(1)
    consent = SqlConsent(keeping.db)
    consent.leave(1, evidence=evidence(at=LATER, how="page"))
    with keeping.db.reading() as connection:
        who = next(iter(known(connection))).who
    again = departures.Departure(at=LATER + timedelta(minutes=2), what="unsubscribed", who=who)
    Journal(path, newsletter=name_of(keeping)).add([again])
    assert keep_journal(keeping.db, path, now=LATER) == 1
    assert not consent.undo(1, evidence=evidence(at=LATER + timedelta(minutes=3), how="undo"))
    assert keep_journal(keeping.db, path, now=LATER) == 0


def test_opening_again_reads_nothing_twice(keeping, path, monkeypatch):
    keeping.crowd(3)
    leave(keeping, "reader1")
    leave(keeping, "reader2")
    monkeypatch.setattr(departures, "apply", lambda *_: pytest.fail("nothing is new"))
    assert keep_journal(keeping.db, path, now=LATER) == 0


def test_others_lines_are_read_once_wherever_they_stand(keeping, path):
    keeping.crowd(3)
    with keeping.db.reading() as connection:
        name, hashes = (
            fingerprint(connection),
            [bytes(who).hex() for who in connection.execute(text("SELECT address_hash FROM subscribers")).scalars()],
        )
    other = Journal(path, newsletter=name)
    other.add([departures.Departure(at=LATER, what="bounced", who=hashes[0])])
    leave(keeping, "reader2")  # after a line that this database has not read
    assert keep_journal(keeping.db, path, now=LATER) == 1
    assert keeping.people.find("reader1@example.org").state is State.BOUNCED
    assert keep_journal(keeping.db, path, now=LATER) == 0


def test_a_lost_journal_is_begun_anew_with_all_the_database_knows(keeping, path):
    keeping.crowd(4)
    leave(keeping, "reader1")
    keeping.people.suppress("reader2@example.org", reason="asked", now=LATER)
    forget(keeping, "reader3")
    before = Journal(path, newsletter=json.loads(path.read_text().splitlines()[0])["newsletter"]).since("").departures
    path.unlink()
    assert keep_journal(keeping.db, path, now=LATER) == 0
    assert Journal(path, newsletter=name_of(keeping)).since("").departures == before
    assert len(before) == 3
    leave(keeping, "reader4")
    assert len(lines(path)) == 4
    assert keep_journal(keeping.db, path, now=LATER) == 0


def name_of(store):
    with store.db.reading() as connection:
        return fingerprint(connection)


def test_an_older_journal_is_given_what_it_lacks(keeping, path):
    keeping.crowd(2)
    leave(keeping, "reader1")
    older = path.read_bytes()
    leave(keeping, "reader2")
    path.write_bytes(older)
    assert keep_journal(keeping.db, path, now=LATER) == 0
    assert len(lines(path)) == 2


def test_the_journal_of_another_newsletter_is_refused(store, path, tmp_path):
    other = connect(f"sqlite:///{tmp_path / 'other.db'}")
    upgrade(other)
    keep_journal(other, path, now=NOW)
    other.close()
    with pytest.raises(StoreError, match="another newsletter's"):
        keep_journal(store.db, path, now=NOW)


def test_a_restored_backup_knows_all_who_left_since(tmp_path, path):
    """The file itself: a copy is made, people leave in every way, the copy is put back."""
    place = tmp_path / "newsletter.db"
    store = opened(place, path)
    store.crowd(8)
    leave(store, "reader1", at=NOW)
    store.db.close()
    shutil.copy(place, tmp_path / "backup.db")
    store = opened(place, path)
    leave(store, "reader2")
    leave(store, "reader3", State.BOUNCED)
    store.people.suppress("reader4@example.org", reason="asked", now=LATER)
    forget(store, "reader5")
    store.crowd(1, start=9)
    leave(store, "reader9")
    with store.db.reading() as connection:
        left = known(connection)
    store.db.close()
    shutil.copy(tmp_path / "backup.db", place)
    store = opened(place, path)
    found = {n: store.people.find(f"reader{n}@example.org") for n in range(1, 10)}
    assert {n: person and person.state for n, person in found.items()} == {
        1: State.UNSUBSCRIBED,
        2: State.UNSUBSCRIBED,
        3: State.BOUNCED,
        4: State.ACTIVE,
        5: None,
        6: State.ACTIVE,
        7: State.ACTIVE,
        8: State.ACTIVE,
        9: None,
    }
    assert found[4].suppressed
    assert b"reader5" not in place.read_bytes() + place.with_name("newsletter.db-wal").read_bytes()
    assert store.enter(entry("reader5"), entry("reader9"), entry("reader2")) == ImportCounts(kept_away=3)
    with store.db.reading() as connection:
        assert known(connection) == left
    store.db.close()


def opened(place, path) -> Store:
    database = connect(f"sqlite:///{place}")
    upgrade(database)
    keep_journal(database, path, now=NOW)
    return Store(database)


def test_whoever_left_an_older_list_can_ask_anew(keeping, path):
    """Known only by the journal, as they were not on the older list: confirming lifts that."""
    keeping.crowd(1)
    leave(keeping, "reader1")
    without_journal(keeping)
    with keeping.db.writing() as connection:
        for table in ("consent_events", "subscribers", "bookmarks"):
            connection.execute(text(f"DELETE FROM {table}"))
    assert keep_journal(keeping.db, path, now=LATER) == 1
    assert keeping.enter(entry("reader1")) == ImportCounts(kept_away=1)
    with keeping.db.writing() as connection:  # as the pages let somebody in who is barred
        connection.execute(text("CREATE TABLE aside AS SELECT * FROM suppressions"))
        connection.execute(text("DELETE FROM suppressions"))
    keeping.enter(entry("reader1", state=State.PENDING), at=LATER + DAY)
    with keeping.db.writing() as connection:
        connection.execute(text("INSERT INTO suppressions SELECT * FROM aside"))
    assert keeping.people.find("reader1@example.org").suppressed
    assert SqlConsent(keeping.db).confirm(1, evidence=evidence(at=LATER + DAY, how="page"))
    person = keeping.people.find("reader1@example.org")
    assert (person.state, person.suppressed) == (State.ACTIVE, False)


def test_an_import_does_not_confirm_for_somebody_who_left(store):
    """Anybody may have typed the address on the page; only its owner can confirm it."""
    store.crowd(1)
    leave(store, "reader1")
    store.people.move(1, State.PENDING, evidence=evidence(at=LATER + DAY, how="page"))
    assert store.enter(entry("reader1"), at=LATER + 2 * DAY) == ImportCounts(kept_away=1)
    assert store.people.find("reader1@example.org").state is State.PENDING
    assert SqlConsent(store.db).confirm(1, evidence=evidence(at=LATER + 2 * DAY, how="page"))
