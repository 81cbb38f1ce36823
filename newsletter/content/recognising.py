"""Which blocks of a letter an article has already: what is certain becomes one, all else stays text.

No word is lost, and none changes its place; a word that only named a place, such as the "Source:" before a
source, becomes the name of that place.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest

from newsletter.content.article import (
    Article,
    Heading,
    Listing,
    Paragraph,
    Part,
    Quotation,
    Remark,
    Rule,
    Runs,
    plain,
)
from newsletter.content.article_markdown import attribute, markdown
from newsletter.content.article_quote import opening_quote
from newsletter.content.article_sections import Found, Section, portion
from newsletter.content.comments import comment

LONGEST_TITLE = 150  # characters
MOST_SECTIONS = 30  # of which each may become three blocks, and a letter has a hundred at most
_GIVEN = "the title was given"
_BOLD_LINE = 7  # below all levels of headings


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognised:
    """A letter's title and its blocks. With `is_copy`, the words of the title stand in the text as well."""

    title: str
    is_copy: bool
    blocks: tuple[Found, ...]
    notes: tuple[str, ...] = field(default=())


def recognised(article: Article, *, name: str, title: str = "") -> Recognised:
    """What *article* has of a letter.

    *title* is the letter's, if somebody gave it one: then that of the article stays in the text, unless it is
    the same. Where there is none, the *name* of the article's file has to do.
    """
    own, parts, note = _title(article, name)
    if title and title != own:
        own, parts, note = title, article.parts, _GIVEN
    title = own
    sections = _sections(parts)
    blocks: list[Found] = []
    if sections and (quote := opening_quote(sections[0])):
        blocks.append(quote[0])
        sections[:1] = [quote[1]] if quote[1].parts else []
    for section in sections:
        blocks += portion(section, before=blocks)
    notes = (note,) if note and note != _GIVEN else ()
    return Recognised(title=title, is_copy=bool(note), blocks=tuple(blocks), notes=notes)


def blocks_text(blocks: Iterable[Found]) -> str:
    """*blocks* as they stand in a letter's file, each after a comment with what is to be looked at."""
    return "\n".join(_block_text(block) for block in blocks)


def _block_text(block: Found) -> str:
    given = " ".join(attribute(name, value) for name, value in block.attributes)
    head = f"::: {block.kind}" + (f" {{{given}}}" if given else "")
    body = markdown(block.parts)
    fields = [f"{name}: {value}" for name, value in block.fields]
    fields += [""] if fields and body else []
    note = comment(block.notes) if block.notes else ""
    return note + "\n".join([head, *fields, *([body] if body else []), ":::", ""])


def _title(article: Article, name: str) -> tuple[str, tuple[Part, ...], str]:
    """The title, what is left of the article, and a note if the title's words stand there as well."""
    parts = article.parts
    first, *rest = [n for n, part in enumerate(parts) if not isinstance(part, Rule | Remark)] or [-1]
    highest = next((part for part in parts if isinstance(part, Heading) and part.level == 1), None)
    part = parts[first] if rest else None  # the only part there is, is the text
    if isinstance(part, Heading) and (highest is None or part is highest) and _fits_title(part.runs):
        return plain(part.runs), (*parts[:first], *parts[first + 1 :]), ""
    if isinstance(part, Paragraph) and highest is None and not article.title and _is_line(part.runs):
        remark = Remark("the first line became the title")
        return plain(part.runs), (*parts[:first], remark, *parts[first + 1 :]), ""
    if highest and _fits_title(highest.runs):
        return plain(highest.runs), parts, "the title is copied from a heading, which stays where it is"
    if 0 < len(article.title) <= LONGEST_TITLE and not _is_personal(article.title):
        return article.title, parts, "the title is what the file gives as its own; it is no part of the text"
    stem = " ".join(re.findall(r"[^\W_]+", name.rpartition(".")[0] or name)) or "letter"
    return stem[:1].upper() + stem[1:LONGEST_TITLE], parts, "no title was found; this one is made from the file's name"


def _fits_title(runs: Runs) -> bool:
    words = plain(runs)
    return len(words) <= LONGEST_TITLE and not _is_personal(words) and not any(run.link for run in runs)


def _is_line(runs: Runs) -> bool:
    """Whether *runs* look like a title over a text rather than like its first sentences."""
    words = plain(runs)
    is_open = not words.endswith((".", ",", ";", ":", "…")) and not words.startswith(
        ("—", "\u2013", "-", "“", '"', "„", "«")
    )
    return len(words) <= 100 and is_open and "\n" not in "".join(run.text for run in runs) and _fits_title(runs)


def _is_personal(text: str) -> bool:
    """Whether *text* holds what would be an expression: a title has none, and cannot say that it means the signs."""
    return "{{" in text or "{%" in text


def _sections(parts: Sequence[Part]) -> list[Section]:
    """*parts*, cut at rules, before each heading of the two highest levels, and before each that names a block.

    An article has one heading of its highest level as often as not, over all that it says.
    """
    parts = [_as_heading(part, after) for part, after in zip_longest(parts, parts[1:])]
    levels = sorted(part.level for part in parts if isinstance(part, Heading))
    top = levels[:2][-1] if levels else 0
    sections = [Section()]
    within = 0  # the level of the heading that we are under
    for part in parts:
        last = sections[-1]
        may_cut = len(sections) < MOST_SECTIONS
        if isinstance(part, Heading) and may_cut and _cuts(part, max(top, within)):
            within = part.level
            sections.append(Section(heading=part.runs))
        elif isinstance(part, Rule) and may_cut:
            within = 0
            sections.append(Section())
        elif isinstance(part, Remark):
            sections[-1] = replace(last, remarks=(*last.remarks, part.text))
        else:
            is_bold_line = isinstance(part, Heading) and part.level == _BOLD_LINE
            kept = Paragraph(runs=part.runs) if isinstance(part, Heading) and is_bold_line else part
            sections[-1] = replace(last, parts=(*last.parts, kept))
    return _without_empty(sections)


def _cuts(heading: Heading, top: int) -> bool:
    return heading.level <= top or Section(heading=heading.runs).name != ""


def _without_empty(sections: Sequence[Section]) -> list[Section]:
    """*sections* without those that say nothing; what had to be remarked there is remarked at the next."""
    left: list[Section] = []
    remarks: tuple[str, ...] = ()
    for section in sections:
        remarks += section.remarks
        if section.heading or section.parts:
            left.append(replace(section, remarks=remarks))
            remarks = ()
    if remarks and left:
        left[-1] = replace(left[-1], remarks=left[-1].remarks + remarks)
    return left


def _as_heading(part: Part, after: Part | None) -> Part:
    """*part*, as a heading below all others if it is a bold line over a text: many articles have no others."""
    if not isinstance(part, Paragraph) or not isinstance(after, Paragraph | Listing | Quotation):
        return part
    words = plain(part.runs)
    is_bold = all(run.strong and not run.link and "\n" not in run.text for run in part.runs if run.text.strip())
    is_short = len(words) <= 80 and not words.endswith((".", ",", ";", "!", "…"))
    return Heading(level=_BOLD_LINE, runs=part.runs) if is_bold and is_short else part
