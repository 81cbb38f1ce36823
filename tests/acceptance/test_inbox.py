"""A letter goes out by SMTP, and what comes of it comes back into a mailbox: a real Dovecot's."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest

from newsletter.app.inbox import AT_ONCE
from tests import mails
from tests.acceptance.workplace import ISSUE, Workplace
from tests.cloud.smtp import Mail, Server
from tests.dovecot import PASSWORD, Dovecot
from tests.imap import let_in, scripted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.needs("dovecot")

READERS = [f"reader{n}@example.org" for n in range(8)]


@dataclass(frozen=True, slots=True)
class Sent:
    """A letter as one reader got it."""

    mail: Mail

    @property
    def ref(self) -> str:
        """The delivery, by the address that its bounce goes to."""
        found = re.fullmatch(r"MAIL FROM:<bounce\+([^@]+)@letters\.example\.org>.*", self.mail.mail)
        assert found
        return found[1]

    @property
    def whole(self) -> str:
        return self.mail.data.decode()

    def leave(self) -> bytes:
        """The mail that its link for leaving makes."""
        link = urlsplit(str(self.mail.parsed["List-Unsubscribe"]).strip("<>"))
        assert link.scheme == "mailto"
        return mails.plain("", subject=parse_qs(link.query)["subject"][0], to=link.path)

    def dsn(self, status: str = "5.1.1", said: str = "smtp; 550 5.1.1 nobody here") -> bytes:
        """The report that its reader's server sends to its envelope's sender."""
        return mails.dsn(ref=self.ref, status=status, said=said, returned=self.whole)


@pytest.fixture(scope="module")
def dovecot() -> Iterator[Dovecot]:
    with Dovecot() as server:
        yield server


@pytest.fixture(scope="module")
def posted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Sent]]:
    """A newsletter whose letter has just gone out, and what each reader got."""
    workplace = Workplace(tmp_path_factory.mktemp("posted") / "letters")
    workplace.done("init", str(workplace.root))
    workplace.now = ""  # no pretended time where people are mailed
    toml = workplace.root / "newsletter.toml"
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    letter = (workplace.root / "issues" / f"{ISSUE}.md").read_text()
    due = workplace.root / "issues" / f"{today}-due.md"
    due.write_text(re.sub(r"^send:.*$", f"send: {today} 00:00 UTC", letter, flags=re.MULTILINE))
    with Server() as sink:
        text = toml.read_text().partition("[provider]")[0].replace('mode = "own"', 'mode = "mailto"')
        text = text.replace("[schedule]", "check = false\n\n[schedule]")
        text += f'[provider]\nname = "smtp"\n\n[smtp]\nhost = "127.0.0.1"\nport = {sink.port}\nsecurity = "none"\n'
        toml.write_text(text + 'bounces = "bounce@letters.example.org"\n')
        listed = workplace.root / "readers.csv"
        listed.write_text("\n".join(["email", *READERS]))
        workplace.done("db", "upgrade")
        workplace.done("subscribers", "import", str(listed), "--evidence", "invented for a test")
        workplace.done("approve", due.stem)
        workplace.done("send", due.stem, "--yes")
    assert sorted(mail.to for mail in sink.mails) == READERS
    return workplace.root, {mail.to.partition("@")[0]: Sent(mail) for mail in sink.mails}


@dataclass(slots=True)
class Desk:
    """A newsletter with a mailbox of its own."""

    workplace: Workplace
    dovecot: Dovecot
    user: str
    sent: dict[str, Sent]

    def put(self, *come: bytes, folder: str = "INBOX") -> None:
        self.dovecot.put(self.user, come, folder=folder)

    def settle_in(self, **settings: object) -> None:
        """Write the mailbox into the settings."""
        toml = self.workplace.root / "newsletter.toml"
        here = {"host": "localhost", "port": self.dovecot.tls_port, "username": self.user, "done": "Newsletter/done"}
        lines = [f"{key} = {value!r}" for key, value in (here | settings).items()]
        toml.write_text("\n".join([toml.read_text().partition("[inbox]")[0] + "[inbox]", *lines, ""]))

    def poll(self, *more: str) -> dict[str, int]:
        """What the command counts, without what it counts none of."""
        found = self.workplace.done("inbox", "--json", *more).data
        assert found["dry_run"] is ("--dry-run" in more)
        return {what: count for what, count in (found["news"] | found["aside"]).items() if count}

    def states(self) -> dict[str, str]:
        """Where the consent of those stands whose consent has moved."""
        return {
            address.partition("@")[0]: state
            for address, state in self.rows("SELECT address, state FROM subscribers")
            if state != "active"
        }

    def rows(self, query: str, database: str = "subscribers/newsletter.db") -> list[tuple[str, ...]]:
        connection = sqlite3.connect(self.workplace.root / database)
        try:
            return connection.execute(query).fetchall()
        finally:
            connection.close()

    def process(self) -> subprocess.Popen[str]:
        """The command, in a process of its own."""
        given = {name: value for name, value in self.workplace.environment.items() if value is not None}
        return subprocess.Popen(
            [sys.executable, "-m", "newsletter", "--config", str(self.workplace.root), "inbox", "--json"],
            env={**os.environ, **given},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


@pytest.fixture
def desk(
    tmp_path: Path, request: pytest.FixtureRequest, dovecot: Dovecot, posted: tuple[Path, dict[str, Sent]]
) -> Desk:
    root, sent = posted
    shutil.copytree(root, tmp_path / "letters")
    environment: dict[str, str | None] = {
        "NEWSLETTER_INBOX_PASSWORD": PASSWORD,
        "SSL_CERT_FILE": str(dovecot.certificate),
    }
    made = Desk(
        Workplace(tmp_path / "letters", now="", environment=environment), dovecot, request.node.name.lower(), sent
    )
    made.settle_in()
    return made


def test_everything_that_comes_back(desk: Desk) -> None:
    sent = desk.sent
    desk.put(
        mails.reply(sent["reader0"].ref),
        sent["reader1"].leave(),
        sent["reader2"].dsn(),
        sent["reader3"].dsn("5.2.2", "smtp; 552 5.2.2 mailbox full"),
        mails.complaint(ref=sent["reader4"].ref, returned=sent["reader4"].whole),
        mails.away(sent["reader5"].ref),
        mails.dsn(ref=sent["reader6"].ref, action="delayed", status="4.4.1"),
        mails.qmail("Sorry, no mailbox here by that name. (#5.1.1)", ref=sent["reader7"].ref),
        mails.dsn(to="editor@example.org", returned="Subject: lunch\n\n"),
        mails.plain("please", subject="unsubscribe"),
    )
    expected = {"left": 1, "bounced": 2, "soft": 1, "complained": 1}
    aside = {"reply": 1, "away": 1, "note": 1, "nameless": 1, "unsigned": 1}
    before = desk.dovecot.subjects(desk.user)
    assert desk.poll("--dry-run") == expected | aside
    assert desk.states() == {}
    assert desk.dovecot.subjects(desk.user) == before
    assert desk.poll() == expected | aside
    states = {"reader1": "unsubscribed", "reader2": "bounced", "reader4": "complained", "reader7": "bounced"}
    assert desk.states() == states
    left = ["Re: Renew your goals", "Automatic reply: Renew your goals", "About your mail", "About your mail"]
    assert desk.dovecot.subjects(desk.user) == [*left, "unsubscribe"]  # and nobody's eyes were on them
    assert len(desk.dovecot.subjects(desk.user, "Newsletter.done")) == 5
    assert desk.poll() == {}
    assert desk.states() == states
    assert "5.1.1 no such address" in desk.workplace.done("explain", "reader2@example.org").stdout


def test_it_is_said_in_words(desk: Desk) -> None:
    desk.put(desk.sent["reader1"].leave(), mails.plain("", subject="unsubscribe"), mails.reply())
    said = desk.workplace.done("inbox")
    assert [line.split() for line in said.stdout.splitlines()[2:]] == [
        ["left", "1"],
        ["reply", "1"],
        ["asks", "to", "leave,", "and", "does", "not", "say", "who", "1"],
    ]
    assert "see to them by hand" in said.stderr
    assert desk.workplace.done("inbox").stderr == "Nothing new has come in.\n"


def test_a_tick_looks_into_it_first_and_not_again_at_once(desk: Desk) -> None:
    desk.put(desk.sent["reader1"].leave())
    assert desk.workplace.done("tick", "--json").data["heard"] == {"left": 1}
    assert desk.states() == {"reader1": "unsubscribed"}
    desk.put(desk.sent["reader2"].leave())
    assert desk.workplace.done("tick", "--json").data["heard"] == {}
    assert desk.poll() == {"left": 1}


def test_a_tick_without_the_password_says_so_and_goes_on(desk: Desk) -> None:
    desk.workplace.environment["NEWSLETTER_INBOX_PASSWORD"] = None
    ticked = desk.workplace.run("tick", "--json")
    assert ticked.data["problems"] == [
        "inbox: NEWSLETTER_INBOX_PASSWORD: is not set (the mailbox needs it; it is read from the environment only)"
    ]


def test_what_pretends_changes_nothing_and_stays(desk: Desk) -> None:
    real = desk.sent["reader1"].ref
    wrong = real[:-1] + ("a" if real[-1] != "a" else "b")
    forged = mails.dsn(ref=wrong, returned="To: reader1@example.org\nSubject: Renew your goals\n\n")
    desk.put(forged, mails.leave("A" * 22), mails.complaint(ref="99" + real[1:]), desk.sent["reader2"].dsn())
    assert desk.poll() == {"unknown": 3, "bounced": 1}
    assert desk.states() == {"reader2": "bounced"}
    assert len(desk.dovecot.subjects(desk.user)) == 3
    assert desk.poll() == {}


def test_new_numbers_for_old_mails_are_harmless(desk: Desk) -> None:
    desk.settle_in(folder="Lists/back", done="")
    come = [desk.sent["reader1"].leave(), desk.sent["reader2"].dsn(), desk.sent["reader3"].dsn("5.2.2"), mails.reply()]
    for expected in ({"left": 1, "bounced": 1, "soft": 1, "reply": 1}, {"known": 3, "reply": 1}):
        with desk.dovecot.client(desk.user) as client, suppress(client.error):
            client.delete("Lists.back")
        with desk.dovecot.client(desk.user) as client:
            client.create("Lists.back")
        desk.put(*come, folder="Lists.back")
        assert desk.poll() == expected
        assert desk.poll() == {}
    assert desk.states() == {"reader1": "unsubscribed", "reader2": "bounced"}
    seen = [subject for subject in desk.dovecot.subjects(desk.user, "Lists.back") if subject.startswith("*")]
    assert len(seen) == 3


def test_what_somebody_left_behind_before_is_not_read_again_in_another_folder(desk: Desk) -> None:
    desk.put(desk.sent["reader1"].dsn(), mails.reply())
    assert desk.poll() == {"bounced": 1, "reply": 1}
    with desk.dovecot.client(desk.user) as client:
        client.create("Other")
    desk.put(mails.reply(), folder="Other")
    desk.settle_in(folder="Other")
    assert desk.poll() == {"reply": 1}
    desk.settle_in()
    assert desk.poll() == {"reply": 1}  # one bookmark: looked at once more, and left alone once more


# Cut short


@contextmanager
def between(dovecot: Dovecot, when: Callable[[bytes], bool], then: Callable[[], object]) -> Iterator[int]:
    """The port of a line to the server; at what a client says *when*, it ends, unless *then* gives something."""

    def carry(one: socket.socket, other: socket.socket, *, watched: bool) -> None:
        with suppress(OSError):
            while data := one.recv(65536):
                if watched and when(data) and not then():
                    break
                other.sendall(data)
        for each in (one, other):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def serve() -> None:
        here, _ = listener.accept()
        with here, socket.create_connection(("127.0.0.1", dovecot.port)) as there:
            back = threading.Thread(target=carry, args=(there, here), kwargs={"watched": False}, daemon=True)
            back.start()
            carry(here, there, watched=True)
            back.join(5)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(10)


def test_killed_between_hearing_and_putting_away(desk: Desk) -> None:
    desk.put(desk.sent["reader1"].leave(), desk.sent["reader2"].dsn(), desk.sent["reader3"].dsn("5.2.2"), mails.reply())
    killed: list[subprocess.Popen[str]] = []
    with between(desk.dovecot, lambda said: b"MOVE" in said, lambda: killed[0].send_signal(signal.SIGKILL)) as port:
        desk.settle_in(port=port, security="none")
        killed.append(desk.process())
        with killed[0] as process:
            assert process.wait(30) == -signal.SIGKILL
    states = {"reader1": "unsubscribed", "reader2": "bounced"}
    assert desk.states() == states
    assert len(desk.dovecot.subjects(desk.user)) == 4
    desk.settle_in()
    assert desk.poll() == {"known": 3, "reply": 1}
    assert desk.states() == states
    assert desk.rows("SELECT count(*) FROM soft_bounces") == [(1,)]
    assert desk.rows("SELECT count(*) FROM consent_events WHERE how = 'inbox'") == [(2,)]
    assert desk.dovecot.subjects(desk.user) == ["Re: Renew your goals"]


def test_where_the_state_lives_in_git_it_is_saved_before_a_mail_moves(
    workplace: Workplace, dovecot: Dovecot, tmp_path: Path
) -> None:
    root = workplace.root
    workplace.done("init", str(root))
    for words in (("init", "-q", "--bare", "origin.git"), ("init", "-q", "letters")):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    subprocess.run(["git", "remote", "add", "origin", "../origin.git"], cwd=root, check=True)
    key = workplace.run("state", "key")
    (public,) = re.findall(r"age1\w+", key.stderr)
    settings = re.sub(r'(?m)^database = ".*"', 'database = "git+age"', (root / "newsletter.toml").read_text())
    (root / "newsletter.toml").write_text(f'{settings}\n[state]\nrecipients = ["{public}"]\n')
    workplace.environment |= {"NEWSLETTER_STATE_KEY": key.stdout.strip(), "NEWSLETTER_INBOX_PASSWORD": PASSWORD}
    workplace.done("state", "init")
    (root / "two.csv").write_text("email\nada@example.org\nzoe@example.org\n")
    workplace.done("subscribers", "import", str(root / "two.csv"), "--evidence", "invented for a test")
    workplace.done("state", "pull", str(root / "state.db"))
    desk = Desk(workplace, dovecot, "in_git", {})
    desk.put(mails.reply(), mails.leave(desk.rows("SELECT leave_token FROM subscribers", "state.db")[0][0]))
    found: list[object] = []

    def look() -> None:
        workplace.done("state", "pull", str(root / "meanwhile.db"))
        found.extend(desk.rows("SELECT state FROM subscribers ORDER BY state", "meanwhile.db"))

    with between(dovecot, lambda said: b"MOVE" in said, look) as port:
        desk.settle_in(port=port, security="none")
        with desk.process() as process:
            assert process.wait(60) == 1
    assert found == [("active",), ("unsubscribed",)]

    def meanwhile() -> bool:
        """Somebody else saves something."""
        shutil.copytree(root, tmp_path / "elsewhere", ignore=shutil.ignore_patterns("newsletter.db*"))
        other = Workplace(tmp_path / "elsewhere", environment=workplace.environment)
        other.done("subscribers", "add", "ida@example.org", "--evidence", "invented for a test")
        return True

    with between(dovecot, lambda said: b"MOVE" in said, meanwhile) as port:
        desk.settle_in(port=port, security="none")
        assert desk.poll() == {"known": 1, "reply": 1}
    workplace.done("state", "pull", str(root / "after.db"))
    assert desk.rows("SELECT count(*) FROM subscribers", "after.db") == [(3,)]
    assert len(desk.rows("SELECT position FROM bookmarks WHERE name = 'inbox'", "after.db")) == 1


def test_the_mailbox_goes_away_in_the_middle(desk: Desk) -> None:
    desk.put(*(mails.reply() for _ in range(AT_ONCE - 1)), desk.sent["reader1"].dsn(), desk.sent["reader2"].dsn())
    fetches: list[bytes] = []

    def second(said: bytes) -> bool:
        fetches.extend(re.findall(rb"BODY\.PEEK", said))
        return len(fetches) == 2

    with between(desk.dovecot, second, lambda: None) as port:
        desk.settle_in(port=port, security="none")
        said = desk.workplace.run("inbox")
    assert said.exit_code == 1
    assert f"localhost:{port}: the line broke" in said.stderr
    assert "newsletter inbox again" in said.stderr
    assert desk.states() == {"reader1": "bounced"}
    desk.settle_in()
    assert desk.poll()["bounced"] == 1
    assert desk.states() == {"reader1": "bounced", "reader2": "bounced"}


def test_a_mail_that_did_not_come_is_asked_for_again(desk: Desk) -> None:
    listed = b"* 1 FETCH (UID 4 FLAGS ())\r\n* 2 FETCH (UID 9 FLAGS ())\r\nTAG OK done\r\n"
    come = b'* %d FETCH (UID %d INTERNALDATE "23-Nov-2026 08:00:00 +0000" BODY[]<0> {4}\r\n\r\nhi)\r\n'
    port = 0
    for bodies, begin in ((come % (2, 9), b"1:*"), (come % (1, 4) + come % (2, 9), b"1:*"), (b"", b"10:*")):
        answers = (listed, bodies + b"TAG NO some are gone\r\n") if bodies else (b"TAG OK none\r\n",)
        with scripted(*let_in(*answers, b"TAG OK bye\r\n"), port=port) as script:
            port = script.port
            desk.settle_in(host="127.0.0.1", port=script.port, security="none")
            assert desk.poll().get("reply", 0) == bodies.count(b"FETCH")
        assert script.asked[4].split()[3] == begin
    with scripted(*let_in(b"TAG OK none\r\n", b"TAG OK bye\r\n"), port=port) as script:
        desk.settle_in(
            host="127.0.0.1", port=port, security="none", folder="Other"
        )  # whose numbers are of the same kind
        assert desk.poll() == {}
    assert script.asked[4].split()[3] == b"1:*"


def test_two_at_once(desk: Desk) -> None:
    desk.put(*(each.dsn() for each in desk.sent.values()), *(mails.reply() for _ in range(2 * AT_ONCE)))

    def run() -> tuple[int, str]:
        with desk.process() as process:
            said, _ = process.communicate(timeout=60)
            return process.returncode, said

    with ThreadPoolExecutor(2) as pool:
        ended = [future.result() for future in [pool.submit(run), pool.submit(run)]]
    assert [code for code, _ in ended] == [0, 0]
    assert set(desk.states().values()) == {"bounced"}
    assert len(desk.states()) == len(READERS)
    assert desk.rows("SELECT count(*) FROM consent_events WHERE how = 'inbox'") == [(len(READERS),)]
    assert len(desk.dovecot.subjects(desk.user)) == 2 * AT_ONCE
    assert desk.poll() == {}


# What is not as it should be


def test_a_mailbox_that_does_not_let_us_in(desk: Desk) -> None:
    desk.workplace.environment["NEWSLETTER_INBOX_PASSWORD"] = "something else"
    said = desk.workplace.run("inbox")
    assert (said.exit_code, said.stdout) == (2, "")
    assert "does not let us in" in said.stderr
    assert "NEWSLETTER_INBOX_PASSWORD" in said.stderr
    assert "something else" not in said.stderr
    desk.workplace.environment["NEWSLETTER_INBOX_PASSWORD"] = None
    assert "NEWSLETTER_INBOX_PASSWORD: is not set" in desk.workplace.run("inbox").stderr


def test_a_certificate_that_nobody_vouches_for(desk: Desk) -> None:
    desk.workplace.environment["SSL_CERT_FILE"] = None
    said = desk.workplace.run("inbox")
    assert said.exit_code == 2
    assert "its certificate does not hold: self-signed certificate" in said.stderr


def test_without_a_mailbox(workplace: Workplace) -> None:
    workplace.done("init", str(workplace.root))
    said = workplace.run("inbox")
    assert said.exit_code == 2
    assert "newsletter.toml [inbox]: there is no mailbox to read" in said.stderr
