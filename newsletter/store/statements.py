"""The ledger's statements, each built once: putting one together costs more than running it.

`issue`, `first` and `number` stand for issue_no, lo and seq where a column of that name is set as well;
`from` and `until` are what was seen of a row.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, and_, bindparam, delete, func, insert, select, update
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from newsletter.store import rules
from newsletter.store.rows import COLUMNS
from newsletter.store.kinds import Instant
from newsletter.store.tables import BatchState, batches, deliveries, moves, outcomes, subscribers

_NAMED = and_(batches.c.issue_no == bindparam("issue"), batches.c.lo == bindparam("first"))
_IS_CLAIMED = batches.c.state == BatchState.CLAIMED.value
_OUTCOMES = and_(
    outcomes.c.issue_no == bindparam("issue_no"),
    outcomes.c.seq >= bindparam("lo"),
    outcomes.c.seq < bindparam("hi"),
)

LEASE_S = 120  # how long a worker may keep a batch without a sign of life


class _Clock(FunctionElement[int]):
    """The instant that leases are measured by: the server's, as senders' clocks differ; SQLite goes by the sender's."""

    type = BigInteger()
    name = "clock"
    inherit_cache = True


@compiles(_Clock, "sqlite")
def _on_sqlite(element: _Clock, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401
    return compiler.process(element.clauses, **options)


@compiles(_Clock, "postgresql")
def _on_postgresql(element: _Clock, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401, ARG001
    return "CAST(floor(extract(epoch FROM clock_timestamp())) AS bigint)"


_CLOCK = _Clock(bindparam("now", type_=Instant))
_LEASE = _CLOCK + LEASE_S

# The first batch that may be claimed, and locked by nobody on PostgreSQL. Senders that claim at once go on with
# different batches then; but where there is only one left, it must be waited for: most of it may stay planned.
_DUE = (
    select(batches)
    .where(batches.c.issue_no == bindparam("issue_no"), batches.c.state == BatchState.PLANNED.value)
    .where(batches.c.due_at > bindparam("not_before"), batches.c.due_at <= bindparam("now"))
    .order_by(batches.c.lo)
    .limit(1)
)
NEXT_FREE = _DUE.with_for_update(skip_locked=True)
NEXT_DUE = _DUE.with_for_update()

# Take some deliveries off the front of a planned batch: it moves up, and they become a batch of their own.
MOVE_UP = update(batches).where(_NAMED).values(lo=bindparam("lo"))
SPLIT_OFF = insert(batches)

TAKE = (
    update(batches)
    .where(_NAMED)
    .values(
        state=BatchState.CLAIMED.value,
        claimed_at=bindparam("claimed_at"),
        lease_until=_LEASE,
        worker=bindparam("worker"),
    )
)

# Everything in senders' hands, dead or alive.
CLAIMED = (
    select(batches, (batches.c.lease_until <= _CLOCK).label("silent"))
    .where(batches.c.issue_no == bindparam("issue_no"), _IS_CLAIMED)
    .order_by(batches.c.lo)
)

# Take a batch from another worker, if nothing changed since we looked.
TAKE_OVER = (
    update(batches)
    .where(_NAMED, _IS_CLAIMED)
    .where(batches.c.worker == bindparam("from"), batches.c.lease_until == bindparam("until"))
    .values(worker=bindparam("worker"), lease_until=_LEASE)
)

# A sign of life: only the worker that has the batch can give it.
RENEW = (
    update(batches)
    .where(_NAMED, _IS_CLAIMED, batches.c.worker == bindparam("from"))
    .values(lease_until=_LEASE)
    .returning(batches.c.hi)
)

CLOSE = update(batches).where(_NAMED).values(state=bindparam("state"), worker=None, lease_until=None)

_PEOPLE = deliveries.join(subscribers, subscribers.c.id == deliveries.c.subscriber_id)
_RANGE = and_(
    deliveries.c.issue_no == bindparam("issue_no"),
    deliveries.c.seq >= bindparam("lo"),
    deliveries.c.seq < bindparam("hi"),
)

# The people of a range, and why they may not be mailed. A range and no LIMIT: PostgreSQL would otherwise
# turn to reading and sorting the whole table once the list is long.
MEMBERS = (
    select(*COLUMNS, deliveries.c.seq, rules.why_not(now=bindparam("now", type_=Instant)))
    .select_from(_PEOPLE)
    .where(_RANGE)
    .order_by(deliveries.c.seq)
)

# Keeps them as they are until the claim is durable: who leaves meanwhile, leaves after it. A statement before
# MEMBERS and not a part of it, as a lock that was waited for lets PostgreSQL read that row anew and no other.
HOLD_MEMBERS = (
    select(subscribers.c.id)
    .select_from(_PEOPLE)
    .where(_RANGE)
    .order_by(deliveries.c.seq)
    .with_for_update(read=True, of=subscribers)
)

SETTLED = select(outcomes.c.seq).where(_OUTCOMES)
RECORDED = select(outcomes).where(_OUTCOMES)
COUNT_OUTCOMES = select(func.count()).select_from(outcomes).where(_OUTCOMES)

_THIS = and_(outcomes.c.issue_no == bindparam("issue_no"), outcomes.c.seq == bindparam("seq"))

OUTCOME = select(outcomes.c.status, outcomes.c.at, outcomes.c.reason).where(_THIS)
FORGET_OUTCOME = delete(outcomes).where(_THIS)

CHANGE_OUTCOME = (
    update(outcomes)
    .where(outcomes.c.issue_no == bindparam("issue"), outcomes.c.seq == bindparam("number"))
    .where(outcomes.c.status == bindparam("from"))
    .values(status=bindparam("status"), at=bindparam("at"), reason=bindparam("reason"))
)

REMEMBER = insert(moves).values(
    no=select(func.count() + 1)
    .where(moves.c.issue_no == bindparam("issue"), moves.c.seq == bindparam("number"))
    .scalar_subquery()
)

_HOLDS = and_(
    batches.c.issue_no == bindparam("issue"), batches.c.lo <= bindparam("number"), batches.c.hi > bindparam("number")
)

# The batch of a delivery, locked on PostgreSQL: all that changes outcomes holds their batch.
HOLD_BATCH = select(batches.c.lo).where(_HOLDS).with_for_update()

# The batch of a delivery that may be claimed again; one in a sender's hands is looked at when it is closed.
REOPEN = update(batches).where(_HOLDS, batches.c.state == BatchState.DONE.value).values(state=BatchState.PLANNED.value)
