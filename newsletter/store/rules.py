"""Conditions on subscribers as SQL: the compiler that a property test holds equal to `predicate.holds`."""

from __future__ import annotations

from datetime import datetime
from typing import Any as AnyValue

from sqlalchemy import ColumnElement, Text, and_, case, false, func, literal, not_, or_, select, true
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from newsletter.audience.columns import is_tag
from newsletter.audience.predicate import All, Any, Is, Joined, Not, Paused, Predicate, Received, Suppressed
from newsletter.audience.suppression import REASONS
from newsletter.delivery.outcome import Status
from newsletter.store.rows import SUPPRESSED
from newsletter.store.tables import deliveries, issues, outcomes, subscribers

Now = datetime | ColumnElement[datetime]

# What counts as having a letter. Doubt is among them: "has not received" must never mail somebody a second time.
RECEIVED = (Status.ACCEPTED, Status.DELIVERED, Status.COMPLAINED, Status.UNKNOWN)


class _Attribute(FunctionElement[str]):
    """A value of a JSON object by its name; NULL if there is none."""

    type = Text()
    name = "attribute"
    inherit_cache = True


@compiles(_Attribute, "sqlite")
def _on_sqlite(element: _Attribute, compiler: SQLCompiler, **options: AnyValue) -> str:  # noqa: ANN401
    column, name = (compiler.process(clause, **options) for clause in element.clauses)
    return f"json_extract({column}, '$.\"' || {name} || '\"')"


@compiles(_Attribute, "postgresql")
def _on_postgresql(element: _Attribute, compiler: SQLCompiler, **options: AnyValue) -> str:  # noqa: ANN401
    column, name = (compiler.process(clause, **options) for clause in element.clauses)
    return f"(CAST({column} AS json) ->> CAST({name} AS text))"


def condition(rule: Predicate, *, now: Now) -> ColumnElement[bool]:  # noqa: PLR0911 - one for each kind
    """*rule* over the rows of `subscribers`: true where `predicate.holds` is true of the person."""
    match rule:
        case Is(field=field, values=values):
            return _tagged(values) if field == "tags" else _is(field, values)
        case Suppressed():
            return SUPPRESSED
        case Paused():
            return and_(subscribers.c.paused_until.is_not(None), subscribers.c.paused_until > now)
        case Joined():
            return _joined(rule)
        case Received():
            return _received(rule)
        case All(conditions=conditions):
            return and_(true(), *(condition(each, now=now) for each in conditions))
        case Any(conditions=conditions):
            return or_(false(), *(condition(each, now=now) for each in conditions))
        case Not(condition=inner):
            return not_(condition(inner, now=now))  # sound, since none of these is ever NULL


def _tagged(values: tuple[str, ...]) -> ColumnElement[bool]:
    # Kept as |a|b|. LIKE ignores case on SQLite, which is harmless: tags are lower case by rule,
    # and a value that is no tag fits nobody.
    wanted = [f"|{value}|" for value in values if is_tag(value)]
    return or_(false(), *(subscribers.c.tags.contains(each, autoescape=True) for each in wanted))


def _is(field: str, values: tuple[str, ...]) -> ColumnElement[bool]:
    storable = [value for value in values if _storable(value)]
    # IN is put together anew each time it runs, and `quick` cannot do that; who may be mailed is asked without.
    return value_of(field) == storable[0] if len(storable) == 1 else value_of(field).in_(storable)


def _joined(rule: Joined) -> ColumnElement[bool]:
    joined = subscribers.c.joined_at
    since = [joined >= rule.since] if rule.since else []
    until = [joined < rule.until] if rule.until else []
    return and_(true(), *since, *until)


def _received(rule: Received) -> ColumnElement[bool]:
    """Whether a person is among those who have a letter: for each person one look into each index."""
    if not _storable(rule.issue_id):
        return false()
    theirs = select(deliveries.c.seq).where(
        deliveries.c.subscriber_id == subscribers.c.id,
        deliveries.c.issue_no == select(issues.c.no).where(issues.c.issue_id == rule.issue_id).scalar_subquery(),
        outcomes.c.issue_no == deliveries.c.issue_no,
        outcomes.c.seq == deliveries.c.seq,
        outcomes.c.status.in_([status.value for status in RECEIVED]),
    )
    if rule.revision is not None:
        theirs = theirs.where(outcomes.c.revision == rule.revision)
    return theirs.correlate(subscribers).exists()


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
    if field in ("state", "language", "name", "first_name", "frequency"):
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
