"""One person, from the command line: all that is known of them, their leaving, and their being forgotten."""

from __future__ import annotations

import base64
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from newsletter.app.forgetting import Forgetting
from newsletter.app.newsletter import Newsletter
from newsletter.settings.read import read_settings
from newsletter.store.erasing import Forgotten
from tests.acceptance.workplace import ISSUE

PEOPLE = """\
email,name,first_name,timezone,language,tags,status,village
Zoe.Quux@example.org,Zoë Quuxworth,Zoë,Europe/Berlin,en,workplace,active,Hintertupfingen
ada@example.org,Ada Example,Ada,Europe/London,en,,active,Leeds
exada@example.org,Ex Ada,Ex,,en,,active,
"""
ZOE, ADA = "zoe.quux@example.org", "ada@example.org"


@pytest.fixture
def at_work(workplace):
    return workplace.ready(people=PEOPLE)


def shown(at_work, address, **options):
    return at_work.done("subscribers", "show", address, "--json", **options).data


def test_show_tells_the_whole_story(at_work):
    at_work.done("send", ISSUE, "--yes")
    at_work.done("subscribers", "suppress", ADA, "--reason", "her lawyer wrote")
    at_work.done("subscribers", "leave", ADA, "--evidence", "asked on the telephone")
    text = at_work.done("subscribers", "show", ADA).stdout
    for words in (
        "unsubscribed: left; gets no letters, and no import brings them back (since Mon 23 Nov 2026 20:00 UTC)",
        "her lawyer wrote; gets no letters",
        "Europe/London (from a list)",
        "Leeds",
        "asked on the telephone",
        "invented for a test",
        ISSUE,
        "accepted",
    ):
        assert words in text
    data = shown(at_work, ADA)
    assert (data["state"], data["suppression"]["reason"]) == ("unsubscribed", "her lawyer wrote")
    assert [(each["state"], each["how"]) for each in data["consent"]] == [
        ("active", "import"),
        ("unsubscribed", "leave"),
    ]
    assert [(each["issue"], each["status"]) for each in data["letters"]] == [(ISSUE, "accepted")]


def test_leaving_twice_is_no_mistake_and_nobody_who_left_is_planned(at_work):
    assert "They left." in at_work.done("subscribers", "leave", ZOE, "--evidence", "asked").stderr
    assert "already" in at_work.done("subscribers", "leave", ZOE, "--evidence", "asked").stderr
    at_work.done("send", ISSUE, "--yes")
    assert len(at_work.outbox()) == 2
    assert at_work.run("subscribers", "leave", "nobody@example.org", "--evidence", "asked").exit_code == 1


def everything(at_work) -> bytes:
    """All files of the newsletter but what its operator brought, and their names."""
    files = [path for path in at_work.root.rglob("*") if path.is_file() and path.name != "sample.csv"]
    return b"".join(path.read_bytes() + path.name.encode() for path in files).lower()


def test_forgetting_leaves_nothing_anywhere(at_work, caplog):
    at_work.done("send", ISSUE, "--yes")
    with closing(sqlite3.connect(at_work.root / "subscribers" / "newsletter.db")) as connection:
        (token,) = connection.execute("SELECT leave_token FROM subscribers WHERE id = 1").fetchone()
    words = [ZOE, "quuxworth", "hintertupfingen", token, *(base64.b64encode(each.encode()).decode() for each in (ZOE,))]
    assert all(word.lower().encode() in everything(at_work) for word in words[:4])
    assert at_work.run("subscribers", "forget", ZOE).exit_code == 2  # nobody to ask
    said = at_work.done("subscribers", "forget", ZOE.title(), "--yes")
    assert "Deleted from the outbox: 1 message." in said.stderr
    assert "your backups" in said.stdout
    for word in words:
        assert word.lower().encode() not in everything(at_work), word
        assert word.lower() not in (said.stdout + said.stderr + caplog.text).lower()
    assert len(at_work.outbox()) == 2
    gone = at_work.run("subscribers", "show", ZOE)
    assert gone.exit_code == 1
    assert "asked to be forgotten" in gone.stderr
    assert "exada" in at_work.done("subscribers", "export").stdout
    assert at_work.done("subscribers", "export").stdout.count("\n") == 3
    tally = at_work.done("status", ISSUE, "--json").data
    assert "3" in str(tally)


