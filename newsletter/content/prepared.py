"""The block library: blocks written ahead, one to a file, waiting for a week that they fit."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date

from newsletter.content.comments import without_comments
from newsletter.content.dates import MONTHS
from newsletter.content.frontmatter import Head, read_head
from newsletter.content.issue import Block, Problem, Span
from newsletter.content.library import KINDS
from newsletter.content.observances import NAME
from newsletter.content.parse import read_blocks
from newsletter.content.suggest import did_you_mean

KEYS = ("tags", "observances", "months", "not_before", "not_after")


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A block of the library. `text` is the block as it goes into a letter, with its provenance."""

    kind: str
    name: str
    text: str
    block: Block
    tags: frozenset[str] = frozenset()
    observances: frozenset[str] = frozenset()  # if it names any, it is for their weeks only
    months: frozenset[int] = frozenset()
    not_before: date | None = None
    not_after: date | None = None

    @property
    def key(self) -> tuple[str, str]:
        """What it is known by: two kinds may have blocks of one name."""
        return self.kind, self.name


def read_prepared(
    text: str, *, path: str, kind: str, name: str, known: Collection[str], problems: list[Problem]
) -> Prepared | None:
    """The block in *text*, None if anything is wrong with it; *known* are the observances of the calendar."""
    found: list[Problem] = []
    if kind not in KINDS:
        hint = did_you_mean(kind, KINDS, otherwise="the kinds are")
        found.append(Problem(at=Span(path), what=f"a folder for blocks of no kind: {kind!r}", hint=hint))
    if not NAME.fullmatch(name):
        hint = "use lower-case letters, digits and dashes, e.g. the-empty-chair.md"
        found.append(Problem(at=Span(path), what=f"{name!r} is no name for a prepared block", hint=hint))
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    head = read_head(text, path, found, known=KEYS, needed=())
    blocks = read_blocks(head, path, found)
    if not found and [block.kind for block in blocks] != [kind]:
        hint = f"write '::: {kind}', its text, and ':::', and nothing else"
        found.append(Problem(at=Span(path), what=f"not one block of the kind {kind!r}", hint=hint))
    elif not found and "from" in blocks[0].attributes:
        found.append(Problem(at=blocks[0].at, what="a prepared block has no 'from'", hint="it is added in a letter"))
    values = _read_values(head, path, known, found)
    problems += found
    if found:
        return None
    return Prepared(
        kind=kind,
        name=name,
        text=_with_provenance(head, blocks[0], name),
        block=blocks[0],
        tags=values["tags"],
        observances=values["observances"],
        months=frozenset(MONTHS.index(month) + 1 for month in values["months"]),
        not_before=_read_day("not_before", head, path, problems),
        not_after=_read_day("not_after", head, path, problems),
    )


def taken_from(text: str, *, path: str) -> list[tuple[str, str]]:
    """What the letter in *text* was made from: (kind, name) of prepared blocks.

    Only its blocks are looked at. Its head is read as text outside of them, which here is no problem.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    blocks = read_blocks(Head(body=text), path, [])
    return [(block.kind, name) for block in blocks if (name := block.attributes.get("from"))]


def _with_provenance(head: Head, block: Block, name: str) -> str:
    """The block's own lines, the first of them naming the file that it comes from."""
    first, *rest = head.body.split("\n")[block.at.line - head.body_line :]
    fence = without_comments(first, path="", first_line=0, problems=[]).rstrip()
    attributes = fence[:-1].rstrip() + " " if fence.endswith("}") else f"{fence} {{"
    return "\n".join([f'{attributes}from="{name}"}}', *rest]).rstrip() + "\n"


def _read_values(
    head: Head, path: str, known: Collection[str], problems: list[Problem]
) -> Mapping[str, frozenset[str]]:
    """The lists of names, and a look at the days."""
    values = {key: frozenset(_words(head.values.get(key, ""))) for key in ("tags", "observances", "months")}
    allowed = {"observances": known, "months": MONTHS}
    for key, words in values.items():
        at = Span(path, head.lines.get(key, 1))
        for word in sorted(words):
            if key == "tags" and not NAME.fullmatch(word):
                hint = "write names with commas between them, e.g. tags: work, disability"
                problems.append(Problem(at=at, what=f"{word!r} is no tag", hint=hint))
            elif key != "tags" and word not in allowed[key]:
                what = f"no {key.removesuffix('s')} is called {word!r}"
                hint = did_you_mean(word, allowed[key], otherwise="the calendar has")
                problems.append(Problem(at=at, what=what, hint=hint))
    for key in ("not_before", "not_after"):
        _read_day(key, head, path, problems)
    return values


def _words(value: str) -> list[str]:
    return [word.lower() for word in re.split(r"\s*,\s*", value.strip()) if word]


def _read_day(key: str, head: Head, path: str, problems: list[Problem]) -> date | None:
    value = head.values.get(key)
    try:
        return date.fromisoformat(value) if value else None
    except ValueError:
        at = Span(path, head.lines[key])
        problems.append(Problem(at=at, what=f"{key!r} is no day: {value!r}", hint="write e.g. 2026-12-31"))
        return None
