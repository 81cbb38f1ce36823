"""The tables: made by migrations, equal to what the code believes, and of the right version."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from newsletter.errors import StoreError
from newsletter.store import schema
from newsletter.store.db import connect
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
