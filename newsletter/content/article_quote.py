"""A quotation that an article begins with, and who said it."""

from __future__ import annotations

import re
from dataclasses import replace

from newsletter.content.article import Paragraph, Part, Quotation, Runs, plain, tidied
from newsletter.content.article_sections import Found, Section, cut, is_address

LONGEST_NAME = 60  # characters
LONGEST_ROLE = 120
_DASH = re.compile(r"(?:[—\u2013―]|--)\s*")
_QUOTED = (("“", "”"), ("„", "“"), ("«", "»"), ('"', '"'))


def opening_quote(section: Section) -> tuple[Found, Section] | None:
    """The quote that *section* begins with, and what is left; None if no speaker is named."""
    if section.heading or not section.parts:
        return None
    words, speaker, rest = _taken_apart(section.parts)
    said_by = _speaker(speaker) if words else None
    if said_by is None:
        return None
    quote = Found(kind="quote", attributes=said_by, parts=words, notes=() if rest else section.remarks)
    return quote, replace(section, parts=rest)


def _taken_apart(parts: tuple[Part, ...]) -> tuple[tuple[Part, ...], Runs, tuple[Part, ...]]:
    """What is quoted, the line that may name its speaker, and what comes after."""
    first, rest = parts[0], parts[1:]
    if isinstance(first, Quotation):
        inner = first.parts
    elif isinstance(first, Paragraph) and plain(first.runs).startswith(tuple(start for start, _ in _QUOTED)):
        inner = (first,)
    else:
        return (), (), parts
    last = inner[-1]
    if isinstance(last, Paragraph):
        text, line = _last_line(last.runs)
        if _is_dashed(line):
            before = (*inner[:-1], *((Paragraph(runs=text),) if text else ()))
            return (before, line, rest) if _is_quotation(first, before) else ((), (), parts)
    if rest and isinstance(rest[0], Paragraph) and _is_dashed(rest[0].runs) and _is_quotation(first, inner):
        return inner, rest[0].runs, rest[1:]
    return (), (), parts


def _is_quotation(first: Part, inner: tuple[Part, ...]) -> bool:
    """Whether *inner* is set as a quotation, or all of it stands between quotation marks."""
    if isinstance(first, Quotation):
        return bool(inner)
    words = plain(inner[0].runs) if inner and isinstance(inner[0], Paragraph) else ""
    return any(words.startswith(start) and words.endswith(end) and len(words) > 2 for start, end in _QUOTED)


def _last_line(runs: Runs) -> tuple[Runs, Runs]:
    at = "".join(run.text for run in runs).rfind("\n") + 1
    return cut(runs, at)


def _is_dashed(runs: Runs) -> bool:
    return bool(_DASH.match(plain(runs))) and "\n" not in "".join(run.text for run in runs)


def _speaker(runs: Runs) -> tuple[tuple[str, str], ...] | None:
    """The attributes for "— Ada Example, organiser"; None where that is not sure to be a name."""
    words = plain(runs)
    words = words[_DASH.match(words).end() :] if _DASH.match(words) else words  # type: ignore[union-attr]
    name, _, role = (part.strip() for part in words.partition(","))
    is_name = 0 < len(name) <= LONGEST_NAME and len(name.split()) <= 6 and any(sign.isalpha() for sign in name)
    if not is_name or len(role) > LONGEST_ROLE or "{{" in words or "{%" in words or name.endswith((".", "!", "?")):
        return None
    linked = tidied([run for run in runs if run.link])
    if linked and (len(linked) > 1 or plain(linked) != name or not is_address(linked[0].link)):
        return None
    url = (("url", linked[0].link),) if linked else ()
    return (("by", name), *((("role", role),) if role else ()), *url)
