"""Plain text as an article: what its blank lines, numbers and dashes say of headings, lists and quotations."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from newsletter.content.article import (
    Article,
    Heading,
    Listing,
    Paragraph,
    Part,
    Quotation,
    Remark,
    Rule,
    Run,
    Runs,
    showable,
    tidied,
)

_BULLET = re.compile(r"\s*(?P<sign>[-*•‣◦·])\s+(?=\S)")
_NUMBER = re.compile(r"\s*(?P<number>\d{1,3})[.)]\s+(?=\S)")
_UNDERLINE = re.compile(r"\s*(?:={3,}|-{3,}|~{3,})\s*")
_RULE = re.compile(r"\s*(?:(?:\*\s*){3,}|(?:-\s*){3,}|(?:_\s*){3,}|(?:=\s*){3,})")
_ADDRESS = re.compile(r"https?://[^\s<>\"“”]*[^\s<>\"“”.,;:!?)\]\u2019'…]")
_FILLED = 45  # characters: a line that is broken before, is so on purpose
_LONGEST_HEADING = 70


def article_of_lines(text: str) -> Article:
    """The article in *text*."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\x0c", "\n\n")
    shown = showable(text)
    blocks = [block.split("\n") for block in re.split(r"\n[ \t]*(?:\n[ \t]*)+", shown.strip("\n")) if block.strip()]
    parts: list[Part] = []
    for number, lines in enumerate(blocks):
        for part in _parts(lines, is_last=number == len(blocks) - 1):
            _add(part, parts)
    if shown != text:
        parts.append(Remark("characters that no letter can show were left out"))
    return Article(parts=tuple(parts))


def _add(part: Part, parts: list[Part]) -> None:
    """Add *part*, or its entries to the list before it that it goes on with."""
    before = parts[-1] if parts else None
    if isinstance(part, Listing) and isinstance(before, Listing) and _goes_on(part, before):
        parts[-1] = Listing(ordered=part.ordered, start=before.start, items=(*before.items, *part.items))
    else:
        parts.append(part)


def _goes_on(part: Listing, before: Listing) -> bool:
    is_next = not part.ordered or part.start == before.start + len(before.items)
    return part.ordered == before.ordered and is_next


def _parts(lines: Sequence[str], *, is_last: bool) -> Iterator[Part]:
    """The parts of some lines without a blank one among them."""
    if all(line.lstrip().startswith(">") for line in lines):
        inner = article_of_lines("\n".join(re.sub(r"^(?:\s*>)+ ?", "", line) for line in lines)).parts
        if inner:
            yield Quotation(parts=tuple(part for part in inner if not isinstance(part, Rule | Remark)))
        return
    if len(lines) == 1 and _RULE.fullmatch(lines[0]):
        yield Rule()
    elif len(lines) > 1 and _UNDERLINE.fullmatch(lines[1]) and lines[0].strip():
        yield Heading(level=1 if "=" in lines[1] else 2, runs=_runs(lines[:1]))
        yield from _parts(lines[2:], is_last=is_last) if lines[2:] else ()
    else:
        first = next((n for n, line in enumerate(lines) if _BULLET.match(line) or _NUMBER.match(line)), None)
        listing = _listing(lines[first:]) if first is not None else None
        if first and listing:
            yield Paragraph(runs=_runs(lines[:first]))
        yield listing or _paragraph(lines, is_last=is_last)


def _paragraph(lines: Sequence[str], *, is_last: bool) -> Part:
    line = lines[0].strip()
    is_heading = len(lines) == 1 and not is_last and len(line) <= _LONGEST_HEADING and line[-1] not in ".,:;!…-—"
    is_heading = is_heading and line[0].isalnum() and not _ADDRESS.search(line)
    return Heading(level=3, runs=_runs(lines)) if is_heading else Paragraph(runs=_runs(lines))


def _listing(lines: Sequence[str]) -> Listing | None:
    """The list that *lines* are: entries with one sign, or with numbers that count; None if they are none."""
    ordered = bool(_NUMBER.match(lines[0]))
    sign = _NUMBER if ordered else _BULLET
    first = sign.match(lines[0])
    assert first
    items: list[list[str]] = []
    for line in lines:
        found = sign.match(line)
        if found and ordered and int(found["number"]) != int(first["number"]) + len(items):
            return None
        if found and (ordered or found["sign"] == first["sign"]):
            items.append([line[found.end() :]])
        else:
            items[-1].append(line)
    start = int(first["number"]) if ordered else 1
    return Listing(ordered=ordered, start=start, items=tuple((Paragraph(runs=_runs(item)),) for item in items))


def _runs(lines: Sequence[str]) -> Runs:
    """*lines* as one text; those that are filled go on in the next."""
    lines = [line.strip() for line in lines]
    goes_on = (len(line) >= _FILLED and after[:1] not in "—\u2013―-" for line, after in pairwise(lines))
    text = lines[0] + "".join(
        f" {line}" if same else f"\n{line}" for same, line in zip(goes_on, lines[1:], strict=True)
    )
    runs, at = list[Run](), 0
    for found in _ADDRESS.finditer(text):
        runs += [Run(text=text[at : found.start()]), Run(text=found[0], link=found[0])]
        at = found.end()
    return tidied([*runs, Run(text=text[at:])])
