"""The doctor: what somebody who sets up a newsletter is told, in what order, and how soon."""

from __future__ import annotations

import base64
import json
import re
import socket
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from sqlalchemy import create_engine

from newsletter.app import durability
from newsletter.app.diagnosis import examine
from newsletter.settings.read import read_settings
from newsletter.sources.finding import Finding, Level
from newsletter.store.db import Database, connect
from tests.acceptance.workplace import Workplace
from tests.cloud.resend import KEY, resend
from tests.cloud.server import Cloud
from tests.contract.sources.nameserver import Nameserver, in_strings
from tests.postgres import Postgres

DOMAIN = "letters.monday.test"
ZONE = {
    f"TXT {DOMAIN}": ["v=spf1 include:spf.carrier.test -all"],
    "TXT spf.carrier.test": ["v=spf1 ip4:192.0.2.0/24 -all"],
    f"TXT _dmarc.{DOMAIN}": ["v=DMARC1; p=none; rua=mailto:reports@monday.test"],
    f"MX {DOMAIN}": ["10 mx.monday.test."],
}
SECRET = {"NEWSLETTER_RESEND_API_KEY": KEY}
LOCAL = ["settings", "keys", "theme", "segments", "letters", "privacy", "workflows"]
RHYTHM = ["next", "last tick"]  # how these are depends on the day


@pytest.fixture
def server() -> Iterator[Nameserver]:
    with Nameserver(dict(ZONE)) as server:
        yield server


@pytest.fixture
def cloud(workplace: Workplace) -> Iterator[Cloud]:
    """A newsletter under a domain of its own that sends by Resend's stand-in; its site is not there."""
    workplace.ready()
    with Cloud({"/": resend}) as server:
        provide(workplace.root, f'name = "resend"\n\n[resend]\nurl = "{server.url}"\n')
        yield server


def provide(root: Path, provider: str) -> None:
    """Set a provider, and addresses under a domain that somebody may own."""
    with socket.socket() as gone:
        gone.bind(("127.0.0.1", 0))
        port = gone.getsockname()[1]
    settings = (root / "newsletter.toml").read_text().partition("[provider]")[0]
    settings = settings.replace("letters.example.org", DOMAIN)
    settings = settings.replace(f'url = "https://{DOMAIN}"', f'url = "https://127.0.0.1:{port}"')
    (root / "newsletter.toml").write_text(f"{settings}[provider]\n{provider}")


def look(workplace: Workplace, server: Nameserver, environment: dict[str, str] | None = None) -> list[Finding]:
    return examine(workplace.root, environment=environment or {}, dns=server.dns())


def of(findings: list[Finding], what: str) -> Finding:
    (found,) = (each for each in findings if each.what == what)
    return found


def test_without_a_provider_nothing_is_asked_of_the_network(workplace: Workplace, server: Nameserver) -> None:
    workplace.ready()
    found = look(workplace, server)
    assert [each.what for each in found] == [*LOCAL, "database", *RHYTHM, "provider", "clock"]
    assert {each.level for each in found if each.what not in RHYTHM} == {Level.OK}
    assert server.asked == []


def test_a_real_provider_is_looked_at_from_its_secret_to_the_site(
    workplace: Workplace, server: Nameserver, cloud: Cloud
) -> None:
    found = look(workplace, server, SECRET)
    domain = ["SPF", "DKIM", "DMARC", "MX", "site", "clock"]
    order = [each.what for each in found if each.what != "provider"]
    assert order == ["settings", "keys", "secrets", *LOCAL[2:], "database", *RHYTHM, *domain]
    assert [each.what for each in found if not each.ok and each.what != "provider"] == ["site"]
    assert "refuses connections" in of(found, "site").detail
    assert f"resend._domainkey.{DOMAIN}" in of(found, "DKIM").detail
    told = json.dumps([[each.detail, each.fix] for each in found])
    assert "@" not in told
    assert KEY not in told


def test_each_missing_secret_is_named_once(workplace: Workplace, server: Nameserver) -> None:
    workplace.ready()
    provide(workplace.root, 'name = "smtp"\n\n[smtp]\nhost = "127.0.0.1"\nusername = "us"\ndkim_selector = "nl"\n')
    found = look(workplace, server, {"NEWSLETTER_DKIM_KEY": "a-private-key"})
    assert of(found, "secrets").detail == "NEWSLETTER_SMTP_PASSWORD is not set; NEWSLETTER_DKIM_KEY set"
    assert not of(found, "secrets").ok
    assert not [each for each in found if each.what == "provider"]
    assert "a-private-key" not in str(found)


def test_no_secret_is_asked_for_that_is_not_needed(workplace: Workplace, server: Nameserver) -> None:
    workplace.ready()
    provide(workplace.root, 'name = "smtp"\n\n[smtp]\nhost = "127.0.0.1"\n')
    assert "secrets" not in [each.what for each in look(workplace, server)]
    provide(workplace.root, 'name = "ses"\n\n[ses]\nregion = "eu-central-1"\nurl = "http://127.0.0.1:9"\n')
    keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
    assert of(look(workplace, server, keys), "secrets").ok


