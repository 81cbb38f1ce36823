"""The import map says what somebody's own headers and words mean, and where it is wrong itself."""

from __future__ import annotations

import pytest

from newsletter.audience.importing import Entry, Rejected
from newsletter.audience.importmap import ImportMap, read_map
from newsletter.audience.listing import Listing, Told
from newsletter.audience.subscriber import State
from newsletter.errors import ImportHasProblems, SettingsError
from tests.unit.audience.test_exports import ACTIVE

MAP = """\
[columns]
"E-Mail-Adresse" = "email"
Vorname = "First Name"
"Wohnort" = "city"
"Kundennummer" = ""

[states]
"Abgemeldet" = "unsubscribed"
"""


def read(text: str, *, given: str = MAP) -> list[Entry | Rejected]:
    return list(Listing(text.splitlines(keepends=True), told=Told(map=read_map(given))))


def test_headers_and_words_mean_what_the_map_says():
    (person,) = read(
        "Kundennummer;E-Mail-Adresse;Vorname;Wohnort;Status;Hund\n7;ana@example.org;Ana;Ulm;abgemeldet;Rex\n"
    )
    assert person == Entry(
        address="ana@example.org", first_name="Ana", attributes={"city": "Ulm", "hund": "Rex"}, state=State.UNSUBSCRIBED
    )


def test_the_map_comes_before_any_export():
    text, _ = ACTIVE["Kit"]
    assert Listing(text.splitlines(keepends=True)).export
    (person,) = read(text, given='[columns]\nreferrer = "found_us"\n')
    assert (person.attributes["found_us"], person.attributes["created_at"]) == (
        "https://example.org",
        "2024-03-14 09:14:00 UTC",
    )


def test_a_list_without_its_headers_is_read_as_always():
    assert read("email\nana@example.org\n") == [Entry(address="ana@example.org")]


def test_words_for_states_count_in_every_list():
    (person,) = read(ACTIVE["Kit"][0].replace("confirmed", "ABGEMELDET"))
    assert person.state is State.UNSUBSCRIBED


def test_two_columns_that_come_to_mean_the_same_are_refused():
    with pytest.raises(ImportHasProblems, match="mean the same"):
        read("E-Mail-Adresse,email\nana@example.org,ben@example.org\n")


def test_no_map_is_an_empty_one():
    assert read_map("") == ImportMap()


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("[columns]\na = 1\n", ":2", "no name of a field"),
        ('[columns]\n\na = "email"\nb = "E-Mail"\n', ":4", "two headers mean"),
        ('[columns]\na = "-"\n', ":2", "no name of a field"),
        ('[states]\nweg = "gone"\n', ":2", "no state that we know"),
        ('[states]\nweg = "erased"\n', ":2", "no state that we know"),
        ('\n[colums]\na = "email"\n', ":2", "nothing that an import map has"),
        ("columns = 3\n", ":1", "nothing that an import map has"),
        ("[columns\n", "", "no TOML"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(text, line, message):
    with pytest.raises(SettingsError, match=message) as caught:
        read_map(text)
    assert caught.value.at == f"subscribers/import.toml{line}"
    assert caught.value.hint
