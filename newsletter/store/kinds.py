"""The kinds of columns: instants as whole seconds, and words out of a list."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from enum import StrEnum

from sqlalchemy import BigInteger, CheckConstraint, Dialect, TypeDecorator


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


def one_of(column: str, values: Iterable[StrEnum]) -> CheckConstraint:
    """What holds *column* to one of *values*, or to nothing where it may be empty."""
    words = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({words})", name=column)


def one_of_these(column: str, values: Iterable[StrEnum]) -> CheckConstraint:
    """The same for a table that is written by the million: SQLite sets up the list of an IN anew for every row."""
    return CheckConstraint(" OR ".join(f"{column} = '{value}'" for value in values), name=column)
