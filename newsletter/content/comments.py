"""Remarks among editors: `<!-- … -->`, which no reader ever sees."""

from __future__ import annotations

import re
from collections.abc import Sequence

from newsletter.content.issue import Problem, Span

OPENS, CLOSES = "<!--", "-->"

# Code shows what it says: what looks like a comment in it is none.
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_CLOSER = re.compile(r" {0,3}(`{3,}|~{3,})[ \t]*")
_NEXT = re.compile(r"`+|<!--")


def without_comments(text: str, *, path: str, first_line: int, problems: list[Problem]) -> str:
    """*text*, which begins on *first_line* of its file, without comments; its lines stay where they are.

    A comment that never ends is a problem: all of the letter after it would be gone.
    """
    if OPENS not in text:
        return text
    lines = text.split("\n")
    closers = _closers(lines)
    shown, code, opened = [], "", 0  # `opened` is the line that an open comment began on
    for number, line in enumerate(lines):
        if code or (not opened and (fence := _FENCE.match(line)) and _is_closed(fence[1], number, closers)):
            code = "" if code and _closes(line, code) else code or (fence[1] if fence else "")
            shown.append(line)
            continue
        rest, is_open = _outside(line, inside=bool(opened))
        shown.append(rest if rest.strip() else "")
        opened = (opened or first_line + number) if is_open else 0
    if opened:
        hint = f"end it with {CLOSES}; readers never see what stands between {OPENS} and {CLOSES}"
        problems.append(Problem(at=Span(path, opened), what="a comment that is never closed", hint=hint))
    return "\n".join(shown)


def comment(lines: Sequence[str]) -> str:
    """*lines* as a comment that an editor sees and no reader does, whatever they say."""
    inside = [" ".join(line.split()).replace(CLOSES, "-- >") for line in lines]
    return f"{OPENS} {inside[0]} {CLOSES}\n" if len(inside) == 1 else "\n".join([OPENS, *inside, CLOSES, ""])


def _outside(line: str, *, inside: bool) -> tuple[str, bool]:
    """What of *line* stands in no comment, and whether one is open at its end."""
    shown, at = list[str](), 0
    while True:
        if inside:
            end = line.find(CLOSES, at)
            if end < 0:
                return "".join(shown), True
            at, inside = end + len(CLOSES), False
            continue
        start = _comment_start(line, at)
        if start < 0:
            return "".join([*shown, line[at:]]), False
        shown.append(line[at:start])
        at, inside = start + len(OPENS), True


def _comment_start(line: str, at: int) -> int:
    """Where the next comment begins that does not stand in backquotes; -1 if there is none."""
    while found := _NEXT.search(line, at):
        if found[0] == OPENS:
            return found.start()
        end = re.compile(rf"(?<!`){found[0]}(?!`)").search(line, found.end())
        at = end.end() if end else found.end()
    return -1


def _closers(lines: Sequence[str]) -> dict[str, int]:
    """The last line on which each fence of code could close."""
    found = ((number, _CLOSER.fullmatch(line)) for number, line in enumerate(lines))
    return {mark[1]: number for number, mark in found if mark}


def _is_closed(fence: str, number: int, closers: dict[str, int]) -> bool:
    """Whether a fence on line *number* is ever closed; one that is not is no code, as in a letter's blocks."""
    return any(mark.startswith(fence) and last > number for mark, last in closers.items())


def _closes(line: str, code: str) -> bool:
    mark = _CLOSER.fullmatch(line)
    return bool(mark and mark[1].startswith(code))
