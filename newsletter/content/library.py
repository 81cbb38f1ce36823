"""The kinds of block a letter is made of: one row says all there is to know about a kind."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Shape(StrEnum):
    """What the body of a block is made of, beside running text."""

    TEXT = "text"
    ENTRIES = "entries"  # a list, each entry with an optional bold (or linked) lead
    OPTIONS = "options"  # a first line to commit to, then optionally a list to choose from


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of block.

    `attributes` stand in braces on the opening fence, `fields` are `key: value` lines at the top of the
    body. Beside its own, every kind takes `for`, `id` and `from`.
    """

    name: str
    about: str
    attributes: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    required: tuple[str, ...] = ()  # of attributes, fields, and "body"
    shape: Shape = Shape.TEXT
    once: bool = False


# `from` says which prepared block it was made from: what was used when is read from the letters themselves.
EVERY_KIND = ("id", "for", "from")

KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            name="reflection",
            about="A personal text that lets readers pause.",
            attributes=("title",),
            required=("body",),
        ),
        Kind(
            name="action",
            about="This week's commitment, with options to choose from.",
            attributes=("title",),
            required=("body",),
            shape=Shape.OPTIONS,
            once=True,
        ),
        Kind(
            name="spread-the-word",
            about="A sentence worth passing on, with links to share it.",
            attributes=("title",),
            fields=("text",),
            required=("text",),
            once=True,
        ),
        Kind(name="quote", about="Somebody's words.", attributes=("by", "role", "url"), required=("by", "body")),
        Kind(
            name="learn",
            about="Something to read, watch or hear.",
            attributes=("title", "url", "label"),
            required=("title", "body"),
        ),
        Kind(
            name="definition",
            about="What a word means, and its key aspects.",
            attributes=("term",),
            required=("term", "body"),
            shape=Shape.ENTRIES,
        ),
        Kind(
            name="points",
            about="Things to keep in mind.",
            attributes=("title",),
            required=("body",),
            shape=Shape.ENTRIES,
        ),
        Kind(
            name="steps",
            about="Things to do, in order.",
            attributes=("title",),
            required=("body",),
            shape=Shape.ENTRIES,
        ),
        Kind(
            name="practice",
            about="The steps between awareness and action.",
            attributes=("title",),
            required=("body",),
            shape=Shape.ENTRIES,
        ),
        Kind(
            name="stats",
            about="A few figures and where they come from.",
            attributes=("title", "source", "source_url"),
            required=("body", "source"),
            shape=Shape.ENTRIES,
        ),
        Kind(name="takeaway", about="The one sentence to remember.", required=("body",)),
        Kind(
            name="resources", about="Where to read on.", attributes=("title",), required=("body",), shape=Shape.ENTRIES
        ),
        Kind(
            name="keep-going",
            about="A talk, a course, a meeting for those who want more.",
            attributes=("title", "url", "date", "label"),
            required=("body",),
        ),
        Kind(
            name="feed",
            about="New entries of a feed, filled in when the letter is assembled.",
            attributes=("title",),
            required=("body",),
            shape=Shape.ENTRIES,
        ),
        Kind(
            name="follow-up",
            about="A look back at last week's commitment.",
            attributes=("title",),
            required=("body",),
            once=True,
        ),
        Kind(
            name="subscribe",
            about="An invitation for people this letter was forwarded to.",
            attributes=("title", "url", "label"),
            required=("body", "url"),
            once=True,
        ),
        Kind(
            name="image",
            about="A picture.",
            attributes=("src", "alt", "width", "height", "caption", "url"),
            required=("src", "alt"),
        ),
        Kind(
            name="button", about="A single link, easy to hit.", attributes=("url", "label"), required=("url", "label")
        ),
        Kind(name="text", about="Anything else.", attributes=("title",), required=("body",)),
    )
}
