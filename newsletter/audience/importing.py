"""From a list somebody brings to people we can enter: every row checked, every rejected one explained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from newsletter.audience.subscriber import State


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A person to be entered. `address` is normalised (domain in lower-case A-labels) and valid.

    `zone` is an IANA name or None; `state` ACTIVE means the bringer has evidence of consent.
    """

    address: str
    name: str = ""
    first_name: str = ""
    zone: str | None = None
    language: str = ""
    tags: frozenset[str] = frozenset()
    attributes: Mapping[str, str] = field(default_factory=dict)
    state: State = State.ACTIVE

    @property
    def key(self) -> str:
        """What makes two addresses the same person's: the address in lower case."""
        return self.address.lower()


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
