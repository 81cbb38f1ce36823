"""The clauses of a segment: each key of a table and its value as a condition, or what is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from difflib import get_close_matches
from zoneinfo import available_timezones

from newsletter.audience.columns import column_name, is_tag, read_language, read_zone
from newsletter.audience.predicate import All, Any, Is, Joined, Not, Predicate, Received
from newsletter.audience.subscriber import Frequency
from newsletter.audience.toml_lines import Place
from newsletter.errors import SettingsError

KEYS = ("all", "any", "not", "tags", "language", "zone", "frequency", "joined", "received", "segment", "attributes")
FIRST_DAY, LAST_DAY = date(1970, 1, 1), date(2999, 12, 31)  # of those that a list can know

# Words that would otherwise quietly name an attribute that nobody has.
_MEANT = {
    "tag": "tags",
    "interest": "tags",
    "interests": "tags",
    "languages": "language",
    "lang": "language",
    "locale": "language",
    "zones": "zone",
    "timezone": "zone",
    "time_zone": "zone",
    "attribute": "attributes",
    "none": "not",
}
_CONSENT = ("state", "status", "suppressed")
_NOBODYS = ("commitment", "commitments", "name", "first_name", "email")  # read into fields of their own, or not kept
_LONG_KEYS = [key for key in KEYS if len(key) > len("zone")]  # a slip in one of them is unlikely to be another word
# A letter is named by its day and its title, a part of a series by the series and its own name.
_LETTER = re.compile(
    r"(\d{4}-\d{2}-\d{2}(?:-[a-z0-9]+)+|[a-z][a-z0-9]*(?:-[a-z0-9]+)*\.[a-z0-9]+(?:-[a-z0-9]+)*)"
    r"(?:@([1-9][0-9]{0,5}))?",
    re.ASCII,
)
_OTHERS = "every other key is a field of your own and wants a text"

Refuse = Callable[[Place, str, str], SettingsError]  # where, what, what to do


@dataclass(frozen=True, slots=True, kw_only=True)
class Clauses:
    """A reader of tables. `refuse` makes an error that knows the line, `segment` is the rule of another segment.

    `letters` are the ids of those that may be named; None for whatever could be one.
    """

    refuse: Refuse
    segment: Callable[[str, Place], Predicate]
    letters: Collection[str] | None

    def table(self, table: object, place: Place) -> All:
        """All the clauses of a *table*. Raises SettingsError."""
        if not isinstance(table, dict) or not table:
            what = "a segment is a table of rules" if len(place) == 1 else "here stands a table of rules"
            start = f"{place[0]} = " if len(place) == 1 else ""
            raise self.refuse(place, what, f'write: {start}{{ tags = "word" }}')
        return All(tuple(self._clause(key, value, (*place, key)) for key, value in table.items()))

    def _clause(self, key: str, value: object, place: Place) -> Predicate:  # noqa: PLR0911 - one for each kind
        match key:
            case "all":
                return All(self._tables(value, place))
            case "any":
                return Any(self._tables(value, place))
            case "not":
                return Not(self.table(value, place))
            case "joined":
                return self._joined(value, place)
            case "received":
                return _either([self._received(each, place) for each in self._texts(value, place)])
            case "segment":
                return _either([self.segment(each, place) for each in self._texts(value, place)])
            case "attributes":
                return self._attributes(value, place)
            case "tags" | "language" | "zone" | "frequency":
                return self._own(key, value, place)
        self._refuse_key(key, value, place)
        return self._attribute(key, value, place)

    def _tables(self, value: object, place: Place) -> tuple[Predicate, ...]:
        if not isinstance(value, list) or not value:
            hint = f'write: {place[-1]} = [{{ tags = "word" }}, {{ language = "de" }}]; ' + _own_field(place[-1])
            raise self.refuse(place, "the value must be a list of tables", hint)
        return tuple(self.table(each, (*place, number)) for number, each in enumerate(value))

    def _texts(self, value: object, place: Place) -> tuple[str, ...]:
        values = [value] if isinstance(value, str) else value
        if not isinstance(values, list) or not values or not all(isinstance(each, str) for each in values):
            hint = f'write: {place[-1]} = "word", or {place[-1]} = ["one", "other"]'
            raise self.refuse(place, "the value must be a text or a list of texts", hint)
        return tuple(values)

    def _own(self, key: str, value: object, place: Place) -> Predicate:
        values = self._texts(value, place)
        for each in values:
            if key == "tags" and not is_tag(each):
                hint = "tags are lower-case letters, digits, dots, dashes and underscores"
                raise self.refuse(place, "nobody can have such a tag", hint)
            if key == "language" and read_language(each) != each:
                hint = f"did you mean {read_language(each)!r}? Languages are kept in lower case, with dashes"
                raise self.refuse(place, f"nobody can have the language {each!r}", hint)
            if key == "zone" and each and read_zone(each) != each:
                raise self.refuse(place, f"no time zone is called {each!r}", _zones_like(each))
            if key == "frequency" and each not in set(Frequency):
                hint = f"there are: {', '.join(Frequency)}; {_own_field(key)}"
                raise self.refuse(place, f"nobody gets letters {each!r}", hint)
        return Is(key, values)

    def _attributes(self, value: object, place: Place) -> All:
        if not isinstance(value, dict) or not value:
            hint = 'write: attributes = { city = "Ulm" }'
            raise self.refuse(place, "the value must be a table of your own fields", hint)
        return All(tuple(self._attribute(key, each, (*place, key)) for key, each in value.items()))

    def _attribute(self, key: str, value: object, place: Place) -> Is:
        word = column_name(key)
        if word != key:
            like = f"; did you mean {word!r}?" if word else ""
            hint = f"attributes are named as at import: lower case, with underscores{like}"
            raise self.refuse(place, "nobody can have such an attribute", hint)
        return Is(f"attributes.{key}", self._texts(value, place))

    def _refuse_key(self, key: str, value: object, place: Place) -> None:
        """Raise SettingsError if *key* is a slip, or stands for what no rule can ask."""
        if key in _CONSENT:
            hint = "leave it out: whether somebody may be mailed is always asked"
            raise self.refuse(place, "a segment does not choose by consent", hint)
        near = [_MEANT[key]] if key in _MEANT else get_close_matches(key, _LONG_KEYS, n=1, cutoff=0.8)
        if near:
            raise self.refuse(place, f"there is no {key!r}", f"did you mean {near[0]!r}? {_own_field(key)}")
        if key in _NOBODYS or not isinstance(value, str | list):
            raise self.refuse(place, f"a segment knows no {key!r}", f"known are {', '.join(KEYS)}; {_OTHERS}")

    def _joined(self, value: object, place: Place) -> Joined:
        if not isinstance(value, dict) or not value or not value.keys() <= {"after", "before"}:
            hint = (
                f"write: joined = {{ after = 2026-10-31, before = 2026-12-01 }}, or one of them; {_own_field('joined')}"
            )
            raise self.refuse(place, "here stand one or two days", hint)
        after, before = (self._day(value, key, place) for key in ("after", "before"))
        if after and before and after + timedelta(days=1) >= before:
            hint = "neither of the two days is included"
            raise self.refuse(place, "there is no day between the two", hint)
        return Joined(after=after, before=before)

    def _day(self, value: Mapping[str, object], key: str, place: Place) -> date | None:
        day = value.get(key)
        if day is None:
            return None
        if not isinstance(day, date) or isinstance(day, datetime) or not FIRST_DAY <= day <= LAST_DAY:
            hint = f"write it without quotes or a time: {key} = 2026-11-01"
            raise self.refuse((*place, key), "the value must be a day", hint)
        return day

    def _received(self, text: str, place: Place) -> Received:
        letter = read_received(text)
        if letter is None:
            hint = f'write: received = "2026-11-23-a-title", or with a revision "…@1"; {_own_field("received")}'
            raise self.refuse(place, f"{text!r} names no letter", hint)
        if self.letters is not None and letter.issue_id not in self.letters:
            near = get_close_matches(letter.issue_id, self.letters, n=1, cutoff=0.6)
            hint = f"did you mean {near[0]!r}?" if near else "letters are named as their files in issues/"
            raise self.refuse(place, f"there is no letter {letter.issue_id!r}", hint)
        return letter


def read_received(text: str) -> Received | None:
    """The letter that *text* names as ISSUE or ISSUE@REVISION; None if it names none."""
    found = _LETTER.fullmatch(text)
    return Received(found[1], int(found[2]) if found[2] else None) if found else None


def _either(rules: list[Predicate]) -> Predicate:
    return rules[0] if len(rules) == 1 else Any(tuple(rules))


def _own_field(key: str | int) -> str:
    return f'for a field of your own of that name: attributes = {{ {key} = "…" }}'


def _zones_like(word: str) -> str:
    exact = read_zone(word)
    near = [exact] if exact else get_close_matches(word, available_timezones(), n=1, cutoff=0.6)
    return f"did you mean {near[0]!r}?" if near else "use a name such as Africa/Nairobi"
