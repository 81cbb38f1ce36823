"""Issues can be paused, cancelled and corrected; deferred deliveries come back; providers have a gate."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _controls()
    _sending()
    for table, key in (("revisions", ("issue_no", "revision")), ("decisions", ("issue_no", "no"))):
        same = " AND ".join(f"{column} = NEW.{column}" for column in key)
        for statement in APPEND_ONLY[op.get_bind().dialect.name]:
            op.execute(statement.format(table=table, same=same))


def _controls() -> None:
    op.add_column("issues", sa.Column("paused", sa.Text(), server_default="", nullable=False))
    op.add_column("issues", sa.Column("cancelled", sa.Text(), server_default="", nullable=False))
    op.create_table(
        "revisions",
        sa.Column("issue_no", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("revision", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("edition_hash", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["edition_hash"], ["editions.hash"], name=op.f("fk_revisions_edition_hash")),
        sa.ForeignKeyConstraint(["issue_no"], ["issues.no"], name=op.f("fk_revisions_issue_no")),
        sa.PrimaryKeyConstraint("issue_no", "revision", name=op.f("pk_revisions")),
        sqlite_with_rowid=False,
    )
    op.execute("INSERT INTO revisions SELECT no, revision, edition_hash, planned_at FROM issues")
    op.create_table(
        "decisions",
        sa.Column("issue_no", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("no", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "what IN ('pause', 'resume', 'cancel', 'correct', 'resolve')", name=op.f("ck_decisions_what")
        ),
        sa.ForeignKeyConstraint(["issue_no"], ["issues.no"], name=op.f("fk_decisions_issue_no")),
        sa.PrimaryKeyConstraint("issue_no", "no", name=op.f("pk_decisions")),
        sqlite_with_rowid=False,
    )


def _sending() -> None:
    op.create_table(
        "gates",
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("free_at", sa.BigInteger(), nullable=False),
        sa.Column("blocked_until", sa.BigInteger(), nullable=True),
        sa.Column("why", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("provider", name=op.f("pk_gates")),
    )
    op.add_column("batches", sa.Column("revision", sa.Integer(), nullable=True))
    op.add_column("batches", sa.Column("sealed", sa.LargeBinary(), nullable=True))
    op.add_column("batches", sa.Column("settling", sa.Boolean(), server_default=sa.false(), nullable=False))
    _outcomes()
    # Until now an issue had one revision, which nearly always was the first: few rows are written anew.
    op.execute(
        "UPDATE batches SET revision = (SELECT revision FROM issues WHERE no = issue_no) WHERE claimed_at IS NOT NULL"
    )
    op.execute(
        "UPDATE outcomes SET revision = (SELECT revision FROM issues WHERE no = issue_no) "
        "WHERE issue_no IN (SELECT no FROM issues WHERE revision <> 1)"
    )
    # Nothing brought deferred deliveries back so far: they have waited long enough.
    op.execute("UPDATE outcomes SET retry_at = at WHERE status = 'deferred'")
    waits, doubtful = sa.text("retry_at IS NOT NULL"), sa.text("status = 'unknown'")
    op.create_index(
        "ix_outcomes_retry_at", "outcomes", ["issue_no", "retry_at"], sqlite_where=waits, postgresql_where=waits
    )
    op.create_index(
        "ix_outcomes_unknown", "outcomes", ["issue_no", "seq"], sqlite_where=doubtful, postgresql_where=doubtful
    )


def _outcomes() -> None:
    """More columns, and the check of the status in words that SQLite is quicker with."""
    statuses = (
        "accepted", "refused", "deferred", "unknown", "held",
        "cancelled", "suppressed", "delivered", "bounced", "complained",
    )  # fmt: skip
    check = " OR ".join(f"status = '{status}'" for status in statuses)
    if op.get_bind().dialect.name == "postgresql":
        op.add_column("outcomes", sa.Column("retry_at", sa.BigInteger(), nullable=True))
        op.add_column("outcomes", sa.Column("revision", sa.Integer(), server_default="1", nullable=False))
        op.drop_constraint(op.f("ck_outcomes_status"), "outcomes", type_="check")
        op.create_check_constraint(op.f("ck_outcomes_status"), "outcomes", check)
        return
    op.rename_table("outcomes", "outcomes_0002")
    op.create_table(
        "outcomes",
        sa.Column("issue_no", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("provider_id", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("values_digest", sa.LargeBinary(), nullable=False),
        sa.Column("retry_at", sa.BigInteger(), nullable=True),
        sa.Column("revision", sa.Integer(), server_default="1", nullable=False),
        sa.CheckConstraint(check, name=op.f("ck_outcomes_status")),
        sa.PrimaryKeyConstraint("issue_no", "seq", name=op.f("pk_outcomes")),
        sqlite_with_rowid=False,
    )
    op.execute("INSERT INTO outcomes SELECT *, NULL, 1 FROM outcomes_0002")
    op.drop_table("outcomes_0002")


APPEND_ONLY = {
    "sqlite": [
        """
        CREATE TRIGGER {table}_append_only BEFORE UPDATE ON {table}
        BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END
        """,
        """
        CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table}
        WHEN EXISTS (SELECT 1 FROM {table} WHERE {same})
        BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END
        """,
        """
        CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table}
        BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END
        """,
    ],
    "postgresql": [
        """
        CREATE FUNCTION {table}_append_only() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION '{table} is append-only'; END $$
        """,
        """
        CREATE TRIGGER {table}_append_only BEFORE UPDATE ON {table}
        FOR EACH ROW EXECUTE FUNCTION {table}_append_only()
        """,
        """
        CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table}
        FOR EACH STATEMENT EXECUTE FUNCTION {table}_append_only()
        """,
        """
        CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table}
        FOR EACH ROW EXECUTE FUNCTION {table}_append_only()
        """,
    ],
}
