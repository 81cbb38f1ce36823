"""What the public pages say, in the languages they speak; a newsletter's own words go before ours."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from datetime import date
from pathlib import Path

from newsletter.content.parse import RIGHT_TO_LEFT
from newsletter.errors import SettingsError
from newsletter.rendering.dates import long_date

OWN = "templates/pages.toml"
_OURS = Path(__file__).with_name("pages") / "words.toml"
_FALLBACK = "en"

# An address or a name is a stretch of its own, in whichever direction the sentence runs (Unicode's FSI and PDI).
_APART = "\u2068{}\u2069"


class Words:
    """The words of one language; a word that it lacks is English."""

    def __init__(self, tag: str, words: Mapping[str, str]) -> None:
        """Speak the language of *tag* with *words*."""
        self.tag = tag
        self.direction = "rtl" if tag.partition("-")[0] in RIGHT_TO_LEFT else "ltr"
        self._words = words

    def __call__(self, word: str, **values: str) -> str:
        """The text called *word*, with *values* for what stands in braces."""
        text = self._words[word]
        for name, value in values.items():  # and no format(): what somebody is called may hold braces
            text = text.replace(f"{{{name}}}", _APART.format(value))
        return text

    def day(self, day: date) -> str:
        """A day as it is written in this language."""
        return long_date(day, self.tag)

    def __contains__(self, word: str) -> bool:
        """Whether there is such a text."""
        return word in self._words


class Languages:
    """All languages that the pages speak, by their tags; `names` is what each calls itself."""

    def __init__(self, *, usual: str, own: str = "") -> None:
        """Speak *usual* to whoever is not known to want another; *own* is the text of the newsletter's own words.

        Raises SettingsError if it cannot be read.
        """
        tables = tomllib.loads(_OURS.read_text(encoding="utf-8"))
        for tag, words in _own_words(own).items():
            _refuse_unknown(tag, words, tables[_FALLBACK])
            tables[tag] = tables.get(tag, {}) | words
        self.names: Mapping[str, str] = {tag: words.get("language_name", tag) for tag, words in tables.items()}
        self._words = {tag: Words(tag, {**tables[_FALLBACK], **words}) for tag, words in tables.items()}
        self._usual = usual

    def of(self, wanted: str) -> Words:
        """The words of the language *wanted*, or of what is nearest to it: its family, the usual one, English."""
        nearest = (wanted, wanted.partition("-")[0], self._usual, self._usual.partition("-")[0], _FALLBACK)
        return next(self._words[each] for each in nearest if each in self._words)


def _own_words(text: str) -> dict[str, dict[str, str]]:
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as err:
        raise SettingsError(str(err), at=OWN, hint="texts stand in double quotes") from err
    for tag, words in tables.items():
        if not isinstance(words, dict) or not all(isinstance(each, str) for each in words.values()):
            raise SettingsError(f"{tag} is no table of texts", at=OWN, hint=f'write [{tag}] and below it join = "…"')
    return tables


def _refuse_unknown(tag: str, words: Mapping[str, str], known: Mapping[str, str]) -> None:
    unknown = next((word for word in words if word not in known), None)
    if unknown:
        hint = "the pages say only these: " + ", ".join(known)
        raise SettingsError(f"no page says {unknown!r}", at=f"{OWN} [{tag}]", hint=hint)
