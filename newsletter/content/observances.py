"""The awareness calendar: days and months that a letter may take up, and which of them fall into a week."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from newsletter.content.dates import Rule, read_rule
from newsletter.content.issue import Problem, Span
from newsletter.content.suggest import did_you_mean

KEYS = ("name", "on", "region", "source", "tags", "note")
NEEDED = ("name", "on", "region", "source")
NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")  # of an observance, a tag, a prepared block
WEEK = timedelta(days=7)

_ABOUT: Mapping[str, str] = {
    "name": 'say what it is called, e.g. name = "Human Rights Day"',
    "on": 'say when it is, e.g. on = "10 december"',
    "region": 'say where it is observed, e.g. region = "everywhere" or region = "US"',
    "source": 'give the page that says so, e.g. source = "https://www.un.org/en/observances/human-rights-day"',
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Observance:
    """A day or a time of the year. `note` is what an editor has to know about its date."""

    id: str
    name: str
    rule: Rule
    region: str
    source: str
    tags: frozenset[str] = frozenset()
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Occurrence:
    """An observance in one year, from its first day to its last."""

    observance: Observance
    first: date
    last: date

    @property
    def is_season(self) -> bool:
        """Whether it lasts for longer than a week, so that several letters fall into it."""
        return self.last - self.first >= WEEK


def occurring(observances: Iterable[Observance], first: date, last: date) -> tuple[Occurrence, ...]:
    """What falls on a day from *first* to *last*: single days before seasons, each in the order of their dates."""
    found = [
        Occurrence(observance=each, first=begins, last=ends)
        for each in observances
        for year in (first.year - 1, *range(first.year, last.year + 1))
        for begins, ends in each.rule.spans(year)
        if begins <= last and ends >= first
    ]
    return tuple(sorted(found, key=lambda each: (each.is_season, each.first, each.last, each.observance.id)))


def in_week(observances: Iterable[Observance], day: date) -> tuple[Occurrence, ...]:
    """What falls into the seven days from *day* on: the week that a letter of that day is read in."""
    return occurring(observances, day, day + WEEK - timedelta(days=1))


def read_calendar(text: str, *, path: str) -> tuple[dict[str, Observance], list[Problem]]:
    """The observances in *text* by their ids, and all that is wrong with it; what is wrong is left out."""
    problems: list[Problem] = []
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as err:
        found = re.search(r"\(at line (\d+)", str(err))
        at = Span(path, int(found[1]) if found else 0)
        return {}, [Problem(at=at, what=f"this is no TOML: {err}", hint="texts stand in double quotes")]
    observances = {}
    for name, content in data.items():
        entry = _read_entry(name, content, _Lines(text=text, path=path, table=name), problems)
        if entry is not None:
            observances[name] = entry
    return observances, problems


@dataclass(frozen=True, slots=True, kw_only=True)
class _Lines:
    """Where the keys of one table stand; tomllib does not say."""

    text: str
    path: str
    table: str

    def at(self, key: str = "") -> Span:
        lines = self.text.split("\n")
        head = re.compile(rf"\s*\[\s*[\"']?{re.escape(self.table)}[\"']?\s*\]")
        start = next((n for n, line in enumerate(lines, 1) if head.match(line)), 0)
        if not start:  # a key outside every table
            key = self.table
        for number, line in enumerate(lines[start:], start + 1):
            if start and line.lstrip().startswith("["):
                break
            if key and re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*=", line):
                return Span(self.path, number)
        return Span(self.path, start)


def _read_entry(name: str, content: object, lines: _Lines, problems: list[Problem]) -> Observance | None:
    if not isinstance(content, dict):
        hint = "begin one with a line such as [human-rights-day]"
        problems.append(Problem(at=lines.at(), what=f"{name!r} belongs to no observance", hint=hint))
        return None
    found = [Problem(at=lines.at(key), what=what, hint=hint) for key, what, hint in _complaints(name, content)]
    problems += found
    if found:
        return None
    texts: dict[str, Any] = {key: content.get(key, "").strip() for key in ("name", "region", "source", "note")}
    return Observance(id=name, rule=read_rule(content["on"]), tags=frozenset(content.get("tags", ())), **texts)


def _complaints(name: str, content: Mapping[str, object]) -> Iterator[tuple[str, str, str]]:
    """(key, what, hint) for everything that is wrong with an entry."""
    if not NAME.fullmatch(name):
        yield "", f"{name!r} is no name for an observance", "use lower-case letters, digits and dashes"
    yield from ((key, f"unknown key {key!r}", did_you_mean(key, KEYS)) for key in content if key not in KEYS)
    yield from ((key, f"{name!r} has no {key!r}", _ABOUT[key]) for key in NEEDED if key not in content)
    texts = {key: content[key] for key in (*NEEDED, "note") if key in content}
    for key, value in texts.items():
        if not isinstance(value, str) or not value.strip() or not value.isprintable():
            yield key, f"{key!r} is not a text on one line", _ABOUT.get(key, "put it in double quotes")
        elif key == "source" and not value.startswith("https://"):
            yield key, f"{value!r} is no https:// address", _ABOUT[key]
        elif key == "on":
            yield from _unreadable(value)
    tags = content.get("tags", [])
    if not isinstance(tags, list) or not all(isinstance(tag, str) and NAME.fullmatch(tag) for tag in tags):
        yield "tags", "'tags' is not a list of names", 'write e.g. tags = ["work", "disability"]'


def _unreadable(rule: str) -> Iterator[tuple[str, str, str]]:
    try:
        read_rule(rule)
    except ValueError as err:
        what, _, hint = str(err).partition("; ")
        yield "on", what, hint or _ABOUT["on"]
