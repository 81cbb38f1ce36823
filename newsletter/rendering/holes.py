"""Holes: mark every expression before Markdown and templates see it, and cut the finished text there.

A mark is a word that Markdown, HTML, addresses and premailer leave alone. The place where it ends up
decides how its values will be escaped; a mark in a place where no value is safe is a problem.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from newsletter.content.issue import Problem, Span
from newsletter.content.suggest import did_you_mean
from newsletter.pieces import ENCODERS, Pieces, Slot
from newsletter.rendering.expressions import (
    CONSTANT_FIELDS,
    LINK_FIELDS,
    READER_FIELDS,
    BadExpression,
    Expression,
    read_expression,
)

MARK = re.compile(r"zqH(\d{4})Hqz")
_EXPRESSION = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_URL_ATTRIBUTES = frozenset({"href", "src", "background", "cite", "action", "xlink:href"})
_FETCHED = frozenset({"src", "background"})  # opening the letter is enough
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


EncoderAt = Callable[[re.Match[str], Expression], str]


class Misplaced(ValueError):
    """A hole stands where no value could be put safely; `source` is its expression."""

    def __init__(self, source: str, where: str) -> None:
        """Say *where* the expression *source* stands."""
        super().__init__(f"{{{{ {source} }}}} {where}")
        self.source = source


@dataclass(slots=True)
class Marker:
    """Replaces expressions by marks and remembers them; problems are collected, not raised."""

    custom_fields: Sequence[str] = ()
    expressions: list[Expression] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    places: dict[str, Span] = field(default_factory=dict)  # expression → where it stands first
    uses: dict[str, Span] = field(default_factory=dict)  # field needed without a fallback → where first

    def mark(self, text: str, at: Span) -> str:
        """*text* with every expression replaced by its mark."""
        if MARK.search(text):
            self.problems.append(
                Problem(
                    at=at, what="the text holds a word like 'zqH0000Hqz'", hint="it is reserved; write it differently"
                )
            )
        if "{%" in text:
            at_statement = _line_of(text, text.index("{%"), at)
            hint = 'for conditions write for="segment:…" on the block'
            self.problems.append(Problem(at=at_statement, what="letters have no '{%' statements", hint=hint))
        marked = _EXPRESSION.sub(lambda found: self._one(found[1], _line_of(text, found.start(), at)), text)
        if "{{" in marked:
            self.problems.append(
                Problem(
                    at=_line_of(marked, marked.index("{{"), at), what="'{{' is never closed", hint="close it with '}}'"
                )
            )
        return marked

    def constant(self, name: str) -> str:
        """The mark of a field of our own, for templates."""
        return self._one(name, Span("templates"))

    def _one(self, source: str, at: Span) -> str:
        try:
            expression = read_expression(source)
        except BadExpression as err:
            self.problems.append(Problem(at=at, what=str(err), hint=err.hint))
            return ""
        known = (*READER_FIELDS, *self.custom_fields, *LINK_FIELDS, *CONSTANT_FIELDS)
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
            self.expressions.append(expression)
            self.places[expression.source] = at
        return f"zqH{self.expressions.index(expression):04d}Hqz"


def _line_of(text: str, position: int, at: Span) -> Span:
    return Span(at.path, at.line + text.count("\n", 0, position)) if at.line else at


def cut_html(html: str, expressions: Sequence[Expression], constants: Mapping[str, str]) -> Pieces:
    """*html* cut at its marks, each slot escaped for where it stands. Raises Misplaced."""
    places = _MARKUP.finditer(html)
    place = next(places, None)

    def encoder(found: re.Match[str], expression: Expression) -> str:
        nonlocal place
        while place is not None and place.end() <= found.start():
            place = next(places, None)
        if place is None or place.start() > found.start():
            return "html"
        return _encoder_in_markup(place, found, expression)

    return _cut(html, expressions, constants, encoder)


def _encoder_in_markup(markup: re.Match[str], mark: re.Match[str], expression: Expression) -> str:
    if markup["closed"]:
        if markup[0].lower().startswith("<title"):
            return "html"
        raise Misplaced(expression.source, "stands in a comment or a style")
    for attribute in _ATTRIBUTE.finditer(markup[0]):
        start = markup.start() + attribute.start(2) + 1
        if start <= mark.start() < markup.start() + attribute.end(2):
            if attribute[1].lower() not in _URL_ATTRIBUTES:
                return "html"
            if attribute[1].lower() in _FETCHED:
                raise Misplaced(expression.source, "in the address of a picture would tell who opens it")
            if mark.start() > start:
                if _HOST.fullmatch(mark.string, start, mark.start()):
                    raise Misplaced(expression.source, "would decide which site a link leads to")
                return "url"
            if expression.source in (*LINK_FIELDS, *CONSTANT_FIELDS):
                return "href"
            raise Misplaced(expression.source, "begins an address; put https://… before it")
    raise Misplaced(expression.source, "stands inside a tag, outside its attributes")


def cut_text(text: str, expressions: Sequence[Expression], constants: Mapping[str, str]) -> Pieces:
    """Plain *text* cut at its marks; within an address values are written as in the HTML."""

    def encoder(found: re.Match[str], _expression: Expression) -> str:
        line = text[text.rfind("\n", 0, found.start()) + 1 : found.start()]
        return "url" if _ADDRESS.search(line) else "text"

    return _cut(text, expressions, constants, encoder)


def _cut(text: str, expressions: Sequence[Expression], constants: Mapping[str, str], encoder_at: EncoderAt) -> Pieces:
    parts: list[bytes | Slot] = []
    literal = b""
    position = 0
    for found in MARK.finditer(text):
        expression = expressions[int(found[1])]
        encoder = encoder_at(found, expression)
        literal += text[position : found.start()].encode()
        if expression.source in constants:
            literal += ENCODERS[encoder](constants[expression.source])
        else:
            parts += [literal, Slot(value=expression.source, encoder=encoder)]
            literal = b""
        position = found.end()
    parts.append(literal + text[position:].encode())
    return Pieces(tuple(parts))


def marks(text: str) -> list[str]:
    """All marks in *text*, sorted; for comparing what went into a step with what came out."""
    return sorted(MARK.findall(text))


def needed_links(pieces: Iterable[Pieces]) -> frozenset[str]:
    """The personal links that these texts carry."""
    return frozenset(slot.value for each in pieces for slot in each.slots if slot.value in LINK_FIELDS)
