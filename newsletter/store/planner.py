"""Plans: an issue, its frozen audience and every delivery's instant, written in one transaction.

Set-based throughout: a million deliveries are three statements, and no person passes through Python.
"""

from __future__ import annotations

import json
import secrets
from collections import Counter
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, case, func, insert, literal, select, text

from newsletter.audience.columns import read_zone
from newsletter.audience.segments import to_data
from newsletter.delivery.plan import Forecast, Plan, PlannedIssue
from newsletter.errors import StoreError
from newsletter.store import rules
from newsletter.store.db import Database, wait_longer
from newsletter.store.monthly import MONTHLY, has_the_months_letter
from newsletter.store.tables import (
    BatchState,
    batches,
    deliveries,
    exclusions,
    issues,
    revisions,
    subscribers,
    zone_dues,
)

BATCH = 1000  # deliveries per planned batch: more gain nothing, fewer cost commits


class SqlPlanner:
    """Where plans are written, in a database."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def forecast(self, plan: Plan, *, now: datetime) -> Forecast:
        """Who would be mailed and when; writes nothing."""
        excluded: Counter[str] = Counter()
        due: Counter[datetime] = Counter()
        unknown = 0
        with self._db.reading() as connection:
            reason = _why_not(connection, plan, now=now).label("reason")
            query = (
                select(reason, subscribers.c.zone, func.count())
                .where(rules.condition(plan.audience, now=now))
                .group_by(reason, subscribers.c.zone)
            )
            for why, zone, people in connection.execute(query):
                if why is not None:
                    excluded[why] += people
                else:
                    due[plan.due.get(zone, plan.due_elsewhere)] += people
                    unknown += people if zone is None else 0
        total = sum(due.values()) + sum(excluded.values())
        return Forecast(candidates=total, excluded=excluded, due=dict(sorted(due.items())), unknown_zones=unknown)

    def write(self, plan: Plan, *, now: datetime) -> PlannedIssue:
        """Freeze the audience, in one transaction; a second time gives back the first plan."""
        with self._db.writing(snapshot=True) as connection:
            wait_longer(connection)
            if not self._db.is_sqlite:
                # Before the first statement that sees anything: whoever waits here sees the plan it waited for.
                # Of a table that only plans write: nobody who pauses another issue must wait here.
                connection.execute(text("LOCK TABLE deliveries IN SHARE ROW EXCLUSIVE MODE"))
            existing = _find(connection, plan.issue_id)
            if existing is None:
                _write(connection, plan, now=now)
                existing = _find(connection, plan.issue_id)
        assert existing is not None
        return existing

    def planned(self, issue_id: str) -> PlannedIssue | None:
        """The plan of an issue, if one was written."""
        with self._db.reading() as connection:
            return _find(connection, issue_id)

    def by_no(self, no: int) -> PlannedIssue | None:
        """The plan of that number, if there is one."""
        with self._db.reading() as connection:
            row = connection.execute(PLANNED_ISSUES.where(issues.c.no == no)).first()
        return planned_issue(row) if row else None

    def issues(self) -> list[PlannedIssue]:
        """All plans, newest first."""
        with self._db.reading() as connection:
            return [planned_issue(row) for row in connection.execute(PLANNED_ISSUES.order_by(issues.c.no.desc()))]

    def zones(self) -> list[str]:
        """The distinct time zones of the list."""
        query = select(subscribers.c.zone).where(subscribers.c.zone.is_not(None)).distinct()
        with self._db.reading() as connection:
            return sorted(connection.execute(query).scalars())


PLANNED_ISSUES = select(
    issues.c.no,
    issues.c.issue_id,
    issues.c.revision,
    issues.c.edition_hash,
    issues.c.secret,
    issues.c.planned_at,
    issues.c.candidates,
    issues.c.paused,
    issues.c.cancelled,
)


def planned_issue(row: Row[*tuple[Any, ...]]) -> PlannedIssue:
    """The issue in a row of PLANNED_ISSUES."""
    no, issue_id, revision, edition_hash, secret, planned_at, candidates, paused, cancelled = row
    return PlannedIssue(
        no=no,
        issue_id=issue_id,
        revision=revision,
        edition_hash=edition_hash,
        secret=bytes(secret),
        planned_at=planned_at,
        candidates=candidates,
        paused=paused,
        cancelled=cancelled,
    )


def _find(connection: Connection, issue_id: str) -> PlannedIssue | None:
    row = connection.execute(PLANNED_ISSUES.where(issues.c.issue_id == issue_id)).first()
    return planned_issue(row) if row else None


def _write(connection: Connection, plan: Plan, *, now: datetime) -> None:
    """Write everything that belongs to a plan, and prove that nobody was lost on the way."""
    wanted = rules.condition(plan.audience, now=now)
    candidates = connection.execute(select(func.count()).select_from(subscribers).where(wanted)).scalar_one()
    no = write_issue(connection, plan, candidates=candidates, now=now)
    _refuse_new_zones(connection, plan, wanted)
    reason = _why_not(connection, plan, now=now)
    away = select(literal(no), subscribers.c.id, reason).where(wanted, reason.is_not(None))
    connection.execute(insert(exclusions).from_select(["issue_no", "subscriber_id", "reason"], away))
    excluded = connection.execute(select(func.count()).where(exclusions.c.issue_no == no)).scalar_one()
    _write_deliveries(connection, plan, wanted & reason.is_(None), no=no)
    due = deliveries.c.due_at
    counts = select(due, func.min(deliveries.c.seq), func.count()).where(deliveries.c.issue_no == no).group_by(due)
    planned = 0
    for due_at, first, people in connection.execute(counts.order_by(due)).all():
        add_batches(connection, no, first=first, people=people, due_at=due_at, size=BATCH)
        planned += people
    if candidates != planned + excluded:
        message = f"the plan does not add up: {candidates} candidates, {planned} planned, {excluded} excluded"
        raise StoreError(message, hint="nothing was written; this is a bug, please report it", at=plan.issue_id)


def _why_not(connection: Connection, plan: Plan, *, now: datetime) -> ColumnElement[str | None]:
    """The reason why a person is not planned for this letter: that they may not be mailed, or that it is not theirs."""
    not_theirs = case((has_the_months_letter(connection, plan), literal(MONTHLY)))
    return func.coalesce(rules.why_not(now=now), not_theirs)


def add_batches(connection: Connection, no: int, *, first: int, people: int, due_at: datetime, size: int) -> None:
    """Batches of at most *size* for so many deliveries from *first* on, all due at once."""
    end = first + people
    rows = [
        {"issue_no": no, "lo": lo, "hi": min(lo + size, end), "due_at": due_at, "state": BatchState.PLANNED.value}
        for lo in range(first, end, size)
    ]
    if rows:
        connection.execute(insert(batches), rows)


def write_issue(connection: Connection, plan: Plan, *, candidates: int, now: datetime) -> int:
    """The number of a new issue, with its first revision and its zones' instants."""
    no: int = connection.execute(select(func.coalesce(func.max(issues.c.no), 0) + 1)).scalar_one()
    connection.execute(
        insert(issues).values(
            no=no,
            issue_id=plan.issue_id,
            revision=plan.revision,
            edition_hash=plan.edition_hash,
            secret=secrets.token_bytes(32),
            audience=json.dumps(to_data(plan.audience), ensure_ascii=False),
            due_elsewhere=plan.due_elsewhere,
            planned_at=now,
            candidates=candidates,
        )
    )
    first = {"issue_no": no, "revision": plan.revision, "edition_hash": plan.edition_hash, "at": now}
    connection.execute(insert(revisions), first)
    dues = [{"issue_no": no, "zone": zone, "due_at": due_at} for zone, due_at in plan.due.items()]
    if dues:
        connection.execute(insert(zone_dues), dues)
    return no


