"""Days and times in the words of the letter's language, whatever machine renders them."""

from __future__ import annotations

from datetime import date

import pytest

from newsletter.rendering.dates import long_date, when
from newsletter.usecases.build import finished
from tests.unit.letters import HEAD, built

TALK = "2026-12-03 17:00 Europe/Berlin"


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", "Thursday, 3 December 2026, 17:00 (Berlin time)"),
        ("en-US", "Thursday, December 3, 2026, 5:00\u202fPM (Berlin time)"),
        ("de", "Donnerstag, 3. Dezember 2026, 17:00 (Ortszeit Berlin)"),
        ("de-AT", "Donnerstag, 3. Dezember 2026, 17:00 (Ortszeit Berlin)"),
        ("fr", "jeudi 3 décembre 2026, 17:00 (heure : Berlin)"),
        ("ar", "الخميس، 3 ديسمبر 2026، 5:00 م (توقيت برلين)"),
        ("iw", "יום חמישי, 3 בדצמבר 2026, 17:00 (שעון ברלין)"),
        ("de-XX-nothing", "Donnerstag, 3. Dezember 2026, 17:00 (Ortszeit Berlin)"),
        ("tlh", "Thursday, 3 December 2026, 17:00 (Berlin time)"),
    ],
)
def test_a_moment_is_told_in_the_letters_language(language: str, words: str) -> None:
    assert when(TALK, language) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("", ""),
        ("2026-12-03", "Thursday, 3 December 2026"),
        ("2026-12-03 17:00", "Thursday, 3 December 2026, 17:00"),
        ("2026-12-03 17:00 UTC", "Thursday, 3 December 2026, 17:00 (UTC)"),
        ("2026-12-03 17:00 America/Argentina/Buenos_Aires", "Thursday, 3 December 2026, 17:00 (Buenos Aires time)"),
        ("next week", None),
        ("2026-12-03 17:00 Europe/Berlinn", None),
    ],
)
def test_what_is_no_date_is_none(value: str, words: str | None) -> None:
    assert when(value, "en") == words


def test_the_date_of_a_letter_and_of_a_meeting_are_in_its_language() -> None:
    body = f'::: keep-going {{title="Ein Abend" date="{TALK}"}}\nKomm.\n:::\n'
    edition, _ = finished(built(body, head=HEAD.replace("send:", "language: de\nsend:")))
    (variant,) = edition.variants
    for said in ("Montag, 23. November 2026", "Donnerstag, 3. Dezember 2026, 17:00 (Ortszeit Berlin)"):
        assert said in variant.html
        assert said in variant.text


def test_a_day_alone_has_no_clock() -> None:
    assert long_date(date(2026, 11, 23), "pt-BR") == "segunda-feira, 23 de novembro de 2026"
