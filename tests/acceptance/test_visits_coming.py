"""People come by the pages: the form, the same answer to everybody, and the button in the mail."""

from __future__ import annotations

import json
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest

from newsletter.app.visiting import Visiting
from newsletter.audience.subscriber import State
from newsletter.store.subscribers import SqlPeople
from newsletter.web.public_crowd import AT_MOST
from newsletter.web.public_joining import TRAP
from tests.visitors import SITE, House, open_house


@pytest.fixture
def house(tmp_path: Path) -> House:
    return open_house(tmp_path / "letters")


class Fields(HTMLParser):
    """The named fields of a page, with their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[dict[str, str]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in {"input", "select"}:
            self.found.append({name: value or "" for name, value in attrs})

    def named(self, name: str) -> list[dict[str, str]]:
        return [each for each in self.found if each.get("name") == name]


def test_what_is_typed_is_queued_and_nothing_else_happens(house: House) -> None:
    told = {"address": " Ada@EXAMPLE.org ", "first_name": "Ada\r\nBcc: x", "interest": ["listening", "not offered"]}
    answer = house.post("/subscribe", **told, zone="Africa/Nairobi")
    assert answer.status_code == 200
    assert "Look into your mailbox" in answer.text
    ((kind, address, details),) = house.wishes()
    assert (kind, address) == ("join", "Ada@example.org")
    assert json.loads(details) == {
        "first_name": "Ada Bcc: x",
        "tags": ["listening"],
        "zone": "Africa/Nairobi",
        "text": json.loads(details)["text"],
    }
    assert SqlPeople(house.newsletter.database).find("ada@example.org") is None


def test_the_evidence_changes_with_the_text_people_agree_to(tmp_path: Path) -> None:
    texts = set()
    for name, agreement in (("a", "I want it."), ("b", "I want it all."), ("c", "I want it.")):
        house = open_house(tmp_path / name, agreement=agreement)
        house.post("/", address="ada@example.org")
        texts.add(json.loads(house.wishes()[0][2])["text"])
        assert agreement in house.get("/").text
    assert len(texts) == 2


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "../../etc/passwd", "Europe/Berlin\0"])
def test_a_zone_that_is_none_is_none(house: House, zone: str) -> None:
    house.post("/", address="ada@example.org", zone=zone)
    assert json.loads(house.wishes()[0][2])["zone"] == ""


def test_everybody_gets_the_same_answer(house: House) -> None:
    for state in (State.ACTIVE, State.PENDING, State.UNSUBSCRIBED, State.BOUNCED, State.COMPLAINED):
        house.person(f"{state}@example.org", state=state)
    SqlPeople(house.newsletter.database).suppress("barred@example.org", reason="x", now=house.newsletter.at)
    house.get("/")
    known = [f"{state}@example.org" for state in State if state is not State.ERASED]
    asked = [*known, "barred@example.org", "nobody@example.org", "no.such.host@nowhere.example.com"]
    answers = [house.post("/", address=address) for address in asked]
    answers.append(house.post("/", address="robot@example.org", **{TRAP: "cheap pills"}))
    first = answers[0]
    for answer in answers:
        assert (answer.status_code, answer.data, list(answer.headers)) == (200, first.data, list(first.headers))
    assert [address for _, address, _ in house.wishes()] == [*asked, ""]  # of the robot there is a wish of nobody's


@pytest.mark.parametrize("path", ["/", "/lost"])
@pytest.mark.parametrize("address", ["", "ada", "ada@", "@example.org", "ada@example", "a b@example.org", '"><b>@x'])
def test_what_is_no_address_is_asked_again_and_nothing_is_lost(house: House, path: str, address: str) -> None:
    answer = house.post(path, address=address, first_name='Ada "A"', interest="listening", zone="Africa/Nairobi")
    assert answer.status_code == 400
    fields = Fields(answer.text)
    (field,) = fields.named("address")
    assert field["value"] == address
    assert field["aria-invalid"] == "true"
    assert "address-wrong" in field["aria-describedby"]
    assert "This cannot be an e-mail address" in answer.text
    if path == "/":
        assert fields.named("first_name")[0]["value"] == 'Ada "A"'
        assert [each["value"] for each in fields.named("interest") if "checked" in each] == ["listening"]
        assert '<option value="Africa/Nairobi" selected>' in answer.text
    assert house.wishes() == []


def test_a_form_of_another_site_is_welcome(house: House) -> None:
    headers = {"Origin": "https://friends.example.net", "Referer": "https://friends.example.net/"}
    answer = house.client.post(
        "/subscribe",
        base_url=SITE,
        data={"address": "ada@example.org"},
        headers={**headers, "Sec-Fetch-Site": "cross-site"},
    )
    assert answer.status_code == 200
    assert len(house.wishes()) == 1


def test_nobody_sees_the_trap_and_no_browser_fills_it(house: House) -> None:
    (trap,) = Fields(house.get("/").text).named(TRAP)
    assert (trap["tabindex"], trap["autocomplete"]) == ("-1", "off")


def test_a_flood_from_one_place_is_stopped_and_no_other_is(house: House) -> None:
    def ask(place: str) -> int:
        answer = house.client.post(
            "/",
            base_url=SITE,
            data={"address": "ada@example.org"},
            environ_overrides={"REMOTE_ADDR": place},
        )
        return answer.status_code

    assert [ask("192.0.2.1") for _ in range(AT_MOST + 1)] == [200] * AT_MOST + [429]
    assert ask("192.0.2.2") == 200
    answer = house.client.post("/lost", base_url=SITE, environ_overrides={"REMOTE_ADDR": "192.0.2.1"})
    assert answer.status_code == 429
    assert answer.headers["Retry-After"] == "900"
    assert "Too many at once" in answer.text


def test_the_form_in_the_guide_is_one_we_understand(house: House) -> None:
    guide = (Path(__file__).parents[2] / "docs" / "guide.md").read_text()
    form = guide.partition("## The sign-up form")[2].partition("```html\n")[2].partition("```")[0]
    assert f'<form method="post" action="{SITE}/subscribe">' in form
    fields = Fields(form)
    told = {"address": "ada@example.org", "first_name": "Ada", "interest": "workplace", TRAP: ""}
    assert {each["name"] for each in fields.found} == set(told)
    house.post("/subscribe", **told)
    ((_, address, details),) = house.wishes()
    assert address == "ada@example.org"
    assert json.loads(details)["tags"] == [fields.named("interest")[0]["value"]]
    house.post("/subscribe", **{**told, TRAP: "x"})
    assert house.wishes()[1:] == [("link", "", "{}")]


# The button in the mail


def test_looking_at_the_link_changes_nothing_and_the_button_does(house: House) -> None:
    ada = house.person(state=State.PENDING)
    link = house.confirm_link(ada)
    page = house.get(link)
    assert page.status_code == 200
    assert "a•••@example.org" in page.text
    assert "once a week, and can leave at any time" in page.text
    house.client.head(link, base_url=SITE)
    assert house.known().state is State.PENDING
    answer = house.post(link)
    assert answer.status_code == 200
    assert "You\u2019re in" in answer.text
    assert 'class="ring"' in answer.text
    assert house.known().state is State.ACTIVE
    last = SqlPeople(house.newsletter.database).consent_of(ada.id)[-1]
    assert (last.at, last.how, last.state, len(last.text)) == (house.newsletter.at, "page", State.ACTIVE, 16)


def test_pressing_twice_is_as_pressing_once(house: House) -> None:
    link = house.confirm_link(house.person(state=State.PENDING))
    first, second = house.post(link), house.post(link)
    assert (second.status_code, second.data) == (first.status_code, first.data)
    assert len(SqlPeople(house.newsletter.database).consent_of(house.known().id)) == 2


def test_a_link_that_was_used_brings_nobody_back_who_left(house: House) -> None:
    ada = house.person(state=State.PENDING)
    link = house.confirm_link(ada)
    house.post(link)
    house.post(f"/leave/{ada.leave_token}")
    answer = house.post(link)
    assert answer.status_code == 404
    assert "This link is no longer good" in answer.text
    assert house.known().state is State.UNSUBSCRIBED


@pytest.mark.parametrize("how", ["old", "another purpose", "changed", "of nobody"])
def test_a_link_that_is_not_good_says_what_to_do(house: House, how: str) -> None:
    ada = house.person(state=State.PENDING)
    link = house.confirm_link(ada)
    if how == "old":
        house.pass_time(timedelta(hours=1))
    if how == "another purpose":
        link = house.own_page(ada).replace("/me/", "/confirm/")
    if how == "changed":
        link = link[:-1] + ("A" if link[-1] != "A" else "B")
    if how == "of nobody":
        Visiting(house.newsletter).erase(ada)
    for answer in (house.get(link), house.post(link)):
        assert answer.status_code == 404
        assert 'href="/subscribe"' in answer.text
        assert "Ask for a new one" in answer.text
    found = SqlPeople(house.newsletter.database).find("ada@example.org")
    assert found is None or found.state is State.PENDING
