"""A block as a theme sees it: the same names for HTML and for text, filled from its Markdown."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import quote

from markdown_it.token import Token

from newsletter.content.issue import Block, Problem, Span
from newsletter.content.library import KINDS, Shape
from newsletter.rendering.dates import when
from newsletter.rendering.holes import MARK, Marker
from newsletter.rendering.images import Album, local_name
from newsletter.rendering.markdown import Html, Text, address, closing, inline_tokens, tokens_of

Surface = Html | Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry of a list: its bold or linked lead, what follows, and where the lead links to."""

    lead: str
    body: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A place to pass the letter on; the theme has a word `share_` and its name."""

    place: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A block, ready for a theme's macro. Every text is safe for its surface; "" means there is none."""

    kind: str
    id: str
    title: str
    lead: str  # action: the commitment
    body: str  # the text, up to the list where the kind has entries
    entries: tuple[Entry, ...]
    after: str  # the text after the list
    attr: Mapping[str, str]
    field: Mapping[str, str]
    share: tuple[Share, ...]
    when: str


# Kinds that a theme gives a heading of its own; in all others the first heading of the body is the block's.
_OWN_HEADING = frozenset({"action", "spread-the-word", "subscribe", "follow-up", "definition"})


def marked(block: Block, marker: Marker) -> Block:
    """*block* with marks for its expressions; personal text that would be passed on is a problem."""
    attributes = {name: marker.mark(value, block.at) for name, value in block.attributes.items()}
    fields = {name: marker.mark(value, block.at) for name, value in block.fields.items()}
    if block.kind == "spread-the-word" and MARK.search(fields.get("text", "")):
        marker.problems.append(
            Problem(
                at=block.at,
                what="the text to pass on holds a personal field",
                hint="readers share it with others; write it the same for all",
            )
        )
    return replace(block, attributes=attributes, fields=fields, body=marker.mark(block.body, _at_line(block)))


def _at_line(block: Block) -> Span:
    return Span(block.at.path, block.body_line)


def view(block: Block, number: int, *, html: bool, title: str, archive_url: str, language: str, album: Album) -> View:
    """*block* (marked, the *number*-th of its letter) for the HTML or the text part."""
    kind = KINDS[block.kind]
    heading = block.attributes.get("title") or block.kind in _OWN_HEADING
    surface: Surface = Html(top_heading=3 if heading else 2) if html else Text()
    before, listing, after = album.dressed(tokens_of(block.body)), list[Token](), list[Token]()
    lead = ""
    if kind.shape is not Shape.TEXT:
        before, listing, after = _around_list(before)
    if kind.shape is Shape.OPTIONS and before and before[0].type == "paragraph_open":
        lead = surface.inline(before[1].children or [])
        before = before[3:]
    inline: Callable[[str], str] = lambda text: surface.inline(inline_tokens(text)[0].children or []) if text else ""  # noqa: E731
    attr = {name: block.attributes.get(name, "") for name in kind.attributes}
    attr |= {name: address(attr[name]) for name in ("url", "source_url") if name in attr}
    return View(
        kind=block.kind,
        id=f"{block.kind}-{block.attributes.get('id') or number}",
        title=inline(attr.get("title", "")),
        lead=lead,
        body=surface.blocks(before),
        entries=tuple(_entries(listing, surface, choices=kind.shape is Shape.OPTIONS)),
        after=surface.blocks(after),
        attr=attr,
        field={name: inline(block.fields.get(name, "")) for name in kind.fields},
        share=share_links(block.fields.get("text", ""), title, archive_url) if block.kind == "spread-the-word" else (),
        when=when(block.attributes.get("date", ""), language) or "",
    )


def _around_list(tokens: list[Token]) -> tuple[list[Token], list[Token], list[Token]]:
    for index, token in enumerate(tokens):
        if token.level == 0 and token.type in ("bullet_list_open", "ordered_list_open"):
            end = closing(tokens, index)
            return tokens[:index], tokens[index + 1 : end], tokens[end + 1 :]
    return tokens, [], []


def _entries(listing: list[Token], surface: Surface, *, choices: bool) -> list[Entry]:
    entries = []
    index = 0
    while index < len(listing):
        end = closing(listing, index)
        item = listing[index + 1 : end]
        index = end + 1
        if not item or item[0].type != "paragraph_open":
            entries.append(Entry(lead="", body=surface.blocks(item), url=""))
            continue
        children, rest = item[1].children or [], item[3:]
        lead, url, children = ("", "", children) if choices else _lead(children, surface)
        body = surface.inline(children)
        if rest:
            body += ("\n\n" if isinstance(surface, Text) else "") + surface.blocks(rest)
        entries.append(Entry(lead=lead, body=body, url=url))
    return entries


