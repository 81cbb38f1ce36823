"""A list comes in from wherever it was kept, is tried first, is mended, and goes out again as it came."""

from __future__ import annotations

import json
import os
import random
import signal
import stat
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, select

from newsletter.store.db import connect
from newsletter.store.tables import consent_events, subscribers
from tests.acceptance.workplace import AFTER_ALL_ZONES, Workplace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

ROOT = Path(__file__).resolve().parents[2]
BROUGHT = ("--evidence", "brought for a test")
ALL = (subscribers, consent_events)
MAILCHIMP = "Email Address,First Name,Last Name,MEMBER_RATING,OPTIN_TIME,CONFIRM_TIME,LEID,EUID,NOTES,TAGS\n"


@pytest.fixture
def started(workplace: Workplace, database_url: str) -> Workplace:
    """A newsletter with an empty list, on each database."""
    workplace.environment["NEWSLETTER_DATABASE_URL"] = database_url
    workplace.done("init", str(workplace.root))
    workplace.done("db", "upgrade")
    return workplace


def listed(workplace: Workplace, name: str, text: str) -> str:
    path = workplace.root / "subscribers" / name
    path.write_text(text, encoding="utf-8")
    return str(path)


def kept(workplace: Workplace) -> list[list[dict[str, object]]]:
    """All that the database knows of people, without what is drawn by chance."""
    drawn = {"leave_token", "address_hash"}
    with opened(workplace) as connection:
        tables = [connection.execute(select(table).order_by(*table.primary_key)).mappings() for table in ALL]
        return [[{name: row[name] for name in row if name not in drawn} for row in rows] for rows in tables]


def count(workplace: Workplace) -> int:
    """How many people are on the list."""
    with opened(workplace) as connection:
        return connection.execute(select(func.count()).select_from(subscribers)).scalar_one()


@contextmanager
def opened(workplace: Workplace) -> Iterator[Connection]:
    inside = f"sqlite:///{workplace.root / 'subscribers' / 'newsletter.db'}"
    database = connect(workplace.environment.get("NEWSLETTER_DATABASE_URL") or inside)
    with database.reading() as connection:
        yield connection
    database.close()


def test_moving_here_from_mailchimp(started: Workplace) -> None:
    there = {
        "unsubscribed_email_audience_export_1a.csv": f"{MAILCHIMP}left@example.org,,,2,,2020-02-03 04:05:06,1,a,,\n",
        "cleaned_email_audience_export_1a.csv": f"{MAILCHIMP}dead@example.org,,,2,,,2,b,,\n",
        "subscribed_email_audience_export_1a.csv": (
            f'{MAILCHIMP}ana@example.org,Ana,Example,4,,2020-02-03 04:05:06,3,c,,"""VIP"""\n'
            "left@example.org,Was,Here,4,,2020-02-03 04:05:06,4,d,,\n"
        ),
    }
    said = ""
    for name, text in there.items():
        said += started.done("subscribers", "import", listed(started, name, text), *BROUGHT).stderr
    assert said.count("is read as an export of Mailchimp") == 3
    assert "member_rating" in said
    assert started.done("subscribers", "stats", "--json").data == {"active": 1, "unsubscribed": 1, "bounced": 1}
    ana = started.done("subscribers", "show", "ana@example.org", "--json").data
    assert (ana["name"], ana["tags"]) == ("Ana Example", ["vip"])
    people, consent = kept(started)
    assert [str(each["joined_at"]) for each in people if each["name"]] == ["2020-02-03 04:05:06+00:00"]
    assert "Mailchimp: confirmed 2020-02-03 04:05:06" in [each["text"] for each in consent]
    nobody = listed(started, "nonsubscribed_email_audience_export_1a.csv", f"{MAILCHIMP}shop@example.org,,,2,,,5,e,,\n")
    refused = started.run("subscribers", "import", nobody, *BROUGHT)
    assert (refused.exit_code, "never asked for a letter" in refused.stderr) == (1, True)
    renamed = listed(started, "list.csv", there["subscribed_email_audience_export_1a.csv"])
    assert "--status" in started.run("subscribers", "import", renamed, *BROUGHT).stderr
    contradicted = str(started.root / "subscribers" / "cleaned_email_audience_export_1a.csv")
    assert started.run("subscribers", "import", contradicted, *BROUGHT, "--status", "active").exit_code == 1


def test_a_dry_run_tells_what_the_real_one_does_and_does_nothing(started: Workplace) -> None:
    listed(started, "old.csv", "email,name\nknown@example.org,Known\ngone@example.org,Gone\n")
    started.done("subscribers", "import", str(started.root / "subscribers/old.csv"), *BROUGHT)
    listed(started, "gone.csv", "email,status\ngone@example.org,left\n")
    started.done("subscribers", "import", str(started.root / "subscribers/gone.csv"), *BROUGHT)
    before = kept(started)
    new = listed(
        started,
        "new.csv",
        "email,name,status\nnew@example.org,New,\nknown@example.org,Other,\ngone@example.org,,active\nbad@@x,,\n"
        "new@example.org,,left\n" + "".join(f"r{n}@example.org,,\n" for n in range(1500)) + "r3@example.org,,left\n",
    )
    tried = started.done("subscribers", "import", new, "--dry-run", "--json")
    unproven = started.run("subscribers", "import", new, "--evidence", " ")
    assert (unproven.exit_code, "where does these people's consent come from?" in unproven.stderr) == (2, True)
    assert "Nobody was entered" in tried.stderr
    assert kept(started) == before
    real = started.done("subscribers", "import", new, *BROUGHT, "--json")
    assert real.data == tried.data
    assert (real.data["added"], real.data["departed"], real.data["kept_away"]) == (1501, 2, 1)


