"""Rules over a compiled letter: what readers or their mailboxes would stumble over.

One table; each rule has an id, a level and one function. The same rules run at the desk and at the gate.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from newsletter.content.issue import Issue, Level, Problem
from newsletter.rendering.edition import Edition
from newsletter.rendering.expressions import evaluator
from newsletter.rendering.holes import MARK, needed_links
from newsletter.rendering.message import Cut

CLIPPED_BYTES = 102_400  # Gmail cuts a letter off at about 102 KB of HTML
NEAR_CLIPPED_BYTES = 92_160
STYLE_BYTES = 16_384  # more than this and Gmail drops the style element
PREHEADER = range(35, 131)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a rule may look at. `longest` has the longest values in use, for sizes after personalising."""

    issue: Issue
    edition: Edition
    cut: Cut
    longest: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A rule: `find` yields (front matter key, what, hint) for everything it objects to."""

    id: str
    level: Level
    about: str
    find: Callable[[Facts], Iterator[tuple[str, str, str]]]


def run_checks(facts: Facts) -> list[Problem]:
    """Everything that the rules object to, in their order."""
    return [
        Problem(at=facts.issue.span(key), what=what, hint=hint, level=check.level, check=check.id)
        for check in CHECKS
        for key, what, hint in check.find(facts)
    ]


def _bytes_of_html(facts: Facts) -> int:
    return max(len(variant.html.fill(facts.longest)) for variant in facts.cut.variants)


def _clipped(facts: Facts) -> Iterator[tuple[str, str, str]]:
    size = _bytes_of_html(facts)
    if size > CLIPPED_BYTES:
        yield (
            "title",
            f"the HTML is {size:,} bytes for the longest reader; Gmail clips at {CLIPPED_BYTES:,}",
            "shorten the letter or move a part to the web",
        )


def _nearly_clipped(facts: Facts) -> Iterator[tuple[str, str, str]]:
    size = _bytes_of_html(facts)
    if NEAR_CLIPPED_BYTES < size <= CLIPPED_BYTES:
        yield "title", f"the HTML is {size:,} bytes; Gmail clips at {CLIPPED_BYTES:,}", "shorten the letter a little"


def _styles(facts: Facts) -> Iterator[tuple[str, str, str]]:
    html = facts.edition.variants[0].html
    size = sum(len(style.encode()) for style in re.findall(r"<style[^>]*>(.*?)</style>", html, re.DOTALL))
    if size > STYLE_BYTES:
        yield (
            "title",
            f"the theme keeps {size:,} bytes of styles; Gmail drops all above {STYLE_BYTES:,}",
            "shorten client.css",
        )


def _way_out(facts: Facts) -> Iterator[tuple[str, str, str]]:
    for variant in facts.cut.variants:
        for form, pieces in (("HTML", variant.html), ("text", variant.text)):
            if "unsubscribe_url" not in needed_links([pieces]):
                yield "title", f"the {form} part has no link to leave", "the theme's page must show links.unsubscribe"
                return


def _preheader(facts: Facts) -> Iterator[tuple[str, str, str]]:
    text = MARK.sub("Friend", facts.edition.preheader)
    if len(text) not in PREHEADER:
        yield "preheader", f"the preheader has {len(text)} characters", "35 to 130 fill an inbox's second line"
    if text == MARK.sub("Friend", facts.edition.subject):
        yield "preheader", "the preheader repeats the subject", "say something the subject does not"


def _subject(facts: Facts) -> Iterator[tuple[str, str, str]]:
    """The subject as a reader without any values sees it, and as one with long ones does."""
    nothing = evaluator(facts.cut.expressions)({})
    for values in (facts.longest, {**facts.longest, **nothing}):
        subject = facts.cut.subject.fill(values).decode().strip()
        if not subject:
            yield "subject", "for some readers the subject is empty", "write words around the field"
        if re.match(r"(?i)(re|fwd?|aw|wg)\s*:", subject):
            yield "subject", "the subject pretends to be an answer", "write it without 'Re:' or 'Fwd:'"


CHECKS: tuple[Check, ...] = (
    Check(id="clipped", level=Level.ERROR, about="Gmail would cut the letter off.", find=_clipped),
    Check(id="nearly-clipped", level=Level.WARNING, about="Gmail will soon cut the letter off.", find=_nearly_clipped),
    Check(id="style-size", level=Level.ERROR, about="Gmail would drop the styles.", find=_styles),
    Check(id="way-out", level=Level.ERROR, about="Every letter shows how to leave.", find=_way_out),
    Check(id="preheader", level=Level.WARNING, about="The line after the subject.", find=_preheader),
    Check(id="subject", level=Level.ERROR, about="A subject says what it is.", find=_subject),
)
