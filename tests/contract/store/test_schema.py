"""The tables: made by migrations, equal to what the code believes, and of the right version."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from newsletter.errors import StoreError
from newsletter.store import schema
from newsletter.store.db import connect
from newsletter.store.ledger import SqlLedger
from newsletter.store.schema import HEAD, check_version, upgrade
from newsletter.store.tables import metadata

MIGRATIONS = Path(schema.__file__).parent / "migrations"

# Everything that a database enforces and Alembic's comparison does not look at.
DETAILS = {
    "sqlite": "SELECT name, sql FROM sqlite_master WHERE name NOT LIKE 'alembic%' AND name NOT LIKE 'sqlite_%'",
    "postgresql": """
        SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = 'public'::regnamespace
            AND conrelid::regclass::text NOT LIKE 'alembic%' AND conname NOT LIKE '%not_null'
        UNION ALL SELECT indexname, indexdef FROM pg_indexes
            WHERE schemaname = 'public' AND tablename NOT LIKE 'alembic%'
        UNION ALL SELECT tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
        UNION ALL SELECT table_name || '.' || column_name, data_type || is_nullable || coalesce(column_default, '')
            FROM information_schema.columns WHERE table_schema = 'public' AND table_name NOT LIKE 'alembic%'
    """,
}


def details(db) -> dict[str, list[str]]:
    """The words of every definition, sorted: SQLite keeps constraints in the order in which they were written."""
    with db.reading() as connection:
        rows = connection.execute(text(DETAILS[connection.dialect.name]))
        return {name: sorted(re.findall(r"[^\s\",()]+", sql)) for name, sql in rows}


@pytest.fixture
def db(database_url):
    database = connect(database_url)
    yield database
    database.close()


def test_the_migrations_lead_to_the_tables(db):
    upgrade(db)
    with db.reading() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    by_migration = details(db)
    with db.writing() as connection:
        metadata.drop_all(connection)
        for table in ("consent_events", "decisions", "revisions") if not db.is_sqlite else ():
            connection.execute(text(f"DROP FUNCTION {table}_append_only"))
        metadata.create_all(connection)
    assert by_migration == details(db)
    assert len(by_migration) > 10


def test_the_constant_is_the_newest_revision():
    assert ScriptDirectory(str(MIGRATIONS)).get_current_head() == HEAD


def test_upgrading_again_changes_nothing(db):
    upgrade(db)
    before = details(db)
    with db.reading() as connection:
        pepper = connection.execute(text("SELECT pepper FROM instance")).scalar_one()
    upgrade(db)
    check_version(db)
    with db.reading() as connection:
        assert connection.execute(text("SELECT pepper FROM instance")).scalars().all() == [pepper]
    assert len(pepper) == 32
    assert details(db) == before


def test_a_database_that_was_never_set_up_is_named_so(db):
    db.make_file()
    with pytest.raises(StoreError, match="has not been set up") as caught:
        check_version(db)
    assert caught.value.hint == "run: newsletter db upgrade"


@pytest.mark.parametrize(
    ("version", "words"), [("0000", "older than this program"), ("9999", "newer than this program")]
)
def test_a_database_of_another_version_is_refused(db, version, words):
    upgrade(db)
    with db.writing() as connection:
        connection.execute(text(f"UPDATE alembic_version SET version_num = '{version}'"))
    with pytest.raises(StoreError, match=words):
        check_version(db)


def test_a_database_of_the_first_version_becomes_one_of_this(db, monkeypatch):
    with monkeypatch.context() as earlier:
        earlier.setattr(schema, "HEAD", "0001")
        upgrade(db)
    with pytest.raises(StoreError, match="older than this program"):
        check_version(db)
    upgrade(db)
    check_version(db)


BEFORE_CONTROLS = """
INSERT INTO editions (hash, issue_id, body, created_at) VALUES ('e', 'tea', 'x', 50);
INSERT INTO issues (no, issue_id, revision, edition_hash, secret, audience, due_elsewhere, planned_at, candidates)
    VALUES (1, 'tea', 3, 'e', 'abc', '{}', 100, 60, 5);
INSERT INTO batches (issue_no, lo, hi, due_at, state, claimed_at) VALUES (1, 1, 4, 100, 'done', 100);
INSERT INTO batches (issue_no, lo, hi, due_at, state, claimed_at, lease_until, worker)
    VALUES (1, 4, 5, 100, 'claimed', 110, 120, 'elsewhere:1:a:b');
