"""A letter's public page: the approved edition as nobody in particular would get it, and nobody's links in it."""

from __future__ import annotations

import re
from hashlib import sha256
from html import escape

from newsletter.pieces import Slot
from newsletter.rendering.edition import Edition
from newsletter.rendering.expressions import LINK_FIELDS, evaluator, read_expression
from newsletter.rendering.holes import MARK, Holes, cut_html

# Kept out of search engines, and able to do nothing but be read: no script, no form, no frame around it.
_HEAD = (
    '<meta name="robots" content="noindex">\n'
    '<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
    '<meta name="referrer" content="no-referrer">\n'
)
_POLICY = "default-src 'none'; img-src 'self' https:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_SEAL = "<!-- made by newsletter site build: {} -->\n"
_SEALED = re.compile(rb"<!-- made by newsletter site build: ([0-9a-f]{64}) -->\n\Z")

# What a theme says to readers of the mail alone.
_MAIL_ONLY = re.compile(r'\s*<p\b[^<>]*\bclass="[^"]*\bmail-only\b[^"]*".*?</p>', re.DOTALL)
_LINK = re.compile(r"""<a\b[^<>]*?\bhref=(?:"([^"]*)"|'([^']*)')[^<>]*>(.*?)</a\s*>""", re.DOTALL | re.IGNORECASE)
_PICTURE = re.compile(rb"\.\./\.\./images/([0-9a-f]{16}\.[a-z]{3})")
_HEAD_BEGINS = re.compile(r"<head\b[^>]*>\n?", re.IGNORECASE)


def page_of(edition: Edition) -> bytes:
    """The public page of *edition*: blocks for everyone, fallbacks for names, its pictures from the same site.

    The same edition is the same bytes. Links that would be a reader's own are gone; so is the one to this page.
    """
    expressions = tuple(read_expression(source) for source in edition.holes)
    holes = Holes(edition.mark_word, expressions, edition.constants)
    html = _MAIL_ONLY.sub("", edition.variants[0].html)
    html = _without_own_links(html, holes)
    for image in edition.images:
        html = html.replace(escape(image.address), f"../../images/{image.name}")
    head = _HEAD_BEGINS.search(html)
    start = head.end() if head else 0
    html = html[:start] + _HEAD.format(policy=_POLICY) + html[start:]
    public = evaluator(expressions)(edition.constants)
    pieces = cut_html(html, holes)
    values = {each.value: public[each.value] for each in pieces.parts if isinstance(each, Slot)}
    return sealed(pieces.fill(values).rstrip(b"\n") + b"\n")


def _without_own_links(html: str, holes: Holes) -> str:
    """*html* without links to a reader's own pages, or to this one: in a sentence their words stay, alone they go."""
    own = {found[0] for found, expression in holes.find(html) if expression.fields.intersection(LINK_FIELDS)}
    this = {found[0] for found, expression in holes.find(html) if expression.source == "archive_url"}

    def plain(found: re.Match[str]) -> str:
        address = found[1] or found[2] or ""
        if MARK.sub("", address) or address not in own | this:
            return found[0]
        return found[3] if _in_a_sentence(html, found) else ""

    return _LINK.sub(plain, html)


def _in_a_sentence(html: str, link: re.Match[str]) -> bool:
    """Whether words stand right before or right after *link*."""
    before = html[html.rfind(">", 0, link.start()) + 1 : link.start()]
    end = html.find("<", link.end())
    after = html[link.end() : end if end >= 0 else len(html)]
    return bool(before.strip() or after.strip())


def pictures_of(page: bytes) -> set[str]:
    """The pictures that *page* shows from its own site, by their paths there."""
    return {f"images/{name.decode()}" for name in _PICTURE.findall(page)}


def sealed(page: bytes) -> bytes:
    """*page* with a last line that says what it was when we wrote it."""
    return page + _SEAL.format(sha256(page).hexdigest()).encode()


def is_sealed(page: bytes) -> bool:
    """Whether we wrote *page*, and nobody changed it since."""
    found = _SEALED.search(page)
    return found is not None and sha256(page[: found.start()]).hexdigest().encode() == found[1]
