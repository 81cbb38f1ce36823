"""The ledger's statements, each built once: putting one together costs more than running it.

`issue`, `first` and `number` stand for issue_no, lo and seq where a column of that name is set as well;
`from` and `until` are what was seen of a row.
"""

from __future__ import annotations

from sqlalchemy import and_, bindparam, delete, func, insert, select, update

from newsletter.store import rules
from newsletter.store.rows import COLUMNS
from newsletter.store.tables import BatchState, Instant, batches, deliveries, moves, outcomes, subscribers

_NAMED = and_(batches.c.issue_no == bindparam("issue"), batches.c.lo == bindparam("first"))
_IS_CLAIMED = batches.c.state == BatchState.CLAIMED.value
_OUTCOMES = and_(
    outcomes.c.issue_no == bindparam("issue_no"),
    outcomes.c.seq >= bindparam("lo"),
    outcomes.c.seq < bindparam("hi"),
)

# The first batch that may be claimed. PostgreSQL locks it, and passes over those that others have locked.
NEXT_DUE = (
    select(batches)
    .where(batches.c.issue_no == bindparam("issue_no"), batches.c.state == BatchState.PLANNED.value)
    .where(batches.c.due_at > bindparam("not_before"), batches.c.due_at <= bindparam("now"))
    .order_by(batches.c.lo)
    .limit(1)
    .with_for_update(skip_locked=True)
)

# Take some deliveries off the front of a planned batch: it moves up, and they become a batch of their own.
MOVE_UP = update(batches).where(_NAMED).values(lo=bindparam("lo"))
SPLIT_OFF = insert(batches)

TAKE = (
    update(batches)
    .where(_NAMED)
    .values(
        state=BatchState.CLAIMED.value,
        claimed_at=bindparam("claimed_at"),
        lease_until=bindparam("lease_until"),
        worker=bindparam("worker"),
    )
)

# Everything in senders' hands, dead or alive.
CLAIMED = select(batches).where(batches.c.issue_no == bindparam("issue_no"), _IS_CLAIMED).order_by(batches.c.lo)

# Take a batch from another worker, if nothing changed since we looked.
TAKE_OVER = (
    update(batches)
    .where(_NAMED, _IS_CLAIMED)
    .where(batches.c.worker == bindparam("from"), batches.c.lease_until == bindparam("until"))
    .values(worker=bindparam("worker"), lease_until=bindparam("lease_until"))
)

# A sign of life: only the worker that has the batch can give it.
RENEW = (
    update(batches)
    .where(_NAMED, _IS_CLAIMED, batches.c.worker == bindparam("from"))
    .values(lease_until=bindparam("lease_until"))
    .returning(batches.c.hi)
)

CLOSE = update(batches).where(_NAMED).values(state=bindparam("state"), worker=None, lease_until=None)

# The people of a range, and why they may not be mailed. A range and no LIMIT: PostgreSQL would otherwise
# turn to reading and sorting the whole table once the list is long.
MEMBERS = (
    select(*COLUMNS, deliveries.c.seq, rules.why_not(now=bindparam("now", type_=Instant)))
    .join_from(deliveries, subscribers, subscribers.c.id == deliveries.c.subscriber_id)
    .where(
        deliveries.c.issue_no == bindparam("issue_no"),
        deliveries.c.seq >= bindparam("lo"),
        deliveries.c.seq < bindparam("hi"),
    )
    .order_by(deliveries.c.seq)
)

SETTLED = select(outcomes.c.seq).where(_OUTCOMES)
COUNT_OUTCOMES = select(func.count()).select_from(outcomes).where(_OUTCOMES)

_THIS = and_(outcomes.c.issue_no == bindparam("issue_no"), outcomes.c.seq == bindparam("seq"))

OUTCOME = select(outcomes.c.status, outcomes.c.at, outcomes.c.reason).where(_THIS).with_for_update()
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

# The batch of a delivery that may be claimed again; one in a sender's hands is looked at when it is closed.
REOPEN = (
    update(batches)
    .where(batches.c.issue_no == bindparam("issue"), batches.c.state == BatchState.DONE.value)
    .where(batches.c.lo <= bindparam("number"), batches.c.hi > bindparam("number"))
    .values(state=BatchState.PLANNED.value)
)
