"""The tables, with the constraints that hold what must never be untrue.

Instants are whole seconds of the epoch in UTC. Tables that are written by the million carry no foreign
key: their rows are made by set-based statements in the transaction that made their parent, and a check
per row would cost more than the row.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from enum import StrEnum

from sqlalchemy import (
    DDL,
    BigInteger,
    CheckConstraint,
    Column,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    event,
    text,
)

from newsletter.audience.subscriber import State, ZoneSource
from newsletter.delivery.outcome import Status


def epoch(at: datetime) -> int:
    """*at* as whole seconds of the epoch, rounded down; raises ValueError if it is naive."""
    if at.tzinfo is None:
        raise ValueError("an instant must be timezone-aware")
    return int(at.timestamp() // 1)


def instant(seconds: int) -> datetime:
    """The aware UTC instant of *seconds* since the epoch."""
    return datetime.fromtimestamp(seconds, UTC)


class Instant(TypeDecorator[datetime]):
    """An aware UTC datetime, kept as epoch seconds: sorts and compares alike on every database."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002
        return None if value is None else epoch(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        return None if value is None else instant(value)


class BatchState(StrEnum):
    """Where a batch stands."""

    PLANNED = "planned"  # some of its deliveries can be claimed
    CLAIMED = "claimed"  # one worker has it, until its lease ends
    DONE = "done"  # every delivery of it has an outcome


def _one_of(column: str, values: Iterable[StrEnum]) -> CheckConstraint:
    words = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({words})", name=column)


metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)

# One row. The pepper keys the hashes of addresses, so that a leaked table of hashes cannot be searched.
instance = Table(
    "instance",
    metadata,
    Column("no", Integer, primary_key=True, autoincrement=False),
    Column("pepper", LargeBinary, nullable=False),
    CheckConstraint("no = 1", name="one"),
)