def test_the_key_in_dns_is_compared_with_the_one_we_sign_with(workplace: Workplace, server: Nameserver) -> None:
    workplace.ready()
    provide(workplace.root, 'name = "smtp"\n\n[smtp]\nhost = "127.0.0.1"\ndkim_selector = "nl"\n')
    keys = [generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2)]
    pem = keys[0].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    for published, ok in ((keys[0], True), (keys[1], False)):
        der = published.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        record = f"v=DKIM1; k=rsa; p={base64.b64encode(der).decode()}"
        server.zone[f"TXT nl._domainkey.{DOMAIN}"] = [in_strings(record)]
        signed = [each for each in look(workplace, server, {"NEWSLETTER_DKIM_KEY": pem}) if each.what == "DKIM"]
        assert [(each.ok, "that we sign with" in each.detail) for each in signed] == [(ok, True)]


def test_a_name_for_examples_is_not_sent_from(workplace: Workplace, server: Nameserver, cloud: Cloud) -> None:
    path = workplace.root / "newsletter.toml"
    path.write_text(re.sub(r'url = "https://127.*"', 'url = "https://monday.example.org"', path.read_text()))
    path.write_text(path.read_text().replace(DOMAIN, "letters.example.org"))
    found = look(workplace, server, SECRET)
    assert not of(found, "sender domain").ok
    assert not of(found, "site").ok
    assert server.asked == []


@pytest.mark.parametrize("runner", [{"GITHUB_ACTIONS": "true"}, {"CI": "true"}])
def test_a_runner_that_forgets_must_not_mail_people(
    workplace: Workplace, server: Nameserver, cloud: Cloud, runner: dict[str, str]
) -> None:
    found = of(look(workplace, server, SECRET | runner), "database")
    assert not found.ok
    assert "NEWSLETTER_DATABASE_URL" in found.fix
    assert "git+age" in found.fix


@pytest.mark.parametrize("runner", [{"GITHUB_ACTIONS": "true"}, {"CI": "true"}])
def test_a_runner_may_forget_what_went_into_the_outbox(
    workplace: Workplace, server: Nameserver, runner: dict[str, str]
) -> None:
    workplace.ready()
    assert of(look(workplace, server, runner), "database").level is Level.OK


def test_a_runner_with_a_postgresql_forgets_nothing(
    workplace: Workplace, server: Nameserver, cloud: Cloud, postgres_url: str
) -> None:
    workplace.environment |= {"NEWSLETTER_DATABASE_URL": postgres_url, "NEWSLETTER_NOW": None}
    workplace.now = ""
    workplace.done("db", "upgrade")
    environment = SECRET | {"GITHUB_ACTIONS": "true", "NEWSLETTER_DATABASE_URL": postgres_url}
    found = of(look(workplace, server, environment), "database")
    assert found.level is Level.OK
    assert re.search(r", PostgreSQL \d+\.\d+, synchronous_commit on, 0 people", found.detail)


def test_a_server_that_may_forget_what_it_confirmed_is_not_for_mailing_people(
    workplace: Workplace, server: Nameserver, cloud: Cloud, postgres: Postgres
) -> None:
    database = connect(postgres.url())
    reload(postgres, "ALTER SYSTEM SET fsync = off", fsync="off")
    try:
        with database.reading() as connection:
            _, (found,) = durability._server(database, connection, read_settings(workplace.root, {}), {})
    finally:
        database.close()
        reload(postgres, "ALTER SYSTEM RESET fsync", fsync="on")
    assert not found.ok
    assert "fsync" in found.fix


