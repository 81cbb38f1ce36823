"""A letter as a reader takes it in: its passages, links, pictures and headings, each with its line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date

from markdown_it.token import Token

from newsletter.content.issue import Block, Issue, Send, Span
from newsletter.content.wording import Term, read_wording
from newsletter.rendering.images import Shown
from newsletter.rendering.markdown import inline_tokens, tokens_of

_EXPRESSION = re.compile(r"\{\{.*?\}\}", re.DOTALL)
SOMEBODY = "Robin"  # stands where a letter will have a reader's own value
_SPOKEN = ("title", "label", "caption", "alt", "term", "by", "role", "source")  # attributes that readers read


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """Words that stand together: a paragraph, a heading, an entry, a subject. `kind` is the block's, or the key's."""

    at: Span
    text: str
    kind: str
    prose: bool = True  # whole sentences of the letter, not its labels

    def place(self, offset: int) -> Span:
        """Where the character at *offset* stands; a line break of the source is one of the text."""
        return Span(self.at.path, self.at.line + self.text.count("\n", 0, offset))

    def find(self, pattern: re.Pattern[str]) -> Iterator[tuple[Span, re.Match[str]]]:
        """Every match of *pattern*, with its place."""
        return ((self.place(found.start()), found) for found in pattern.finditer(self.text))


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A link, with what it says and where it leads."""

    at: Span
    text: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """A heading inside a block's body. `level` is the number of its signs."""

    at: Span
    level: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A picture and what stands for it where it is not seen."""

    at: Span
    alt: str
    src: str
    caption: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """All of a letter that rules look at. `required` are the kinds of block that no letter may lack."""

    issue: Issue
    required: tuple[str, ...] = ()
    terms: tuple[Term, ...] = ()  # words to think about, in the letter's language
    passages: tuple[Passage, ...]
    links: tuple[Link, ...]
    headings: tuple[tuple[Heading, ...], ...]  # of each block
    pictures: tuple[Picture, ...]
    shown: tuple[Shown, ...] = ()  # those of them that lie beside the letter

    @property
    def language(self) -> str:
        """The language without its region."""
        return _language(self.issue)

    @property
    def day(self) -> date | None:
        """The day the letter is sent; None for a part of a series."""
        return self.issue.send.day if isinstance(self.issue.send, Send) else None


def _language(issue: Issue) -> str:
    return issue.language.split("-", maxsplit=1)[0].lower()


def read(issue: Issue, *, required: tuple[str, ...] = (), wording: str = "", shown: tuple[Shown, ...] = ()) -> Reading:
    """Take *issue* in; *wording* is the text of the word list. Raises SettingsError if that cannot be read."""
    gathered = _Gathered(path=issue.path)
    for key in ("title", "subject", "preheader"):
        gathered.say(issue.span(key), getattr(issue, key), key, prose=False)
    for block in issue.blocks:
        gathered.block(block)
    return Reading(
        issue=issue,
        required=required,
        terms=read_wording(wording).get(_language(issue), ()),
        passages=tuple(gathered.passages),
        links=tuple(gathered.links),
        headings=tuple(tuple(each) for each in gathered.headings),
        pictures=tuple(gathered.pictures),
        shown=shown,
    )


@dataclass(slots=True)
class _Gathered:
    path: str
    passages: list[Passage] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    headings: list[list[Heading]] = field(default_factory=list)
    pictures: list[Picture] = field(default_factory=list)

    def say(self, at: Span, text: str, kind: str, *, prose: bool) -> None:
        if text.strip():
            self.passages.append(Passage(at=at, text=plain(text), kind=kind, prose=prose))

    def block(self, block: Block) -> None:
        for name in _SPOKEN:
            self.say(block.at, block.attributes.get(name, ""), block.kind, prose=False)
        for offset, (name, value) in enumerate(block.fields.items(), start=1):
            self.say(Span(self.path, block.at.line + offset), value, block.kind, prose=name == "text")
        self._addresses(block.at, block.attributes)
        if block.kind == "image":
            picture = block.attributes
            self._picture(block.at, picture.get("alt", ""), picture.get("src", ""), picture.get("caption", ""))
        self.headings.append([])
        for token in tokens_of(_without_expressions(block.body)):
            at = Span(self.path, block.body_line + (token.map[0] if token.map else 0))
            if token.type == "heading_open":
                self.headings[-1].append(Heading(at=at, level=int(token.tag[1:])))
            if token.type == "inline":
                self._inline(at, token.children or [], block.kind)

    def _addresses(self, at: Span, attributes: Mapping[str, str]) -> None:
        for name, said in (("url", "label"), ("source_url", "source")):
            if attributes.get(name):
                text = plain(attributes.get(said, ""))
                self.links.append(Link(at=at, text=text, url=_without_expressions(attributes[name])))

    def _inline(self, at: Span, children: list[Token], kind: str) -> None:
        """The words of a paragraph, with its links and pictures; a break keeps the lines apart."""
        words: list[str] = []
        lines = 0
        opened: list[tuple[int, int, str]] = []
        for child in children:
            match child.type:
                case "text":
                    words.append(child.content)
                case "softbreak" | "hardbreak":
                    words.append("\n")
                    lines += 1
                case "image":
                    self._picture(_below(at, lines), child.content, str(child.attrGet("src") or ""), "")
                    words.append(child.content)
                case "link_open":
                    opened.append((len(words), lines, str(child.attrGet("href") or "")))
                case "link_close":
                    start, line, url = opened.pop()
                    said = "".join(words[start:])
                    self.links.append(Link(at=_below(at, line), text=said, url=url))
        if text := "".join(words):
            self.passages.append(Passage(at=at, text=text, kind=kind))

    def _picture(self, at: Span, alt: str, src: str, caption: str) -> None:
        self.pictures.append(Picture(at=at, alt=plain(alt), src=src, caption=plain(caption)))


def plain(text: str) -> str:
    """One line of Markdown as the words that it shows, and a name in place of every expression."""
    children = inline_tokens(_without_expressions(text))[0].children or []
    return "".join(child.content if child.type in ("text", "code_inline", "image") else "" for child in children)


def _without_expressions(text: str) -> str:
    """A name in place of every expression; those of several lines keep their breaks, so that lines stay true."""
    return _EXPRESSION.sub(lambda found: SOMEBODY + "\n" * found[0].count("\n"), text)


def _below(at: Span, lines: int) -> Span:
    return Span(at.path, at.line + lines)
