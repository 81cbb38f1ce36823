"""The gate: what all senders of one database share about a provider, its pace and its pauses."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import BigInteger, Connection, bindparam, case, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from newsletter.delivery.plan import Block
from newsletter.pieces import one_line
from newsletter.store.db import Database
from newsletter.store.tables import gates

# The generic cell rate algorithm (ITU-T I.371) in one statement, so that nobody reads an older place than they take.
_NOW = bindparam("now_ms", type_=BigInteger)
_RESERVE = (
    update(gates)
    .where(gates.c.provider == bindparam("name"))
    .values(
        free_at_ms=case((gates.c.free_at_ms > _NOW, gates.c.free_at_ms), else_=_NOW)
        + bindparam("takes_ms", type_=BigInteger)
    )
    .returning(gates.c.free_at_ms)
)


class SqlGate:
    """Places in the queue and pauses, in a database."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def reserve(self, provider: str, *, count: int, rate: float, now: datetime) -> timedelta:
        """A place in the queue for *count* messages at *rate* a second; how long to wait until it is reached."""
        takes = round(count * 1000 / rate)
        with self._db.writing() as connection:
            now_ms = _ms(now)
            if not self._db.is_sqlite:  # senders' clocks differ; the server has one
                clock = func.floor(func.extract("epoch", func.clock_timestamp()) * 1000)
                now_ms = int(connection.execute(select(clock)).scalar_one())
            self._ensure(connection, provider)
            place = {"name": provider, "now_ms": now_ms, "takes_ms": takes}
            free_at = connection.execute(_RESERVE, place).scalar_one()
        return timedelta(milliseconds=max(0, free_at - takes - now_ms))

    def blocked(self, provider: str, *, now: datetime) -> Block | None:
        """Why nothing may be handed over now, and until when."""
        query = select(gates.c.blocked_until, gates.c.why).where(
            gates.c.provider == provider, gates.c.blocked_until > now
        )
        with self._db.reading() as connection:
            row = connection.execute(query).first()
        return Block(until=row.blocked_until, why=row.why) if row else None

    def block(self, provider: str, *, until: datetime, why: str, now: datetime) -> None:
        """Hand over nothing until then; a later instant wins."""
        with self._db.writing() as connection:
            self._ensure(connection, provider)
            later = update(gates).where(
                gates.c.provider == provider,
                (gates.c.blocked_until.is_(None)) | (gates.c.blocked_until < until) | (gates.c.blocked_until <= now),
            )
            connection.execute(later.values(blocked_until=until, why=one_line(why)))

    def _ensure(self, connection: Connection, provider: str) -> None:
        add = sqlite.insert if self._db.is_sqlite else postgresql.insert
        new = add(gates).values(provider=provider, free_at_ms=0, why="")
        connection.execute(new.on_conflict_do_nothing())


def _ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)
