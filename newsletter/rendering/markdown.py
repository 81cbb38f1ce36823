"""Markdown to HTML and to plain text: two surfaces that say the same words."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from functools import lru_cache

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from markupsafe import Markup

from newsletter.rendering.holes import MARK

WIDTH = 76
_NAME = "\0" * 9  # as long as a first name, and nothing that a letter could hold


def _mark(state: StateInline, silent: bool) -> bool:  # noqa: FBT001 - markdown-it's own signature
    """`==a phrase==` is marked as with a pen."""
    start = state.pos + 2
    end = state.src.find("==", start, state.posMax)
    if not state.src.startswith("==", state.pos) or end <= start or state.src[start].isspace():
        return False
    if not silent:
        limit = state.posMax
        state.push("mark_open", "mark", 1)
        state.pos, state.posMax = start, end
        state.md.inline.tokenize(state)
        state.push("mark_close", "mark", -1)
        state.posMax = limit
    state.pos = end + 2
    return True


def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False})
    parser.disable(["html_block", "html_inline"])
    parser.inline.ruler.before("emphasis", "mark", _mark)
    return parser


_PARSER = _parser()
_RENDERER = RendererHTML()


def tokens_of(source: str) -> list[Token]:
    """The block tokens of *source*; `map` of each says on which of its lines it stands, from 0."""
    return [_own(token) for token in _parsed(source)]


@lru_cache(maxsize=512)  # both surfaces and the checks ask for every block, and a preview at every save
def _parsed(source: str) -> tuple[Token, ...]:
    return tuple(_PARSER.parse(source))


def _own(token: Token) -> Token:
    """A copy of *token* and of those inside it, which whoever asked may change; `copy` takes ten times as long."""
    copied = Token(token.type, token.tag, token.nesting, dict(token.attrs), token.map, token.level)
    copied.children = None if token.children is None else [_own(child) for child in token.children]
    copied.content, copied.markup, copied.info = token.content, token.markup, token.info
    copied.meta, copied.block, copied.hidden = dict(token.meta), token.block, token.hidden
    return copied


def inline_tokens(source: str) -> list[Token]:
    """The inline tokens of one line of *source*, as a list with one `inline` token."""
    return _PARSER.parseInline(source)


def address(typed: str) -> str:
    """An address as it travels: in ASCII, the way links in a text are written."""
    return _PARSER.normalizeLink(typed)


class Html:
    """Renders tokens as HTML; everything it returns is safe markup."""

    def __init__(self, *, top_heading: int) -> None:
        """Let the highest heading of a body become `<h{top_heading}>`, so that no level is skipped."""
        self._top = top_heading

    def blocks(self, tokens: Sequence[Token]) -> Markup:
        """Block tokens as HTML."""
        steps = sorted({token.tag for token in tokens if token.type == "heading_open"})
        level = self._top - 1
        for token in tokens:
            if token.type == "heading_open":
                level = min(self._top + steps.index(token.tag), level + 1, 6)
            if token.type in ("heading_open", "heading_close"):
                token.tag = f"h{level}"
        return Markup(_RENDERER.render(tokens, _PARSER.options, {}).strip())  # noqa: S704 - raw HTML is off

    def inline(self, tokens: Sequence[Token]) -> Markup:
        """Inline tokens as HTML."""
        return Markup(_RENDERER.renderInline(tokens, _PARSER.options, {}).strip())  # noqa: S704 - raw HTML is off


class Text:
    """Renders tokens as plain text of at most 76 columns."""

    def blocks(self, tokens: Sequence[Token]) -> str:
        """Block tokens as paragraphs, lists and headings with a blank line between them."""
        return "\n\n".join(part for part in self._parts(list(tokens), WIDTH) if part)

    def _parts(self, tokens: list[Token], width: int) -> list[str]:
        parts = []
        index = 0
        while index < len(tokens):
            end = closing(tokens, index)
            parts.append(self._part(tokens[index : end + 1], width))
            index = end + 1
        return parts

    def _part(self, tokens: list[Token], width: int) -> str:  # noqa: PLR0911 - one way of showing for each kind
        first, inner = tokens[0], tokens[1:-1]
        match first.type:
            case "paragraph_open":
                return wrap(self.inline(inner[0].children or []), width=width)
            case "heading_open":
                title = wrap(self.inline(inner[0].children or []), width=width)
                return underline(title, "-")
            case "bullet_list_open" | "ordered_list_open":
                return self._list(first, inner, width)
            case "blockquote_open":
                quoted = "\n\n".join(self._parts(inner, width - 2))
                return textwrap.indent(quoted, "> ", lambda _line: True)
            case "fence" | "code_block":
                return textwrap.indent(first.content.rstrip("\n"), "    ")
            case "hr":
                return "* * *"
            case _:
                return ""

    def _list(self, opening: Token, inner: list[Token], width: int) -> str:
        number = int(opening.attrGet("start") or 1)
        items = []
        index = 0
        tight = all(
            token.hidden for token in inner if token.type == "paragraph_open" and token.level == opening.level + 2
        )
        while index < len(inner):
            end = closing(inner, index)
            sign = f"{number}. " if opening.type == "ordered_list_open" else "* "
            body = ("\n" if tight else "\n\n").join(self._parts(inner[index + 1 : end], width - len(sign)))
            items.append(bullet(body, sign))
            number += 1
            index = end + 1
        return ("\n" if tight else "\n\n").join(items)

    def inline(self, tokens: Sequence[Token]) -> str:
        """Inline tokens as one line: links as `label (address)`, the marker as *asterisks*."""
        out: list[str] = []
        links: list[tuple[int, str]] = []
        for token in tokens:
            match token.type:
                case "text" | "code_inline":
                    out.append(token.content)
                case "softbreak":
                    out.append(" ")
                case "hardbreak":
                    out.append("\n")
                case "mark_open" | "mark_close":
                    out.append("*")
                case "em_open" | "em_close":
                    out.append("_")
                case "image":
                    out.append(f"[{token.content}]")
                case "link_open":
                    links.append((len(out), str(token.attrGet("href") or "")))
                case "link_close":
                    start, address = links.pop()
                    label = "".join(out[start:])
                    address = address.removeprefix("mailto:")
                    out[start:] = [label if label == address else f"{label} ({address})"]
        return "".join(out).strip()


def closing(tokens: Sequence[Token], start: int) -> int:
    """The index of the token that closes the one at *start* (itself, if it opens nothing)."""
    depth = 0
    for index in range(start, len(tokens)):
        depth += tokens[index].nesting
        if depth <= 0:
            return index
    return len(tokens) - 1


def wrap(text: str, indent: int = 0, *, width: int = WIDTH) -> str:
    """*text* filled to *width* columns; lines after the first hang by *indent*.

    A mark counts for as much as what will stand in its place, which is mostly a first name.
    """
    marks = iter([mark[0] for mark in MARK.finditer(text)])
    text = MARK.sub(_NAME, text)
    filled = "\n".join(
        textwrap.fill(line, width=width, subsequent_indent=" " * indent, break_long_words=False, break_on_hyphens=False)
        for line in text.split("\n")
    )
    return re.sub(_NAME, lambda _name: next(marks), filled)


def underline(title: str, rule: str = "-") -> str:
    """*title* with a rule under it, as long as its longest line."""
    return f"{title}\n{rule * max((len(line) for line in title.splitlines()), default=0)}" if title else ""


def bullet(text: str, sign: str = "* ") -> str:
    """*text* with *sign* before its first line and the others indented to match."""
    return sign + textwrap.indent(text, " " * len(sign)).lstrip(" ") if text else sign.rstrip()
