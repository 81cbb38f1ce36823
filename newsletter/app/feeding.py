"""Feeds, wired: what a letter takes from them, and what has to be said about those that gave nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from newsletter.app.newsletter import Newsletter


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """What feeds give a letter: Markdown of one `feed` block for each feed that has something new, and notes.

    A note names a feed and says what was wrong with it. None of this ever keeps a letter from being assembled.
    """

    markdown: str | None
    notes: tuple[str, ...]


class Feeding:
    """What can be done with the feeds of one newsletter."""

    def __init__(self, newsletter: Newsletter) -> None:
        """Work on the feeds of *newsletter*; nothing is fetched until something is asked for."""
        self._newsletter = newsletter

    def fill(self, since: datetime, tags: Sequence[str] = ()) -> Filled:
        """What came after *since* in the feeds for every letter and, with *tags*, in those that have one of them."""
        raise NotImplementedError
