"""The version of the tables: is it ours, and how to bring an older one up to date."""

from __future__ import annotations

import secrets
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, inspect, select, text

from newsletter.errors import StoreError
from newsletter.store.db import Database, connect, one_at_a_time
from newsletter.store.tables import instance

# The newest revision under migrations/versions. Kept here too, so that opening a database that is up to
# date imports no Alembic; a test holds the two equal.
HEAD = "0001"


def open_store(url: str, *, now: datetime) -> Database:
    """The database at *url*, ready for use; an SQLite file that does not exist yet is made.

    Raises StoreError if there is none on the server, or if it is of another version.
    """
    db = connect(url)
    try:
        if db.path is not None and not db.path.exists():
            upgrade(db, now=now)
        check_version(db)
    except BaseException:
        db.close()
        raise
    return db


def check_version(db: Database) -> None:
    """Return if the tables are those this program was written for. Raises StoreError with the way out."""
    with db.reading() as connection:
        found = _version(connection)
    if found == HEAD:
        return
    if found is None:
        raise StoreError("the database has not been set up", hint="run: newsletter db upgrade", at=db.place)
    if found < HEAD:
        message = f"the database is older than this program (version {found}, not {HEAD})"
        raise StoreError(message, hint="run: newsletter db upgrade", at=db.place)
    message = f"the database is newer than this program (version {found}, not {HEAD})"
    raise StoreError(message, hint="update the program; it must not write what it does not understand", at=db.place)


def upgrade(db: Database, *, now: datetime) -> None:
    """Bring the tables up to date, in one transaction; does nothing to those that are."""
    # Heavy, and wanted only here.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    scripts = str(Path(__file__).parent / "migrations")
    config.set_main_option("script_location", scripts.replace("%", "%%"))
    with db.writing() as connection:
        one_at_a_time(connection, "upgrade")
        found = _version(connection)
        if found is None or found < HEAD:
            config.attributes["connection"] = connection
            command.upgrade(config, HEAD)
        _make_instance(connection, now=now)


def _version(connection: Connection) -> str | None:
    """The revision the database says it has, or None if it was never set up."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _make_instance(connection: Connection, *, now: datetime) -> None:
    """Give this database its pepper, unless it has one."""
    if connection.execute(select(instance.c.no)).first() is None:
        connection.execute(instance.insert().values(no=1, pepper=secrets.token_bytes(32), created_at=now))
