"""Holes: mark every expression before Markdown and templates see it, and cut the finished text there.

A mark is a word that Markdown, HTML, addresses and premailer leave alone. The place where it ends up
decides how its values will be escaped; a mark in a place where no value is safe is a problem.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from html import unescape

from newsletter.content.issue import Problem, Span
from newsletter.content.suggest import did_you_mean
from newsletter.pieces import ENCODERS, Pieces, Slot
from newsletter.rendering.expressions import (
    CONSTANT_FIELDS,
    LINK_FIELDS,
    MAIL_LINKS,
    READER_FIELDS,
    BadExpression,
    Expression,
    read_expression,
)

# The word in the middle is a digest of the letter itself, so no letter can hold a mark of its own making.
MARK = re.compile(r"zq([0-9a-f]{16})H(\d+)Hqz")
MAX_EXPRESSIONS = 200
_URL_ATTRIBUTES = frozenset({"href", "src", "background", "cite", "action", "xlink:href"})
_FETCHED = frozenset({"src", "background"})  # opening the letter is enough
_OWN_LINKS = (*LINK_FIELDS, *MAIL_LINKS)
_WHOLE_ADDRESSES = (*_OWN_LINKS, *CONSTANT_FIELDS)
_HOST = re.compile(r"[a-z]+://[^/?#]*", re.IGNORECASE)
_ADDRESS = re.compile(r"(?:[a-z]+://|mailto:)[^\s<>]*$", re.IGNORECASE)

# Conditional comments hold live markup for Outlook, so only their two ends are comments.
_MARKUP = re.compile(
    r"""<!--\[if[^\]]*\]>(?:<!-->)?|(?:<!--)?<!\[endif\]-->"""
    r"""|(?P<closed><!--.*?-->|<(?:style|script|title)\b.*?</(?:style|script|title)\s*>)"""
    r"""|<(?P<tag>[a-zA-Z/!](?:[^<>"']|"[^"]*"|'[^']*')*)>""",
    re.DOTALL | re.IGNORECASE,
)
_ATTRIBUTE = re.compile(r"""([\w:-]+)\s*=\s*("[^"]*"|'[^']*')""")


class Misplaced(ValueError):
    """A hole stands where no value could be put safely; `source` is its expression."""

    def __init__(self, source: str, where: str) -> None:
        """Say *where* the expression *source* stands."""
        super().__init__(f"{{{{ {source} }}}} {where}")
        self.source = source


@dataclass(frozen=True, slots=True)
class Holes:
    """What the marks of one letter stand for: mark number N for the N-th expression.

    `constants` are the values of expressions that are the same for all readers.
    """

    word: str
    expressions: tuple[Expression, ...]
    constants: Mapping[str, str]

    def find(self, text: str) -> Iterator[tuple[re.Match[str], Expression]]:
        """The marks of this letter in *text*, in order."""
        for found in MARK.finditer(text):
            if found[1] == self.word:
                yield found, self.expressions[int(found[2])]


def mark_word(*sources: str) -> str:
    """The word for the marks of a letter made from *sources*."""
    return sha256("\0".join(sources).encode("utf-8", "surrogatepass")).hexdigest()[:16]


@dataclass(slots=True)
class Marker:
    """Replaces expressions by marks and remembers them; problems are collected, not raised."""

    word: str
    custom_fields: Sequence[str] = ()
    links: Sequence[str] = LINK_FIELDS
    expressions: dict[Expression, int] = field(default_factory=dict)  # with the number of their mark
    problems: list[Problem] = field(default_factory=list)
    places: dict[str, Span] = field(default_factory=dict)  # expression → where it stands first
    uses: dict[str, Span] = field(default_factory=dict)  # field needed without a fallback → where first

    def mark(self, text: str, at: Span) -> str:
        """*text* with every expression replaced by its mark."""
        if "{%" in text:
            at_statement = _line_of(text, text.index("{%"), at)
            hint = 'for conditions write for="segment:…" on the block'
            self.problems.append(Problem(at=at_statement, what="letters have no '{%' statements", hint=hint))
        marked, position = [], 0
        while (start := text.find("{{", position)) >= 0:
            place = _line_of(text, start, at)
            end = text.find("}}", start)
            if end < 0:
                self.problems.append(Problem(at=place, what="'{{' is never closed", hint="close it with '}}'"))
                break
            marked += [text[position:start], self._one(text[start + 2 : end], place)]
            position = end + 2
        return "".join([*marked, text[position:]])

    def constant(self, name: str) -> str:
        """The mark of a field of our own, for templates."""
        return self._one(name, Span("templates"))

    def _one(self, source: str, at: Span) -> str:
        try:
            expression = read_expression(source)
        except BadExpression as err:
            self.problems.append(Problem(at=at, what=str(err), hint=err.hint))
            return ""
        known = (*READER_FIELDS, *self.custom_fields, *self.links, *CONSTANT_FIELDS)
        for name in sorted(expression.fields.difference(known)):
            self.problems.append(
                Problem(
                    at=at,
                    what=f"no field {name!r}",
                    hint=f"{did_you_mean(name, known)} (own fields: newsletter.toml, [fields])",
                )
            )
        for name in sorted(
            expression.needs.intersection(READER_FIELDS, known) | expression.needs.intersection(self.custom_fields)
        ):
            self.uses.setdefault(name, at)
        if expression not in self.expressions:
            self.expressions[expression] = len(self.expressions)
            self.places[expression.source] = at
            if len(self.expressions) == MAX_EXPRESSIONS:
                hint = "a letter may have fewer than that"
                self.problems.append(Problem(at=at, what=f"{MAX_EXPRESSIONS} different expressions", hint=hint))
        return f"zq{self.word}H{self.expressions[expression]}Hqz"

    def holes(self, constants: Mapping[str, str]) -> Holes:
        """What the marks made so far stand for."""
        return Holes(self.word, tuple(self.expressions), constants)


def _line_of(text: str, position: int, at: Span) -> Span:
    return Span(at.path, at.line + text.count("\n", 0, position)) if at.line else at


def cut_html(html: str, holes: Holes) -> Pieces:
    """*html* cut at its marks, each slot escaped for where it stands. Raises Misplaced."""
    places = _MARKUP.finditer(html)
    place = next(places, None)

    def encoder(mark: re.Match[str], expression: Expression) -> str:
        nonlocal place
        while place is not None and place.end() <= mark.start():
            place = next(places, None)
        if place is None or place.start() > mark.start():
            return "html"
        return _encoder_in_markup(place, mark, expression)

    return _cut(html, holes, encoder)


def _encoder_in_markup(markup: re.Match[str], mark: re.Match[str], expression: Expression) -> str:
    if markup["closed"]:
        if markup[0].lower().startswith("<title"):
            return "html"
        raise Misplaced(expression.source, "stands in a comment or a style")
    for attribute in _ATTRIBUTE.finditer(markup[0]):
        start = markup.start() + attribute.start(2) + 1
        if start <= mark.start() < markup.start() + attribute.end(2):
            name = attribute[1].lower()
            return _encoder_in_address(name, start, mark, expression) if name in _URL_ATTRIBUTES else "html"
    raise Misplaced(expression.source, "stands inside a tag, outside its attributes")


def _encoder_in_address(attribute: str, start: int, mark: re.Match[str], expression: Expression) -> str:
    """How a value is written in an address that begins at *start*."""
    if attribute in _FETCHED:
        raise Misplaced(expression.source, "in the address of a picture would tell who opens it")
    if mark.start() == start:
        if expression.source in _WHOLE_ADDRESSES:
            return "href"
        raise Misplaced(expression.source, "begins an address; put https://… before it")
    if expression.fields.intersection(_OWN_LINKS):
        raise Misplaced(expression.source, "inside another address would give the reader's own link away")
    if _HOST.fullmatch(mark.string, start, mark.start()):
        raise Misplaced(expression.source, "would decide which site a link leads to")
    return "url"


def cut_text(text: str, holes: Holes) -> Pieces:
    """Plain *text* cut at its marks; within an address values are written as in the HTML."""

    def encoder(mark: re.Match[str], _expression: Expression) -> str:
        line = text[text.rfind("\n", 0, mark.start()) + 1 : mark.start()]
        return "url" if _ADDRESS.search(line) else "text"

    return _cut(text, holes, encoder)


def _cut(text: str, holes: Holes, encoder_at: Callable[[re.Match[str], Expression], str]) -> Pieces:
    parts: list[bytes | Slot] = []
    literal = b""
    position = 0
    for mark, expression in holes.find(text):
        encoder = encoder_at(mark, expression)
        literal += text[position : mark.start()].encode()
        if expression.source in holes.constants:
            literal += ENCODERS[encoder](holes.constants[expression.source])
        else:
            parts += [literal, Slot(value=expression.source, encoder=encoder)]
            literal = b""
        position = mark.end()
    parts.append(literal + text[position:].encode())
    return Pieces(tuple(parts))


_SAFE_ADDRESS = re.compile(r"https://[^/?#\s]|mailto:|tel:[+\d]|#")
_SAFE_PICTURE = re.compile(r"https://[^/?#\s]")


def unsafe_addresses(html: str, holes: Holes, *, pictures: frozenset[str] = frozenset()) -> list[str]:
    """The addresses in *html* that begin otherwise than mail may: not https, mailto, tel or a place in it.

    *pictures* are the addresses of the letter's own. The last look, at the finished page, whatever way an
    address took to get there.
    """
    ours = {mark.span() for mark, expression in holes.find(html) if expression.source in _WHOLE_ADDRESSES}
    found = []
    for markup in _MARKUP.finditer(html):
        for attribute in _ATTRIBUTE.finditer(markup["tag"] or ""):
            name, value = attribute[1].lower(), unescape(attribute[2][1:-1])
            start = markup.start("tag") + attribute.start(2) + 1
            safe = _SAFE_PICTURE if name in _FETCHED else _SAFE_ADDRESS
            whole = any(begin == start for begin, _ in ours) and name not in _FETCHED
            if name in _URL_ATTRIBUTES and not whole and value not in pictures and not safe.match(value):
                found.append(value)
    return found


def marks(text: str) -> list[str]:
    """All marks in *text*, sorted; for comparing what went into a step with what came out."""
    return sorted(found[0] for found in MARK.finditer(text))


def needed_links(pieces: Iterable[Pieces]) -> frozenset[str]:
    """The personal links that these texts carry."""
    return frozenset(slot.value for each in pieces for slot in each.slots if slot.value in _OWN_LINKS)
