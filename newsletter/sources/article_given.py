"""What an article's file gives, whatever its form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from newsletter.errors import NewsletterError

MAX_TEXT = 200_000  # characters; a letter cannot have more

# What happens ("open", "close", "text"), the tag or the text, the tag's attributes.
Event = tuple[str, str, Mapping[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What a file gives: either `lines`, a plain text, or `events`. `title` is what it says outside of its text."""

    name: str
    lines: str | None = None
    events: list[Event] = field(default_factory=list)
    title: str = ""
    notes: tuple[str, ...] = ()


def too_long(at: str) -> NewsletterError:
    """The error for an article that is no letter."""
    hint = "make several files of it, one for each letter"
    return NewsletterError(f"more than {MAX_TEXT // 1000} kB of text, and no letter may have more", at=at, hint=hint)
