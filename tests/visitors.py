"""A newsletter with public pages, people to visit them, and a clock that the test turns."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from werkzeug.test import Client

from newsletter.app.answering import CONFIRM, ME
from newsletter.app.newsletter import Newsletter
from newsletter.app.visiting import PREFERENCES
from newsletter.audience.consent import Evidence
from newsletter.audience.importing import Entry
from newsletter.audience.subscriber import State, Subscriber
from newsletter.settings.read import read_settings
from newsletter.store.db import connect
from newsletter.store.schema import upgrade
from newsletter.store.subscribers import SqlPeople
from newsletter.web.public import public_pages

if TYPE_CHECKING:
    from werkzeug.test import TestResponse

SITE = "https://letters.example.org"
NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)

AGREEMENT = "I want to get The Monday Letter by e-mail, once a week, and can leave at any time."

_SETTINGS = """
[newsletter]
name = "The Monday Letter"
tagline = "one reflection, one action, every week"
language = "{language}"
timezone = "Europe/Berlin"
[sender]
name = "The Monday Letter"
address = "letter@letters.example.org"
reply_to = "hello@letters.example.org"
postal_address = ["The Monday Letter", "1 Example Street", "10115 Berlin, Germany"]
list_id = "monday.letters.example.org"
[site]
url = "{site}"
[signup]
agreement = "{agreement}"
[interests]
workplace = "Allyship at work"
listening = "Listening, and what comes after it"
disability = "Disability and access"
"""


class Ticking(Newsletter):
    """A newsletter at a moment that a test may change."""

    at = NOON

    def clock(self) -> datetime:
        """The pretended time."""
        return self.at


@dataclass(slots=True)
class House:
    """A newsletter's pages, its people and its clock."""

    newsletter: Ticking
    client: Client

    def pass_time(self, time: timedelta) -> None:
        """Let it be later."""
        self.newsletter.at += time

    def person(self, address: str = "ada@example.org", *, state: State = State.ACTIVE, **more: object) -> Subscriber:
        """Somebody who is on the list, or was."""
        people, now = SqlPeople(self.newsletter.database), self.newsletter.at - timedelta(days=30)
        entry = Entry(address=address, state=State.PENDING, **more)  # type: ignore[arg-type]
        people.enter([entry], evidence=Evidence(at=now, how="web", source="a test"), now=now)
        found = self.known(address)
        if state is not State.PENDING:
            people.move(found.id, state, evidence=Evidence(at=now, how="a test", source="a test"))
        return self.known(address)

    def known(self, address: str = "ada@example.org") -> Subscriber:
        """What the list has of an address."""
        found = SqlPeople(self.newsletter.database).find(address)
        assert found is not None
        return found

    def word(self, purpose: str, person: Subscriber, *, hours: float = 1) -> str:
        """The word in a link that a mail brought."""
        return self.newsletter.signer.sign(purpose, person.id, expires_at=self.newsletter.at + timedelta(hours=hours))

    def confirm_link(self, person: Subscriber) -> str:
        return f"/confirm/{self.word(CONFIRM, person)}"

    def preferences_link(self, person: Subscriber) -> str:
        return f"/preferences/{self.word(PREFERENCES, person)}"

    def own_page(self, person: Subscriber) -> str:
        return f"/me/{self.word(ME, person)}"

    def get(self, path: str, **more: object) -> TestResponse:
        return self.client.get(path, base_url=SITE, **more)

    def post(self, path: str, **fields: object) -> TestResponse:
        return self.client.post(path, base_url=SITE, data=fields)

    def wishes(self) -> list[tuple[str, str, str]]:
        """What is queued: kind, address, details."""
        with sqlite3.connect(self.file) as connection:
            return connection.execute("SELECT kind, address, details FROM wishes ORDER BY no").fetchall()

    def dump(self) -> str:
        """All that the database holds."""
        with sqlite3.connect(self.file) as connection:
            return "\n".join(connection.iterdump())

    @property
    def file(self) -> Path:
        return self.newsletter.settings.root / "subscribers" / "newsletter.db"


def found(root: Path, *, site: str = SITE, language: str = "en", agreement: str = AGREEMENT, more: str = "") -> Ticking:
    """A newsletter in *root* with an empty list."""
    (root / "subscribers").mkdir(parents=True)
    (root / "newsletter.toml").write_text(_SETTINGS.format(site=site, language=language, agreement=agreement) + more)
    (root / "subscribers" / "secret.key").write_text("k" * 40)
    (root / "subscribers" / "newsletter.db").write_bytes(_empty_database())
    return Ticking(read_settings(root, {}))


@cache
def _empty_database() -> bytes:
    """An SQLite file with all tables and nobody in them; making one takes longer than most tests."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "newsletter.db"
        database = connect(f"sqlite:///{file}")
        database.make_file()
        upgrade(database)
        database.close()
        return file.read_bytes()


def open_house(root: Path, **settings: str) -> House:
    """The pages of a new newsletter in *root*, asked without a network."""
    newsletter = found(root, **settings)
    return House(newsletter=newsletter, client=Client(public_pages(newsletter)))
