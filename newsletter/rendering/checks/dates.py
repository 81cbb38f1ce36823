"""Days that contradict each other, or the day on which the letter is read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, datetime

from newsletter.content.issue import Level
from newsletter.rendering.checks.reading import Passage, Reading
from newsletter.rendering.checks.rule import Check, Found

_DAYS = {
    "en": ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"),
    "de": ("montag", "dienstag", "mittwoch", "donnerstag", "freitag", "samstag", "sonntag"),
}
_MONTHS = {
    "en": (
        *("january", "february", "march", "april", "may", "june"),
        *("july", "august", "september", "october", "november", "december"),
    ),
    "de": (
        *("januar", "februar", "märz", "april", "mai", "juni"),
        *("juli", "august", "september", "oktober", "november", "dezember"),
    ),
}
# In each: the weekday, then day and month in the order that the language writes them, then perhaps a year.
_WRITTEN = {
    "en": (
        r"(?P<weekday>{days}),?\s+(?:the\s+)?(?P<day>\d{{1,2}})(?:st|nd|rd|th)?\s+(?:of\s+)?(?P<month>{months})(?:,?\s+(?P<year>\d{{4}}))?",
        r"(?P<weekday>{days}),?\s+(?P<month>{months})\s+(?P<day>\d{{1,2}})(?:st|nd|rd|th)?\b(?:,?\s+(?P<year>\d{{4}}))?",
    ),
    "de": (
        r"(?P<weekday>{days}),?\s+(?:de[nmr]\s+)?(?P<day>\d{{1,2}})\.\s+(?P<month>{months})(?:\s+(?P<year>\d{{4}}))?",
    ),
}
_TODAY = {
    "en": r"\b(?:happy|good morning on this|today is|it is|it[\u2019']s)\s+(?P<weekday>{days})"
    r"(?!\s+(?:after|in|of|that|when))\b|\bthis\s+(?P<morning>{days})\s+morning\b",
    "de": r"\b(?:heute ist|schönen)\s+(?P<weekday>{days})\b|\ban diesem\s+(?P<morning>{days})morgen\b",
}
_YEAR = re.compile(r"\b(20\d\d)\b")
_COPYRIGHT = re.compile(r"(?i)(?:©|\(c\)|copyright)\s*(20\d\d)\b")


def _weekday(reading: Reading) -> Iterator[Found]:
    for passage in reading.passages:
        for at, found in _written(reading, passage):
            meant = _day(reading, found)
            given = found["weekday"].casefold()
            if meant is None:
                yield Found(at=at, what=f"there is no {' '.join(found[0].split())}")
            elif _DAYS[reading.language][meant.weekday()] != given:
                real = _DAYS[reading.language][meant.weekday()].capitalize()
                yield Found(
                    at=at, what=f"{meant.day} {found['month']} {meant.year} is no {given.capitalize()} but a {real}"
                )


def _written(reading: Reading, passage: Passage) -> Iterator[tuple]:  # type: ignore[type-arg]
    names = {
        "days": "|".join(_DAYS.get(reading.language, ())),
        "months": "|".join(_MONTHS.get(reading.language, ())),
    }
    for form in _WRITTEN.get(reading.language, ()):
        yield from passage.find(re.compile("(?i)" + form.format(**names)))


def _day(reading: Reading, found: re.Match[str]) -> date | None:
    """The day that is meant; without a year the one next to the letter's own. None if there is no such day."""
    month = _MONTHS[reading.language].index(found["month"].casefold()) + 1
    near = reading.day or date(2000, 1, 1)
    years = [int(found["year"])] if found["year"] else [near.year - 1, near.year, near.year + 1]
    days = []
    for year in years:
        try:
            days.append(date(year, month, int(found["day"])))
        except ValueError:
            continue
    return min(days, key=lambda day: abs(day - near), default=None)


def _other_day(reading: Reading) -> Iterator[Found]:
    form = _TODAY.get(reading.language)
    if not form or reading.day is None:
        return
    days = _DAYS[reading.language]
    sent = days[reading.day.weekday()]
    pattern = re.compile("(?i)" + form.format(days="|".join(days)))
    for passage in reading.passages:
        for at, found in passage.find(pattern):
            if (found["weekday"] or found["morning"]).casefold() != sent:
                yield Found(
                    at=at, what=f"{' '.join(found[0].split())!r}, but the letter is sent on a {sent.capitalize()}"
                )


def _past(reading: Reading) -> Iterator[Found]:
    for block in reading.issue.blocks:
        given = block.attributes.get("date", "")[:10]
        try:
            day = datetime.fromisoformat(given).date()
        except ValueError:
            continue  # another rule says so
        if reading.day and day < reading.day:
            yield Found(at=block.at, what=f"{day} is over when the letter is sent, on {reading.day}")


def _stale_year(reading: Reading) -> Iterator[Found]:
    if reading.day is None:
        return
    for passage in reading.passages:
        heads = passage.kind in ("title", "subject", "preheader")
        for at, found in passage.find(_YEAR if heads else _COPYRIGHT):
            if int(found[1]) < reading.day.year:
                yield Found(at=at, what=f"{found[1]} is not the year of the letter, {reading.day.year}")


CHECKS = (
    Check(
        id="weekday",
        level=Level.WARNING,
        about="a weekday that the date beside it does not fall on",
        fix="correct the day or the date",
        find=_weekday,
    ),
    Check(
        id="other-day",
        level=Level.WARNING,
        about='a greeting for another day than the one on which the letter is sent: "Happy Friday"',
        fix="name the day of sending, or none",
        find=_other_day,
    ),
    Check(
        id="past-date",
        level=Level.WARNING,
        about="an invitation to something that is over when the letter arrives",
        fix="correct date=, or take the block out",
        find=_past,
    ),
    Check(
        id="stale-year",
        level=Level.NOTE,
        about="an earlier year in title, subject, preheader or a copyright line",
        fix="is it meant?",
        find=_stale_year,
    ),
)
