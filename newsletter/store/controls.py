"""What people decide about a planned issue, and what it decides about itself: kept with who and why."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, func, insert, select, update

from newsletter.delivery.report import Decision
from newsletter.errors import LetterHalted, StoreError
from newsletter.pieces import one_line
from newsletter.store.db import Database
from newsletter.store.tables import decisions, issues, revisions


class SqlControls:
    """Decisions, in a database; every claim reads what they led to."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def pause(self, issue_no: int, *, by: str, why: str, now: datetime) -> None:
        """Claim nothing more of it until it is resumed; twice is no error."""
        self._decide(issue_no, "pause", by=by, why=why, now=now, paused=why or "no reason given")

    def resume(self, issue_no: int, *, by: str, why: str, now: datetime) -> None:
        """Go on with it."""
        self._decide(issue_no, "resume", by=by, why=why, now=now, paused="")

    def cancel(self, issue_no: int, *, by: str, why: str, now: datetime) -> None:
        """Never claim anything of it again."""
        self._decide(issue_no, "cancel", by=by, why=why, now=now, cancelled=why or "no reason given")

    def correct(self, issue_no: int, *, revision: int, edition_hash: str, by: str, why: str, now: datetime) -> None:
        """From the next claim on, send that edition (which is kept already). Raises StoreError for an older one."""
        with self._db.writing() as connection:
            current = _refuse_cancelled(connection, issue_no)
            if revision <= current:
                raise StoreError(
                    f"revision {current} is what is being sent already",
                    hint="mend the letter and approve it; then correct takes the new revision",
                )
            row = {"issue_no": issue_no, "revision": revision, "edition_hash": edition_hash, "at": now}
            connection.execute(insert(revisions), row)
            new = {"revision": revision, "edition_hash": edition_hash}
            connection.execute(update(issues).where(issues.c.no == issue_no).values(new))
            _write_down(connection, issue_no, f"correct to revision {revision}", by=by, why=why, now=now)

    def decide(self, issue_no: int, *, what: str, by: str, why: str, now: datetime) -> None:
        """Keep any other decision."""
        with self._db.writing() as connection:
            _write_down(connection, issue_no, what, by=by, why=why, now=now)

    def decisions(self, issue_no: int) -> list[Decision]:
        """All of them, oldest first."""
        query = select(decisions).where(decisions.c.issue_no == issue_no).order_by(decisions.c.no)
        with self._db.reading() as connection:
            return [Decision(at=row.at, what=row.what, who=row.who, why=row.why) for row in connection.execute(query)]

    def _decide(self, issue_no: int, what: str, *, by: str, why: str, now: datetime, **says: str) -> None:
        with self._db.writing() as connection:
            _refuse_cancelled(connection, issue_no)
            new = {name: one_line(value) for name, value in says.items()}
            connection.execute(update(issues).where(issues.c.no == issue_no).values(new))
            _write_down(connection, issue_no, what, by=by, why=why, now=now)


def _refuse_cancelled(connection: Connection, issue_no: int) -> int:
    """The revision of an issue that is not cancelled, which nobody else may change now."""
    query = select(issues.c.revision, issues.c.cancelled).where(issues.c.no == issue_no).with_for_update()
    revision, cancelled = connection.execute(query).one()
    if cancelled:
        raise LetterHalted(f"it was cancelled: {cancelled}", hint="that cannot be taken back; begin a new letter")
    number: int = revision
    return number


def _write_down(connection: Connection, issue_no: int, what: str, *, by: str, why: str, now: datetime) -> None:
    # Locked, so that two decisions at once do not get the same number.
    connection.execute(select(issues.c.no).where(issues.c.no == issue_no).with_for_update())
    count = select(func.count()).where(decisions.c.issue_no == issue_no).scalar_subquery()
    no = connection.execute(select(count + 1)).scalar_one()
    row = {"issue_no": issue_no, "no": no, "at": now, "what": what, "who": one_line(by), "why": one_line(why)}
    connection.execute(insert(decisions), row)
