"""A letter as its author wrote it: front matter, blocks, and where in the file each of them stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, time
from enum import StrEnum


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A place in a file; lines count from 1, line 0 means the file as a whole."""

    path: str
    line: int = 0

    def __str__(self) -> str:
        """`path:line`, as editors and terminals understand it."""
        return f"{self.path}:{self.line}" if self.line else self.path


class Level(StrEnum):
    """How much a problem matters."""

    ERROR = "error"  # the letter may not be approved or sent
    WARNING = "warning"  # a reader may notice
    NOTE = "note"  # worth a thought, and nobody's business but the editor's


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something wrong with a text: where, what, and what to do about it. `check` is the id of the rule that says so."""

    at: Span
    what: str
    hint: str = ""
    level: Level = Level.ERROR
    check: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A typed part of a letter. `body` is Markdown that begins at line `body_line` of the file."""

    kind: str
    attributes: Mapping[str, str]
    fields: Mapping[str, str]
    body: str
    body_line: int
    condition: str  # who gets to see it, e.g. "segment:workplace"; "" for everyone
    at: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """When a letter is due: a day and a clock time, in every reader's own zone or (`zone`) in one."""

    day: date
    at: time
    zone: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class After:
    """When a part of a series is due: *days* after joining, on the first day that is not quiet.

    Whoever joined before the day `since` is not in the series. `quiet` has weekdays and dates.
    """

    days: int
    at: time
    since: date
    quiet: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """One letter. `lines` says on which line of the file each front matter key stands."""

    id: str
    path: str
    title: str
    subject: str
    preheader: str
    send: Send | After
    audience: str  # "" of a mail to one person alone
    language: str
    direction: str
    blocks: tuple[Block, ...]
    lines: Mapping[str, int]

    def span(self, key: str) -> Span:
        """Where a front matter key stands."""
        return Span(self.path, self.lines.get(key, 1))
