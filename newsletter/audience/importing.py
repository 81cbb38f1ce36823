"""From a list somebody brings to people we can enter: every row checked, every rejected one explained."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from newsletter.audience.subscriber import State

_TAG = re.compile(r"[a-z0-9][a-z0-9._-]*", re.ASCII)


def is_tag(word: str) -> bool:
    """Whether *word* is a tag as tags are kept: lower-case letters, digits, dots, dashes and underscores."""
    return _TAG.fullmatch(word) is not None


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

    def __post_init__(self) -> None:
        if not all(map(is_tag, self.tags)):
            raise ValueError("a tag is not normalised")
        if not all(map(str.isidentifier, self.attributes)):
            raise ValueError("an attribute's name is not a plain word")
        if self.state is State.ERASED:
            raise ValueError("nobody enters the list erased")

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
