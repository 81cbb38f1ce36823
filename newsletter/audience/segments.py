"""Segments: named rules over subscribers, from subscribers/segments.toml.

    workplace = { tags = "workplace" }
    dach      = { language = ["de", "gsw"], country = ["DE", "AT", "CH"] }
    newcomers = { joined = { after = 2026-10-31 }, not = { segment = "workplace" } }

Several keys: all must hold. Several values: any of them. What the keys mean is told in `clauses`.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Mapping
from datetime import date
from difflib import get_close_matches

from newsletter.audience.clauses import FIRST_DAY, LAST_DAY, Clauses, read_received
from newsletter.audience.predicate import (
    EVERYONE,
    All,
    Any,
    Is,
    Joined,
    Not,
    Paused,
    Predicate,
    Received,
    Suppressed,
)
from newsletter.audience.toml_lines import Place, lines_of
from newsletter.errors import SettingsError

# Of one segment, with all that it names. A database reads a rule as a tree, and SQLite's may be 1,000 high.
MOST_PARTS, DEEPEST = 500, 10
_LEVELS = 2 * DEEPEST + 1  # a table is all its clauses, and one of them may be any of several tables
RECEIVED = "received:"  # begins an audience that is no segment: those who have a letter

_LINE = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)")


def read_segments(
    text: str, *, path: str = "subscribers/segments.toml", letters: Collection[str] | None = None
) -> Mapping[str, Predicate]:
    """The segments by name, `everyone` among them. Raises SettingsError naming the line, the segment and the key.

    With *letters*, no other can be named.
    """
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = _LINE.search(str(error))
        at = f"{path}:{found[1]}" if found and found[1] else path
        what = f"this is no TOML: {_LINE.sub('', str(error))}"
        raise SettingsError(what, hint='write: name = { tags = "word" }', at=at) from error
    except RecursionError:
        raise SettingsError("tables are nested too deeply", hint=f"{DEEPEST} levels are enough", at=path) from None
    reader = _Reader(tables, text, path, letters)
    return {"everyone": EVERYONE, **{name: reader.segment(name) for name in tables}}


class _Reader:
    """The segments of one file, each read when it is first asked for: by the file, or by another segment."""

    def __init__(self, tables: Mapping[str, object], text: str, path: str, letters: Collection[str] | None) -> None:
        self._tables, self._text, self._path = tables, text, path
        self._ready: dict[str, Predicate] = {}
        self._open: list[str] = []  # segments being read, each named by the one before
        self._clauses = Clauses(refuse=self._refuse, segment=self._named, letters=letters)

    def segment(self, name: str) -> Predicate:
        """The rule of a segment of this file."""
        if name not in self._ready:
            self._refuse_name(name)
            self._refuse_depth(self._tables[name], name)
            self._open.append(name)
            rule = self._clauses.table(self._tables[name], (name,))
            self._open.pop()
            self._refuse_size(rule, name)
            self._ready[name] = rule
        return self._ready[name]

    def _named(self, name: str, place: Place) -> Predicate:
        """The rule of the segment that is named at *place*."""
        if name in self._open:
            way = " → ".join([*self._open[self._open.index(name) :], name])
            raise self._refuse(place, f"this goes in a circle: {way}", "take one of them out of the other")
        if name == "everyone":
            return EVERYONE
        if len(self._open) == _LEVELS:  # each is a level, so this one is one too many whatever it says
            raise self._too_deep(place)
        if name not in self._tables:
            near = get_close_matches(name, self._tables, n=1, cutoff=0.6)
            known = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(['everyone', *self._tables])}"
            raise self._refuse(place, f"no segment {name!r}", known)
        return self.segment(name)

    def _refuse(self, place: Place, what: str, hint: str) -> SettingsError:
        line = lines_of(self._text).get(place)
        keys = ".".join(key for key in place if isinstance(key, str))
        return SettingsError(what, hint=hint, at=f"{self._path}:{line}: {keys}")

    def _refuse_name(self, name: str) -> None:
        if name == "everyone":
            raise self._refuse((name,), "this segment is always there", "choose another name")
        if not name.isprintable() or ":" in name or not name:
            raise self._refuse((name,), "this cannot be the name of a segment", "use lower-case letters, digits and -")

    def _refuse_depth(self, value: object, name: str, depth: int = 0) -> None:
        if depth > DEEPEST:
            raise self._too_deep((name,))
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        for each in inner:
            self._refuse_depth(each, name, depth + isinstance(value, dict))

    def _refuse_size(self, rule: Predicate, name: str) -> None:
        parts, levels = _size(rule)
        if parts > MOST_PARTS:
            hint = f"at most {MOST_PARTS}, with all segments it names; to choose by more, tag those people at import"
            raise self._refuse((name,), f"this comes to {parts:,} words and conditions", hint)
        if levels > _LEVELS:
            raise self._too_deep((name,))

    def _too_deep(self, place: Place) -> SettingsError:
        hint = f"put fewer tables and segments within each other; {DEEPEST} tables are the most"
        return self._refuse(place, "this is nested too deeply", hint)


def _size(rule: Predicate) -> tuple[int, int]:
    """(how many values and conditions, how many levels) of *rule*."""
    match rule:
        case Is(values=values):
            return 1 + len(values), 1
        case All(conditions=conditions) | Any(conditions=conditions):
            sizes = [_size(each) for each in conditions]
            return 1 + sum(parts for parts, _ in sizes), 1 + max((depth for _, depth in sizes), default=0)
        case Not(condition=inner):
            parts, depth = _size(inner)
            return 1 + parts, 1 + depth
        case _:
            return 1, 1


def received_rule(audience: str) -> dict[str, object] | None:
    """The rule of an *audience* `received:ISSUE` or `received:ISSUE@REVISION`, as data; None for any other."""
    letter = read_received(audience.removeprefix(RECEIVED)) if audience.startswith(RECEIVED) else None
    return to_data(letter) if letter else None


def to_data(rule: Predicate) -> dict[str, object]:  # noqa: PLR0911 - one for each kind
    """*rule* as plain data that JSON can hold; `from_data` reads it back."""
    match rule:
        case Is(field=field, values=values):
            return {"is": field, "values": list(values)}
        case Suppressed():
            return {"suppressed": True}
        case Paused():
            return {"paused": True}
        case Joined(after=after, before=before):
            days = {"after": after, "before": before}
            return {"joined": {key: day.isoformat() for key, day in days.items() if day}}
        case Received():
            return {"received": str(rule)}
        case All(conditions=conditions):
            return {"all": [to_data(each) for each in conditions]}
        case Any(conditions=conditions):
            return {"any": [to_data(each) for each in conditions]}
        case Not(condition=inner):
            return {"not": to_data(inner)}


def from_data(data: object, *, levels: int = _LEVELS) -> Predicate:  # noqa: PLR0911 - one for each kind
    """The rule that `to_data` made *data* of. Raises ValueError if it made no such thing, or one too deep."""
    match data:
        case {"is": str(field), "values": [*values]} if all(isinstance(value, str) for value in values):
            return Is(field, tuple(str(value) for value in values))
        case {"suppressed": True}:
            return Suppressed()
        case {"paused": True}:
            return Paused()
        case {"joined": {**days}} if days.keys() <= {"after", "before"}:
            return Joined(**{str(key): _day(day) for key, day in days.items()})
        case {"received": str(text)} if letter := read_received(text):
            return letter
        case {"all": [*conditions]} if levels:
            return All(tuple(from_data(each, levels=levels - 1) for each in conditions))
        case {"any": [*conditions]} if levels:
            return Any(tuple(from_data(each, levels=levels - 1) for each in conditions))
        case {"not": inner} if levels:
            return Not(from_data(inner, levels=levels - 1))
    raise ValueError("this is no rule over subscribers")


def _day(text: object) -> date:
    day = date.fromisoformat(str(text))
    if not FIRST_DAY <= day <= LAST_DAY:
        raise ValueError("this is no day that a list can know")
    return day
