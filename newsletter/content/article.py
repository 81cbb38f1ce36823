"""An article as it was before it became a letter: headings, paragraphs, lists, and how their words were set."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from newsletter.content.frontmatter import UNSHOWABLE

# Of what no letter shows, these ended a line or kept words apart.
_PAUSES = re.compile("[\x0b\x0c\x1c-\x1f\x85\u2028\u2029]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Words that are set alike; a line ends at each newline among them."""

    text: str
    strong: bool = False
    emphasis: bool = False
    code: bool = False
    link: str = ""

    @property
    def style(self) -> tuple[bool, bool, bool, str]:
        """All but the words."""
        return self.strong, self.emphasis, self.code, self.link


Runs = tuple[Run, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    level: int
    runs: Runs


@dataclass(frozen=True, slots=True, kw_only=True)
class Paragraph:
    runs: Runs


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A list; `start` is the number of its first item, if it is `ordered`."""

    ordered: bool
    start: int
    items: tuple[tuple[Part, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Quotation:
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """A line across the page."""


@dataclass(frozen=True, slots=True)
class Remark:
    """What an editor has to know about the part before it; no word of the article."""

    text: str


Part = Heading | Paragraph | Code | Listing | Quotation | Rule | Remark


@dataclass(frozen=True, slots=True, kw_only=True)
class Article:
    """An article; `title` is what its file says of it outside of the text, if anything."""

    parts: tuple[Part, ...]
    title: str = ""


def plain(runs: Iterable[Run]) -> str:
    """The words of *runs* on one line."""
    return " ".join("".join(run.text for run in runs).split())


def texts(parts: Iterable[Part]) -> Iterator[str]:
    """Every text of *parts*, in the order in which it is read."""
    for part in parts:
        match part:
            case Heading(runs=runs) | Paragraph(runs=runs):
                yield "".join(run.text for run in runs)
            case Code(text=text):
                yield text
            case Listing(items=items):
                for item in items:
                    yield from texts(item)
            case Quotation(parts=inner):
                yield from texts(inner)


def showable(text: str) -> str:
    """*text* without characters that no letter can show; where one of them kept words apart, a blank does."""
    return UNSHOWABLE.sub("", _PAUSES.sub(" ", text)) if UNSHOWABLE.search(text) else text


def tidied(runs: Iterable[Run]) -> Runs:
    """*runs* with one blank where there were several, none at the ends of lines, and alike ones joined."""
    out: list[Run] = []
    before = "\n"
    for run in _joined(runs):
        text = re.sub(r" ?\n ?", "\n", re.sub(r"[ \t\r\f]+", " ", run.text))
        if before in " \n":
            text = text.lstrip(" ") if out else text.lstrip(" \n")
        if text.startswith("\n") and before == " ":
            out[-1] = replace(out[-1], text=out[-1].text[:-1])
        if text:
            out.append(replace(run, text=text))
            before = text[-1]
    while out and not out[-1].text.rstrip(" \n"):
        out.pop()
    if out:
        out[-1] = replace(out[-1], text=out[-1].text.rstrip(" \n"))
    return tuple(run for run in out if run.text)


def _joined(runs: Iterable[Run]) -> Iterator[Run]:
    """*runs*, those alike as one; a blank is as what stands before it."""
    alike: list[Run] = []
    for run in runs:
        if alike and run.text.strip() and run.style != alike[0].style:
            yield replace(alike[0], text="".join(each.text for each in alike))
            alike.clear()
        if run.text.strip() or alike:
            alike.append(run)
    if alike:
        yield replace(alike[0], text="".join(each.text for each in alike))
