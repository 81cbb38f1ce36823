"""A mail to one person as its author wrote it: `templates/mails/<kind>.<language>.md`, in the words of letters."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, time

from newsletter.content.frontmatter import read_head
from newsletter.content.issue import After, Block, Issue, Problem
from newsletter.content.parse import RIGHT_TO_LEFT, read_blocks

FOLDER = "templates/mails"
_KEYS = ("title", "subject", "preheader", "reason")
_NEVER = After(days=0, at=time(), since=date.max)  # it has no day: it leaves when somebody asks
_NEWEST = "letter_url"
_TAG = re.compile(r"[a-z]{2,3}(?:-[A-Za-z0-9]{2,8}){0,3}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """A mail to one person; `reason` says in its foot why they get it."""

    issue: Issue
    reason: str


def parse_mail(text: str, *, path: str, kind: str, language: str, newest: bool) -> tuple[Mail, list[Problem]]:
    """The mail in *text*, and everything that is wrong with it.

    Where there is no *newest* letter yet, blocks that lead to it are left out.
    """
    problems: list[Problem] = []
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    head = read_head(text, path, problems, known=_KEYS, needed=_KEYS)
    blocks = [block for block in read_blocks(head, path, problems) if newest or not _leads_to_newest(block)]
    issue = Issue(
        id=kind,
        path=path,
        title=head.values.get("title", ""),
        subject=head.values.get("subject", ""),
        preheader=head.values.get("preheader", ""),
        send=_NEVER,
        audience="",  # one person
        language=language,
        direction="rtl" if language.partition("-")[0] in RIGHT_TO_LEFT else "ltr",
        blocks=tuple(blocks),
        lines=head.lines,
    )
    return Mail(issue=issue, reason=head.values.get("reason", "")), problems


def _leads_to_newest(block: Block) -> bool:
    return any(_NEWEST in words for words in (block.body, *block.attributes.values()))


def paths(kind: str, languages: Sequence[str]) -> dict[str, str]:
    """Where a mail may be found, best first, and in which language it is there: who reads `de-AT` reads `de` too.

    What people say is their language is no part of a path unless it looks like one.
    """
    spoken = [language for language in (*languages, "en") if _TAG.fullmatch(language)]
    wanted = [form for language in spoken for form in (language, language.partition("-")[0])]
    return {f"{FOLDER}/{kind}.{language}.md": language for language in wanted}
