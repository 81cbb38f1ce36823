"""People: how often they want letters, what they asked on the pages, what is mailed to one alone, and bounces."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # In words and not by add_column: SQLite adds a column with its check, and Alembic would copy a million rows.
    op.execute(
        "ALTER TABLE subscribers ADD COLUMN frequency TEXT DEFAULT 'weekly' NOT NULL "
        "CONSTRAINT ck_subscribers_frequency CHECK (frequency IN ('weekly', 'monthly'))"
    )
    op.create_table(
        "wishes",
        sa.Column("no", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("details", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("kind IN ('join', 'link')", name=op.f("ck_wishes_kind")),
        sa.PrimaryKeyConstraint("no", name=op.f("pk_wishes")),
    )
    op.create_table(
        "mails",
        sa.Column("no", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("subscriber_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("queued_at", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.CheckConstraint("kind IN ('confirm', 'welcome', 'link')", name=op.f("ck_mails_kind")),
        sa.CheckConstraint("state IN ('queued', 'claimed', 'sent', 'refused', 'doubt')", name=op.f("ck_mails_state")),
        sa.ForeignKeyConstraint(["subscriber_id"], ["subscribers.id"], name=op.f("fk_mails_subscriber_id")),
        sa.PrimaryKeyConstraint("no", name=op.f("pk_mails")),
    )
    op.create_index("ix_mails_subscriber_id", "mails", ["subscriber_id"])
    waiting = sa.text("state IN ('queued', 'claimed')")
    op.create_index("ix_mails_waiting", "mails", ["no"], sqlite_where=waiting, postgresql_where=waiting)
    op.create_table(
        "soft_bounces",
        sa.Column("subscriber_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("issue_no", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["subscriber_id"], ["subscribers.id"], name=op.f("fk_soft_bounces_subscriber_id")),
        sa.PrimaryKeyConstraint("subscriber_id", "issue_no", name=op.f("pk_soft_bounces")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "bookmarks",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("position", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_bookmarks")),
        sqlite_with_rowid=False,
    )
