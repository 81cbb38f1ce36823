"""The ledger's statements, each built once: putting one together costs more than running it.

`issue`, `first` and `number` stand for issue_no, lo and seq where a column of that name is set as well;
`from` and `until` are what was seen of a row.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, and_, bindparam, delete, func, insert, literal, select, update
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from newsletter.delivery.outcome import Status
from newsletter.store import rules
from newsletter.store.rows import COLUMNS
from newsletter.store.tables import BatchState, Instant, batches, deliveries, issues, moves, outcomes, subscribers

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
    select(batches, issues.c.revision.label("now_revision"), issues.c.edition_hash.label("now_edition"))
    .join_from(batches, issues, issues.c.no == batches.c.issue_no)
    .where(batches.c.issue_no == bindparam("issue_no"), batches.c.state == BatchState.PLANNED.value)
    .where(issues.c.paused == "", issues.c.cancelled == "", batches.c.lo < bindparam("below"))
    .where(batches.c.due_at > bindparam("not_before"), batches.c.due_at <= bindparam("now"))
    .order_by(batches.c.lo)
    .limit(1)
)
NEXT_FREE = _DUE.with_for_update(skip_locked=True, of=batches)
NEXT_DUE = _DUE.with_for_update(of=batches)

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
        revision=bindparam("revision"),
        edition_hash=bindparam("edition_hash"),
        sealed=None,
    )
)

# Lease a batch to ask about it: what was handed over, and when, stays as it is.
ASK = (
    update(batches)
    .where(_NAMED, batches.c.state != BatchState.CLAIMED.value)
    .values(state=BatchState.CLAIMED.value, lease_until=_LEASE, worker=bindparam("worker"))
)

SEAL = (
    update(batches)
    .where(_NAMED, _IS_CLAIMED, batches.c.worker == bindparam("from"))
    .values(sealed=bindparam("digest"), lease_until=_LEASE)
    .returning(batches.c.hi)
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

OUTCOME = select(outcomes.c.status, outcomes.c.at, outcomes.c.reason, outcomes.c.provider_id).where(_THIS)
FORGET_OUTCOME = delete(outcomes).where(_THIS)

CHANGE_OUTCOME = (
    update(outcomes)
    .where(outcomes.c.issue_no == bindparam("issue"), outcomes.c.seq == bindparam("number"))
    .values(
        status=bindparam("status"),
        at=bindparam("at"),
        reason=bindparam("reason"),
        provider_id=bindparam("provider_id"),
        retry_at=None,
    )
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

_WITHIN = and_(outcomes.c.issue_no == batches.c.issue_no, outcomes.c.seq >= batches.c.lo, outcomes.c.seq < batches.c.hi)
_UNKNOWN = outcomes.c.status == Status.UNKNOWN.value

# The next batch with deliveries in doubt that nobody has in hand. The join begins with what is in doubt: it is little.
NEXT_DOUBTFUL = (
    select(batches)
    .where(batches.c.issue_no == bindparam("issue_no"), batches.c.lo > bindparam("after"))
    .where(batches.c.state != BatchState.CLAIMED.value)
    .where(
        batches.c.lo
        == select(func.min(batches.c.lo))
        .join_from(outcomes, batches, _WITHIN)
        .where(outcomes.c.issue_no == bindparam("issue_no"), _UNKNOWN, batches.c.lo > bindparam("after"))
        .where(batches.c.state != BatchState.CLAIMED.value)
        .correlate(None)
        .scalar_subquery()
    )
    .with_for_update()
)
IN_DOUBT = select(outcomes.c.seq).where(_OUTCOMES, _UNKNOWN)

# How often each delivery of a range was put off before.
DEFERRALS = (
    select(moves.c.seq, func.count())
    .where(moves.c.issue_no == bindparam("issue_no"), moves.c.old == Status.DEFERRED.value)
    .where(moves.c.seq >= bindparam("lo"), moves.c.seq < bindparam("hi"))
    .group_by(moves.c.seq)
)

_RIPE = and_(outcomes.c.status == Status.DEFERRED.value, outcomes.c.retry_at <= bindparam("now", type_=Instant))

# Batches in nobody's hands with deliveries whose wait is over, locked.
RIPE_BATCHES = (
    select(batches.c.lo, batches.c.hi)
    .where(batches.c.issue_no == bindparam("issue_no"), batches.c.state != BatchState.CLAIMED.value)
    .where(
        batches.c.lo.in_(
            select(batches.c.lo)
            .join_from(outcomes, batches, _WITHIN)
            .where(outcomes.c.issue_no == bindparam("issue_no"), _RIPE)
            .correlate(None)
        )
    )
    .order_by(batches.c.lo)
    .limit(200)
    .with_for_update()
)
_earlier = moves.alias()
REMEMBER_RIPE = insert(moves).from_select(
    ["issue_no", "seq", "no", "at", "old", "old_at", "old_reason", "new", "reason"],
    select(
        outcomes.c.issue_no,
        outcomes.c.seq,
        select(func.count() + 1)
        .where(_earlier.c.issue_no == outcomes.c.issue_no, _earlier.c.seq == outcomes.c.seq)
        .correlate(outcomes)
        .scalar_subquery(),
        bindparam("now", type_=Instant),
        outcomes.c.status,
        outcomes.c.at,
        outcomes.c.reason,
        literal(Status.PLANNED.value),
        literal("its wait is over"),
    ).where(_OUTCOMES, _RIPE),
)
FORGET_RIPE = delete(outcomes).where(_OUTCOMES, _RIPE)