def test_rejected_rows_are_mended_and_imported(started: Workplace) -> None:
    bad = listed(started, "list.csv", 'email,name,city\n"ana@@example.org","Ana, MA",Ulm\nben@example.org,Ben,\n')
    kept = started.root / "subscribers" / "rejected.csv"
    said = started.done("subscribers", "import", bad, *BROUGHT, "--rejected", str(kept))
    assert f"One row that was not taken is in {kept}: mend it, and import that file." in said.stderr
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    again = started.run("subscribers", "import", bad, *BROUGHT, "--rejected", str(kept))
    assert (again.exit_code, "the file exists" in again.stderr) == (1, True)
    kept.write_text(kept.read_text(encoding="utf-8").replace("@@", "@"), encoding="utf-8")
    started.done("subscribers", "import", str(kept), *BROUGHT)
    ana = started.done("subscribers", "show", "ana@example.org", "--json").data
    assert (ana["name"], ana["fields"]) == ("Ana, MA", {"city": "Ulm"})


def test_the_import_map_is_heard_and_its_mistakes_are_placed(started: Workplace) -> None:
    where = started.root / "subscribers" / "import.toml"
    where.write_text('[columns]\nAdresse = "email"\n')
    said = started.done("subscribers", "import", listed(started, "l.csv", "Adresse;x\nana@example.org;1\n"), *BROUGHT)
    assert "the import map" in said.stderr
    where.write_text("[columns]\nAdresse = 3\n")
    wrong = started.run("subscribers", "import", str(started.root / "subscribers/l.csv"), *BROUGHT)
    assert (wrong.exit_code, "subscribers/import.toml:2" in wrong.stderr) == (2, True)


@pytest.mark.parametrize("how", [(), ("--jsonl",)])
def test_everybody_goes_out_and_comes_in_again_as_they_were(started: Workplace, tmp_path: Path, how) -> None:
    people = (
        '{"email": "=cmd@example.org", "name": "=1+1", "tags": ["b", "a"], "joined": "2020-01-02T03:04:05Z", '
        '"paused_until": "2027-01-01", "frequency": "monthly", "timezone": "Africa/Nairobi", "language": "pt-br", '
        '"fields": {"city": "-Ulm;=2", "joined": "@us"}}\n'
        '{"email": "+left@example.org", "status": "unsubscribed", "first_name": "Zoë"}\n'
        '{"email": "p@bücher.example", "status": "pending"}\n'
        '{"email": "c@example.org", "status": "complained"}\n{"email": "b@example.org", "status": "bounced"}\n'
    )
    started.done("subscribers", "import", listed(started, "people.jsonl", people), *BROUGHT)
    out = started.done("subscribers", "export", *how).stdout
    elsewhere = Workplace(tmp_path / "elsewhere")
    elsewhere.done("init", str(elsewhere.root))
    elsewhere.done("db", "upgrade")
    elsewhere.done("subscribers", "import", listed(elsewhere, "list", out), *BROUGHT)
    assert kept(elsewhere)[0] == kept(started)[0]
    assert elsewhere.done("subscribers", "export", *how).stdout == out
    if how:
        assert json.loads(out.splitlines()[0])["fields"] == {"city": "-Ulm;=2", "joined": "@us"}


def long_list(count: int) -> str:
    """People of every kind, some of them twice and some with nothing that could be used."""
    chance = random.Random(count)
    rows = ["email,name,status,timezone,tags,city,joined\n"]
    for number in range(count):
        address = f"r{number if number % 7 else chance.randrange(number + 1)}@example.org"
        state = chance.choice(("active", "", "active", "pending", "left", "bounced"))
        zone = chance.choice(("Europe/Berlin", "Asia/Tokyo", "", "Mars"))
        rows.append(f"{address},Reader {number},{state},{zone},{chance.choice(('tea', ''))},Ulm,2020-01-02\n")
        if number % 50 == 0:
            rows.append(f"no{number}@@example.org,,,,,,\n")
    return "".join(rows)


def test_an_import_killed_in_the_middle_and_run_again_is_as_one(started: Workplace, tmp_path: Path) -> None:
    clean = Workplace(tmp_path / "clean", environment={})
    clean.done("init", str(clean.root))
    clean.done("db", "upgrade")
    text = long_list(4000)
    clean.done("subscribers", "import", listed(clean, "list.csv", text), *BROUGHT)
    file = listed(started, "list.csv", text)
    command = [
        sys.executable,
        "-m",
        "newsletter",
        "--config",
        str(started.root),
        "subscribers",
        "import",
        file,
        *BROUGHT,
    ]
    environment = {**os.environ, "NEWSLETTER_NOW": AFTER_ALL_ZONES, "PYTHONPATH": str(ROOT)}
    environment["NEWSLETTER_DATABASE_URL"] = str(started.environment["NEWSLETTER_DATABASE_URL"])
    killed_at: list[int] = []
    for target in (1, 1500):
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        give_up = time.monotonic() + 120
        while process.poll() is None and count(started) < target and time.monotonic() < give_up:
            time.sleep(0.002)
        process.kill()
        assert process.wait() == -signal.SIGKILL, "the import ended before it was killed"
        killed_at.append(count(started))
    assert 0 < killed_at[0] < killed_at[1] < count(clean)
    subprocess.run(command, env=environment, capture_output=True, check=True)
    assert kept(started) == kept(clean)
