"""Segments of the list: how many people a rule chooses, and some of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection, case, func, select

from newsletter.audience.predicate import Predicate, Received, leaves
from newsletter.audience.subscriber import State, Subscriber
from newsletter.store import rules
from newsletter.store.db import Database
from newsletter.store.rows import COLUMNS, person
from newsletter.store.tables import deliveries, issues, outcomes, subscribers


class SqlSegments:
    """What rules choose, in a database."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def count(self, rule: Predicate, *, now: datetime) -> tuple[int, int]:
        """(people on the list, those of them who may be mailed now) that *rule* holds for."""
        mailable = func.count(case((rules.mailable(now=now), 1)))
        query = select(func.count(), mailable).select_from(subscribers)
        query = query.where(rules.condition(rule, now=now), subscribers.c.state != State.ERASED.value)
        with self._db.reading() as connection:
            everyone, mailed = connection.execute(query).one()
        return everyone, mailed

    def some(self, rule: Predicate, *, limit: int, now: datetime) -> list[Subscriber]:
        """The *limit* longest on the list whom *rule* holds for and who may be mailed now.

        What they received is looked up for the letters that the rule names.
        """
        query = select(*COLUMNS).where(rules.condition(rule, now=now), rules.mailable(now=now))
        with self._db.reading() as connection:
            found = [person(row) for row in connection.execute(query.order_by(subscribers.c.id).limit(limit))]
            return with_received(connection, found, rule)


def with_received(connection: Connection, people: Iterable[Subscriber], rule: Predicate) -> list[Subscriber]:
    """*people*, each with those letters of *rule* that they have or may have."""
    people = list(people)
    names = {each.issue_id for each in leaves(rule) if isinstance(each, Received)}
    query = (
        select(deliveries.c.subscriber_id, issues.c.issue_id, outcomes.c.revision)
        .join_from(issues, deliveries, deliveries.c.issue_no == issues.c.no)
        .join(outcomes, (outcomes.c.issue_no == deliveries.c.issue_no) & (outcomes.c.seq == deliveries.c.seq))
        .where(
            issues.c.issue_id.in_(names),
            outcomes.c.status.in_([status.value for status in rules.RECEIVED]),
            deliveries.c.subscriber_id.in_([each.id for each in people]),
        )
    )
    had: dict[int, set[tuple[str, int]]] = {}
    for who, issue_id, revision in connection.execute(query) if names else ():
        had.setdefault(who, set()).add((issue_id, revision))
    return [replace(each, received=frozenset(had.get(each.id, ()))) for each in people]
