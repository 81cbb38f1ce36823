"""A transaction straight on the driver, for the statements that run by the thousand.

SQLAlchemy builds these statements, once; running one through it costs more than the database takes for it.
Values go in and come out as the database has them: instants as `epoch` seconds, words as plain text.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from enum import Enum
from functools import cache, lru_cache
from typing import Any

from sqlalchemy import Connection, Dialect, Executable, Table, text
from sqlalchemy.sql import ClauseElement

Values = Mapping[str, object]
ONE_AT_A_TIME = text("SELECT pg_advisory_xact_lock(hashtextextended(:what, 0))")
_Ready = tuple[str, dict[str, object]]  # the words, and the values that are always the same


class Statements:
    """Statements in the words of one database, each put together when it is first run."""

    def __init__(self, dialect: Dialect) -> None:
        # One way to name parameters on both: psycopg takes no other, and SQLite takes this one too.
        kind: Any = type(dialect)
        self._dialect: Dialect = kind(paramstyle="named" if dialect.name == "sqlite" else "pyformat")
        self._ready: dict[Executable, _Ready] = {}

    def of(self, statement: Executable) -> _Ready:
        """The words of *statement* and its constants."""
        ready = self._ready.get(statement)
        if ready is None:
            assert isinstance(statement, ClauseElement)
            compiled: Any = statement.compile(dialect=self._dialect)
            asked = {name for name, bind in compiled.binds.items() if bind.required}
            fixed = {name: _plain(value) for name, value in compiled.params.items() if name not in asked}
            ready = self._ready[statement] = (str(compiled), fixed)
        return ready


def _plain(value: object) -> object:
    return value.value if isinstance(value, Enum) else value


class Quick:
    """What `Database.quick` gives: runs statements in one transaction."""

    def __init__(self, raw: Any, statements: Statements) -> None:  # noqa: ANN401 - either driver's connection
        self._raw = raw
        self._statements = statements
        self.is_sqlite = isinstance(raw, sqlite3.Connection)

    def one_at_a_time(self, what: str) -> None:
        """As `db.one_at_a_time`."""
        if not self.is_sqlite:
            self.first(ONE_AT_A_TIME, {"what": f"newsletter {what}"})

    def run(self, statement: Executable, values: Values) -> int:
        """How many rows *statement* changed."""
        words, fixed = self._statements.of(statement)
        count: int = self._raw.execute(words, {**fixed, **values}).rowcount
        return count

    def run_all(self, statement: Executable, many: Sequence[Values]) -> None:
        """*statement* once for each of *many* values."""
        if many:
            words, fixed = self._statements.of(statement)
            self._raw.cursor().executemany(words, [{**fixed, **values} for values in many])

    def first(self, statement: Executable, values: Values) -> tuple[Any, ...] | None:
        """The first row, or None."""
        words, fixed = self._statements.of(statement)
        # All are fetched: with one left unread, SQLite would hold the statement open and could not commit.
        rows: list[tuple[Any, ...]] = self._raw.execute(words, {**fixed, **values}).fetchall()
        return rows[0] if rows else None

    def all(self, statement: Executable, values: Values) -> list[tuple[Any, ...]]:
        """All rows."""
        words, fixed = self._statements.of(statement)
        rows: list[tuple[Any, ...]] = self._raw.execute(words, {**fixed, **values}).fetchall()
        return rows

    def append(self, table: Table, rows: Sequence[tuple[object, ...]]) -> None:
        """Insert *rows*, each with all columns of *table* in order."""
        append_to(self._raw, table, rows)


def within(connection: Connection) -> Quick:
    """For the transaction that *connection* is in."""
    return Quick(connection.connection.driver_connection, _statements(connection.dialect))


@lru_cache(maxsize=8)
def _statements(dialect: Dialect) -> Statements:
    return Statements(dialect)


def append_to(raw: Any, table: Table, rows: Sequence[tuple[object, ...]]) -> None:  # noqa: ANN401 - as above
    """The quick way in on each database, for rows with all columns of *table* in order."""
    if not rows:
        return
    if isinstance(raw, sqlite3.Connection):
        raw.executemany(_insert(table), rows)
        return
    with raw.cursor().copy(_copy(table)) as copy:
        for row in rows:
            copy.write_row(row)


@cache
def _insert(table: Table) -> str:
    names = ", ".join(column.name for column in table.columns)
    return f"INSERT INTO {table.name} ({names}) VALUES ({', '.join('?' * len(table.columns))})"  # noqa: S608


@cache
def _copy(table: Table) -> str:
    return f"COPY {table.name} ({', '.join(column.name for column in table.columns)}) FROM STDIN"
