"""A database that is only looked at; and people found by what they are called."""

from __future__ import annotations

from pathlib import Path

import pytest

from newsletter.audience.subscriber import State
from newsletter.errors import StoreError
from newsletter.store.db import connect
from newsletter.store.schema import upgrade
from newsletter.store.subscribers import SqlPeople
from tests.contract.store.conftest import NOW, entry, evidence


def names(people: SqlPeople, words: str, *, limit: int = 10) -> list[str]:
    return [person.name for person in people.called(words, limit=limit, now=NOW)]


def test_people_are_found_by_name_and_address_whatever_the_capitals(store):
    store.enter(
        entry("ana", name="Ana Lima", first_name="Ana"),
        entry("elo", name="Élodie Brun", first_name="Élodie"),
        entry("per.cent", name="100% _sure_"),
        entry("gone", name="Ana Gone", state=State.UNSUBSCRIBED),
    )
    for words in ("ana", "LIMA", "ana l", "ana@exam"):
        assert names(store.people, words) == ["Ana Lima"]
    for words in ("élodie", "Élodie", "lodie b"):
        assert names(store.people, words) == ["Élodie Brun"]
    assert names(store.people, "%") == names(store.people, "_") == names(store.people, "R.C") == ["100% _sure_"]
    assert names(store.people, "'; DROP TABLE subscribers") == []
    assert names(store.people, "example.org", limit=2) == ["100% _sure_", "Ana Lima"]


def test_a_database_that_is_only_looked_at_refuses_every_change(database_url: str):
    db = connect(database_url)
    upgrade(db)
    SqlPeople(db).enter([entry("ana", name="Ana")], evidence=evidence(), now=NOW)
    looking = connect(database_url, read_only=True)
    try:
        assert names(SqlPeople(looking), "ana") == ["Ana"]
        with pytest.raises(StoreError):
            SqlPeople(looking).enter([entry("bo", name="Bo")], evidence=evidence(), now=NOW)
        SqlPeople(db).enter([entry("cy", name="Cy Ana")], evidence=evidence(), now=NOW)  # others may go on
        assert names(SqlPeople(looking), "ana") == ["Ana", "Cy Ana"]
    finally:
        looking.close()
        db.close()


def test_a_file_with_any_name_is_looked_at_and_none_is_made(tmp_path: Path):
    folder = tmp_path / "a folder with # and 100 %"
    folder.mkdir()
    url = f"sqlite:///{folder / 'people.db'}"
    with pytest.raises(StoreError, match="no database"):
        names(SqlPeople(connect(url, read_only=True)), "ana")
    assert list(folder.iterdir()) == []
    db = connect(url)
    upgrade(db)
    db.close()
    before = (folder / "people.db").read_bytes()
    looking = connect(url, read_only=True)
    assert names(SqlPeople(looking), "ana") == []
    looking.close()
    assert (folder / "people.db").read_bytes() == before
