"""The tables, with the constraints that hold what must never be untrue.

Instants are whole seconds of the epoch in UTC. Tables that are written by the million carry no foreign
key: their rows are made by set-based statements in the transaction that made their parent, and a check
per row would cost more than the row.
"""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    false,
    literal_column,
)

from newsletter.audience.asking import MailKind, MailState, WishKind
from newsletter.audience.subscriber import Frequency, State, ZoneSource
from newsletter.delivery.outcome import Status
from newsletter.store.kinds import Instant, one_of, one_of_these
from newsletter.store.triggers import keep


class BatchState(StrEnum):
    """Where a batch stands."""

    PLANNED = "planned"  # some of its deliveries can be claimed
    CLAIMED = "claimed"  # one worker has it, until its lease ends
    DONE = "done"  # every delivery of it has an outcome


class Deed(StrEnum):
    """What a person can decide about a planned issue."""

    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"
    CORRECT = "correct"
    RESOLVE = "resolve"


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
    Column("frequency", Text, nullable=False, server_default=Frequency.WEEKLY.value),
    Index(None, "joined_at"),
    one_of("state", State),
    one_of("zone_source", ZoneSource),
    one_of("frequency", Frequency),
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
    one_of("state", State),
    sqlite_with_rowid=False,
)
keep(consent_events, erasable=True)

suppressions = Table(
    "suppressions",
    metadata,
    Column("address_hash", LargeBinary, primary_key=True),
    Column("reason", Text, nullable=False),
    Column("at", Instant, nullable=False),
)

# What visitors of the pages asked, in their order, until it is done: a page answers before anybody looks
# whether it knows the address, so that all answers take the same time.
wishes = Table(
    "wishes",
    metadata,
    Column("no", Integer, primary_key=True, autoincrement=True),
    Column("kind", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("details", Text, nullable=False),  # a JSON object
    Column("at", Instant, nullable=False),
    one_of("kind", WishKind),
)

# What is, or was, sent to one person alone.
mails = Table(
    "mails",
    metadata,
    Column("no", Integer, primary_key=True, autoincrement=True),
    Column("subscriber_id", Integer, ForeignKey("subscribers.id"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("queued_at", Instant, nullable=False),
    Column("at", Instant, nullable=False),  # of its last move
    Column("reason", Text, nullable=False),
    Index(None, "subscriber_id"),
    one_of("kind", MailKind),
    one_of("state", MailState),
)

_waiting = mails.c.state.in_([literal_column("'queued'"), literal_column("'claimed'")])
Index("ix_mails_waiting", mails.c.no, sqlite_where=_waiting, postgresql_where=_waiting)

# Deliveries that came back for now: some of them in a row, and the address is given up.
soft_bounces = Table(
    "soft_bounces",
    metadata,
    Column("subscriber_id", Integer, ForeignKey("subscribers.id"), primary_key=True, autoincrement=False),
    Column("issue_no", Integer, primary_key=True, autoincrement=False),
    Column("at", Instant, nullable=False),
    Column("reason", Text, nullable=False),
    sqlite_with_rowid=False,
)

# How far something that grows was read: a mailbox, a provider's list, the journal of departures.
bookmarks = Table(
    "bookmarks",
    metadata,
    Column("name", Text, primary_key=True),
    Column("position", Text, nullable=False),
    Column("at", Instant, nullable=False),
    sqlite_with_rowid=False,
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
    Column("paused", Text, nullable=False, server_default=""),  # why; empty if it goes on
    Column("cancelled", Text, nullable=False, server_default=""),
    Column("swept_at", Instant),  # of a part of a series: for whom it was due until then has been planned
)

# Every edition that an issue was sent with, from when on; `issues` has the one that is sent now.
revisions = Table(
    "revisions",
    metadata,
    Column("issue_no", Integer, ForeignKey("issues.no"), primary_key=True, autoincrement=False),
    Column("revision", Integer, primary_key=True, autoincrement=False),
    Column("edition_hash", Text, ForeignKey("editions.hash"), nullable=False),
    Column("at", Instant, nullable=False),
    sqlite_with_rowid=False,
)
keep(revisions, erasable=False)

# What people decided about an issue, and why.
decisions = Table(
    "decisions",
    metadata,
    Column("issue_no", Integer, ForeignKey("issues.no"), primary_key=True, autoincrement=False),
    Column("no", Integer, primary_key=True, autoincrement=False),  # counts from 1 for each issue
    Column("at", Instant, nullable=False),
    Column("what", Text, nullable=False),
    Column("who", Text, nullable=False),
    Column("why", Text, nullable=False),
    one_of("what", Deed),
    sqlite_with_rowid=False,
)
keep(decisions, erasable=False)

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
    Column("revision", Integer),  # of the issue, at the last claim; empty before the first
    Column("sealed", LargeBinary),  # the digest of what is handed over, kept before the call
    # Held only to ask about deliveries in doubt: then what has no outcome was never handed over.
    Column("settling", Boolean, nullable=False, server_default=false()),
    CheckConstraint("lo < hi", name="range"),
    CheckConstraint("(state = 'claimed') = (worker IS NOT NULL)", name="worker"),
    CheckConstraint("(state = 'claimed') = (lease_until IS NOT NULL)", name="lease"),
    Index(None, "issue_no", "state", "lo"),
    one_of("state", BatchState),
    sqlite_with_rowid=False,
)

# A few rows among all batches of all times: what a tick has to look at.
_open = batches.c.state != literal_column("'done'")
Index("ix_batches_open", batches.c.due_at, sqlite_where=_open, postgresql_where=_open)

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
    Column("retry_at", Instant),  # of what is deferred
    Column("revision", Integer, nullable=False, server_default="1"),
    one_of_these("status", [status for status in Status if status not in (Status.PLANNED, Status.CLAIMED)]),
    sqlite_with_rowid=False,
)

# Both are small, and found at once among millions of outcomes: what waits, and what is in doubt.
_waits, _doubtful = outcomes.c.retry_at.is_not(None), outcomes.c.status == literal_column("'unknown'")
Index("ix_outcomes_retry_at", outcomes.c.issue_no, outcomes.c.retry_at, sqlite_where=_waits, postgresql_where=_waits)
Index("ix_outcomes_unknown", outcomes.c.issue_no, outcomes.c.seq, sqlite_where=_doubtful, postgresql_where=_doubtful)

Index("ix_outcomes_doubtful", outcomes.c.at, sqlite_where=_doubtful, postgresql_where=_doubtful)

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
    one_of("old", Status),
    one_of("new", Status),
    sqlite_with_rowid=False,
)

# What all senders share about a provider.
gates = Table(
    "gates",
    metadata,
    Column("provider", Text, primary_key=True),
    Column("free_at", BigInteger, nullable=False),  # milliseconds of the epoch: when the next message may leave
    Column("blocked_until", Instant),
    Column("why", Text, nullable=False),
)

# One row: who is doing what is due, until when nobody else may, and how it went the last time.
turns = Table(
    "turns",
    metadata,
    Column("no", Integer, primary_key=True, autoincrement=False),
    Column("worker", Text, nullable=False),
    Column("until", Instant, nullable=False),
    Column("began_at", Instant, nullable=False),
    Column("ended_at", Instant),
    Column("said", Text, nullable=False),
    CheckConstraint("no = 1", name="one"),
)
