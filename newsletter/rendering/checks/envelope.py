"""What an inbox shows of a letter: its subject and the line behind it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from newsletter.content.issue import Level
from newsletter.rendering.checks.page import Facts
from newsletter.rendering.checks.reading import Reading, plain
from newsletter.rendering.checks.rule import Check, Found
from newsletter.rendering.expressions import evaluator

SUBJECT = 78  # characters, with a name of usual length; a desktop shows about as many, a phone half of them
PREHEADER = range(35, 131)
_ANSWER = re.compile(r"(?i)\s*(re|fwd?|aw|wg|sv|tr)\s*:")
_LETTERS = 8  # fewer capitals than this in a row may be an abbreviation


def _subject_answer(facts: Facts) -> Iterator[Found]:
    if any(_ANSWER.match(subject) for subject in _subjects(facts)):
        yield Found(at=facts.issue.span("subject"), what="the subject pretends to be an answer")


def _subject_empty(facts: Facts) -> Iterator[Found]:
    if not all(subject.strip() for subject in _subjects(facts)):
        yield Found(at=facts.issue.span("subject"), what="for some readers the subject is empty")


def _subjects(facts: Facts) -> list[str]:
    """The subject as a reader with long values sees it, and as one without any does."""
    nothing = evaluator(facts.cut.expressions)({})
    return [facts.cut.subject.fill(values).decode() for values in (facts.longest, {**facts.longest, **nothing})]


def _subject_long(reading: Reading) -> Iterator[Found]:
    subject = plain(reading.issue.subject)
    if len(subject) > SUBJECT:
        what = f"the subject has {len(subject)} characters; inboxes show {SUBJECT} at most"
        yield Found(at=reading.issue.span("subject"), what=what)


def _subject_loud(reading: Reading) -> Iterator[Found]:
    subject = plain(reading.issue.subject)
    letters = [letter for letter in subject if letter.isalpha()]
    if len(letters) >= _LETTERS and all(letter.isupper() for letter in letters):
        yield Found(at=reading.issue.span("subject"), what="the subject is all capitals")
    if re.search(r"!\s*!|\?\s*!\s*\?|[$€£]{2}", subject):
        yield Found(at=reading.issue.span("subject"), what="the subject shouts with its punctuation")


def _preheader_length(reading: Reading) -> Iterator[Found]:
    size = len(plain(reading.issue.preheader))
    if size and size not in PREHEADER:
        what = f"the preheader has {size} characters"
        yield Found(at=reading.issue.span("preheader"), what=what)


def _preheader_repeats(reading: Reading) -> Iterator[Found]:
    subject, preheader = (_bare(plain(text)) for text in (reading.issue.subject, reading.issue.preheader))
    if subject and preheader.startswith(subject):
        yield Found(at=reading.issue.span("preheader"), what="the preheader repeats the subject")


def _bare(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold()))


OF_THE_TEXT = (
    Check(
        id="subject-long",
        level=Level.WARNING,
        about=f"a subject of more than {SUBJECT} characters",
        fix="say the most important thing in the first 40, which a phone shows",
        find=_subject_long,
    ),
    Check(
        id="subject-loud",
        level=Level.WARNING,
        about="a subject in capitals, or with strings of exclamation marks: spam filters count both",
        fix="write it as you would say it",
        find=_subject_loud,
    ),
    Check(
        id="preheader-length",
        level=Level.WARNING,
        about="a preheader of fewer than 35 or more than 130 characters",
        fix="35 to 130 fill an inbox's second line",
        find=_preheader_length,
    ),
    Check(
        id="preheader-repeats",
        level=Level.WARNING,
        about="a preheader that begins with the subject",
        fix="say something the subject does not",
        find=_preheader_repeats,
    ),
)
OF_THE_PAGE = (
    Check(
        id="subject-answer",
        level=Level.ERROR,
        about='a subject that begins with "Re:" or "Fwd:" for some reader',
        fix="write it without",
        find=_subject_answer,
        firm=True,
    ),
    Check(
        id="subject-empty",
        level=Level.ERROR,
        about="a subject that is empty for some reader",
        fix="write words around the field",
        find=_subject_empty,
        firm=True,
    ),
)
