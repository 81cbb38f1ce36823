"""What goes wrong with a database is said in our words, with the next step, and without anybody's address."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import socket
import sqlite3
import tempfile
import time
import traceback
from pathlib import Path

import pytest
from sqlalchemy import event, literal, select, text

from newsletter.errors import SettingsError, StoreError
from newsletter.store import db as module
from newsletter.store.db import connect
from newsletter.store.schema import check_version, upgrade
from newsletter.store.subscribers import SqlPeople
from newsletter.store.tables import subscribers
from tests.contract.store.conftest import NOW, entry, evidence


@pytest.fixture
def file(tmp_path):
    """A database file with a few people, closed."""
    path = tmp_path / "newsletter.db"
    make(path, people=50)
    return path


def make(path: Path, *, people: int) -> None:
    database = connect(f"sqlite:///{path}")
    upgrade(database)
    enter(database, people)
    database.close()


def enter(database, people: int, start: int = 0) -> None:
    entries = [entry(f"r{n}", name="x" * 200) for n in range(start, start + people)]
    SqlPeople(database).enter(entries, evidence=evidence(), now=NOW)


@contextlib.contextmanager
def opened(path):
    database = connect(f"sqlite:///{path}")
    try:
        yield database
    finally:
        database.close()


def trouble(path, action) -> StoreError:
    with opened(path) as database, pytest.raises(StoreError) as caught:
        action(database)
    assert caught.value.at == str(path)
    assert caught.value.hint
    return caught.value


def test_a_locked_database(file, monkeypatch):
    monkeypatch.setattr(module, "_BUSY_S", 0.05)
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert "another process is writing" in trouble(file, lambda database: enter(database, 1)).message
    other.execute("COMMIT")
    other.close()
    with opened(file) as database:
        enter(database, 1)


def test_readers_do_not_wait_for_a_writer(file, monkeypatch):
    monkeypatch.setattr(module, "_BUSY_S", 0.05)
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with opened(file) as database:
        assert SqlPeople(database).find("r1@example.org").id == 2
    other.close()


@pytest.fixture
def unprivileged():
    """A folder that nobody may enter, while this process is nobody; root may write anywhere otherwise."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@contextlib.contextmanager
def as_nobody():
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_read_only_database(unprivileged):
    path = unprivileged / "newsletter.db"
    make(path, people=1)
    if os.geteuid() == 0:
        shutil.chown(unprivileged, 65534)
        shutil.chown(path, 65534)
    path.chmod(0o444)
    with as_nobody():
        assert trouble(path, lambda database: enter(database, 1, start=5)).message == "the database may only be read"


def test_a_database_of_another_user(unprivileged):
    path = unprivileged / "newsletter.db"
    make(path, people=1)
    path.chmod(0o000)
    with as_nobody():
        assert trouble(path, check_version).message == "the database file cannot be opened"


def test_a_full_disk(file):
    """SQLite's own page limit gives the same code as a disk without room, on every machine."""
    with opened(file) as database:

        @event.listens_for(database.engine, "connect")
        def shrink(raw, _):
            raw.execute("PRAGMA max_page_count = 60")

        with pytest.raises(StoreError, match="the disk is full"):
            enter(database, 2000, start=100)
        assert SqlPeople(database).find("r100@example.org") is None  # nothing was half-written


def test_a_disk_that_refuses_to_write(file):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with opened(file) as database:
        resource.setrlimit(resource.RLIMIT_FSIZE, (file.stat().st_size, hard))
        try:
            with pytest.raises(StoreError, match="refused to read or write") as caught:
                enter(database, 2000, start=100)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert "quota" in caught.value.hint
        enter(database, 1, start=100)  # and when there is room again, all is well


def test_a_file_that_is_no_database(tmp_path):
    path = tmp_path / "newsletter.db"
    path.write_bytes(b"email,name\n" * 1000)
    assert trouble(path, check_version).message == "this file is not an SQLite database"


def test_a_damaged_file(file):
    raw = bytearray(file.read_bytes())
    raw[4096 * 2 :] = b"\xff" * (len(raw) - 4096 * 2)
    file.write_bytes(raw)
    found = trouble(file, lambda database: list(SqlPeople(database).everyone()))
    assert found.message == "the database file is damaged"
    assert "do not send" in found.hint


def test_a_missing_directory(tmp_path):
    path = tmp_path / "nowhere" / "newsletter.db"
    with opened(path) as database, pytest.raises(StoreError, match="no such directory") as caught:
        check_version(database)
    assert caught.value.hint == f"create it: mkdir -p {path.parent}"
    with opened(path) as database, pytest.raises(StoreError, match="no such directory"):
        upgrade(database)


