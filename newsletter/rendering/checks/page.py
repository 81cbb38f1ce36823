"""The compiled letter: what mailboxes do to it, and what every message must show."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from lxml import html as lxml_html

from newsletter.content.issue import Issue, Level, Span
from newsletter.rendering.checks.rule import Check, Found
from newsletter.rendering.edition import Edition
from newsletter.rendering.holes import needed_links
from newsletter.rendering.message import Cut

CLIPPED_BYTES = 102_400  # Gmail cuts a letter off at about 102 KB of HTML
NEAR_CLIPPED_BYTES = 92_160
STYLE_BYTES = 16_384  # more than this and Gmail drops the style element
SAME_WORDS = 0.9  # of the HTML's words are in the text part
_LEFT_OVER = re.compile(r"\{\{|\}\}|\{%|%\}|%7B%7B|\*\||\|\*|>\s*(None|undefined)\s*<")


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What a rule over the compiled letter may look at. `longest` has the longest values in use.

    `told` is what the law wants said in every message, by what it is called: sender, postal address, reason.
    """

    issue: Issue
    edition: Edition
    cut: Cut
    longest: Mapping[str, str]
    theme: str
    told: Mapping[str, tuple[str, ...]]

    @cached_property
    def parts(self) -> tuple[tuple[str, str], ...]:
        """(HTML, text) of every variant, filled for a reader with long values."""
        return tuple(
            (each.html.fill(self.longest).decode(), each.text.fill(self.longest).decode()) for each in self.cut.variants
        )

    @cached_property
    def tree(self) -> lxml_html.HtmlElement:
        """The HTML with every block in it: the last variant is the one of readers who meet all conditions."""
        return lxml_html.document_fromstring(self.parts[-1][0])

    @property
    def templates(self) -> Span:
        """Where to mend what a theme did."""
        return Span(f"templates/{self.theme}")


def _biggest(facts: Facts) -> int:
    return max(len(html.encode()) for html, _ in facts.parts)


def _clipped(facts: Facts) -> Iterator[Found]:
    if (size := _biggest(facts)) > CLIPPED_BYTES:
        what = f"the HTML is {size:,} bytes for the longest reader; Gmail clips at {CLIPPED_BYTES:,}"
        yield Found(at=facts.issue.span("title"), what=what)


def _nearly_clipped(facts: Facts) -> Iterator[Found]:
    if NEAR_CLIPPED_BYTES < (size := _biggest(facts)) <= CLIPPED_BYTES:
        what = f"the HTML is {size:,} bytes; Gmail clips at {CLIPPED_BYTES:,}"
        yield Found(at=facts.issue.span("title"), what=what)


def _styles(facts: Facts) -> Iterator[Found]:
    html = facts.edition.variants[0].html
    size = sum(len(style.encode()) for style in re.findall(r"<style[^>]*>(.*?)</style>", html, re.DOTALL))
    if size > STYLE_BYTES:
        what = f"the theme keeps {size:,} bytes of styles; Gmail drops all above {STYLE_BYTES:,}"
        yield Found(at=facts.templates, what=what)


def _way_out(facts: Facts) -> Iterator[Found]:
    for form in ("html", "text"):
        if any("unsubscribe_url" not in needed_links([getattr(each, form)]) for each in facts.cut.variants):
            yield Found(at=facts.templates, what=f"the {_NAMES[form]} part has no link to leave")


_NAMES = {"html": "HTML", "text": "text"}


def _told(facts: Facts) -> Iterator[Found]:
    """The words of the law are there in both parts; white space and line ends may differ."""
    shown = (" ".join(" ".join(facts.tree.itertext()).split()), " ".join(facts.parts[-1][1].split()))
    for what, lines in facts.told.items():
        for name, text in zip(("HTML", "text"), shown, strict=True):
            if any(" ".join(line.split()) not in text for line in lines):
                yield Found(at=facts.templates, what=f"the {name} part does not show the {what}")


def _web_version(facts: Facts) -> Iterator[Found]:
    url = facts.edition.archive_url
    links = {element.get("href") for element in facts.tree.iter("a")}
    for name, found in (("HTML", url in links), ("text", url in facts.parts[-1][1])):
        if not found:
            yield Found(at=facts.templates, what=f"the {name} part does not lead to the web version")


