"""A new letter to begin with: its head, and blocks still to be written."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable
from datetime import date, time

from newsletter.content.library import KINDS

_PREHEADER = "                     # what inboxes show after the subject, 35 to 130 characters"


def draft(title: str, *, day: date, at: time, kinds: Iterable[str]) -> tuple[str, str]:
    """The id and the text of a new letter with a block of each of *kinds*.

    It is empty where its author must write, so that `check` names what is missing.
    """
    return letter_id(title, day), head(title, day=day, at=at) + "\n".join(blank(kind) for kind in kinds)


def letter_id(title: str, day: date) -> str:
    """What a letter of that title for *day* is called."""
    letters = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    slug = "-".join(re.findall(r"[a-z0-9]+", letters))[:60].strip("-") or "letter"
    return f"{day}-{slug}"


def head(title: str, *, day: date, at: time, preheader: str = "") -> str:
    """The front matter, its subject the title, and a blank line."""
    quoted = json.dumps(title, ensure_ascii=False)
    second = " " + json.dumps(preheader, ensure_ascii=False) if preheader else _PREHEADER
    return (
        f"---\ntitle: {quoted}\nsubject: {quoted}\npreheader:{second}\n"
        f"send: {day} {at:%H:%M}         # at each reader's own clock\n---\n\n"
    )


def blank(kind: str) -> str:
    """A block of *kind* with an empty place for everything it cannot do without."""
    needs = KINDS[kind].required
    attributes = " ".join(f'{name}=""' for name in needs if name in KINDS[kind].attributes)
    fields = "".join(f"{name}:\n" for name in needs if name in KINDS[kind].fields)
    return f"::: {kind}{f' {{{attributes}}}' if attributes else ''}\n{fields}:::\n"
