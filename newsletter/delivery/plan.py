"""A plan: one issue, frozen, with everyone who is to get it and when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from newsletter.audience.predicate import Predicate
from newsletter.audience.subscriber import Subscriber


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be planned: the frozen edition, the audience as a condition, and when each zone is due.

    `due` maps an IANA name to an aware UTC instant; `due_elsewhere` is for unknown zones and for names
    that are not in the map. With a `stride` of N, every N-th of the list goes first among those due at once.
    """

    issue_id: str
    revision: int
    edition_hash: str
    audience: Predicate
    due: Mapping[str, datetime]
    due_elsewhere: datetime
    stride: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Turnout:
    """Some time zones for whose readers a part of a series is due now, at one instant.

    It goes to those who joined before `joined_before`, and who had no part of the series after `rested_since`.
    With `others`, it is for everybody whose zone is unknown or is none.
    """

    due_at: datetime
    joined_before: datetime
    rested_since: datetime
    zones: tuple[str, ...]
    others: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Extension:
    """A part of a series for those whose turn it is: they had all `earlier` parts, and not this one.

    `parts` are the ids of all parts of the series; `since` is when the first of its readers can have joined.
    """

    issue_id: str
    revision: int
    edition_hash: str
    audience: Predicate
    since: datetime
    earlier: tuple[str, ...]
    parts: tuple[str, ...]
    turnouts: tuple[Turnout, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """Who would get an issue: candidates = planned + all excluded, in people."""

    candidates: int
    excluded: Mapping[str, int]  # reason → people
    due: Mapping[datetime, int]  # instant → people
    unknown_zones: int  # of the planned, how many have no zone of their own

    @property
    def planned(self) -> int:
        """How many people would be mailed."""
        return sum(self.due.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedIssue:
    """An issue whose plan is written. `secret` makes the references of its deliveries, for ever.

    `paused` and `cancelled` say why nothing of it is claimed now; empty, and it goes on.
    """

    no: int
    issue_id: str
    revision: int
    edition_hash: str
    secret: bytes
    planned_at: datetime
    candidates: int
    paused: str = ""
    cancelled: str = ""

    @property
    def is_part(self) -> bool:
        """Whether it is a part of a series, which goes to more people every day."""
        return "." in self.issue_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """One delivery in a sender's hands; `seq` counts from 1 within its issue.

    `deferrals` is how often the provider put it off; `barred` says why the person may not be mailed any
    more, in a batch that is settled and not claimed anew.
    """

    seq: int
    person: Subscriber
    deferrals: int = 0
    barred: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Deliveries that one sender, and nobody else, may hand to the provider now.

    `claimed_at` is the instant of the *first* claim of this batch, so that a resumed batch repeats the
    same bytes. Whoever left since the plan is not among `deliveries`: they were recorded as suppressed.
    `revision` and `edition_hash` are those that were current when it was claimed. `sealed` is the digest of
    what was handed over, kept before the call for providers that recognise a repeated call; empty while it is not yet,
    and None where the sender seals nothing.
    """

    issue_no: int
    batch_no: int
    worker: str
    claimed_at: datetime
    due_at: datetime
    revision: int
    edition_hash: str
    sealed: bytes | None
    deliveries: tuple[Claimed, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Why a provider is handed nothing, and until when."""

    until: datetime
    why: str
