"""Ticks and series: whose turn it is, and indexes by which one finds what is due without reading what is done."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "turns",
        sa.Column("no", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("worker", sa.Text(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("began_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("said", sa.Text(), nullable=False),
        sa.CheckConstraint("no = 1", name=op.f("ck_turns_one")),
        sa.PrimaryKeyConstraint("no", name=op.f("pk_turns")),
    )
    op.add_column("issues", sa.Column("swept_at", sa.BigInteger(), nullable=True))
    op.create_index("ix_subscribers_joined_at", "subscribers", ["joined_at"])
    still_open, doubtful = sa.text("state != 'done'"), sa.text("status = 'unknown'")
    op.create_index("ix_batches_open", "batches", ["due_at"], sqlite_where=still_open, postgresql_where=still_open)
    op.create_index("ix_outcomes_doubtful", "outcomes", ["at"], sqlite_where=doubtful, postgresql_where=doubtful)
