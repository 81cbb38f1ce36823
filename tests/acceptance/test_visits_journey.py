"""From the form to being forgotten, with the mails in between; and the machines that open every link on the way."""

from __future__ import annotations

import email
import email.policy
import re
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest
from werkzeug.test import Client

from newsletter.app.answering import Answering
from newsletter.audience.subscriber import State
from newsletter.settings.read import read_settings
from newsletter.store.db import connect
from newsletter.store.schema import upgrade
from newsletter.web.public import public_pages
from tests.acceptance.workplace import ISSUE, Workplace
from tests.visitors import SITE, House, Ticking, found

FORM = {"address": "nova@example.org", "first_name": "Nova", "interest": "access", "zone": "Asia/Tokyo"}
INTERESTS = '\n[interests]\naccess = "Disability and access"\n'


class Links(HTMLParser):
    """Where a page leads by its links, and what it fetches by itself; forms are left alone."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in {"a", "link", "script", "img"}:
            self.found.update(value for name, value in attrs if name in {"href", "src"} and value)


@pytest.fixture
def place(tmp_path: Path) -> Workplace:
    workplace = Workplace(tmp_path / "letters").ready()
    settings = workplace.root / "newsletter.toml"
    settings.write_text(settings.read_text() + INTERESTS)
    return workplace


@pytest.fixture
def house(place: Workplace) -> House:
    newsletter = Ticking(read_settings(place.root, {}))
    newsletter.at = datetime(2026, 11, 23, 20, 0, tzinfo=UTC)
    return House(newsletter=newsletter, client=Client(public_pages(newsletter)))


def mails(house: House) -> list[Path]:
    """All that is in the outbox, oldest first."""
    found = (house.newsletter.settings.root / "outbox").rglob("*.eml")
    return sorted(found, key=lambda path: path.stat().st_mtime_ns)


def links_in(mail: Path) -> set[str]:
    """All links of a message that lead to our pages: of its headers, its text and its HTML."""
    message = email.message_from_bytes(mail.read_bytes(), policy=email.policy.default)
    found = set(re.findall(r"<(https://[^>]+)>", str(message.get("List-Unsubscribe", ""))))
    for part in message.walk():
        if part.get_content_type() == "text/html":
            found |= Links(part.get_content()).found
        if part.get_content_type() == "text/plain":
            found |= set(re.findall(r"https?://[^\s<>)]+", part.get_content()))
    return {link for link in found if link.startswith(f"{SITE}/")}


def scan(house: House, links: set[str]) -> set[str]:
    """Open every link and all that it leads to, by HEAD and GET, as machines do that look after mailboxes."""
    seen: set[str] = set()
    while links:
        link = links.pop()
        seen.add(link)
        at = urlsplit(link)
        for method in ("HEAD", "GET"):
            answer = house.client.open(at.path, method=method, base_url=SITE, query_string=at.query)
            assert answer.status_code in {200, 404}
            assert "Location" not in answer.headers
        if answer.mimetype == "text/html":
            further = {urljoin(link, each) for each in Links(answer.text).found}
            links |= {each for each in further if each.startswith(f"{SITE}/")} - seen
    return seen


def only(house: House, before: list[Path], leads_to: str) -> str:
    """The one link to the page *leads_to* in the one mail that came since."""
    Answering(house.newsletter).work_once()
    (mail,) = [path for path in mails(house) if path not in before]
    found = {link for link in links_in(mail) if link.startswith(f"{SITE}/{leads_to}/")}
    (link,) = found
    return link.removeprefix(SITE)


def test_nothing_that_opens_every_link_changes_anything(place: Workplace, house: House) -> None:
    place.done("send", ISSUE, "--yes")
    house.post("/subscribe", **FORM)
    house.post("/lost", address="zoe@example.org")
    Answering(house.newsletter).work_once()
    sent = mails(house)
    assert len(sent) > 2
    # Whoever was passed their own page: what it leads to is opened too.
    links = set().union(*(links_in(mail) for mail in sent))
    assert {urlsplit(link).path.split("/")[1] for link in links} >= {"confirm", "leave", "preferences"}
    before = dump(house)
    seen = scan(house, links)
    assert len(seen) > len(sent)
    assert dump(house) == before


def dump(house: House) -> str:
    with sqlite3.connect(house.file) as connection:
        return "\n".join(connection.iterdump())


def test_from_the_form_to_being_forgotten(house: House) -> None:
    before = mails(house)
    house.post("/subscribe", **FORM)
    confirm = only(house, before, "confirm")
    assert "n•••@example.org" in house.get(confirm).text
    assert house.post(confirm).status_code == 200
    nova = house.known("nova@example.org")
    assert (nova.state.value, nova.first_name, nova.zone, nova.tags) == ("active", "Nova", "Asia/Tokyo", {"access"})

    before = mails(house)
    Answering(house.newsletter).work_once()  # the welcome
    assert len(mails(house)) == len(before) + 1

    before = mails(house)
    house.post("/lost", address="nova@example.org")
    own = only(house, before, "me")
    assert 'value="Nova"' in house.get(own).text
    assert "It is kept." in house.post(own, first_name="Supernova").text

    house.pass_time(timedelta(days=2))
    assert house.get(own).status_code == 404
    before = mails(house)
    house.post(house.preferences_link(house.known("nova@example.org")))
    own = only(house, before, "me")
    assert "You are forgotten" in house.post(f"{own}/erase").text
    left = dump(house)
    assert "nova@" not in left.lower()
    assert "Supernova" not in left


def test_the_pages_work_on_a_server_as_on_a_file(tmp_path: Path, postgres_url: str) -> None:
    newsletter = Ticking(replace(found(tmp_path / "letters").settings, database=postgres_url))
    with closing(connect(postgres_url)) as database:
        upgrade(database)
    house = House(newsletter=newsletter, client=Client(public_pages(newsletter)))
    try:
        assert house.post("/subscribe", address="eve@example.org", first_name="Eve\x00\ud7ff").status_code == 200
        for address in ("nul\x00@example.org", "\x00"):
            assert house.post("/subscribe", address=address).status_code == 400
        ada = house.person(state=State.PENDING)
        assert house.post(house.confirm_link(ada)).status_code == 200
        page = house.post(f"/leave/{ada.leave_token}").text
        assert house.post("/leave/undo", word=page.partition('name="word" value="')[2][:32]).status_code == 200
        own = house.own_page(ada)
        told = {"name": "\x00Ada", "interest": "listening", "paused_until": "2026-12-24", "frequency": "monthly"}
        assert "It is kept." in house.post(own, **told).text
        assert house.post(f"{own}/data").json["interests_and_tags"] == ["listening"]
        assert house.post(f"{own}/erase").status_code == 200
        assert house.get(own).status_code == 404
        assert house.get(f"/leave/{ada.leave_token}").status_code == 404
        for method in (house.get, house.post):
            assert method("/leave/%00").status_code == 404
        assert house.get("/health").status_code == 200
    finally:
        newsletter.database.close()
