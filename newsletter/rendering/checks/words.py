"""The words themselves: what was left behind, what is hard to read, and what may hurt."""

from __future__ import annotations

import re
from collections.abc import Iterator

from newsletter.content.issue import Level, Span
from newsletter.rendering.checks.reading import Passage, Reading
from newsletter.rendering.checks.rule import Check, Found

LONG_SENTENCE = 40  # words
LONG_PARAGRAPH = 130
HARD = 12  # years of school; above it a text is hard for most
FEWEST = 100  # words: of less no reading level can be told

# Square brackets and braces that a template left behind; a link's text has become plain words by now.
_PLACEHOLDER = re.compile(
    r"\b(TK{1,3}|TODO|FIXME|TBD|TBA|XXX+)\b|(?i:\blorem ipsum\b)|\?{3,}"
    r"|(?i:[\[{%|*]{1,3} ?(?:your |first |last |full |insert |company |city |organi[sz]ation |the )?"
    r"(?:name|fname|lname|firstname|first_name|date|link|url|title|text|company|city|here|e-?mail|topic)\b"
    r"[^\]}%|*\n]{0,30}[\]}%|*]+)|(?i:<(?:your |first |last |full )?name>)"
)
_DOUBLED = re.compile(r"(?i)\b([a-zäöüßà-ÿ]{2,})[ \n]+\1\b(?![-'\u2019])")
_MEANT_TWICE = frozenset({"had", "that", "very", "no", "so", "bye", "die", "das", "der", "sie", "ha", "now", "long"})
_LEFT = re.compile(r"\*\*|__(?=\w)|(?<!=)==(?!=)|\]\(|^#{1,6} |(?<![\w&])</?[a-z][a-z0-9]*( [^<>\n]{0,80})?/?>")
_END = re.compile(r"[.!?…][\u201d\u2019\"')\]]*\s+")  # of a sentence
_WORD = re.compile(r"[\w\u2019'-]+")


def _placeholder(reading: Reading) -> Iterator[Found]:
    for passage in reading.passages:
        for at, found in passage.find(_PLACEHOLDER) if passage.kind != "feed" else ():  # others' words
            yield Found(at=at, what=f"{found[0].strip()!r} was left behind")


def _doubled(reading: Reading) -> Iterator[Found]:
    for passage in reading.passages:
        for at, found in passage.find(_DOUBLED):
            if found[1].casefold() not in _MEANT_TWICE:
                yield Found(at=at, what=f"{' '.join(found[0].split())!r}: a word stands twice")


def _markup(reading: Reading) -> Iterator[Found]:
    for passage in reading.passages:
        for at, found in passage.find(_LEFT):
            yield Found(at=at, what=f"readers would see {found[0].strip()!r}")


def _sentences(passage: Passage) -> Iterator[tuple[int, int]]:
    """(offset, words) of every sentence."""
    start = 0
    for end in (*(found.end() for found in _END.finditer(passage.text)), len(passage.text)):
        if words := len(_WORD.findall(passage.text, start, end)):
            yield start, words
        start = end


def _long_sentence(reading: Reading) -> Iterator[Found]:
    for passage in reading.passages:
        for offset, words in _sentences(passage) if passage.prose else ():
            if words > LONG_SENTENCE:
                yield Found(at=passage.place(offset), what=f"a sentence of {words} words")


def _long_paragraph(reading: Reading) -> Iterator[Found]:
    for passage in reading.passages:
        words = len(_WORD.findall(passage.text))
        if passage.prose and words > LONG_PARAGRAPH:
            yield Found(at=passage.at, what=f"a paragraph of {words} words, a full screen on a phone")


def _reading_level(reading: Reading) -> Iterator[Found]:
    """The automated readability index (Smith and Senter 1967): English, and counted without a dictionary."""
    prose = [passage for passage in reading.passages if passage.prose]
    words = [word for passage in prose for word in _WORD.findall(passage.text)]
    sentences = sum(1 for passage in prose for _ in _sentences(passage))
    if reading.language != "en" or len(words) < FEWEST:
        return
    level = 4.71 * sum(map(len, words)) / len(words) + 0.5 * len(words) / sentences - 21.43
    if level > HARD:
        what = f"the text asks for about {level:.0f} years of school"
        yield Found(at=Span(reading.issue.path), what=what)


def _wording(reading: Reading) -> Iterator[Found]:
    for passage in reading.passages:
        for term in reading.terms:
            for at, found in passage.find(term.pattern):
                instead = f"perhaps: {', '.join(term.instead)}" if term.instead else "leave it out"
                yield Found(at=at, what=f"{' '.join(found[0].split())!r}: {term.why}", hint=instead)


CHECKS = (
    Check(
        id="placeholder",
        level=Level.ERROR,
        about="what was to be filled in: TK, TODO, lorem ipsum, [name], ???",
        fix="write what belongs there; a reader's own name is {{ first_name | default('reader') }}",
        find=_placeholder,
    ),
    Check(
        id="markup-left",
        level=Level.WARNING,
        about="signs of Markdown or HTML that readers would see: `**`, `](`, `<b>`",
        fix="close what was opened; HTML is shown as it is written",
        find=_markup,
    ),
    Check(
        id="doubled-word",
        level=Level.WARNING,
        about="the same word twice in a row",
        fix="take one out",
        find=_doubled,
    ),
    Check(
        id="wording",
        level=Level.NOTE,
        about="words that may leave somebody out or hurt, from the list templates/wording.toml",
        fix="read the reason, and decide",
        find=_wording,
    ),
    Check(
        id="long-sentence",
        level=Level.NOTE,
        about=f"a sentence of more than {LONG_SENTENCE} words",
        fix="make two of it",
        find=_long_sentence,
    ),
    Check(
        id="long-paragraph",
        level=Level.NOTE,
        about=f"a paragraph of more than {LONG_PARAGRAPH} words",
        fix="break it where the thought turns",
        find=_long_paragraph,
    ),
    Check(
        id="reading-level",
        level=Level.NOTE,
        about=f"an English text that asks for more than {HARD} years of school (ARI)",
        fix="shorter words and sentences reach more people",
        find=_reading_level,
    ),
)
