"""What the pages say: the same in every language, and a newsletter's own words first."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from newsletter.errors import SettingsError
from newsletter.web import public_words
from newsletter.web.public_words import Languages

PAGES = Path(public_words.__file__).with_name("pages")
TABLES = tomllib.loads((PAGES / "words.toml").read_text())


@pytest.mark.parametrize("language", TABLES)
def test_every_language_says_everything_with_the_same_braces(language: str) -> None:
    def braces(table: dict[str, str]) -> dict[str, list[str]]:
        return {word: sorted(re.findall(r"\{\w+\}", text)) for word, text in table.items()}

    assert braces(TABLES[language]) == braces(TABLES["en"])


def test_every_word_is_said_somewhere() -> None:
    code = "".join(path.read_text() for path in (*PAGES.glob("*.html"), *PAGES.parent.glob("public*.py")))
    named = {word for word in TABLES["en"] if f'"{word}"' in code}
    composed = {word for word in TABLES["en"] if re.fullmatch(r"e\d{3}(_more)?", word)}
    assert set(TABLES["en"]) == named | composed | {"weekly", "monthly"}


@pytest.mark.parametrize(
    ("wanted", "tag", "direction"),
    [("de", "de", "ltr"), ("de-AT", "de", "ltr"), ("ar", "ar", "rtl"), ("fr", "de", "ltr"), ("", "de", "ltr")],
)
def test_a_language_is_what_was_wanted_or_what_is_nearest(wanted: str, tag: str, direction: str) -> None:
    words = Languages(usual="de").of(wanted)
    assert (words.tag, words.direction) == (tag, direction)
    assert words("leave_label") == TABLES[tag]["leave_label"]


def test_where_nothing_is_near_it_is_english() -> None:
    assert Languages(usual="fr").of("it").tag == "en"


def test_a_newsletter_has_words_and_languages_of_its_own() -> None:
    own = '[en]\nleave_label = "Good bye"\n[fr]\nlanguage_name = "Français"\nleave_label = "Au revoir"\n'
    languages = Languages(usual="en", own=own)
    assert languages.of("en")("leave_label") == "Good bye"
    assert languages.of("en")("join") == TABLES["en"]["join"]
    assert languages.of("fr")("leave_label") == "Au revoir"
    assert languages.of("fr")("join") == TABLES["en"]["join"]
    assert languages.names["fr"] == "Français"


@pytest.mark.parametrize(
    ("own", "said"),
    [
        ("[en]\nleave_label = Go", "Invalid value"),
        ('[en]\nleav_label = "Go"', "no page says 'leav_label'"),
        ('leave_label = "Go"', "leave_label is no table of texts"),
        ("[en]\nleave_label = 1", "en is no table of texts"),
    ],
)
def test_words_that_cannot_be_read_are_told(own: str, said: str) -> None:
    with pytest.raises(SettingsError) as told:
        Languages(usual="en", own=own)
    assert said in str(told.value)
    assert told.value.at.startswith("templates/pages.toml")
    assert told.value.hint


def test_what_is_filled_in_is_a_stretch_of_its_own_and_no_pattern() -> None:
    words = Languages(usual="ar").of("ar")
    assert "\u2068{day}\u2069" in words("me_who", address="{day}")
