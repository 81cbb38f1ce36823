"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    _people()
    _letters()
    _sending()
    for statement in APPEND_ONLY[op.get_bind().dialect.name]:
        op.execute(statement)


def _people() -> None:
    op.create_table(
        "instance",
        sa.Column("no", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("pepper", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("no = 1", name=op.f("ck_instance_one")),
        sa.PrimaryKeyConstraint("no", name=op.f("pk_instance")),
    )
    op.create_table(
        "subscribers",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("address_key", sa.Text(), nullable=False),
        sa.Column("address_hash", sa.LargeBinary(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("first_name", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("paused_until", sa.BigInteger(), nullable=True),
        sa.Column("zone", sa.Text(), nullable=True),
        sa.Column("zone_source", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("tags", sa.Text(), nullable=False),
        sa.Column("attributes", sa.Text(), nullable=False),
        sa.Column("leave_token", sa.Text(), nullable=False),
        sa.Column("joined_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "state IN ('pending', 'active', 'unsubscribed', 'bounced', 'complained', 'erased')",
            name=op.f("ck_subscribers_state"),
        ),
        sa.CheckConstraint("zone_source IN ('browser', 'import', 'default')", name=op.f("ck_subscribers_zone_source")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subscribers")),
        sa.UniqueConstraint("address_key", name=op.f("uq_subscribers_address_key")),
        sa.UniqueConstraint("leave_token", name=op.f("uq_subscribers_leave_token")),
    )
    op.create_table(
        "suppressions",
        sa.Column("address_hash", sa.LargeBinary(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("address_hash", name=op.f("pk_suppressions")),
    )
    op.create_table(
        "consent_events",
        sa.Column("subscriber_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("no", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("how", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "state IN ('pending', 'active', 'unsubscribed', 'bounced', 'complained', 'erased')",
            name=op.f("ck_consent_events_state"),
        ),
        sa.ForeignKeyConstraint(["subscriber_id"], ["subscribers.id"], name=op.f("fk_consent_events_subscriber_id")),
        sa.PrimaryKeyConstraint("subscriber_id", "no", name=op.f("pk_consent_events")),
        sqlite_with_rowid=False,
    )


def _letters() -> None:
    op.create_table(
        "deliveries",
        sa.Column("issue_no", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("subscriber_id", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("issue_no", "seq", name=op.f("pk_deliveries")),
        sa.UniqueConstraint("issue_no", "subscriber_id", name=op.f("uq_deliveries_issue_no_subscriber_id")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "editions",
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("issue_id", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_editions")),
    )
    op.create_table(
        "exclusions",
        sa.Column("issue_no", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("subscriber_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("issue_no", "subscriber_id", name=op.f("pk_exclusions")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "issues",
        sa.Column("no", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("issue_id", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("edition_hash", sa.Text(), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("audience", sa.Text(), nullable=False),
        sa.Column("due_elsewhere", sa.BigInteger(), nullable=False),
        sa.Column("planned_at", sa.BigInteger(), nullable=False),
        sa.Column("candidates", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["edition_hash"], ["editions.hash"], name=op.f("fk_issues_edition_hash")),
        sa.PrimaryKeyConstraint("no", name=op.f("pk_issues")),
        sa.UniqueConstraint("issue_id", name=op.f("uq_issues_issue_id")),
    )
    op.create_table(
        "zone_dues",
        sa.Column("issue_no", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("zone", sa.Text(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["issue_no"], ["issues.no"], name=op.f("fk_zone_dues_issue_no")),
        sa.PrimaryKeyConstraint("issue_no", "zone", name=op.f("pk_zone_dues")),
        sqlite_with_rowid=False,
    )


def _sending() -> None:
    op.create_table(
        "moves",
        sa.Column("issue_no", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("no", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("old", sa.Text(), nullable=False),
        sa.Column("old_at", sa.BigInteger(), nullable=False),
        sa.Column("old_reason", sa.Text(), nullable=False),
        sa.Column("new", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "new IN ('planned', 'claimed', 'accepted', 'refused', 'deferred', 'unknown', "
            "'held', 'cancelled', 'suppressed', 'delivered', 'bounced', 'complained')",
            name=op.f("ck_moves_new"),
        ),
        sa.CheckConstraint(
            "old IN ('planned', 'claimed', 'accepted', 'refused', 'deferred', 'unknown', "
            "'held', 'cancelled', 'suppressed', 'delivered', 'bounced', 'complained')",
            name=op.f("ck_moves_old"),
        ),
        sa.PrimaryKeyConstraint("issue_no", "seq", "no", name=op.f("pk_moves")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "outcomes",
        sa.Column("issue_no", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("provider_id", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("values_digest", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint(
            "status IN ('accepted', 'refused', 'deferred', 'unknown', "
            "'held', 'cancelled', 'suppressed', 'delivered', 'bounced', 'complained')",
            name=op.f("ck_outcomes_status"),
        ),
        sa.PrimaryKeyConstraint("issue_no", "seq", name=op.f("pk_outcomes")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "batches",
        sa.Column("issue_no", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("lo", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("hi", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("claimed_at", sa.BigInteger(), nullable=True),
        sa.Column("lease_until", sa.BigInteger(), nullable=True),
        sa.Column("worker", sa.Text(), nullable=True),
        sa.CheckConstraint("(state = 'claimed') = (lease_until IS NOT NULL)", name=op.f("ck_batches_lease")),
        sa.CheckConstraint("(state = 'claimed') = (worker IS NOT NULL)", name=op.f("ck_batches_worker")),
        sa.CheckConstraint("state IN ('planned', 'claimed', 'done')", name=op.f("ck_batches_state")),
        sa.CheckConstraint("lo < hi", name=op.f("ck_batches_range")),
        sa.ForeignKeyConstraint(["issue_no"], ["issues.no"], name=op.f("fk_batches_issue_no")),
        sa.PrimaryKeyConstraint("issue_no", "lo", name=op.f("pk_batches")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_batches_issue_no_state_lo"), "batches", ["issue_no", "state", "lo"], unique=False)


APPEND_ONLY = {
    "sqlite": [
        """
        CREATE TRIGGER consent_events_append_only BEFORE UPDATE ON consent_events
        BEGIN SELECT RAISE(ABORT, 'consent_events is append-only'); END
        """
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
    ],
}