def test_whose_address_only_ends_alike_keeps_their_messages(at_work):
    at_work.done("send", ISSUE, "--yes")
    assert at_work.done("subscribers", "forget", ADA, "--yes", "--json").data["messages"] == 1
    assert any(b"exada@example.org" in path.read_bytes() for path in at_work.outbox())


def test_an_address_that_nobody_has_is_kept_away(at_work):
    said = at_work.done("subscribers", "forget", "new@example.org", "--yes", "--json").data
    assert (said["on_list"], said["letters"], said["messages"]) == (False, 0, 0)
    refused = at_work.run("subscribers", "add", "new@example.org", "--evidence", "an old list")
    assert refused.exit_code == 1


def test_copies_elsewhere_come_with_their_dates(at_work):
    """As far as they have any: of a provider whose logs nobody describes there is none."""
    last = datetime(2026, 11, 23, 20, tzinfo=UTC)
    sent = Forgotten(on_list=True, letters=1, last_at=last)

    def until(provider: str, *, days: int = 0) -> list[datetime | None]:
        real = read_settings(at_work.root, {})
        with Newsletter(replace(real, provider=provider, now=last + timedelta(days=days))) as newsletter:
            return [each.until for each in Forgetting(newsletter).copies(sent)]

    assert until("outbox") == [None, None]
    assert until("resend") == [last + timedelta(days=5), last + timedelta(days=7), None, None]
    assert until("mailgun", days=6) == [last + timedelta(days=30), None, None]
    assert until("mailgun", days=31) == [None, None]
    assert until("ses", days=31) == [None, None, None]


def test_a_backup_that_is_put_back_mails_nobody_who_left_and_forgets_again(at_work):
    database = at_work.root / "subscribers" / "newsletter.db"
    with closing(sqlite3.connect(database)) as source, closing(sqlite3.connect(at_work.root / "backup")) as copy:
        source.backup(copy)
    at_work.done("subscribers", "leave", ADA, "--evidence", "asked")
    at_work.done("subscribers", "forget", ZOE, "--yes")
    shutil.move(at_work.root / "backup", database)
    at_work.done("send", ISSUE, "--yes")
    assert [b"exada@example.org" in path.read_bytes() for path in at_work.outbox()] == [True]
    assert ZOE.encode() not in everything(at_work)
    assert shown(at_work, ADA)["state"] == "unsubscribed"


def test_a_lost_journal_is_begun_anew_and_the_doctor_says_so(at_work):
    at_work.done("subscribers", "leave", ADA, "--evidence", "asked")
    journal = at_work.root / "subscribers" / "departures.jsonl"
    assert "journal" not in str([each for each in at_work.run("doctor", "--json").data if not each["ok"]])
    journal.unlink()
    at_work.done("subscribers", "stats")
    assert journal.read_text().count("unsubscribed") == 1
    assert "the journal of departures is a new one" in at_work.run("doctor").stdout
    assert "is a new one" not in at_work.run("doctor", now="2027-01-23T20:00:00+00:00").stdout


def test_a_journal_that_somebody_changed_stops_everything(at_work):
    at_work.done("subscribers", "leave", ADA, "--evidence", "asked")
    journal = at_work.root / "subscribers" / "departures.jsonl"
    journal.write_text(journal.read_text() + '{"at": "tomorrow"}\n')
    said = at_work.run("send", ISSUE, "--yes")
    assert said.exit_code == 1
    assert "departures.jsonl:3: the journal of departures cannot be read" in said.stderr
    assert at_work.outbox() == []
