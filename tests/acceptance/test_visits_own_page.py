"""One's own page: what a forwarded letter does not open and a fresh link does; what is kept, taken along, erased."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from newsletter.audience.subscriber import Frequency, State, ZoneSource
from tests.visitors import House, open_house

SECRETS = ("Ada", "ada.example", "Nairobi", "listening", "early-bird")
FORM = {"first_name": "Zoë", "name": "Zoë Example", "interest": ["workplace", "stolen"], "zone": "Asia/Tokyo"}


@pytest.fixture
def house(tmp_path: Path) -> House:
    return open_house(tmp_path / "letters")


@pytest.fixture
def link(house: House) -> str:
    """The page of somebody who told a few things."""
    ada = house.person(
        "ada.example@example.org",
        first_name="Ada",
        name="Ada Example",
        zone="Africa/Nairobi",
        tags=frozenset({"listening", "early-bird"}),
        attributes={"city": "Nairobi"},
    )
    return house.own_page(ada)


# A letter that was passed on


def test_the_link_in_a_letter_shows_and_changes_nothing(house: House, link: str) -> None:
    ada = house.known("ada.example@example.org")
    before = house.dump()
    page = house.get(house.preferences_link(ada))
    assert page.status_code == 200
    assert "a•••@example.org" in page.text
    assert not [secret for secret in SECRETS if secret in page.text]
    assert house.dump() == before


def test_its_button_mails_a_fresh_link_to_the_address_itself(house: House, link: str) -> None:
    ada = house.known("ada.example@example.org")
    answer = house.post(house.preferences_link(ada), address="eve@example.org")
    assert answer.data == house.post("/lost", address="somebody.else@example.org").data
    assert [(kind, address) for kind, address, _ in house.wishes()] == [
        ("link", "ada.example@example.org"),
        ("link", "somebody.else@example.org"),
    ]


def test_no_other_link_opens_the_page(house: House, link: str) -> None:
    ada = house.known("ada.example@example.org")
    for purpose in ("preferences", "confirm", "undo"):
        path = f"/me/{house.word(purpose, ada)}"
        for answer in (house.get(path), house.post(path), house.post(f"{path}/data"), house.post(f"{path}/erase")):
            assert answer.status_code == 404
            assert not [secret for secret in SECRETS if secret in answer.text]


def test_a_link_that_is_too_old_says_where_to_get_another(house: House, link: str) -> None:
    letter = house.preferences_link(house.known("ada.example@example.org"))
    house.pass_time(timedelta(hours=1))
    for path in (link, letter):
        answer = house.get(path)
        assert answer.status_code == 404
        assert 'href="/lost"' in answer.text


# One's own page


def test_it_shows_what_we_know(house: House, link: str) -> None:
    page = house.get(link).text
    assert 'value="Ada"' in page
    assert 'value="Ada Example"' in page
    assert '<option value="Africa/Nairobi" selected>' in page
    assert 'value="listening" checked' in page
    assert 'value="workplace" checked' not in page
    assert 'value="weekly" checked' in page
    assert "ada.example@" not in page


def test_what_is_changed_is_kept_and_shown(house: House, link: str) -> None:
    answer = house.post(link, **FORM, language="de", frequency="monthly", paused_until="2026-12-24")
    assert answer.status_code == 200
    assert "Das ist gespeichert." in answer.text  # in the language that was just chosen
    assert 'value="2026-12-24"' in answer.text
    found = house.known("ada.example@example.org")
    assert (found.first_name, found.name, found.language) == ("Zoë", "Zoë Example", "de")
    assert found.tags == {"workplace", "early-bird"}  # what is no interest is not ours to take away
    assert (found.zone, found.zone_source) == ("Asia/Tokyo", ZoneSource.BROWSER)
    assert found.frequency is Frequency.MONTHLY
    assert found.attributes == {"city": "Nairobi"}


def test_a_pause_ends_when_its_day_begins_where_the_reader_is(house: House, link: str) -> None:
    house.post(link, zone="Asia/Tokyo", paused_until="2026-12-24")
    assert house.known("ada.example@example.org").paused_until == datetime(2026, 12, 23, 15, tzinfo=UTC)
    house.post(link, paused_until="")
    assert house.known("ada.example@example.org").paused_until is None


@pytest.mark.parametrize(
    "day", ["2026-11-23", "2020-01-01", "2027-11-24", "9999-12-31", "tomorrow", "2026-12-24T00:00"]
)
def test_a_day_that_cannot_be_meant_is_asked_again(house: House, link: str, day: str) -> None:
    before = house.dump()
    answer = house.post(link, **FORM, paused_until=day)
    assert answer.status_code == 400
    assert "Choose a day after today" in answer.text
    assert 'value="Zoë"' in answer.text
    assert house.dump() == before


def test_what_the_form_does_not_offer_to_others_is_kept_for_who_has_it(house: House) -> None:
    link = house.own_page(house.person(language="fr", zone="Etc/GMT+5"))
    page = house.get(link).text
    assert '<option value="Etc/GMT+5" selected>' in page
    assert '<option value="fr" lang="fr" selected>' in page
    house.post(link, language="fr", zone="Etc/GMT+5")
    assert (house.known().language, house.known().zone) == ("fr", "Etc/GMT+5")


@pytest.mark.parametrize(
    "told", [{"language": "xx"}, {"frequency": "hourly"}, {"zone": "Mars/Olympus"}, {"interest": "stolen"}]
)
def test_what_was_not_offered_is_not_taken(house: House, link: str, told: dict[str, str]) -> None:
    assert house.post(link, **told).status_code == 200
    found = house.known("ada.example@example.org")
    assert (found.language, found.frequency, found.zone, found.tags) == ("", Frequency.WEEKLY, None, {"early-bird"})


def test_what_is_typed_is_text_on_a_page(house: House, link: str) -> None:
    house.post(link, first_name='"><script>alert(1)</script>', name="\x00\r\n\u202e{{ 7*7 }}" + "x" * 300)
    page = house.get(link).text
    assert "<script>alert" not in page
    assert "{{ 7*7 }}" in page
    assert len(house.known("ada.example@example.org").name) == 200


# Taking it along, and being forgotten


def test_all_that_is_known_can_be_taken_along(house: House, link: str) -> None:
    answer = house.post(f"{link}/data")
    assert answer.headers["Content-Disposition"].startswith("attachment")
    known = json.loads(answer.data)
    assert known["address"] == "ada.example@example.org"
    assert known["fields"] == {"city": "Nairobi"}
    assert known["interests_and_tags"] == ["early-bird", "listening"]
    assert [each["became"] for each in known["consent"]] == ["pending", "active"]
    assert date.fromisoformat(known["joined_at"][:10]) < house.newsletter.at.date()
    assert known["letters"] == []
    assert house.get(f"{link}/data").status_code == 405


def test_being_forgotten_is_asked_twice_and_done_at_once(house: House, link: str) -> None:
    page = house.get(f"{link}/erase")
    assert "This cannot be undone." in page.text
    assert house.known("ada.example@example.org").state is State.ACTIVE
    answer = house.post(f"{link}/erase")
    assert "You are forgotten" in answer.text
    left = house.dump()
    assert not [secret for secret in ("Ada Example", "ada.example", "Nairobi", "early-bird") if secret in left]
    for again in (house.get(link), house.post(link), house.post(f"{link}/erase")):
        assert again.status_code == 404
