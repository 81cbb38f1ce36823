"""The ledger's statements about batches, each built once: putting one together costs more than running it.

They are run straight on the driver (see `quick`), so instants go in and come out as seconds. `issue`,
`first` and `number` stand for issue_no, lo and seq where a column of that name is set as well; `from` and
`until` are what was seen of a row.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    and_,
    bindparam,
    case,
    exists,
    false,
    func,
    insert,
    literal_column,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from newsletter.store import rules
from newsletter.store.kinds import Instant
from newsletter.store.rows import COLUMNS
from newsletter.store.tables import BatchState, batches, deliveries, issues, moves, outcomes, revisions, subscribers

LEASE_S = 120  # how long a worker may keep a batch without a sign of life

_NAMED = and_(batches.c.issue_no == bindparam("issue"), batches.c.lo == bindparam("first"))
_IS_CLAIMED = batches.c.state == BatchState.CLAIMED.value

# Of a range of deliveries. UNKNOWN is written out, as SQLite uses its index only then.
OUTCOMES_OF_RANGE = and_(
    outcomes.c.issue_no == bindparam("issue_no"),
    outcomes.c.seq >= bindparam("lo"),
    outcomes.c.seq < bindparam("hi"),
)
IS_UNKNOWN = outcomes.c.status == literal_column("'unknown'")


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

# Claims share this lock, and who pauses or cancels has it alone: once that is durable, every claim has seen it.
# A lock of its own and not the row's, for which those who wait would be passed by every new claim.
# The first number only keeps it apart from other people's locks.
SHARE_ISSUE = select(func.pg_advisory_xact_lock_shared(literal_column("20261123"), bindparam("issue_no")))
HAVE_ISSUE = select(func.pg_advisory_xact_lock(literal_column("20261123"), bindparam("issue_no")))

# The first batch that may be claimed, and locked by nobody on PostgreSQL. Senders that claim at once go on with
# different batches then; but where there is only one left, it must be waited for: most of it may stay planned.
_DUE = (
    select(batches, issues.c.revision, issues.c.edition_hash)
    .join(issues, issues.c.no == batches.c.issue_no)
    .where(issues.c.paused == literal_column("''"), issues.c.cancelled == literal_column("''"))
    .where(batches.c.issue_no == bindparam("issue_no"), batches.c.state == BatchState.PLANNED.value)
    .where(batches.c.due_at > bindparam("not_before"), batches.c.due_at <= bindparam("now"))
    .where(batches.c.lo < bindparam("below"))
    .order_by(batches.c.lo)
    .limit(1)
)
NEXT_FREE = _DUE.with_for_update(skip_locked=True, of=batches)
NEXT_DUE = _DUE.with_for_update(of=batches)

# Take some deliveries off the front of a planned batch: it moves up, and they become a batch of their own.
MOVE_UP = update(batches).where(_NAMED).values(lo=bindparam("lo"))
SPLIT_OFF = insert(batches).values(
    issue_no=bindparam("issue_no"),
    lo=bindparam("lo"),
    hi=bindparam("hi"),
    due_at=bindparam("due_at"),
    state=BatchState.CLAIMED.value,
    claimed_at=bindparam("claimed_at"),
    lease_until=_LEASE,
    worker=bindparam("worker"),
    revision=bindparam("revision"),
    sealed=bindparam("sealed"),
)

TAKE = (
    update(batches)
    .where(_NAMED)
    .values(
        state=BatchState.CLAIMED.value,
        claimed_at=bindparam("claimed_at"),
        lease_until=_LEASE,
        worker=bindparam("worker"),
        revision=bindparam("revision"),
        sealed=bindparam("sealed"),
    )
)

_SILENT = func.coalesce(batches.c.lease_until <= _CLOCK, false())

# Everything in senders' hands, dead or alive.
CLAIMED = (
    select(batches, _SILENT).where(batches.c.issue_no == bindparam("issue_no"), _IS_CLAIMED).order_by(batches.c.lo)
)

# The next batches with deliveries in doubt that no sender has. What a dead sender left is not among them: there
# are deliveries without outcome in it, and `abandoned` knows what these are.
DOUBTFUL = (
    select(batches, _SILENT)
    .where(batches.c.issue_no == bindparam("issue_no"), batches.c.lo > bindparam("after"))
    .where(or_(batches.c.state != BatchState.CLAIMED.value, batches.c.settling))
    .where(
        exists(
            select(outcomes.c.seq)
            .where(outcomes.c.issue_no == bindparam("issue_no"), IS_UNKNOWN)
            .where(outcomes.c.seq >= batches.c.lo, outcomes.c.seq < batches.c.hi)
            .correlate(batches)
        )
    )
    .order_by(batches.c.lo)
    .limit(64)
)

# Take a batch as it was seen, if nothing changed since we looked.
_AS_SEEN = and_(
    _NAMED,
    batches.c.state == bindparam("was"),
    batches.c.worker.is_not_distinct_from(bindparam("from")),
    batches.c.lease_until.is_not_distinct_from(bindparam("until")),
)
TAKE_OVER = update(batches).where(_AS_SEEN).values(worker=bindparam("worker"), lease_until=_LEASE).returning(*batches.c)
TAKE_TO_SETTLE = (
    update(batches)
    .where(_AS_SEEN)
    .values(state=BatchState.CLAIMED.value, worker=bindparam("worker"), lease_until=_LEASE, settling=true())
    .returning(*batches.c)
)

_OURS = and_(_NAMED, _IS_CLAIMED, batches.c.worker == bindparam("from"))

# A sign of life: only the worker that has the batch can give it.
RENEW = update(batches).where(_OURS).values(lease_until=_LEASE).returning(batches.c.hi)
SEAL = update(batches).where(_OURS).values(lease_until=_LEASE, sealed=bindparam("sealed")).returning(batches.c.hi)

# Give a batch back; claimed_at, revision and sealed stay.
_settled = (
    select(func.count())
    .select_from(outcomes)
    .where(outcomes.c.issue_no == batches.c.issue_no, outcomes.c.seq >= batches.c.lo, outcomes.c.seq < batches.c.hi)
    .correlate(batches)
    .scalar_subquery()
)
CLOSE = (
    update(batches)
    .where(_NAMED)
    .values(
        state=case(
            (_settled == batches.c.hi - batches.c.lo, literal_column(f"'{BatchState.DONE.value}'")),
            else_=literal_column(f"'{BatchState.PLANNED.value}'"),
        ),
        worker=None,
        lease_until=None,
        settling=false(),
    )
)

# Where everybody has an outcome. Had somebody deleted people by hand, their batch would be claimed for ever else.
FINISH = update(batches).where(_NAMED).values(state=BatchState.DONE.value, worker=None, lease_until=None)

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

SETTLED = select(outcomes.c.seq).where(OUTCOMES_OF_RANGE)
IN_DOUBT = select(outcomes.c.seq).where(OUTCOMES_OF_RANGE, IS_UNKNOWN)
RECORDED = select(*outcomes.c).where(OUTCOMES_OF_RANGE)

# How often each delivery of a range was put off before.
DEFERRALS = (
    select(moves.c.seq, func.count())
    .where(moves.c.issue_no == bindparam("issue_no"), moves.c.old == literal_column("'deferred'"))
    .where(moves.c.seq >= bindparam("lo"), moves.c.seq < bindparam("hi"))
    .group_by(moves.c.seq)
)

EDITION = select(revisions.c.edition_hash).where(
    revisions.c.issue_no == bindparam("issue_no"), revisions.c.revision == bindparam("revision")
)
