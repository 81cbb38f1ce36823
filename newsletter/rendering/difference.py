"""What readers would see change between two editions of a letter."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import unified_diff

from newsletter.rendering.edition import Edition
from newsletter.rendering.holes import MARK


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Changes from one edition to another. `head` has (what, before, after); texts are unified diffs, line by line."""

    head: tuple[tuple[str, str, str], ...]
    text: tuple[str, ...]
    html: tuple[str, ...]

    def __bool__(self) -> bool:
        """Whether anything that readers see is different."""
        return bool(self.head or self.text or self.html)


def difference(before: Edition, after: Edition) -> Difference:
    """What changed for readers from *before* to *after*; of the variants, the one that has every block is compared."""
    old, new = _head(before), _head(after)
    return Difference(
        head=tuple((what, old[what], new[what]) for what in old if old[what] != new[what]),
        text=tuple(_lines(_shown(before, html=False), _shown(after, html=False))),
        html=tuple(_lines(_shown(before, html=True), _shown(after, html=True))),
    )


def _head(edition: Edition) -> dict[str, str]:
    identity = edition.identity
    return {
        "title": edition.title,
        "subject": _readable(edition, edition.subject),
        "preheader": _readable(edition, edition.preheader),
        "sent": " ".join(filter(None, (edition.send_day, edition.send_at, edition.send_zone))),
        "to": edition.audience.name,
        "rule": str(edition.audience.rule),
        "blocks for": ", ".join(f"{each.name} {each.rule}" for each in edition.conditions),
        "from": f"{identity.name} <{identity.address}>",
        "answers to": identity.reply_to,
        "language": edition.language,
    }


def _shown(edition: Edition, *, html: bool) -> list[str]:
    variant = edition.variants[-1]
    return _readable(edition, variant.html if html else variant.text).split("\n")


def _readable(edition: Edition, text: str) -> str:
    """*text* with expressions as their author wrote them: marks differ from one version of a letter to the next."""
    return MARK.sub(lambda found: f"{{{{ {edition.holes[int(found[2])]} }}}}", text)


def _lines(before: list[str], after: list[str]) -> Iterator[str]:
    """A unified diff without the two lines that would name files."""
    lines = unified_diff(before, after, lineterm="", n=2)
    next(lines, None)
    next(lines, None)
    return lines
