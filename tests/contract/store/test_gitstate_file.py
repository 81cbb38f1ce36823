"""The database file itself: read and written amid others' work, and no more of it than there should be."""

from __future__ import annotations

import os
import resource
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from newsletter.errors import StoreError
from newsletter.store import snapshot
from newsletter.store.subscribers import SqlPeople
from tests.contract.store.conftest import NOW, entry, evidence
from tests.contract.store.remotes import enter, make_database, make_remote, names, opened, run

pytestmark = pytest.mark.needs("git")


@pytest.fixture
def remote(tmp_path):
    return make_remote(tmp_path)


@pytest.fixture
def desk(tmp_path):
    return make_database(tmp_path / "desk.db")


@pytest.fixture
def runner(tmp_path) -> Path:
    """Where a machine that remembers nothing wants its database."""
    return tmp_path / "runner" / "newsletter.db"


def test_an_open_database_sees_what_is_loaded_and_gives_what_is_committed(remote, desk, runner):
    """Connections of a pool, in WAL mode, one of them in the middle of reading and one of writing."""
    remote.state().init(desk)
    state = remote.state()
    state.load(runner)
    with opened(runner) as database, opened(runner) as other:
        count = text("SELECT count(*) FROM subscribers")
        SqlPeople(database).enter([entry("ana")], evidence=evidence(), now=NOW)
        assert (runner.parent / "newsletter.db-wal").exists()
        with other.writing() as connection:  # not committed, so not saved
            connection.execute(text("UPDATE subscribers SET name = 'secret'"))
            assert state.save(runner) == 2
        run(runner, "DELETE FROM consent_events WHERE subscriber_id = 4")
        run(runner, "DELETE FROM subscribers WHERE id = 4")
        with other.reading() as connection:
            assert connection.execute(count).scalar() == 3
            state.load(runner)
            assert connection.execute(count).scalar() == 3  # one moment
        for each in (database, other):
            with each.reading() as connection:
                assert connection.execute(count).scalar() == 4
                assert not connection.execute(text("SELECT count(*) FROM subscribers WHERE name <> ''")).scalar()
        SqlPeople(database).enter([entry("ben")], evidence=evidence(), now=NOW)
        state.save(runner)
    remote.state().load(desk)
    assert names(desk)[3:] == ["ana", "ben"]


def test_loading_waits_for_a_writer_but_not_for_ever(remote, desk, runner, monkeypatch):
    remote.state().init(desk)
    state = remote.state()
    state.load(runner)
    enter(runner, "ana")
    monkeypatch.setattr(snapshot, "_BUSY_S", 0.2)
    with opened(runner) as database:
        with database.writing(), pytest.raises(StoreError, match="another process is writing"):
            state.load(runner)
        assert names(runner)[3:] == ["ana"]
    state.load(runner)
    assert names(runner)[3:] == []


def test_a_copy_that_somebody_is_writing_is_still_ours(remote, desk, runner, monkeypatch):
    """What cannot be looked into just now is not said to be somebody else's."""
    remote.state().init(desk)
    remote.state().load(runner)
    monkeypatch.setattr(snapshot, "_BUSY_S", 0.1)
    with closing(sqlite3.connect(runner, isolation_level=None)) as other:
        other.executescript("PRAGMA journal_mode = DELETE; BEGIN EXCLUSIVE")
        with pytest.raises(StoreError, match="another process is writing"):
            remote.state().load(runner)


def load_without_room(remote, path: Path, most: int) -> str:
    """What is said in a process that may make no file of more than so many bytes."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
        try:
            remote.state().load(path)
            os.write(writing, b"loaded")
        except StoreError as error:
            os.write(writing, str(error).encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    os.close(writing)
    with os.fdopen(reading) as said:
        return said.read()


def test_a_disk_that_is_full_leaves_the_file_as_it_was(remote, desk, runner, tmp_path):
    state = remote.state()
    state.init(desk)
    remote.state().load(runner)
    enter(desk, *(f"more{n}" for n in range(2000)))
    state.save(desk)
    before = runner.stat().st_size
    said = load_without_room(remote, runner, desk.stat().st_size - 100_000)
    assert "the disk" in said
    assert len(names(runner)) == 3
    assert run(runner, "PRAGMA integrity_check") == [("ok",)]
    assert runner.stat().st_size == before
    fresh = tmp_path / "fresh.db"
    assert "the disk" in load_without_room(remote, fresh, desk.stat().st_size - 100_000)
    remote.state().load(fresh)
    assert len(names(fresh)) == 2003


def test_a_journal_left_by_another_file_is_not_taken_for_ours(remote, desk, runner):
    remote.state().init(desk)
    runner.parent.mkdir()
    with closing(sqlite3.connect(runner)) as connection:
        connection.executescript("PRAGMA journal_mode=WAL; CREATE TABLE other (x)")
        wal = (runner.parent / "newsletter.db-wal").read_bytes()
    runner.unlink()
    (runner.parent / "newsletter.db-wal").write_bytes(wal)
    remote.state().load(runner)
    assert names(runner) == ["reader1", "reader2", "reader3"]


def test_a_file_that_is_no_database_is_not_overwritten(remote, desk, runner):
    remote.state().init(desk)
    runner.parent.mkdir()
    runner.write_bytes(b"somebody's notes" * 1000)
    with pytest.raises(StoreError, match="something else than a copy"):
        remote.state().load(runner)
    assert runner.read_bytes().startswith(b"somebody")


def test_a_database_that_is_not_there_is_not_made(remote, tmp_path):
    missing = tmp_path / "none.db"
    with pytest.raises(StoreError, match="no database") as caught:
        remote.state().init(missing)
    assert caught.value.hint
    assert not missing.exists()
    assert remote.branch().head() is None


def test_who_was_deleted_from_the_database_is_not_in_what_is_saved(desk):
    enter(desk, "forgotten")
    with closing(sqlite3.connect(desk)) as connection:
        connection.executescript(
            "PRAGMA secure_delete = OFF; DELETE FROM consent_events WHERE subscriber_id = 4;"
            "DELETE FROM subscribers WHERE id = 4"
        )
    assert b"forgotten" in desk.read_bytes()  # in what the file no longer uses
    assert b"forgotten" not in snapshot.take(desk)


def test_an_old_sqlite_would_save_nothing(desk, monkeypatch):
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 34, 1))
    with pytest.raises(StoreError, match="too old") as caught:
        snapshot.take(desk)
    assert "PostgreSQL" in caught.value.hint