def test_a_missing_file_is_not_made_by_looking(tmp_path):
    path = tmp_path / "newsletter.db"
    assert trouble(path, check_version).message == "there is no database yet"
    assert not path.exists()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("sqlite://", "in memory"),
        ("sqlite:///:memory:", "in memory"),
        ("mysql://u:hunter2@host/db", "no support for mysql"),
        ("hunter2 is no url", "cannot be read"),
        ("postgresql+asyncpg://u:hunter2@h/db", "no support for postgresql"),
        ("sqlite:///hunter2.db?timeout=30", "takes no parameters"),
        ("postgresql://u:hunter2@h:abc/db", "cannot be read"),
        ("postgresql://u:2@hunter2@h/db", "cannot be read"),
        ("postgresql://u:2@t/hunter2@h/db", "cannot be read"),
        ("postgresql://u/hunter2:2@h/db", "cannot be read"),
        ("postgresql://u:2@ss?hunter2@h/db", "cannot be read"),
        ("postgresql://u:2@h/hunter2/db", "cannot be read"),
        ("postgresql://h/db?user=u@hunter2", "cannot be read"),
    ],
)
def test_a_url_that_is_none_of_ours(url, words):
    with pytest.raises(SettingsError, match=words) as caught:
        connect(url)
    assert "hunter2" not in "".join(traceback.format_exception(caught.value)) + caught.value.hint


@pytest.mark.parametrize("password", ["hunter2", "p%40ss", "a/b", "a?b", "a#b", ""])
def test_a_password_is_in_no_error(password):
    assert connect(f"postgresql://u:{password}@h:1/db").place == "postgresql://h:1/db"


def test_an_at_sign_in_the_path_of_a_file_is_no_password(tmp_path):
    path = tmp_path / "me@home" / "newsletter.db"
    assert connect(f"sqlite:///{path}").path == path


def test_a_server_that_is_not_there():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    database = connect(f"postgresql://u:hunter2@127.0.0.1:{port}/letters")
    with pytest.raises(StoreError, match="cannot be reached") as caught:
        check_version(database)
    assert caught.value.at == f"postgresql://127.0.0.1:{port}/letters"
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))


def test_a_server_without_that_database(postgres_url):
    database = connect(postgres_url.rpartition("/")[0].replace("+psycopg", "") + "/nothing")
    with pytest.raises(StoreError, match="no such database on the server"):
        check_version(database)


def test_a_server_that_went_away(postgres, postgres_url):
    database = connect(postgres_url)
    upgrade(database)

    def work():
        with database.writing() as connection:
            connection.execute(text("SELECT 1"))
            postgres.crash()
            connection.execute(text("SELECT 1"))

    with pytest.raises(StoreError, match="connection to the database broke") as caught:
        work()
    assert "again" in caught.value.hint
    check_version(database)  # the next one finds the server that is back
    database.close()


def test_a_server_is_not_waited_for_for_ever(postgres_url, monkeypatch):
    monkeypatch.setattr(module, "_LOCK_S", 0.05)
    database = connect(postgres_url)
    upgrade(database)
    with database.writing() as other:
        other.execute(text("LOCK TABLE subscribers"))
        with pytest.raises(StoreError, match="another process is writing") as caught:
            enter(database, 1)
    assert "again" in caught.value.hint
    with database.writing() as connection:
        module.wait_longer(connection)
        assert connection.execute(text("SHOW lock_timeout")).scalar() == "10min"
    database.close()


def test_who_stands_still_in_a_transaction_gives_back_what_others_wait_for(postgres_url, monkeypatch):
    database = connect(postgres_url)
    upgrade(database)  # which may take its time
    database.close()
    monkeypatch.setattr(module, "_IDLE_S", 0.05)
    database = connect(postgres_url)

    def stand_still():
        with database.writing() as connection:
            connection.execute(text("LOCK TABLE subscribers"))
            time.sleep(0.5)
            connection.execute(text("SELECT 1"))

    with pytest.raises(StoreError, match="stood still") as caught:
        stand_still()
    assert "again" in caught.value.hint
    database.close()
    monkeypatch.undo()
    database = connect(postgres_url)
    enter(database, 1)
    database.close()


def test_both_spellings_of_the_postgresql_url(postgres_url):
    for scheme in ("postgres", "postgresql"):
        database = connect(postgres_url.replace("postgresql+psycopg", scheme))
        upgrade(database)
        check_version(database)
        database.close()


def test_half_a_character_is_said_to_be_none(store):
    address = "ana@example.org"

    def bring():
        store.people.enter([entry("ana")], evidence=evidence(source=f"sheet \udcff of {address}"), now=NOW)

    for action in (bring, lambda: store.planner.planned("\udcff")):
        with pytest.raises(StoreError, match="no character") as caught:
            action()
        assert "ana@" not in "".join(traceback.format_exception(caught.value))
    assert store.people.find("ana@example.org") is None


def test_no_error_holds_an_address(store):
    store.enter(entry("ana"))

    def enter_twice():
        with store.db.writing() as connection:
            twin = select(*[literal(2) if column.name == "id" else column for column in subscribers.columns])
            connection.execute(subscribers.insert().from_select(subscribers.columns.keys(), twin))

    with pytest.raises(StoreError, match="the database refused") as caught:
        enter_twice()
    assert "ana@" not in "".join(traceback.format_exception(caught.value)) + repr(caught.value) + caught.value.hint


def test_a_naive_instant_is_a_mistake(store):
    with pytest.raises(Exception, match="timezone-aware"):
        store.people.suppress("ana@example.org", reason="asked", now=NOW.replace(tzinfo=None))
