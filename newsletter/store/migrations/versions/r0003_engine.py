"""Pause, cancel and correct; calls that can be repeated; retries; what all senders share about a provider."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("paused", "cancelled"):
        op.add_column("issues", sa.Column(name, sa.Text, nullable=False, server_default=""))
    for column in (
        sa.Column("revision", sa.Integer),
        sa.Column("edition_hash", sa.Text),
        sa.Column("sealed", sa.LargeBinary),
    ):
        op.add_column("batches", column)
    op.add_column("outcomes", sa.Column("retry_at", sa.BigInteger))
    op.add_column("outcomes", sa.Column("revision", sa.Integer, nullable=False, server_default="1"))
    _tables()
    _indexes()
    _fill()


def _tables() -> None:
    op.create_table(
        "revisions",
        sa.Column("issue_no", sa.Integer, sa.ForeignKey("issues.no", name="fk_revisions_issue_no")),
        sa.Column("revision", sa.Integer),
        sa.Column(
            "edition_hash",
            sa.Text,
            sa.ForeignKey("editions.hash", name="fk_revisions_edition_hash"),
            nullable=False,
        ),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("issue_no", "revision", name="pk_revisions"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "decisions",
        sa.Column("issue_no", sa.Integer, sa.ForeignKey("issues.no", name="fk_decisions_issue_no")),
        sa.Column("no", sa.Integer),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("what", sa.Text, nullable=False),
        sa.Column("who", sa.Text, nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("issue_no", "no", name="pk_decisions"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "gates",
        sa.Column("provider", sa.Text),
        sa.Column("free_at_ms", sa.BigInteger, nullable=False),
        sa.Column("blocked_until", sa.BigInteger),
        sa.Column("why", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("provider", name="pk_gates"),
        sqlite_with_rowid=False,
    )


def _indexes() -> None:
    for name, column, where in (
        ("ix_outcomes_retry_at", "retry_at", "retry_at IS NOT NULL"),
        ("ix_outcomes_unknown", "seq", "status = 'unknown'"),
    ):
        op.create_index(
            name, "outcomes", ["issue_no", column], sqlite_where=sa.text(where), postgresql_where=sa.text(where)
        )


def _fill() -> None:
    """What is known already: until now, every issue had one revision."""
    op.execute("INSERT INTO revisions SELECT no, revision, edition_hash, planned_at FROM issues")
    mine = "(SELECT {0} FROM issues WHERE issues.no = {1}.issue_no)"
    op.execute(f"UPDATE outcomes SET revision = {mine.format('revision', 'outcomes')}")  # noqa: S608 - our own names
    both = ", ".join(f"{name} = {mine.format(name, 'batches')}" for name in ("revision", "edition_hash"))
    op.execute(f"UPDATE batches SET {both} WHERE claimed_at IS NOT NULL")  # noqa: S608
