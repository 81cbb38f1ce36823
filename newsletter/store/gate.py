"""What all senders of one database share about a provider: their pace, and when to leave it alone."""

from __future__ import annotations

from datetime import datetime, timedelta
from math import ceil

from sqlalchemy import bindparam, select, text

from newsletter.delivery.plan import Block
from newsletter.pieces import one_line
from newsletter.store.db import Database
from newsletter.store.kinds import Instant, epoch, instant
from newsletter.store.tables import gates

# One row is the queue, by the instant at which the next may step forward (a "virtual schedule", the leaky
# bucket of ITU-T I.371 under its other name). Whoever comes moves it on by as long as their messages take.
# No queue of living senders is longer than LONGEST: where it seems to be, a clock was put back.
LONGEST = timedelta(minutes=15)
_RESERVE = """
    INSERT INTO gates (provider, free_at, why) VALUES (:provider, {now} + :span, '')
    ON CONFLICT (provider) DO UPDATE SET free_at = {earlier}({later}(gates.free_at, {now}), {now} + :longest) + :span
    RETURNING free_at - :span - {now}
"""
# Senders' clocks differ, so the server's counts; on SQLite they are on one machine.
_CLOCK = "CAST(floor(extract(epoch FROM clock_timestamp()) * 1000) AS bigint)"
_ON_SQLITE = text(_RESERVE.format(now=":now", later="max", earlier="min"))
_ON_POSTGRESQL = text(_RESERVE.format(now=_CLOCK, later="greatest", earlier="least"))

_BLOCKED = select(gates.c.blocked_until, gates.c.why).where(
    gates.c.provider == bindparam("name"), gates.c.blocked_until > bindparam("now", type_=Instant)
)
_BLOCK = text("""
    INSERT INTO gates (provider, free_at, blocked_until, why) VALUES (:provider, 0, :until, :why)
    ON CONFLICT (provider) DO UPDATE SET blocked_until = excluded.blocked_until, why = excluded.why
    WHERE gates.blocked_until IS NULL OR gates.blocked_until < excluded.blocked_until
""")


class SqlGate:
    """The gates of all providers, in a database."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def reserve(self, provider: str, *, count: int, rate: float, now: datetime) -> timedelta:
        """A place in the queue for *count* messages at *rate* a second; how long to wait until it is reached.

        However many senders ask: in any span of time no more step forward than *rate* allows, and one batch.
        """
        values: dict[str, object] = {
            "provider": provider,
            "span": ceil(count * 1000 / rate),
            "longest": LONGEST // timedelta(milliseconds=1),
        }
        with self._db.quick() as quick:
            if quick.is_sqlite:
                row = quick.first(_ON_SQLITE, values | {"now": int(now.timestamp() * 1000)})
            else:
                row = quick.first(_ON_POSTGRESQL, values)
        assert row is not None
        return timedelta(milliseconds=max(0, row[0]))

    def blocked(self, provider: str, *, now: datetime) -> Block | None:
        """Why nothing may be handed over now, and until when."""
        with self._db.looking() as quick:
            row = quick.first(_BLOCKED, {"name": provider, "now": epoch(now)})
        return None if row is None else Block(until=instant(row[0]), why=row[1])

    def block(self, provider: str, *, until: datetime, why: str, now: datetime) -> None:  # noqa: ARG002 - the port's
        """Hand over nothing until then; a later instant wins."""
        # Kept in whole seconds: rounded up, so that nobody comes too early.
        values = {"provider": provider, "until": epoch(until + timedelta(microseconds=999_999)), "why": one_line(why)}
        with self._db.quick() as quick:
            quick.run(_BLOCK, values)
