"""What the ledger tells people: tallies that add up, and one person's story."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from newsletter.delivery.outcome import Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Where the people of one frozen audience stand; all counts are people.

    `by_status` covers the planned, `excluded` (reason → people) the others; together they are `candidates`.
    `reasons` splits a status by reason where one was recorded.
    """

    candidates: int
    by_status: Mapping[Status, int]
    excluded: Mapping[str, int]
    reasons: Mapping[tuple[Status, str], int]
    next_due_at: datetime | None  # the earliest instant still to come
    last_outcome_at: datetime | None
    next_retry_at: datetime | None = None  # the earliest at which something deferred may be tried again
    first_outcome_at: datetime | None = None
    recent: int = 0  # people who got an outcome in the last minute

    def count(self, *statuses: Status) -> int:
        """How many people stand in one of *statuses*."""
        return sum(self.by_status.get(status, 0) for status in statuses)

    @property
    def to_come(self) -> int:
        """How many are still to be handed over, now or at their time."""
        return self.count(Status.PLANNED, Status.CLAIMED, Status.DEFERRED)

    @property
    def in_hand(self) -> int:
        """How many a sender has right now, or died having."""
        return self.count(Status.CLAIMED)

    @property
    def handed_over(self) -> int:
        """How many the provider took, whatever came of it then."""
        return self.count(Status.ACCEPTED, Status.DELIVERED, Status.BOUNCED, Status.COMPLAINED)

    @property
    def held(self) -> int:
        """How many a person has to decide about."""
        return self.count(Status.HELD)

    @property
    def in_doubt(self) -> int:
        """How many may have got it and may not."""
        return self.count(Status.UNKNOWN)

    @property
    def adds_up(self) -> bool:
        """Whether nobody is missing and nobody counted twice."""
        return sum(self.by_status.values()) + sum(self.excluded.values()) == self.candidates


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What somebody decided about an issue: `what` is pause, resume, cancel, correct or resolve."""

    at: datetime
    what: str
    who: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InDoubt:
    """A delivery that may have reached its reader and may not: for a person to resolve.

    `batch_no` is where to find it; `claimed_at` the instant that its message bears, `at` when the doubt arose.
    """

    seq: int
    subscriber_id: int
    address: str
    batch_no: int
    claimed_at: datetime
    at: datetime
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A delivery that was refused: to whom, when, and what was said."""

    subscriber_id: int
    at: datetime
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing that happened to a delivery, or will (then `at` is in the future)."""

    at: datetime
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryStory:
    """One issue and one person: where the delivery stands, how it came there, and which bytes it was.

    `seq` is None where the person was excluded at the plan; `status` is then None and `reason` says why.
    `revision` and `edition_hash` are those it was sent with, or would be now.
    """

    issue_id: str
    issue_no: int
    revision: int
    edition_hash: str
    status: Status | None
    reason: str
    seq: int | None
    provider_id: str
    values_digest: bytes
    claimed_at: datetime | None
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One time that what was due was done; `ended_at` is None while it lasts, or if it died."""

    began_at: datetime
    ended_at: datetime | None
    said: str  # what came of it, in a few words
