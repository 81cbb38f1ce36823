"""What visitors of the pages asked, queued: whether we know an address is looked up later, when nobody waits."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import insert

from newsletter.store.db import Database
from newsletter.store.tables import WishKind, wishes


class SqlWishes:
    """The queue, in a database."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def add(self, kind: WishKind, address: str, details: Mapping[str, object], *, now: datetime) -> None:
        """Queue what somebody asked; *address* is normalised, *details* can be written as JSON."""
        row = {"kind": kind.value, "address": address, "details": json.dumps(dict(details), sort_keys=True), "at": now}
        with self._db.writing() as connection:
            connection.execute(insert(wishes), row)
