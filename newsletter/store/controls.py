"""What people decide about a planned issue; each decision is kept with who and why, and never changed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, exists, func, insert, select, update

from newsletter.delivery.report import Decision
from newsletter.errors import NotFound, StoreError
from newsletter.pieces import one_line
from newsletter.store.db import Database
from newsletter.store.statements import HAVE_ISSUE
from newsletter.store.tables import Deed, decisions, editions, issues, revisions

_Issue = Row[*tuple[Any, ...]]


class SqlControls:
    """Pause, resume, cancel and correct, in a database that every claim reads."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def pause(self, issue_no: int, *, by: str, why: str, now: datetime) -> None:
        """Claim nothing more of it until it is resumed; twice is no error, and the later reason stands.

        Once this returns, no claim begins; what was claimed before may still be handed over.
        """
        with self._deciding(issue_no, Deed.PAUSE, by=by, why=why, now=now) as (connection, _):
            _set(connection, issue_no, paused=one_line(why) or "paused")

    def resume(self, issue_no: int, *, by: str, why: str, now: datetime) -> None:
        """Go on with it; no error where it was not paused."""
        with self._deciding(issue_no, Deed.RESUME, by=by, why=why, now=now) as (connection, _):
            _set(connection, issue_no, paused="")

    def cancel(self, issue_no: int, *, by: str, why: str, now: datetime) -> None:
        """Never claim anything of it again. Nothing else is written: who has no final outcome counts as cancelled."""
        with self._deciding(issue_no, Deed.CANCEL, by=by, why=why, now=now) as (connection, _):
            _set(connection, issue_no, cancelled=one_line(why) or "cancelled")

    def correct(self, issue_no: int, *, revision: int, edition_hash: str, by: str, why: str, now: datetime) -> None:
        """From the next claim on, send that edition, which is kept already, as *revision*."""
        with self._deciding(issue_no, Deed.CORRECT, by=by, why=why, now=now) as (connection, issue):
            if revision <= issue.revision:
                message = f"revision {revision} is not newer than revision {issue.revision}, which is being sent"
                raise StoreError(message, hint="approve the corrected letter first, then correct", at=issue.issue_id)
            if not connection.execute(select(exists().where(editions.c.hash == edition_hash))).scalar():
                hint = "build and approve the corrected letter first, then correct"
                raise NotFound(
                    f"there is no edition {edition_hash[:12]}… in the database", at=issue.issue_id, hint=hint
                )
            row = {"issue_no": issue_no, "revision": revision, "edition_hash": edition_hash, "at": now}
            connection.execute(insert(revisions), row)
            _set(connection, issue_no, revision=revision, edition_hash=edition_hash)

    def decide(self, issue_no: int, what: str, *, by: str, why: str, now: datetime) -> None:
        """Keep that somebody decided *what* (as `resolve`), which itself is done elsewhere."""
        with self._db.writing() as connection:
            _held_issue(connection, issue_no, at=self._db.place)
            _keep(connection, issue_no, Deed(what), by=by, why=why, now=now)

    def decisions(self, issue_no: int) -> list[Decision]:
        """All decisions about an issue, oldest first."""
        query = select(decisions).where(decisions.c.issue_no == issue_no).order_by(decisions.c.no)
        with self._db.reading() as connection:
            return [Decision(at=row.at, what=row.what, who=row.who, why=row.why) for row in connection.execute(query)]

    @contextmanager
    def _deciding(
        self, issue_no: int, what: Deed, *, by: str, why: str, now: datetime
    ) -> Iterator[tuple[Connection, _Issue]]:
        """The issue, which nobody claims of meanwhile; the decision is kept with what is done to it."""
        with self._db.writing() as connection:
            issue = _held_issue(connection, issue_no, at=self._db.place)
            if issue.cancelled:
                hint = "that is for good; plan a new issue if it is to be sent after all"
                raise StoreError(f"it was cancelled already: {issue.cancelled}", hint=hint, at=issue.issue_id)
            yield connection, issue
            _keep(connection, issue_no, what, by=by, why=why, now=now)


def _held_issue(connection: Connection, issue_no: int, *, at: str) -> _Issue:
    """The issue, once no claim of it is under way; none begins before we are done. Raises NotFound."""
    if connection.dialect.name == "postgresql":
        connection.execute(HAVE_ISSUE, {"issue_no": issue_no})
    row = connection.execute(select(issues).where(issues.c.no == issue_no)).first()
    if row is None:
        raise NotFound(f"there is no plan number {issue_no}", hint="plan the issue first", at=at)
    return row


def _set(connection: Connection, issue_no: int, **values: object) -> None:
    connection.execute(update(issues).where(issues.c.no == issue_no).values(**values))


def _keep(connection: Connection, issue_no: int, what: Deed, *, by: str, why: str, now: datetime) -> None:
    count = select(func.count()).where(decisions.c.issue_no == issue_no)
    no = connection.execute(count).scalar_one() + 1
    said = {"at": now, "what": what.value, "who": one_line(by), "why": one_line(why)}
    connection.execute(insert(decisions), {"issue_no": issue_no, "no": no} | said)
