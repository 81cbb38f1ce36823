"""A database of each kind that is ready for use, and the adapters on it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import update

from newsletter.audience.consent import Evidence
from newsletter.audience.importing import Entry
from newsletter.audience.predicate import EVERYONE
from newsletter.delivery.outcome import Receipt, Status
from newsletter.delivery.plan import Claim, Plan, PlannedIssue
from newsletter.store.chronicle import SqlChronicle
from newsletter.store.controls import SqlControls
from newsletter.store.db import Database, connect
from newsletter.store.editions import SqlEditions
from newsletter.store.gate import SqlGate
from newsletter.store.ledger import SqlLedger
from newsletter.store.planner import SqlPlanner
from newsletter.store.schema import upgrade
from newsletter.store.subscribers import SqlPeople
from newsletter.store.tables import batches

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from newsletter.audience.predicate import Predicate

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
LONG_AGO = NOW - timedelta(hours=36)
SOON = NOW + timedelta(hours=2)


@dataclass(frozen=True)
class Store:
    """All adapters on one database."""

    db: Database

    @property
    def people(self) -> SqlPeople:
        return SqlPeople(self.db)

    @property
    def planner(self) -> SqlPlanner:
        return SqlPlanner(self.db)

    @property
    def ledger(self) -> SqlLedger:
        return SqlLedger(self.db)

    @property
    def chronicle(self) -> SqlChronicle:
        return SqlChronicle(self.db)

    @property
    def controls(self) -> SqlControls:
        return SqlControls(self.db)

    @property
    def gate(self) -> SqlGate:
        return SqlGate(self.db)

    @property
    def editions(self) -> SqlEditions:
        return SqlEditions(self.db)

    def enter(self, *entries: Entry, at: datetime = NOW):
        return self.people.enter(entries, evidence=evidence(at=at), now=at)

    def crowd(self, count: int, *, zone: str | None = None, start: int = 1) -> None:
        """*count* active people: reader1@example.org and so on."""
        self.enter(*(entry(f"reader{n}", zone=zone) for n in range(start, start + count)))

    def plan(
        self,
        issue_id: str = "2026-11-23-tea",
        *,
        audience: Predicate = EVERYONE,
        due: Mapping[str, datetime] | None = None,
        due_elsewhere: datetime = NOW,
        now: datetime = NOW,
    ) -> PlannedIssue:
        self.editions.put("e" * 64, b"letter", issue_id=issue_id, now=now)
        dues = dict.fromkeys(self.planner.zones(), due_elsewhere) | dict(due or {})
        return self.planner.write(plan(issue_id, audience=audience, due=dues, due_elsewhere=due_elsewhere), now=now)

    def claim(self, no: int, *, limit: int = 1000, worker: str = "here:1:a", now: datetime = NOW) -> Claim | None:
        return self.ledger.claim(no, now=now, not_before=now - timedelta(hours=36), limit=limit, worker=worker)

    def accept(self, claim: Claim, *, now: datetime = NOW) -> None:
        receipts = [accepted(each.seq) for each in claim.deliveries]
        self.ledger.record(claim, receipts, digests={}, now=now)

    def close(self, claim: Claim, *, now: datetime = NOW) -> None:
        self.ledger.record(claim, [], digests={}, now=now, close=True)

    def leave_in_doubt(self, no: int, *seqs: int, limit: int = 1000, now: datetime = NOW) -> None:
        """Claim, have these in doubt and all others accepted, and give back."""
        claim = self.claim(no, limit=limit, now=now)
        receipts = [
            Receipt(seq=each.seq, status=Status.UNKNOWN, reason="timeout") if each.seq in seqs else accepted(each.seq)
            for each in claim.deliveries
        ]
        self.ledger.record(claim, receipts, digests={}, now=now, close=True)

    def doubtful(self, no: int, *, after: int = 0, worker: str = "desk:1:a", now: datetime = NOW) -> Claim | None:
        return self.ledger.doubtful(no, now=now, worker=worker, after=after)

    def event(self, no: int, seq: int, status: Status, *, reason: str = "", now: datetime = NOW) -> bool:
        return self.ledger.settle_event(no, seq, status, provider_id="", reason=reason, now=now)

    def leases_grow_old(self, by: timedelta) -> None:
        """As if *by* had passed on the clock of the server, which no test can move."""
        with self.db.writing() as connection:
            claimed = connection.execute(batches.select().where(batches.c.lease_until.is_not(None))).all()
            for row in claimed:
                this = update(batches).where(batches.c.issue_no == row.issue_no, batches.c.lo == row.lo)
                connection.execute(this.values(lease_until=row.lease_until - by))

    def tally(self, no: int, *, now: datetime = NOW):
        return self.chronicle.tally(no, now=now, not_before=now - timedelta(hours=36))


def entry(local_part: str = "ana", **fields) -> Entry:
    return Entry(address=f"{local_part}@example.org", **fields)


def evidence(*, at: datetime = NOW, how: str = "import", source: str = "list.csv, row by row") -> Evidence:
    return Evidence(at=at, how=how, source=source)


def plan(issue_id="2026-11-23-tea", *, audience=EVERYONE, due=None, due_elsewhere=NOW) -> Plan:
    return Plan(
        issue_id=issue_id,
        revision=1,
        edition_hash="e" * 64,
        audience=audience,
        due=due or {},
        due_elsewhere=due_elsewhere,
    )


def accepted(seq: int) -> Receipt:
    return Receipt(seq=seq, status=Status.ACCEPTED, provider_id=f"p{seq}")


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    db = connect(database_url)
    upgrade(db)
    yield Store(db)
    db.close()
