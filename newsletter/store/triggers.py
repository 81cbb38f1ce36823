"""Triggers that keep evidence as it was written: whoever has to prove something must not be able to change it."""

from __future__ import annotations

from sqlalchemy import DDL, Table, event


def keep(table: Table, *, erasable: bool) -> None:
    """Let rows of *table* only be added; with *erasable* they may be deleted too, one by one, with a person."""
    for dialect, statements in _STATEMENTS.items():
        for statement in statements if erasable else [*statements, *_NO_DELETE[dialect]]:
            ddl = DDL(statement % _words(table))  # type: ignore[no-untyped-call]
            event.listen(table, "after_create", ddl.execute_if(dialect=dialect))


def _words(table: Table) -> dict[str, str]:
    key = " AND ".join(f"{column.name} = NEW.{column.name}" for column in table.primary_key)
    return {"table": table.name, "key": key}


_STATEMENTS = {
    "sqlite": [
        """
        CREATE TRIGGER %(table)s_append_only BEFORE UPDATE ON %(table)s
        BEGIN SELECT RAISE(ABORT, '%(table)s is append-only'); END
        """,
        """
        CREATE TRIGGER %(table)s_no_replace BEFORE INSERT ON %(table)s
        WHEN EXISTS (SELECT 1 FROM %(table)s WHERE %(key)s)
        BEGIN SELECT RAISE(ABORT, '%(table)s is append-only'); END
        """,
    ],
    "postgresql": [
        """
        CREATE FUNCTION %(table)s_append_only() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION '%(table)s is append-only'; END $$
        """,
        """
        CREATE TRIGGER %(table)s_append_only BEFORE UPDATE ON %(table)s
        FOR EACH ROW EXECUTE FUNCTION %(table)s_append_only()
        """,
        """
        CREATE TRIGGER %(table)s_no_truncate BEFORE TRUNCATE ON %(table)s
        FOR EACH STATEMENT EXECUTE FUNCTION %(table)s_append_only()
        """,
    ],
}

_NO_DELETE = {
    "sqlite": [
        """
        CREATE TRIGGER %(table)s_no_delete BEFORE DELETE ON %(table)s
        BEGIN SELECT RAISE(ABORT, '%(table)s is append-only'); END
        """
    ],
    "postgresql": [
        """
        CREATE TRIGGER %(table)s_no_delete BEFORE DELETE ON %(table)s
        FOR EACH ROW EXECUTE FUNCTION %(table)s_append_only()
        """
    ],
}
