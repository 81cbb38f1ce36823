"""What a rule is, and what it finds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from newsletter.content.issue import Level, Span

What = TypeVar("What")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Something a rule objects to. `hint` says what to do where the rule's own advice is too general."""

    at: Span
    what: str
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check(Generic[What]):
    """A rule over a letter as written (`Reading`) or as compiled (`Facts`).

    A `firm` one cannot be switched off: mailboxes or the law ask for it, whatever we would like.
    """

    id: str
    level: Level
    about: str  # what it objects to
    fix: str
    find: Callable[[What], Iterator[Found]]
    firm: bool = False
