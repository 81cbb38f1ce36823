"""Evidence of consent can neither be replaced nor swept away, as it could not be changed before."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(TRIGGER[op.get_bind().dialect.name])


TRIGGER = {
    "sqlite": """
        CREATE TRIGGER consent_events_no_replace BEFORE INSERT ON consent_events
        WHEN EXISTS (SELECT 1 FROM consent_events WHERE subscriber_id = NEW.subscriber_id AND no = NEW.no)
        BEGIN SELECT RAISE(ABORT, 'consent_events is append-only'); END
        """,
    "postgresql": """
        CREATE TRIGGER consent_events_no_truncate BEFORE TRUNCATE ON consent_events
        FOR EACH STATEMENT EXECUTE FUNCTION consent_events_append_only()
        """,
}
