"""How far something that grows was read, such as a mailbox or a provider's list."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, bindparam, select, text

from newsletter.store.db import Database
from newsletter.store.kinds import epoch
from newsletter.store.quick import within
from newsletter.store.tables import bookmarks


class SqlBookmarks:
    """Bookmarks, in a database."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def read(self, name: str) -> str:
        """Where we were in what is called *name*; empty if nothing of it was read."""
        with self._db.reading() as connection:
            return position_of(connection, name)

    def read_at(self, name: str) -> datetime | None:
        """When *name* was read last; None if it never was."""
        with self._db.reading() as connection:
            return connection.execute(select(bookmarks.c.at).where(bookmarks.c.name == name)).scalar()

    def write(self, name: str, position: str, *, now: datetime) -> None:
        """Keep that what comes before *position* was read."""
        with self._db.writing() as connection:
            put(connection, name, position, now=now)


def position_of(connection: Connection, name: str) -> str:
    """As `SqlBookmarks.read`."""
    row = within(connection).first(_POSITION, {"called": name})
    return str(row[0]) if row else ""


def put(connection: Connection, name: str, position: str, *, now: datetime) -> None:
    """As `SqlBookmarks.write`."""
    within(connection).run(_PUT, {"name": name, "position": position, "at": epoch(now)})


_POSITION = select(bookmarks.c.position).where(bookmarks.c.name == bindparam("called"))
_PUT = text(
    "INSERT INTO bookmarks (name, position, at) VALUES (:name, :position, :at) "
    "ON CONFLICT (name) DO UPDATE SET position = excluded.position, at = excluded.at"
)
