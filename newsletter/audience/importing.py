"""People to be entered, and what is told of the rows of a list from which they come; `listing` reads one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from newsletter.audience.columns import is_tag
from newsletter.audience.subscriber import Frequency, State


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A person to be entered. `address` is normalised (domain in lower-case A-labels) and valid.

    `zone` is an IANA name or None; `state` ACTIVE means the bringer has evidence of consent. What follows `state` is
    for those who are new; `again` marks the second row of somebody in a list, which can only say that they left.
    """

    address: str
    name: str = ""
    first_name: str = ""
    zone: str | None = None
    language: str = ""
    tags: frozenset[str] = frozenset()
    attributes: Mapping[str, str] = field(default_factory=dict)
    state: State = State.ACTIVE
    joined_at: datetime | None = None
    paused_until: datetime | None = None
    frequency: Frequency = Frequency.WEEKLY
    evidence: str = ""  # what the list says of this person's consent, such as when they signed up
    again: bool = False

    def __post_init__(self) -> None:
        if self.tags and not all(map(is_tag, self.tags)):
            raise ValueError("a tag is not as tags are kept")
        if self.attributes and not all(map(str.isidentifier, self.attributes)):
            raise ValueError("the name of an attribute is not a plain word")
        if self.state is State.ERASED:
            raise ValueError("nobody enters the list erased")

    @property
    def key(self) -> str:
        """What makes two addresses the same person's; as `address_key` of what is normalised already."""
        return self.address.lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """Something about a row of a list. Rows count from 1, the header; lines too; no address is quoted."""

    row: int
    line: int
    reason: str


class Rejected(Remark):
    """Why a row was not taken."""


class Noted(Remark):
    """What of a row could not be used, although its person was taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportCounts:
    """What entering did; all counts are rows of the list."""

    added: int = 0
    refreshed: int = 0  # known, with something new in it
    unchanged: int = 0
    departed: int = 0  # known as active, the list says they left: now they have
    kept_away: int = 0  # left before; the list would have brought them back

    def __add__(self, other: ImportCounts) -> ImportCounts:
        """Both together."""
        return ImportCounts(
            added=self.added + other.added,
            refreshed=self.refreshed + other.refreshed,
            unchanged=self.unchanged + other.unchanged,
            departed=self.departed + other.departed,
            kept_away=self.kept_away + other.kept_away,
        )
