"""Bringing an article along, wired: its file is read, its blocks are recognised, and no draft lacks a word of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from newsletter.app.newsletter import Newsletter
from newsletter.content.article import Article, texts
from newsletter.content.article_events import article_of
from newsletter.content.article_lines import article_of_lines
from newsletter.content.comments import comment
from newsletter.content.draft import head, letter_id
from newsletter.content.issue import Block, Issue
from newsletter.content.parse import Defaults, parse
from newsletter.content.recognising import Recognised, blocks_text, recognised
from newsletter.errors import NewsletterError
from newsletter.schedule import next_weekday
from newsletter.settings.values import WEEKDAYS
from newsletter.sources.articles import read_article

if TYPE_CHECKING:
    from markdown_it.token import Token

# What may have become the name of a place, or stand for one: as in "— Ada, organiser", and between cells.
_SIGNS_OF_PLACES = re.compile(r"--|[—\u2013―,|]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Brought:
    """The draft that an article became, its kinds of block, and what its editor is told about it."""

    path: Path
    kinds: tuple[str, ...]
    notes: tuple[str, ...]


def bring(newsletter: Newsletter, file: Path, *, title: str = "", day: date | None = None) -> Brought:
    """The draft made from *file* for *day* or the next that is not quiet; *title* stands in for the article's own."""
    read = read_article(file)
    article = article_of_lines(read.lines) if read.lines is not None else article_of(read.events, title=read.title)
    if not any(_words(texts(article.parts))):
        raise NewsletterError("there is no text in it", at=read.name, hint="is it the right file?")
    found = recognised(article, name=read.name, title=title)
    settings = newsletter.settings
    day = day or next_weekday(newsletter.clock().date(), WEEKDAYS.index(settings.weekday), quiet=newsletter.quiet)
    issue = letter_id(found.title, day)
    path = f"issues/{issue}.md"
    notes = (*read.notes, *found.notes)
    about = comment([f"brought along from {read.name}", *notes]) + "\n"
    text = head(found.title, day=day, at=settings.time) + about + blocks_text(found.blocks)
    defaults = Defaults(at=settings.time, audience=settings.audience, language=settings.language)
    letter = _letter(text, article, found, path=read.name, issue=issue, defaults=defaults)
    written = newsletter.workspace.write(path, text.encode())
    said = list(notes)
    for made, block in zip(found.blocks, letter.blocks, strict=True):
        said += [f"line {block.at.line}, {block.kind}: {note}" for note in made.notes]
    return Brought(path=written, kinds=tuple(block.kind for block in letter.blocks), notes=tuple(said))


def _letter(text: str, article: Article, found: Recognised, *, path: str, issue: str, defaults: Defaults) -> Issue:
    """The letter in the draft *text*. Raises NewsletterError unless it says what *article* says, word for word."""
    letter, problems = parse(text, path=path, issue_id=issue, defaults=defaults)
    for problem in problems:
        if "'preheader'" not in problem.what:
            hint = problem.hint or "bring it along in smaller files"
            raise NewsletterError(f"no letter can be made of it: {problem.what}", at=path, hint=hint)
    title = [] if found.is_copy else [letter.title]
    if _words([*title, *(said for block in letter.blocks for said in _said(block))]) != _words(texts(article.parts)):
        hint = "nothing was written; save it as .txt and try again, and tell us which file it was"
        raise NewsletterError("its words could not be brought along unchanged", at=path, hint=hint)
    return letter


def _words(said: Iterable[str]) -> list[str]:
    return _SIGNS_OF_PLACES.sub(" ", "\n".join(said)).split()


def _said(block: Block) -> Iterator[str]:
    """What *block* says, in the order in which it is read."""
    from newsletter.rendering.markdown import inline_tokens, tokens_of

    attributes = block.attributes
    yield _shown(inline_tokens(attributes.get("title", "")))
    yield attributes.get("term", "")
    yield _shown(inline_tokens(block.fields.get("text", "")))
    yield _shown(tokens_of(block.body))
    yield from (attributes.get("by", ""), attributes.get("role", ""))
    if block.kind == "stats":
        yield f"Source: {attributes['source']}"


def _shown(tokens: Sequence[Token]) -> str:
    """The words that block *tokens* show."""
    lines = []
    for token in tokens:
        lines.append(token.content if token.type in ("fence", "code_block") else "")
        children = token.children or []
        lines.append("".join("\n" if child.type in ("softbreak", "hardbreak") else child.content for child in children))
    return "\n".join(lines)