def _text_part(facts: Facts) -> Iterator[Found]:
    html, text = facts.tree, facts.parts[-1][1]
    body = html.find("body")
    words = set(re.findall(r"\w{3,}", " ".join(_visible(body)).casefold()))
    missing = words - set(re.findall(r"\w{3,}", text.casefold()))
    if words and len(missing) > (1 - SAME_WORDS) * len(words):
        example = ", ".join(sorted(missing, key=lambda word: (-len(word), word))[:3])
        what = f"the text part lacks {len(missing)} of the HTML's {len(words)} words, e.g. {example}"
        yield Found(at=facts.templates, what=what)
    links = dict.fromkeys(element.get("href", "") for element in html.iter("a"))
    for url in links:
        if url.startswith("https://") and url not in text and "compose" not in url and "share" not in url:
            yield Found(at=facts.templates, what=f"the text part has no link to {url[:80]}")


def _visible(element: lxml_html.HtmlElement) -> Iterator[str]:
    """The words of *element* but for what is hidden: the preheader has its own place in an inbox."""
    if isinstance(element.tag, str) and not _hidden(element):
        yield element.text or ""
        for child in element:
            yield from _visible(child)
            yield child.tail or ""


def _hidden(element: lxml_html.HtmlElement) -> bool:
    style = element.get("style", "").replace(" ", "")
    return "mso-hide" in style or "display:none" in style


def _headings(facts: Facts) -> Iterator[Found]:
    """The headings of the whole page, as people hear them who go from one to the next."""
    levels = [int(element.tag[1]) for element in facts.tree.iter("h1", "h2", "h3", "h4", "h5", "h6")]
    if levels.count(1) > 1:
        yield Found(at=facts.templates, what=f"the page has {levels.count(1)} <h1>")
    for before, here in pairwise(levels):
        if here > before + 1:
            yield Found(at=facts.templates, what=f"a heading goes from level {before} to {here}")


def _left_over(facts: Facts) -> Iterator[Found]:
    for parts in facts.parts:
        for part in parts:
            if found := _LEFT_OVER.search(part):
                what = f"after filling, {found[0]!r} is left in the letter"
                yield Found(at=Span(facts.issue.path), what=what)
                return


CHECKS = (
    Check(
        id="clipped",
        level=Level.ERROR,
        about=f"HTML over {CLIPPED_BYTES:,} bytes for the longest reader: Gmail would cut it off",
        fix="shorten the letter or move a part to the web",
        find=_clipped,
        firm=True,
    ),
    Check(
        id="nearly-clipped",
        level=Level.WARNING,
        about=f"HTML over {NEAR_CLIPPED_BYTES:,} bytes",
        fix="shorten the letter a little",
        find=_nearly_clipped,
    ),
    Check(
        id="left-over",
        level=Level.WARNING,
        about="signs of a template in the finished letter: `{{`, `%}`, `None`",
        fix="look at the theme's templates, and at what was pasted",
        find=_left_over,
    ),
    Check(
        id="way-out",
        level=Level.ERROR,
        about="a theme that does not show how to leave",
        fix="the theme's page must show links.unsubscribe",
        find=_way_out,
        firm=True,
    ),
    Check(
        id="who-and-why",
        level=Level.ERROR,
        about="a message without sender, postal address, or why its reader gets it: laws ask for all three",
        fix="set them under [sender], and let the theme's page show them",
        find=_told,
        firm=True,
    ),
    Check(
        id="web-version",
        level=Level.WARNING,
        about="a message that does not lead to its page on the web",
        fix="the theme's page should show links.archive",
        find=_web_version,
    ),
    Check(
        id="text-part",
        level=Level.ERROR,
        about="a text part that lacks a tenth of the words or a link: people read it, and spam filters compare",
        fix="mend the theme's blocks.txt.j2",
        find=_text_part,
    ),
    Check(
        id="page-headings",
        level=Level.ERROR,
        about="a page with several highest headings, or one that skips a level",
        fix="mend the theme's page.html.j2 or blocks.html.j2",
        find=_headings,
    ),
    Check(
        id="style-size",
        level=Level.ERROR,
        about=f"more than {STYLE_BYTES:,} bytes of styles: Gmail would drop them all",
        fix="shorten client.css",
        find=_styles,
        firm=True,
    ),
)
