"""The version of the tables: is it ours, and how to bring an older one up to date."""

from __future__ import annotations

import secrets
from pathlib import Path

from sqlalchemy import Connection, inspect, select, text

from newsletter.errors import StoreError
from newsletter.store.db import Database, one_at_a_time, wait_longer
from newsletter.store.tables import instance

# The newest revision under migrations/versions. Kept here too, so that opening a database that is up to
# date imports no Alembic; a test holds the two equal.
HEAD = "0005"


def check_version(db: Database) -> None:
    """Return if the tables are those this program was written for. Raises StoreError with the way out."""
    with db.reading() as connection:
        found = _version(connection)
    if found == HEAD:
        return
    if found is None:
        raise StoreError("the database has not been set up", hint="run: newsletter db upgrade", at=db.place)
    _refuse_newer(found, db)
    message = f"the database is older than this program (version {found}, not {HEAD})"
    raise StoreError(message, hint="run: newsletter db upgrade", at=db.place)


def upgrade(db: Database) -> None:
    """Make the tables or bring them up to date, in one transaction; does nothing to those that are."""
    # Heavy, and wanted only here.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    scripts = str(Path(__file__).parent / "migrations")
    config.set_main_option("script_location", scripts.replace("%", "%%"))
    db.make_file()
    with db.writing() as connection:
        wait_longer(connection)
        one_at_a_time(connection, "upgrade")
        found = _version(connection)
        _refuse_newer(found, db)
        if found != HEAD:
            config.attributes["connection"] = connection
            command.upgrade(config, HEAD)
        _make_instance(connection)


def _version(connection: Connection) -> str | None:
    """The revision the database says it has, or None if it was never set up."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _refuse_newer(found: str | None, db: Database) -> None:
    if found is not None and found > HEAD:
        message = f"the database is newer than this program (version {found}, not {HEAD})"
        hint = "update the program; it must not write what it does not understand"
        raise StoreError(message, hint=hint, at=db.place)


def _make_instance(connection: Connection) -> None:
    """Give this database its pepper, unless it has one."""
    if connection.execute(select(instance.c.no)).first() is None:
        connection.execute(instance.insert().values(no=1, pepper=secrets.token_bytes(32)))