def _lead(children: list[Token], surface: Surface) -> tuple[str, str, list[Token]]:
    """The bold or linked beginning of an entry, the link's address, and the rest of its tokens."""
    start = next((n for n, token in enumerate(children) if token.type != "text" or token.content.strip()), 0)
    if not children or children[start].type not in ("strong_open", "link_open"):
        return "", "", children
    end = closing(children, start)
    lead, rest = children[start + 1 : end], children[end + 1 :]
    link = next((token for token in [children[start], *lead] if token.type == "link_open"), None)
    inner = [token for token in lead if token.type not in ("link_open", "link_close")]
    return surface.inline(inner), str(link.attrGet("href") or "") if link else "", rest


def share_links(text: str, title: str, url: str) -> tuple[Share, ...]:
    """Addresses that open a message with *text* and the letter's public page, on common services."""
    message = f"{text}\n\n{url}" if url else text
    links = [Share(place="mail", url=f"mailto:?subject={quote(title)}&body={quote(message)}")]
    if url:
        links.append(
            Share(place="linkedin", url=f"https://www.linkedin.com/sharing/share-offsite/?url={quote(url, safe='')}")
        )
    links.append(Share(place="bluesky", url=f"https://bsky.app/intent/compose?text={quote(message)}"))
    links.append(Share(place="whatsapp", url=f"https://api.whatsapp.com/send?text={quote(message)}"))
    return tuple(links)


def block_problems(blocks: Sequence[Block]) -> list[Problem]:
    """What is wrong with values that only rendering understands."""
    problems = []
    for block in blocks:
        if when(block.attributes.get("date", ""), "en") is None:
            problems.append(
                Problem(
                    at=block.at,
                    what=f"date={block.attributes['date']!r} is no date",
                    hint='write e.g. date="2026-12-03 17:00 Europe/Berlin"',
                )
            )
        for name in ("url", "source_url", "src"):
            address = block.attributes.get(name, "")
            if name == "src" and local_name(address):
                continue  # a file: whoever found it says what is wrong with it
            if address and not address.startswith(("https://", "mailto:", "tel:")) and not MARK.match(address):
                problems.append(
                    Problem(at=block.at, what=f"{name}={address!r} is no full https:// address", hint="write all of it")
                )
        for name in ("width", "height"):
            size = block.attributes.get(name, "")
            if size and not re.fullmatch(r"[1-9][0-9]{0,3}", size):
                problems.append(
                    Problem(
                        at=block.at, what=f"{name}={size!r} is no number of pixels", hint=f'write e.g. {name}="580"'
                    )
                )
        if (
            block.kind == "image"
            and "width" not in block.attributes
            and not local_name(block.attributes.get("src", ""))
        ):
            what = "'image' needs a width; only of a file beside the letter is it known"
            problems.append(Problem(at=block.at, what=what, hint='write e.g. width="580"'))
        problems += _link_problems(block)
    return problems


def _link_problems(block: Block) -> list[Problem]:
    problems = []
    for token in tokens_of(block.body):
        at = Span(block.at.path, block.body_line + (token.map[0] if token.map else 0))
        for child in token.children or []:
            if child.type == "image":
                problems += _picture_problems(child, at)
                continue
            address = str(child.attrGet("href") or "")
            if (
                child.type == "link_open"
                and not address.startswith(("https://", "mailto:", "tel:", "#"))
                and not MARK.match(address)
            ):
                problems.append(
                    Problem(at=at, what=f"the link {address!r} is no full https:// address", hint="write all of it")
                )
    return problems


def _picture_problems(picture: Token, at: Span) -> list[Problem]:
    problems = []
    if not local_name(str(picture.attrGet("src") or "")):
        what = "a picture in the text has no width, and Outlook would show it as large as it is"
        hint = 'put the file beside the letter, or give it a block: ::: image {src="…" alt="…" width="580"}'
        problems.append(Problem(at=at, what=what, hint=hint))
    if not picture.content.strip():
        what = "a picture without words is nothing to who does not see it"
        problems.append(Problem(at=at, what=what, hint="say between the brackets what it shows", check="image-alt"))
    return problems
