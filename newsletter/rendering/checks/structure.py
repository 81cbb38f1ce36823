"""Whether a letter has what letters of this newsletter have, in an order that can be followed."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

from newsletter.content.issue import Level, Span
from newsletter.rendering.checks.reading import Reading
from newsletter.rendering.checks.rule import Check, Found
from newsletter.rendering.markdown import tokens_of

# How a promise to oneself begins. A language without a row is not judged.
_PROMISE = {
    "en": re.compile(
        r"(?i)\s*(this (week|month)[^.]{0,40},? )?(when [^.]{3,120}, )?I\b.{0,40}\b(commit|will|promise)"
        r"|when .{3,120}, I\b"
    ),
    "de": re.compile(
        r"(?i).{0,60}\b(nehme ich mir vor|verspreche ich|ich nehme mir|ich verspreche|werde ich|ich werde)\b"
        r"|wenn .{3,120},"
    ),
}


def _required(reading: Reading) -> Iterator[Found]:
    kinds = {block.kind for block in reading.issue.blocks}
    for kind in reading.required if reading.day else ():  # a part of a series has its own order
        if kind not in kinds:
            last = reading.issue.blocks[-1].at if reading.issue.blocks else Span(reading.issue.path)
            yield Found(at=last, what=f"the letter has no {kind!r}", hint=f"add a block: ::: {kind}")


def _commitment(reading: Reading) -> Iterator[Found]:
    promise = _PROMISE.get(reading.language)
    for block in reading.issue.blocks:
        first = next((token for token in tokens_of(block.body) if token.type == "inline"), None)
        if block.kind == "action" and promise and first and not promise.match(first.content):
            line = block.body_line + (first.map[0] if first.map else 0)
            yield Found(at=Span(reading.issue.path, line), what="the action does not begin with a commitment")


def _headings(reading: Reading) -> Iterator[Found]:
    for headings in reading.headings:
        for before, here in itertools.pairwise(headings):
            if here.level > before.level + 1:
                what = f"the heading goes down from level {before.level} to {here.level}"
                yield Found(
                    at=here.at, what=what, hint=f"write it with {before.level + 1} signs: {'#' * (before.level + 1)}"
                )


CHECKS = (
    Check(
        id="required-block",
        level=Level.ERROR,
        about="a letter without a kind of block that `[checks] required` names",
        fix="add the block",
        find=_required,
    ),
    Check(
        id="commitment",
        level=Level.WARNING,
        about='an action that is not phrased as a commitment: "This week, I commit to …", "When …, I will …"',
        fix='begin with "This week, I commit to …" or "When …, I will …"',
        find=_commitment,
    ),
    Check(
        id="heading-order",
        level=Level.WARNING,
        about="a heading that skips a level, which people who listen to headings stumble over",
        fix="go down one level at a time",
        find=_headings,
    ),
)
