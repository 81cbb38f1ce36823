"""A person on the list, as the rest of the program sees one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class State(StrEnum):
    """Where a person's consent stands; the moves between the states are in `consent`."""

    PENDING = "pending"  # asked to join, has not confirmed
    ACTIVE = "active"  # confirmed, with evidence
    UNSUBSCRIBED = "unsubscribed"  # left
    BOUNCED = "bounced"  # the address does not exist any more
    COMPLAINED = "complained"  # called a letter spam
    ERASED = "erased"  # forgotten on request; only anonymous ledger rows remain


class Frequency(StrEnum):
    """How often a person wants the letter."""

    WEEKLY = "weekly"
    MONTHLY = "monthly"  # the first letter of each month


class ZoneSource(StrEnum):
    """How we came to know a person's time zone."""

    BROWSER = "browser"
    IMPORT = "import"
    DEFAULT = "default"  # not known: the newsletter's own zone stands in


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscriber:
    """A person on the list. Times are aware and in UTC; `zone` is an IANA name or None if unknown."""

    id: int
    address: str
    name: str = ""
    first_name: str = ""  # only as given, never guessed from the name
    state: State = State.ACTIVE
    paused_until: datetime | None = None
    suppressed: bool = False
    zone: str | None = None
    zone_source: ZoneSource = ZoneSource.DEFAULT
    language: str = ""
    tags: frozenset[str] = frozenset()
    attributes: Mapping[str, str] = field(default_factory=dict)
    leave_token: str = ""
    joined_at: datetime | None = None  # None for somebody who is not on the list
    frequency: Frequency = Frequency.WEEKLY
    received: frozenset[tuple[str, int]] | None = None  # letters and their revisions; None if nobody looked it up