# Rows are never deleted: erasing blanks one, so that a number never comes to mean somebody else.
subscribers = Table(
    "subscribers",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("address", Text, nullable=False),
    Column("address_key", Text, nullable=False, unique=True),
    Column("address_hash", LargeBinary, nullable=False),
    Column("name", Text, nullable=False),
    Column("first_name", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("paused_until", Instant),
    Column("zone", Text),
    Column("zone_source", Text, nullable=False),
    Column("language", Text, nullable=False),
    Column("tags", Text, nullable=False),  # |a|b|, or empty
    Column("attributes", Text, nullable=False),  # a JSON object of strings
    Column("leave_token", Text, nullable=False, unique=True),
    Column("joined_at", Instant, nullable=False),
    _one_of("state", State),
    _one_of("zone_source", ZoneSource),
)

# Evidence: only ever added to (triggers refuse all changes); erasing a person may delete it, row by row.
consent_events = Table(
    "consent_events",
    metadata,
    Column("subscriber_id", Integer, ForeignKey("subscribers.id"), primary_key=True, autoincrement=False),
    Column("no", Integer, primary_key=True, autoincrement=False),  # counts from 1 for each person
    Column("at", Instant, nullable=False),
    Column("how", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("state", Text),
    _one_of("state", State),
    sqlite_with_rowid=False,
)

suppressions = Table(
    "suppressions",
    metadata,
    Column("address_hash", LargeBinary, primary_key=True),
    Column("reason", Text, nullable=False),
    Column("at", Instant, nullable=False),
)

editions = Table(
    "editions",
    metadata,
    Column("hash", Text, primary_key=True),
    Column("issue_id", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("created_at", Instant, nullable=False),
)

# The plans: one row for each issue that was ever planned.
issues = Table(
    "issues",
    metadata,
    Column("no", Integer, primary_key=True, autoincrement=False),
    Column("issue_id", Text, nullable=False, unique=True),
    Column("revision", Integer, nullable=False),
    Column("edition_hash", Text, ForeignKey("editions.hash"), nullable=False),
    Column("secret", LargeBinary, nullable=False),
    Column("audience", Text, nullable=False),  # the condition as JSON, for the record
    Column("due_elsewhere", Instant, nullable=False),
    Column("planned_at", Instant, nullable=False),
    Column("candidates", Integer, nullable=False),
    Column("paused", Text, nullable=False, server_default=""),  # why nothing of it is claimed now
    Column("cancelled", Text, nullable=False, server_default=""),  # why nothing of it ever will be again
)

# Which edition each revision is, so that a delivery's message can be told for ever.
revisions = Table(
    "revisions",
    metadata,
    Column("issue_no", Integer, ForeignKey("issues.no"), primary_key=True, autoincrement=False),
    Column("revision", Integer, primary_key=True, autoincrement=False),
    Column("edition_hash", Text, ForeignKey("editions.hash"), nullable=False),
    Column("at", Instant, nullable=False),
    sqlite_with_rowid=False,
)

# What people decided about an issue, and what it decided about itself; only ever added to.
decisions = Table(
    "decisions",
    metadata,
    Column("issue_no", Integer, ForeignKey("issues.no"), primary_key=True, autoincrement=False),
    Column("no", Integer, primary_key=True, autoincrement=False),  # counts from 1 for each issue
    Column("at", Instant, nullable=False),
    Column("what", Text, nullable=False),
    Column("who", Text, nullable=False),
    Column("why", Text, nullable=False),
    sqlite_with_rowid=False,
)

# What all senders share about a provider.
gates = Table(
    "gates",
    metadata,
    Column("provider", Text, primary_key=True),
    Column("free_at_ms", BigInteger, nullable=False),  # when the next message may leave, in ms of the epoch
    Column("blocked_until", Instant),
    Column("why", Text, nullable=False),
    sqlite_with_rowid=False,
)

# When each time zone is due, as it was when the plan was written.
zone_dues = Table(
    "zone_dues",
    metadata,
    Column("issue_no", Integer, ForeignKey("issues.no"), primary_key=True, autoincrement=False),
    Column("zone", Text, primary_key=True),
    Column("due_at", Instant, nullable=False),
    sqlite_with_rowid=False,
)

# Who gets an issue and when; never changed after the plan. seq counts from 1 in the order of due_at.
deliveries = Table(
    "deliveries",
    metadata,
    Column("issue_no", Integer, primary_key=True, autoincrement=False),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("subscriber_id", Integer, nullable=False),
    Column("due_at", Instant, nullable=False),
    UniqueConstraint("issue_no", "subscriber_id"),
    sqlite_with_rowid=False,
)

exclusions = Table(
    "exclusions",
    metadata,
    Column("issue_no", Integer, primary_key=True, autoincrement=False),
    Column("subscriber_id", Integer, primary_key=True, autoincrement=False),
    Column("reason", Text, nullable=False),
    sqlite_with_rowid=False,
)

# The deliveries lo ≤ seq < hi, all due at the same instant. The ranges of an issue are disjoint, so lo is
# a batch's name; splitting one leaves the name to the first part. Claims change these few rows and never
# a delivery: that is what makes them quick.
batches = Table(
    "batches",
    metadata,
    Column("issue_no", Integer, ForeignKey("issues.no"), primary_key=True, autoincrement=False),
    Column("lo", Integer, primary_key=True, autoincrement=False),
    Column("hi", Integer, nullable=False),
    Column("due_at", Instant, nullable=False),
    Column("state", Text, nullable=False),
    Column("claimed_at", Instant),  # of the first claim, kept for ever
    Column("lease_until", Instant),
    Column("worker", Text),
    Column("revision", Integer),  # this and the next: of the issue, when the batch was claimed last
    Column("edition_hash", Text),
    Column("sealed", LargeBinary),  # the digest of the call that may have been made, see Claim
    CheckConstraint("lo < hi", name="range"),
    CheckConstraint("(state = 'claimed') = (worker IS NOT NULL)", name="worker"),
    CheckConstraint("(state = 'claimed') = (lease_until IS NOT NULL)", name="lease"),
    Index(None, "issue_no", "state", "lo"),
    _one_of("state", BatchState),
    sqlite_with_rowid=False,
)

# What became of each delivery that left planned and claimed. The key makes a second acceptance impossible.
outcomes = Table(
    "outcomes",
    metadata,
    Column("issue_no", Integer, primary_key=True, autoincrement=False),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("status", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Column("provider_id", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("values_digest", LargeBinary, nullable=False),
    Column("retry_at", Instant),  # of what is deferred: when it may be tried again
    Column("revision", Integer, nullable=False, server_default="1"),
    # Small, and for few rows: what is deferred and what is in doubt must be found among a million.
    Index(
        "ix_outcomes_retry_at",
        "issue_no",
        "retry_at",
        sqlite_where=text("retry_at IS NOT NULL"),
        postgresql_where=text("retry_at IS NOT NULL"),
    ),
    Index(
        "ix_outcomes_unknown",
        "issue_no",
        "seq",
        sqlite_where=text("status = 'unknown'"),
        postgresql_where=text("status = 'unknown'"),
    ),
    _one_of("status", [status for status in Status if status not in (Status.PLANNED, Status.CLAIMED)]),
    sqlite_with_rowid=False,
)

# What an outcome was before it changed, so that nothing is forgotten.
moves = Table(
    "moves",
    metadata,
    Column("issue_no", Integer, primary_key=True, autoincrement=False),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("no", Integer, primary_key=True, autoincrement=False),  # counts from 1 for each delivery
    Column("at", Instant, nullable=False),
    Column("old", Text, nullable=False),
    Column("old_at", Instant, nullable=False),
    Column("old_reason", Text, nullable=False),
    Column("new", Text, nullable=False),
    Column("reason", Text, nullable=False),
    _one_of("old", Status),
    _one_of("new", Status),
    sqlite_with_rowid=False,
)

APPEND_ONLY = {
    "sqlite": [
        """
        CREATE TRIGGER consent_events_append_only BEFORE UPDATE ON consent_events
        BEGIN SELECT RAISE(ABORT, 'consent_events is append-only'); END
        """,
        """
        CREATE TRIGGER consent_events_no_replace BEFORE INSERT ON consent_events
        WHEN EXISTS (SELECT 1 FROM consent_events WHERE subscriber_id = NEW.subscriber_id AND no = NEW.no)
        BEGIN SELECT RAISE(ABORT, 'consent_events is append-only'); END
        """,
    ],
    "postgresql": [
        """
        CREATE FUNCTION consent_events_append_only() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'consent_events is append-only'; END $$
        """,
        """
        CREATE TRIGGER consent_events_append_only BEFORE UPDATE ON consent_events
        FOR EACH ROW EXECUTE FUNCTION consent_events_append_only()
        """,
        """
        CREATE TRIGGER consent_events_no_truncate BEFORE TRUNCATE ON consent_events
        FOR EACH STATEMENT EXECUTE FUNCTION consent_events_append_only()
        """,
    ],
}

for _dialect, _statements in APPEND_ONLY.items():
    for _statement in _statements:
        event.listen(consent_events, "after_create", DDL(_statement).execute_if(dialect=_dialect))  # type: ignore[no-untyped-call]
