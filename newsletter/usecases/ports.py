"""What the use cases need from the world. Adapters fit these shapes without importing them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from newsletter.audience.consent import Evidence
from newsletter.audience.importing import Entry, ImportCounts
from newsletter.audience.predicate import Predicate
from newsletter.delivery.message import Batch
from newsletter.delivery.outcome import Receipt
from newsletter.delivery.plan import Claim, Forecast, Plan, PlannedIssue
from newsletter.delivery.report import DeliveryStory, Tally


class People(Protocol):
    """The list."""

    def enter(self, entries: Sequence[Entry], *, evidence: Evidence, now: datetime) -> ImportCounts:
        """Add or refresh people in one transaction; never brings back anyone who left."""

    def lacking(self, fields: Iterable[str], *, audience: Predicate, now: datetime) -> Mapping[str, int]:
        """For each field, how many mailable people of the audience have no value for it."""


class Editions(Protocol):
    """Compiled letters by their hash."""

    def put(self, edition_hash: str, body: bytes, *, issue_id: str, now: datetime) -> None:
        """Keep the bytes; the same hash twice is the same bytes and no error."""


class Planner(Protocol):
    """Where plans are written."""

    def forecast(self, plan: Plan, *, now: datetime) -> Forecast:
        """Who would be mailed and when; writes nothing."""

    def write(self, plan: Plan, *, now: datetime) -> PlannedIssue:
        """Freeze the audience, in one transaction; a second time gives back the first plan."""


class Ledger(Protocol):
    """Claim, then send, then record: the durable truth about every delivery."""

    def claim(self, issue_no: int, *, now: datetime, not_before: datetime, limit: int, worker: str) -> Claim | None:
        """The next due deliveries, at most *limit*, durably ours before the provider is called.

        Only what was due after *not_before*; None if nothing is left to claim now. The claim's `worker` is a
        name of its own, new each time, so that an older claim can never record for a newer one.
        """

    def abandoned(self, issue_no: int, *, now: datetime, worker: str) -> Claim | None:
        """A batch whose sender died, taken over by *worker*: those of its deliveries without outcome."""

    def record(self, claim: Claim, receipts: Sequence[Receipt], *, digests: Mapping[int, bytes], now: datetime) -> None:
        """Keep receipts, durably; the same again is no error. Raises LeaseLost if the batch is not ours any more."""

    def finish(self, claim: Claim, *, now: datetime) -> None:
        """Close the batch; deliveries of it that still have no outcome can be claimed again."""


class Chronicle(Protocol):
    """What the ledger can tell."""

    def tally(self, issue_no: int, *, now: datetime, not_before: datetime) -> Tally:
        """Counts by state and reason that add up to the frozen audience."""

    def stories(self, subscriber_id: int, *, now: datetime, not_before: datetime) -> list[DeliveryStory]:
        """What every issue did for one person, newest first."""


class Provider(Protocol):
    """Who carries the mail."""

    batch_size: int  # deliveries per claim

    def send(self, batch: Batch) -> Iterator[Receipt]:
        """Hand over a batch: one receipt per row, each as soon as it is known."""

    def settle(self, batch: Batch) -> Iterator[Receipt]:
        """What became of a batch whose sender died: a receipt where it can be known, PLANNED with proof."""