INSERT INTO batches (issue_no, lo, hi, due_at, state) VALUES (1, 5, 6, 100, 'planned');
INSERT INTO outcomes (issue_no, seq, status, at, provider_id, reason, values_digest)
    VALUES (1, 1, 'accepted', 101, 'p1', '', 'd'), (1, 2, 'unknown', 102, '', 'timeout', ''),
           (1, 3, 'deferred', 103, '', 'later', '');
"""


def test_a_database_from_before_pauses_and_corrections_keeps_what_is_in_it(db, monkeypatch):
    with monkeypatch.context() as earlier:
        earlier.setattr(schema, "HEAD", "0002")
        upgrade(db)
    with db.writing() as connection:
        for statement in BEFORE_CONTROLS.split(";")[:-1]:
            connection.exec_driver_sql(statement)
        for number in range(1, 6):
            connection.execute(text(f"INSERT INTO deliveries VALUES (1, {number}, {number}, 100)"))
            person = f"{number}, 'a{number}', 'a{number}', 'h', '', '', 'active', NULL, NULL, 'import', '', '', '{{}}'"
            connection.exec_driver_sql(f"INSERT INTO subscribers VALUES ({person}, 't{number}', 1)")
    upgrade(db)
    with db.reading() as connection:

        def rows(query):
            return [tuple(row) for row in connection.execute(text(query))]

        assert rows("SELECT seq, status, at, provider_id, reason, retry_at, revision FROM outcomes ORDER BY seq") == [
            (1, "accepted", 101, "p1", "", None, 3),
            (2, "unknown", 102, "", "timeout", None, 3),
            (3, "deferred", 103, "", "later", 103, 3),
        ]
        assert rows("SELECT lo, state, revision, sealed, settling FROM batches ORDER BY lo") == [
            (1, "done", 3, None, False),
            (4, "claimed", 3, None, False),
            (5, "planned", None, None, False),
        ]
        assert rows("SELECT * FROM revisions") == [(1, 3, "e", 60)]
        assert rows("SELECT paused, cancelled FROM issues") == [("", "")]
    ledger, at = SqlLedger(db), datetime.fromtimestamp(200, UTC)
    assert ledger.reopen(1, now=at) == 1
    taken = ledger.abandoned(1, now=at, worker="here:1:a")
    assert (taken.batch_no, taken.revision, taken.edition_hash, taken.sealed) == (4, 3, "e", None)


def test_an_upgraded_database_checks_what_it_is_given(db):
    upgrade(db)
    with pytest.raises(StoreError), db.writing() as connection:
        connection.execute(
            text(
                "INSERT INTO outcomes (issue_no, seq, status, at, provider_id, reason, values_digest) "
                "VALUES (1, 1, 'claimed', 1, '', '', '')"
            )
        )


def test_a_newer_database_is_not_upgraded_down(db):
    upgrade(db)
    with db.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreError, match="newer than this program"):
        upgrade(db)


def test_a_failed_upgrade_leaves_nothing_behind(db, monkeypatch):
    def fail(_connection):
        raise RuntimeError("power cut")

    monkeypatch.setattr(schema, "_make_instance", fail)
    with pytest.raises(RuntimeError):
        upgrade(db)
    assert details(db) == {}


def test_a_new_file_is_for_this_user_alone(tmp_path):
    previous = os.umask(0)
    try:
        database = connect(f"sqlite:///{tmp_path / 'new.db'}")
        upgrade(database)
        assert stat.S_IMODE((tmp_path / "new.db").stat().st_mode) == 0o600
    finally:
        os.umask(previous)
    database.close()
    assert [each.name for each in tmp_path.iterdir()] == ["new.db"]  # no journal is left beside it


def test_opening_an_up_to_date_database_imports_no_alembic(tmp_path):
    url = f"sqlite:///{tmp_path / 'x.db'}"
    database = connect(url)
    upgrade(database)
    database.close()
    program = (
        "import sys; from newsletter.store.db import connect; from newsletter.store.schema import check_version\n"
        f"db = connect({url!r}); check_version(db); db.close(); print('alembic' in sys.modules)"
    )
    root = Path(schema.__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=root)
    assert done.stdout == "False\n"