def reload(server: Postgres, statement: str, *, fsync: str) -> None:
    """Change a server's settings, and wait until they hold."""
    with psycopg.connect(server.url().replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(statement.encode())
        connection.execute("SELECT pg_reload_conf()")
        until = time.monotonic() + 5
        while connection.execute("SHOW fsync").fetchone() != (fsync,):
            assert time.monotonic() < until
            time.sleep(0.02)


@pytest.mark.parametrize(
    ("options", "host", "tls", "level"),
    [
        ("", "db.example.org", False, Level.ERROR),
        ("?sslmode=require", "db.example.org", True, Level.WARNING),
        ("", "db.example.org", True, Level.WARNING),
        ("?sslmode=verify-full", "db.example.org", True, None),
        ("", "127.0.0.1", False, None),
        ("?host=/run/postgresql", "", False, None),
    ],
)
def test_addresses_must_not_travel_in_the_clear(options: str, host: str, tls: bool, level: Level | None) -> None:
    database = connect(f"postgresql://us:a-password@{host}/letters{options}")
    found = list(durability._tls(database, tls, {}))
    assert [each.level for each in found] == ([level] if level else [])
    assert "a-password" not in str(found)


def test_how_sure_the_connection_is_may_stand_in_the_environment() -> None:
    database = connect("postgresql://us@db.example.org/letters")
    assert list(durability._tls(database, True, {"PGSSLMODE": "verify-full"})) == []


def test_a_database_that_others_can_read_is_an_error(workplace: Workplace, server: Nameserver) -> None:
    workplace.ready()
    (workplace.root / "subscribers" / "newsletter.db").chmod(0o640)
    found = of(look(workplace, server), "database")
    assert not found.ok
    assert found.fix.startswith("chmod 600 ")


def test_a_damaged_database_is_an_error(workplace: Workplace, server: Nameserver) -> None:
    workplace.ready()
    path = workplace.root / "subscribers" / "newsletter.db"
    with path.open("r+b") as file:  # the last page: some index, which no count reads
        file.seek(-4096, 2)
        file.write(b"\xff" * 4096)
    found = of(look(workplace, server), "database")
    assert not found.ok
    assert "damaged" in found.detail or "malformed" in found.detail


def test_where_no_write_ahead_log_is_possible_the_disk_is_the_wrong_one(workplace: Workplace) -> None:
    workplace.ready()
    path = workplace.root / "subscribers" / "newsletter.db"
    with sqlite3.connect(path) as raw:
        raw.execute("PRAGMA journal_mode = DELETE")
    raw.close()
    database = Database(create_engine(f"sqlite:///{path}"), place="here", path=path)
    with database.reading() as connection:
        _, found = durability._file(database, connection, read_settings(workplace.root, {}), {})
    database.close()
    assert ["local disk" in each.fix for each in found] == [True]


def test_a_check_that_takes_too_long_is_left_off(tmp_path: Path) -> None:
    path = tmp_path / "large.db"
    with sqlite3.connect(path) as raw:
        raw.execute("CREATE TABLE t (x TEXT UNIQUE)")
        raw.executemany("INSERT INTO t VALUES (?)", ((str(number),) for number in range(100_000)))
    raw.close()
    database = Database(create_engine(f"sqlite:///{path}"), place="here", path=path)
    with database.reading() as connection:
        assert durability._quick_check(connection, patience_s=0) is None
        assert durability._quick_check(connection) == "ok"
    database.close()


def test_a_disk_that_is_nearly_full_is_a_note(tmp_path: Path) -> None:
    (tmp_path / "newsletter.db").write_bytes(b"x")
    assert [each.level for each in durability._room(tmp_path / "newsletter.db", 50 * 1024**2)] == [Level.WARNING]
    assert list(durability._room(tmp_path / "newsletter.db", 10 * 1024**3)) == []


def test_whatever_hangs_the_doctor_comes_to_an_end(workplace: Workplace, server: Nameserver) -> None:
    workplace.ready()
    server.silent = {"*"}
    with socket.create_server(("127.0.0.1", 0)) as hangs:  # takes connections and never says a word
        port = hangs.getsockname()[1]
        provide(workplace.root, f'name = "resend"\n\n[resend]\nurl = "http://127.0.0.1:{port}"\n')
        environment = SECRET | {"NEWSLETTER_DATABASE_URL": f"postgresql://us@127.0.0.1:{port}/letters"}
        started = time.monotonic()
        found = examine(workplace.root, environment=environment, dns=server.dns(), patience_s=2.0)
        assert time.monotonic() - started < 5
    late = {each.what: each.level for each in found if each.detail == "no answer in time"}
    assert late == {"database": Level.ERROR, "provider": Level.ERROR}
    assert "DNS does not answer" in of(found, "sender domain").detail


def test_a_note_is_shown_with_what_to_do_and_is_no_failure(workplace: Workplace) -> None:
    workplace.ready()
    (workplace.root / ".github" / "workflows" / "send.yml").unlink()
    said = workplace.done("doctor")
    lines = said.stdout.splitlines()
    at = next(number for number, line in enumerate(lines) if "send.yml is not among them" in line)
    assert lines[at].startswith("note  workflows")
    assert "copy .github/workflows/send.yml" in lines[at + 1]
    (found,) = (each for each in workplace.done("doctor", "--json").data if each["what"] == "workflows")
    assert (found["ok"], found["level"]) == (True, "warning")


def test_the_json_is_stable(workplace: Workplace) -> None:
    workplace.ready()
    for each in workplace.done("doctor", "--json").data:
        assert list(each) == ["what", "ok", "level", "detail", "fix"]
        assert each["level"] in ("ok", "warning", "error")


def test_a_pretended_time_is_shown(workplace: Workplace) -> None:
    workplace.ready()
    assert "2026-11-23 20:00 UTC (pretended, by NEWSLETTER_NOW)" in workplace.done("doctor").stdout
