"""The statements that change outcomes, each built once; see `statements` for how they are run and named."""

from __future__ import annotations

from sqlalchemy import and_, bindparam, delete, func, insert, literal_column, select, update

from newsletter.store.tables import BatchState, batches, deliveries, moves, outcomes, subscribers

AT_A_TIME = 10_000  # deliveries that `reopen` looks at in one transaction

_THIS = and_(outcomes.c.issue_no == bindparam("issue"), outcomes.c.seq == bindparam("number"))

OUTCOME = select(outcomes.c.status, outcomes.c.at, outcomes.c.reason, outcomes.c.provider_id).where(_THIS)
FORGET = delete(outcomes).where(_THIS)
CHANGE = (
    update(outcomes)
    .where(_THIS)
    .values(
        status=bindparam("status"),
        at=bindparam("at"),
        provider_id=bindparam("provider_id"),
        reason=bindparam("reason"),
        retry_at=None,
    )
)

# Whether its reader was forgotten: what is told of a delivery after that is kept without the words.
FORGOTTEN = (
    select(subscribers.c.id)
    .join_from(deliveries, subscribers, subscribers.c.id == deliveries.c.subscriber_id)
    .where(deliveries.c.issue_no == bindparam("issue"), deliveries.c.seq == bindparam("number"))
    .where(subscribers.c.state == literal_column("'erased'"))
)

_earlier = moves.alias()
_MOVES = [column.name for column in moves.columns]
REMEMBER = (
    insert(moves)
    .inline()
    .values(
        issue_no=bindparam("issue"),
        seq=bindparam("number"),
        no=select(func.count() + 1)
        .where(_earlier.c.issue_no == bindparam("issue"), _earlier.c.seq == bindparam("number"))
        .scalar_subquery(),
        at=bindparam("at"),
        old=bindparam("old"),
        old_at=bindparam("old_at"),
        old_reason=bindparam("old_reason"),
        new=bindparam("status"),
        reason=bindparam("reason"),
    )
)

# The batch of a delivery, locked on PostgreSQL: all that changes outcomes holds their batch. The last that begins
# at or before it is looked at first; the ranges are disjoint.
HOLD_BATCH = (
    select(batches.c.lo)
    .where(batches.c.issue_no == bindparam("issue"), batches.c.lo <= bindparam("number"))
    .where(batches.c.hi > bindparam("number"))
    .order_by(batches.c.lo.desc())
    .limit(1)
    .with_for_update()
)

# The batches of deliveries whose wait is over, those in somebody's hands left out.
_IS_FREE = batches.c.state != literal_column(f"'{BatchState.CLAIMED.value}'")
_each = batches.alias()
_holder = (
    select(func.max(_each.c.lo))
    .where(_each.c.issue_no == outcomes.c.issue_no, _each.c.lo <= outcomes.c.seq)
    .correlate(outcomes)
    .scalar_subquery()
)
_due = (
    select(batches.c.lo)
    .join_from(outcomes, batches, and_(batches.c.issue_no == outcomes.c.issue_no, batches.c.lo == _holder))
    .where(outcomes.c.issue_no == bindparam("issue_no"), outcomes.c.retry_at <= bindparam("now"), _IS_FREE)
    .order_by(outcomes.c.retry_at)
    .limit(bindparam("most"))
    .subquery()
)
WAITED = select(_due.c.lo).distinct().order_by(_due.c.lo)

_NAMED = and_(batches.c.issue_no == bindparam("issue"), batches.c.lo == bindparam("first"))
HOLD_FREE = select(batches.c.hi).where(_NAMED, _IS_FREE).with_for_update(skip_locked=True)
REOPEN = update(batches).where(_NAMED).values(state=BatchState.PLANNED.value)

_WAITED_HERE = and_(
    outcomes.c.issue_no == bindparam("issue"),
    outcomes.c.seq >= bindparam("first"),
    outcomes.c.seq < bindparam("end"),
    outcomes.c.retry_at <= bindparam("now"),
)
REMEMBER_WAITED = insert(moves).from_select(
    _MOVES,
    select(
        outcomes.c.issue_no,
        outcomes.c.seq,
        select(func.count() + 1)
        .where(_earlier.c.issue_no == outcomes.c.issue_no, _earlier.c.seq == outcomes.c.seq)
        .correlate(outcomes)
        .scalar_subquery(),
        bindparam("now", type_=outcomes.c.at.type),
        outcomes.c.status,
        outcomes.c.at,
        outcomes.c.reason,
        literal_column("'planned'"),
        literal_column("'its wait is over'"),
    ).where(_WAITED_HERE),
)
FORGET_WAITED = delete(outcomes).where(_WAITED_HERE)
