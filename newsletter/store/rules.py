"""Conditions on subscribers as SQL: the compiler that a property test holds equal to `predicate.holds`."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Text, and_, case, false, func, literal, or_, true
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from newsletter.audience.columns import is_tag
from newsletter.audience.predicate import All, Is, Paused, Predicate, Suppressed
from newsletter.audience.suppression import REASONS
from newsletter.store.rows import SUPPRESSED
from newsletter.store.tables import subscribers

Now = datetime | ColumnElement[datetime]


class _Attribute(FunctionElement[str]):
    """A value of a JSON object by its name; NULL if there is none."""

    type = Text()
    name = "attribute"
    inherit_cache = True


@compiles(_Attribute, "sqlite")
def _on_sqlite(element: _Attribute, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401
    column, name = (compiler.process(clause, **options) for clause in element.clauses)
    return f"json_extract({column}, '$.\"' || {name} || '\"')"


@compiles(_Attribute, "postgresql")
def _on_postgresql(element: _Attribute, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401
    column, name = (compiler.process(clause, **options) for clause in element.clauses)
    return f"(CAST({column} AS json) ->> CAST({name} AS text))"


def condition(rule: Predicate, *, now: Now) -> ColumnElement[bool]:
    """*rule* over the rows of `subscribers`: true where `predicate.holds` is true of the person."""
    match rule:
        case Is(field="tags", values=values):
            # Kept as |a|b|. LIKE ignores case on SQLite, which is harmless: tags are lower case by rule,
            # and a value that is no tag fits nobody.
            wanted = [f"|{value}|" for value in values if is_tag(value)]
            return or_(false(), *(subscribers.c.tags.contains(each, autoescape=True) for each in wanted))
        case Is(field=field, values=values):
            storable = [value for value in values if _storable(value)]
            # IN is put together anew each time it runs, and `quick` cannot do that; who may be mailed is asked without.
            return value_of(field) == storable[0] if len(storable) == 1 else value_of(field).in_(storable)
        case Suppressed():
            return SUPPRESSED
        case Paused():
            return and_(subscribers.c.paused_until.is_not(None), subscribers.c.paused_until > now)
        case All(conditions=conditions):
            return and_(true(), *(condition(each, now=now) for each in conditions))


def value_of(field: str) -> ColumnElement[str]:
    """The value a person has for *field*; empty if there is none. Raises ValueError for an unknown one."""
    if field.startswith("attributes."):
        name = field.removeprefix("attributes.")
        # No other name can be entered (see `importing`), and in SQLite's path a quote would end it.
        return (
            func.coalesce(_Attribute(subscribers.c.attributes, literal(name)), "")
            if name.isidentifier()
            else literal("")
        )
    if field == "zone":
        return func.coalesce(subscribers.c.zone, "")
    if field in ("state", "language", "name", "first_name"):
        return subscribers.c[field]
    raise ValueError(f"no such field of a subscriber: {field!r}")


def why_not(*, now: Now) -> ColumnElement[str | None]:
    """The reason a person may not be mailed at *now*, or NULL: `suppression.why_not` as SQL."""
    return case(*((condition(rule, now=now), literal(reason)) for reason, rule in REASONS), else_=None)


def mailable(*, now: Now) -> ColumnElement[bool]:
    """Whether a person may be mailed at *now*."""
    return why_not(now=now).is_(None)


def _storable(value: str) -> bool:
    """Whether a text column can hold *value* on every database, so that something may equal it."""
    return "\0" not in value and not any("\ud800" <= character <= "\udfff" for character in value)