def _refuse_new_zones(connection: Connection, plan: Plan, wanted: ColumnElement[bool]) -> None:
    """Raise StoreError if somebody brought a time zone that the plan knows no time for.

    Only names that are no zone are left out of a plan; whoever has one is due with those who have none.
    """
    zones = select(subscribers.c.zone).where(wanted, subscribers.c.zone.is_not(None)).distinct()
    if any(read_zone(zone) for zone in connection.execute(zones).scalars() if zone not in plan.due):
        hint = "plan again; nothing was written"
        raise StoreError("the list changed while it was planned", hint=hint, at=plan.issue_id)


def _write_deliveries(connection: Connection, plan: Plan, readers: ColumnElement[bool], *, no: int) -> None:
    """One row for each of *readers*, numbered from 1 in the order in which they are due."""
    zone = zone_dues.alias()
    due_at = func.coalesce(zone.c.due_at, literal(plan.due_elsewhere, zone_dues.c.due_at.type))
    at_home = subscribers.outerjoin(zone, (zone.c.issue_no == no) & (zone.c.zone == subscribers.c.zone))
    # With a stride, every so-manieth of the list comes first among those due at once: a canary that is spread
    # over the list, hence over its mailbox providers.
    spread = [subscribers.c.id % plan.stride != 0] if plan.stride > 1 else []
    chosen = (
        select(
            literal(no),
            func.row_number().over(order_by=(due_at, *spread, subscribers.c.id)),
            subscribers.c.id,
            due_at,
        )
        .select_from(at_home)
        .where(readers)
    )
    connection.execute(insert(deliveries).from_select(["issue_no", "seq", "subscriber_id", "due_at"], chosen))
    if connection.dialect.name == "postgresql":
        # Until the statistics know of these rows, the planner would read the whole table for every claim.
        connection.execute(text("ANALYZE deliveries"))
