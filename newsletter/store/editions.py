"""Compiled letters by their hash."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import insert, select

from newsletter.errors import NotFound
from newsletter.store.db import Database, one_at_a_time
from newsletter.store.tables import editions


class SqlEditions:
    """The frozen letters, in a database."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def put(self, edition_hash: str, body: bytes, *, issue_id: str, now: datetime) -> None:
        """Keep the bytes; the same hash twice is the same bytes and no error."""
        known = select(editions.c.hash).where(editions.c.hash == edition_hash)
        with self._db.writing() as connection:
            one_at_a_time(connection, "put an edition")
            if connection.execute(known).first() is None:
                row = {"hash": edition_hash, "issue_id": issue_id, "body": body, "created_at": now}
                connection.execute(insert(editions), row)

    def get(self, edition_hash: str) -> bytes:
        """The bytes. Raises NotFound."""
        with self._db.reading() as connection:
            body = connection.execute(select(editions.c.body).where(editions.c.hash == edition_hash)).scalar()
        if body is None:
            raise NotFound(f"there is no edition {edition_hash[:12]}… in the database", at=self._db.place)
        return bytes(body)
