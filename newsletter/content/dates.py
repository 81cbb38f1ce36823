"""When an observance falls: a rule in a few plain words, and the days it means in a year.

27 january                      one day
third monday of january         also first, second, fourth, fifth and last
february                        all of a month
15 september to 15 october      from one day to another
passover for 8 days             so many days from one on
ramadan                         one of the movable days
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

from newsletter.content.movable import MOVABLE, movable_days
from newsletter.content.suggest import did_you_mean

MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
ORDINALS = ("first", "second", "third", "fourth", "fifth", "last")
FORMS = "write e.g. 27 january, third monday of january, february, 15 september to 15 october, eid al-fitr"
LONGEST = 100  # days; nothing that lasts longer is worth a place in a week

_FIXED = re.compile(r"(\d{1,2}) ([a-z]+)")
_NTH = re.compile(r"([a-z]+) ([a-z]+) of ([a-z]+)")
_FOR = re.compile(r"(.+) for (\d{1,3}) days")

Point = Callable[[int], "tuple[date, ...]"]  # the days in a year


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A rule as it was written, and what it means."""

    text: str
    begins: Point
    ends: Callable[[date], date | None]

    def spans(self, year: int) -> list[tuple[date, date]]:
        """(first day, last day) of every time it begins in *year*."""
        spans = ((first, self.ends(first)) for first in self.begins(year))
        return [(first, last) for first, last in spans if last is not None]


def read_rule(text: str) -> Rule:
    """The rule in *text*. Raises ValueError saying what cannot be read."""
    words = " ".join(text.lower().split())
    if words in MONTHS:
        month = MONTHS.index(words) + 1
        return Rule(text=words, begins=lambda year: (date(year, month, 1),), ends=_end_of_month)
    first, to, last = words.partition(" to ")
    if to:
        return Rule(text=words, begins=_point(first), ends=_next(_point(last)))
    if found := _FOR.fullmatch(words):
        days = int(found[2])
        if not 2 <= days <= LONGEST:
            raise ValueError(f"2 to {LONGEST} days, not {days}")
        return Rule(text=words, begins=_point(found[1]), ends=lambda day: day + timedelta(days=days - 1))
    return Rule(text=words, begins=_point(words), ends=lambda day: day)


def _end_of_month(first: date) -> date:
    return first.replace(day=monthrange(first.year, first.month)[1])


def _next(point: Point) -> Callable[[date], date | None]:
    """The first day of *point* after a day, over the turn of a year if it must be."""

    def ends(first: date) -> date | None:
        later = (day for year in (first.year, first.year + 1) for day in point(year) if day > first)
        last = next(later, None)
        return last if last and last - first < timedelta(days=LONGEST) else None

    return ends


def _point(words: str) -> Point:
    """The days that *words* name, whatever the year."""
    if words in MOVABLE:
        return lambda year: movable_days(words, year)
    if found := _FIXED.fullmatch(words):
        return _fixed(int(found[1]), _index(found[2], MONTHS, "month") + 1)
    if found := _NTH.fullmatch(words):
        ordinal, weekday = _index(found[1], ORDINALS, "count"), _index(found[2], WEEKDAYS, "weekday")
        return _nth(ordinal, weekday, _index(found[3], MONTHS, "month") + 1)
    near = did_you_mean(words, MOVABLE)
    raise ValueError(f"no rule: {words!r}; {near if near.startswith('did') else FORMS}")


def _index(word: str, known: tuple[str, ...], what: str) -> int:
    if word not in known:
        raise ValueError(f"no {what}: {word!r}; {did_you_mean(word, known)}")
    return known.index(word)


def _fixed(day: int, month: int) -> Point:
    if not 1 <= day <= monthrange(2024, month)[1]:  # a leap year
        raise ValueError(f"no day: {day} {MONTHS[month - 1]}")
    return lambda year: (date(year, month, day),) if day <= monthrange(year, month)[1] else ()


def _nth(ordinal: int, weekday: int, month: int) -> Point:
    def days(year: int) -> tuple[date, ...]:
        length = monthrange(year, month)[1]
        all_of_them = [date(year, month, n) for n in range(1, length + 1) if date(year, month, n).weekday() == weekday]
        if ORDINALS[ordinal] == "last":
            return (all_of_them[-1],)
        return tuple(all_of_them[ordinal : ordinal + 1])

    return days


def in_words(first: date, last: date | None = None) -> str:
    """A day without its year, e.g. 10 December, or from one to another; never by the machine's locale."""
    words = f"{first.day} {MONTHS[first.month - 1].capitalize()}"
    return words if last in (None, first) else f"{words} to {in_words(last)}"
