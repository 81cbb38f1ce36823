"""People go by the pages: with one click of a mail program (RFC 8058) or by a button, and back within the hour."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest

from newsletter.audience.subscriber import State
from newsletter.store.consenting import SqlConsent
from newsletter.store.subscribers import SqlPeople
from tests.visitors import SITE, House, open_house

ONE_CLICK = "List-Unsubscribe=One-Click"
MULTIPART = (
    b'--limit\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--limit--\r\n',
    'multipart/form-data; boundary="limit"',
)


@pytest.fixture
def house(tmp_path: Path) -> House:
    return open_house(tmp_path / "letters")


def last_door(house: House) -> str:
    return SqlPeople(house.newsletter.database).consent_of(house.known().id)[-1].how


def undo_word(page: str) -> str:
    found = re.search(r'name="word" value="([^"]+)"', page)
    assert found, page
    return found[1]


@pytest.mark.parametrize(
    ("body", "kind", "door"),
    [
        (ONE_CLICK.encode(), "application/x-www-form-urlencoded", "one-click"),
        (*MULTIPART, "one-click"),
        (b"", "application/x-www-form-urlencoded", "page"),
        (b"", "", "page"),
        (b"\xff\xfe{", "application/json", "page"),
        (b"a=" + b"b" * 20_000, "application/x-www-form-urlencoded", "page"),
    ],
    ids=["urlencoded", "multipart", "empty", "nothing", "rubbish", "too much"],
)
def test_one_post_is_enough_and_has_no_redirect_and_no_cookie(house: House, body: bytes, kind: str, door: str) -> None:
    ada = house.person()
    headers = {"Content-Type": kind} if kind else {}
    answers = [
        house.client.post(f"/leave/{ada.leave_token}", base_url=SITE, data=body, headers=headers) for _ in range(2)
    ]
    for answer in answers:
        assert answer.status_code == 200
        assert "Location" not in answer.headers
        assert "Set-Cookie" not in answer.headers
    assert answers[0].data == answers[1].data
    assert house.known().state is State.UNSUBSCRIBED
    assert last_door(house) == door
    assert len(SqlPeople(house.newsletter.database).consent_of(ada.id)) == 3


def test_many_leave_from_one_place(house: House) -> None:
    people = [house.person(f"reader{number}@example.org") for number in range(60)]
    answers = {
        house.client.post(f"/leave/{each.leave_token}", base_url=SITE, data=ONE_CLICK).status_code for each in people
    }
    assert answers == {200}


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_looking_changes_nothing(house: House, method: str) -> None:
    ada = house.person()
    before = house.dump()
    answer = house.client.open(f"/leave/{ada.leave_token}?{ONE_CLICK}", method=method, base_url=SITE)
    assert answer.status_code == 200
    assert house.dump() == before


def test_the_page_names_who_leaves_and_not_the_address(house: House) -> None:
    ada = house.person("ada.example@example.org")
    for page in (house.get(f"/leave/{ada.leave_token}").text, house.post(f"/leave/{ada.leave_token}").text):
        assert "a•••@example.org" in page
        assert "ada.example" not in page


def test_a_word_nobody_has_reveals_nothing(house: House) -> None:
    house.person()
    token = "A" * 22
    answers = [house.get(f"/leave/{token}"), house.post(f"/leave/{token}"), house.post(f"/leave/{token}/rest")]
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.data for answer in answers}) == 1
    assert 'href="/lost"' in answers[0].text


@pytest.mark.parametrize("state", [State.UNSUBSCRIBED, State.BOUNCED, State.COMPLAINED, State.PENDING])
def test_who_was_not_on_the_list_is_told_the_same_and_cannot_come_by_undoing(house: House, state: State) -> None:
    ada = house.person(state=state)
    answer = house.post(f"/leave/{ada.leave_token}")
    assert answer.status_code == 200
    assert "You have left." in answer.text
    assert 'action="/leave/undo"' not in answer.text
    assert 'href="/subscribe"' in answer.text
    assert house.post("/leave/undo", word=house.word("undo", ada)).status_code == 404
    assert house.known().state is (State.COMPLAINED if state is State.COMPLAINED else State.UNSUBSCRIBED)


# Taking it back


def test_a_slip_is_undone_within_the_hour(house: House) -> None:
    ada = house.person()
    page = house.post(f"/leave/{ada.leave_token}").text
    word = undo_word(page)
    assert word not in re.sub(r'value="[^"]*"', "", page)  # in a form, and in no address
    house.pass_time(timedelta(minutes=59))
    answers = [house.post("/leave/undo", word=word) for _ in range(2)]
    assert {answer.status_code for answer in answers} == {200}
    assert "You are back" in answers[0].text
    assert house.known().state is State.ACTIVE
    assert len(SqlPeople(house.newsletter.database).consent_of(ada.id)) == 4


def test_after_an_hour_it_is_not(house: House) -> None:
    ada = house.person()
    word = undo_word(house.post(f"/leave/{ada.leave_token}").text)
    house.pass_time(timedelta(hours=1))
    answer = house.post("/leave/undo", word=word)
    assert answer.status_code == 404
    assert "Undoing is possible for one hour" in answer.text
    again = house.post(f"/leave/{ada.leave_token}").text  # and pressing again gives no new hour
    assert "/leave/undo" not in again
    assert house.known().state is State.UNSUBSCRIBED


@pytest.mark.parametrize("word", ["", "A" * 32, "x" * 5000])
def test_undo_needs_the_word(house: House, word: str) -> None:
    ada = house.person()
    house.post(f"/leave/{ada.leave_token}")
    assert house.post("/leave/undo", word=word).status_code == 404
    assert house.post("/leave/undo", word=house.word("me", ada)).status_code == 404
    assert house.get("/leave/undo").status_code == 404
    assert house.known().state is State.UNSUBSCRIBED


# A rest instead


def test_a_rest_of_four_weeks_begins_and_ends_by_itself(house: House) -> None:
    ada = house.person(zone="Africa/Nairobi")
    page = house.get(f"/leave/{ada.leave_token}").text
    assert f'action="/leave/{ada.leave_token}/rest"' in page
    answer = house.post(f"/leave/{ada.leave_token}/rest")
    assert "Monday, 21 December 2026" in answer.text
    found = house.known()
    assert found.state is State.ACTIVE
    assert found.paused_until is not None
    assert found.paused_until.isoformat() == "2026-12-20T21:00:00+00:00"  # when that Monday begins in Nairobi


def test_a_rest_shortens_no_longer_one(house: House) -> None:
    ada = house.person()
    until = house.newsletter.at + timedelta(days=200)
    SqlConsent(house.newsletter.database).change(ada.id, {"paused_until": until})
    answer = house.post(f"/leave/{ada.leave_token}/rest")
    assert "11 June 2027" in answer.text
    assert house.known().paused_until == until


def test_who_is_gone_is_offered_no_rest(house: House) -> None:
    ada = house.person(state=State.COMPLAINED)
    assert "/rest" not in house.get(f"/leave/{ada.leave_token}").text
    assert house.post(f"/leave/{ada.leave_token}/rest").status_code == 404
    assert house.known().paused_until is None


# In the reader's language


@pytest.mark.parametrize(
    ("language", "said", "direction"),
    [("de", "Du hast den Brief abbestellt.", "ltr"), ("ar", "لقد غادرت.", "rtl"), ("fr", "You have left.", "ltr")],
)
def test_the_page_speaks_the_readers_language(house: House, language: str, said: str, direction: str) -> None:
    ada = house.person(language=language)
    page = house.post(f"/leave/{ada.leave_token}").text
    assert said in page
    tag = language if language != "fr" else "en"
    assert f'<html lang="{tag}" dir="{direction}">' in page
