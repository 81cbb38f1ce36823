"""What else is known of one person, for whoever asks or is asked: why they are not mailed, and what came back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from newsletter.audience.addresses import BadAddress, address_key
from newsletter.store.db import Database
from newsletter.store.entering import address_hash, pepper
from newsletter.store.tables import issues, mails, soft_bounces, suppressions


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """Something that was noted once, in words."""

    at: datetime
    what: str
    issue_id: str = ""


class SqlPortraits:
    """What is known of single people, in a database."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def suppressed(self, address: str) -> Noted | None:
        """Why an address is not mailed, whoever has it, on the list or not."""
        try:
            key = address_key(address)
        except BadAddress:
            return None
        with self._db.reading() as connection:
            hashed = address_hash(key, pepper=pepper(connection))
            query = select(suppressions.c.at, suppressions.c.reason).where(suppressions.c.address_hash == hashed)
            row = connection.execute(query).first()
        return Noted(at=row.at, what=row.reason) if row else None

    def came_back(self, subscriber_id: int) -> list[Noted]:
        """The letters that came back for now, newest first."""
        table = soft_bounces.c
        query = select(table.at, table.reason, issues.c.issue_id).join(issues, issues.c.no == table.issue_no)
        with self._db.reading() as connection:
            rows = connection.execute(query.where(table.subscriber_id == subscriber_id).order_by(table.at.desc()))
            return [Noted(at=row.at, what=row.reason, issue_id=row.issue_id) for row in rows]

    def mails(self, subscriber_id: int) -> Mapping[tuple[str, str], int]:
        """How many mails of their own they were sent, by kind and by what became of them."""
        table = mails.c
        query = select(table.kind, table.state, func.count()).where(table.subscriber_id == subscriber_id)
        with self._db.reading() as connection:
            rows = connection.execute(query.group_by(table.kind, table.state).order_by(table.kind, table.state))
            return {(kind, state): count for kind, state, count in rows}
