"""The mailbox against a real Dovecot, and against servers that fail."""

from __future__ import annotations

import re
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from newsletter.errors import NewsletterError, SettingsError
from newsletter.sources.mailbox import FIRST_BYTES, Account, Mailbox
from tests.dovecot import PASSWORD, Dovecot
from tests.imap import CAPABLE, HELLO, Script, let_in, scripted
from tests.mails import plain

if TYPE_CHECKING:
    from collections.abc import Iterator

AT = datetime(2024, 11, 25, 9, 30, 15, tzinfo=UTC)
DEALT_WITH = "Newsletter/done"
needs_dovecot = pytest.mark.needs("dovecot")


@pytest.fixture(scope="module")
def dovecot() -> Iterator[Dovecot]:
    with Dovecot() as server:
        yield server


@pytest.fixture
def user(request: pytest.FixtureRequest) -> str:
    return re.sub(r"\W", "_", request.node.name)[:60].lower()


def account(server: Dovecot, user: str, **other: object) -> Account:
    usual = {"host": "localhost", "port": server.tls_port, "security": "tls", "username": user}
    return Account(**(usual | {"password": PASSWORD, "folder": "INBOX", "done": DEALT_WITH} | other))  # type: ignore[arg-type]


def opened(server: Dovecot, user: str, **other: object) -> Mailbox:
    return Mailbox(account(server, user, **other), context=server.context())


def some(count: int) -> list[bytes]:
    return [plain(f"mail {n}\n", subject=f"mail {n}") for n in range(count)]


@needs_dovecot
def test_mails_are_read_and_stay_unread(dovecot, user):
    dovecot.put(user, some(3), at=AT)
    with opened(dovecot, user) as mailbox:
        uids = mailbox.after(0)
        found = mailbox.fetch(uids)
        assert [each.raw for each in found] == some(3)
        assert {each.at for each in found} == {AT}
        assert mailbox.after(uids[0]) == uids[1:]
        assert mailbox.after(uids[-1]) == []
        assert mailbox.validity > 0
    assert dovecot.subjects(user) == ["mail 0", "mail 1", "mail 2"]


@needs_dovecot
def test_an_empty_folder_and_an_empty_mail(dovecot, user):
    with opened(dovecot, user) as mailbox:
        assert mailbox.after(0) == []
    dovecot.put(user, [b"\r\n"])
    with opened(dovecot, user) as mailbox:
        assert [each.raw for each in mailbox.fetch(mailbox.after(0))] in ([b"\r\n"], [b""])


@needs_dovecot
def test_of_a_huge_mail_only_the_beginning_is_fetched(dovecot, user):
    dovecot.put(user, [plain("x" * 70 + "\n") + b"y" * 20_000_000])
    with opened(dovecot, user) as mailbox:
        (found,) = mailbox.fetch(mailbox.after(0))
    assert len(found.raw) == FIRST_BYTES


@needs_dovecot
def test_any_bytes_come_as_they_are(dovecot, user):
    odd = [b"Subject: 1 (UID 7 {3}\r\n\r\n)\r\n* 9 FETCH (UID 3 BODY[]<0> {5}\r\n\xff\xfe\r\n", b"\r\n\r\nA1 OK\r\n"]
    dovecot.put(user, [*odd, *some(1)])
    with opened(dovecot, user) as mailbox:
        assert [each.raw for each in mailbox.fetch(mailbox.after(0))] == [*odd, *some(1)]


OFFERS = {
    "move": "",
    "uidplus": "imap_capability = IMAP4rev1 NAMESPACE UIDPLUS",
    "neither": "imap_capability = IMAP4rev1 NAMESPACE",
}


@needs_dovecot
@pytest.mark.parametrize("offers", OFFERS)
def test_what_is_dealt_with_moves_and_nothing_else_is_touched(offers):
    with Dovecot(more=OFFERS[offers]) as server:
        server.put("box", some(4))
        with server.client("box") as another:
            another.select()
            another.store("4", "+FLAGS", r"(\Deleted)")  # another program's, not for us to remove
        with opened(server, "box") as mailbox:
            assert mailbox.after(0) == [1, 2, 3]
            mailbox.put_away([1, 3])
            assert mailbox.after(0) == [2]
        assert server.subjects("box", "Newsletter.done") == ["mail 0", "mail 2"]
        left = [1, 3] if offers != "neither" else [0, 1, 2, 3]  # some marked as deleted
        assert server.subjects("box") == [f"mail {n}" for n in left]


@needs_dovecot
def test_without_a_place_for_them_they_are_marked_as_read(dovecot, user):
    dovecot.put(user, some(2))
    with opened(dovecot, user, done="") as mailbox:
        mailbox.put_away([1])
        assert mailbox.after(0) == [1, 2]
    assert dovecot.subjects(user) == ["*mail 0", "mail 1"]


@needs_dovecot
@pytest.mark.parametrize(("separator", "prefix"), [(".", ""), (".", "INBOX."), ("/", ""), ("/", "INBOX/")])
def test_folders_by_whatever_names(separator, prefix):
    with Dovecot(separator=separator, prefix=prefix) as server:
        server.put("box", some(2))
        with opened(server, "box", done='Rückläufer & "mehr"/erledigt') as mailbox:
            mailbox.put_away([2])
        with opened(server, "box", folder='Rückläufer & "mehr"/erledigt', done="") as mailbox:
            assert [each.raw for each in mailbox.fetch(mailbox.after(0))] == some(2)[1:]
        with server.client("box") as client:
            names = b" ".join(client.list()[1])  # type: ignore[arg-type]
        assert (prefix + f'R&APw-ckl&AOQ-ufer &- \\"mehr\\"{separator}erledigt').encode() in names


@needs_dovecot
def test_a_user_whose_name_is_odd(dovecot):
    dovecot.put("odd", some(1))
    with pytest.raises(SettingsError, match="does not let us in"):
        opened(dovecot, 'odd" "\r\nA1 LOGOUT')
    with opened(dovecot, "odd") as mailbox:
        assert mailbox.after(0) == [1]


@needs_dovecot
def test_who_only_looks_changes_nothing(dovecot, user):
    dovecot.put(user, some(1))
    with Mailbox(account(dovecot, user), look_only=True, context=dovecot.context()) as mailbox:
        assert len(mailbox.fetch(mailbox.after(0))) == 1
    assert dovecot.subjects(user) == ["mail 0"]


@needs_dovecot
def test_ten_thousand_mails(dovecot, user):
    dovecot.maildir(user, [b"Subject: mail %d\r\n\r\nx\r\n" % n for n in range(10_000)])
    with opened(dovecot, user) as mailbox:
        began = time.monotonic()
        uids = mailbox.after(0)
        assert len(uids) == 10_000
        assert len(mailbox.fetch(uids[5000:5025])) == 25
        assert mailbox.after(uids[-2]) == uids[-1:]
        assert time.monotonic() - began < 10


@needs_dovecot
def test_two_at_once_take_nothing_twice_and_lose_nothing(dovecot, user):
    dovecot.put(user, some(60))

    def clear() -> int:
        count = 0
        with opened(dovecot, user) as mailbox:
            uids = mailbox.after(0)
            for start in range(0, len(uids), 5):
                found = mailbox.fetch(uids[start : start + 5])
                count += len(found)
                if found:
                    mailbox.put_away([each.uid for each in found])
        return count

    with ThreadPoolExecutor(3) as pool:
        counts = [future.result() for future in [pool.submit(clear) for _ in range(3)]]
    assert sum(counts) >= 60
    assert dovecot.subjects(user) == []
    assert sorted(set(dovecot.subjects(user, "Newsletter.done"))) == sorted(f"mail {n}" for n in range(60))


@needs_dovecot
def test_what_somebody_else_took_away_meanwhile_is_not_missed(dovecot, user):
    dovecot.put(user, some(3))
    with opened(dovecot, user) as mailbox:
        uids = mailbox.after(0)
        with dovecot.client(user) as another:
            another.select()
            another.store("2", "+FLAGS", r"(\Deleted)")
            another.expunge()
        assert {each.uid for each in mailbox.fetch(uids)} >= {1, 3}
        mailbox.put_away(uids)
        assert mailbox.after(0) == []


# What goes wrong, and what is said about it


def refused(kind: type[NewsletterError], mailbox: Account, **more: object) -> str:
    with pytest.raises(kind) as caught:
        Mailbox(mailbox, **more)  # type: ignore[arg-type]
    assert type(caught.value) is kind
    assert caught.value.at
    assert caught.value.hint
    assert f"{mailbox.username}@" not in f"{caught.value} {caught.value.hint}"
    return str(caught.value)


@needs_dovecot
def test_a_wrong_password(dovecot, user):
    wrong = account(dovecot, user, password="not-the-passwörd")
    with pytest.raises(SettingsError, match="does not let us in") as caught:
        Mailbox(wrong, context=dovecot.context())
    assert "NEWSLETTER_INBOX_PASSWORD" in caught.value.hint
    assert "not-the" not in f"{caught.value} {caught.value.hint} {caught.value.__context__}"


@needs_dovecot
def test_a_certificate_that_nobody_vouches_for(dovecot, user):
    assert "certificate does not hold: self-signed" in refused(SettingsError, account(dovecot, user))


@needs_dovecot
def test_a_certificate_for_another_name(dovecot, user):
    elsewhere = account(dovecot, user, host="127.0.0.2")
    with socket.create_server(("127.0.0.2", 0)) as listener:  # passes everything on
        port = listener.getsockname()[1]
        threading.Thread(target=relay, args=(listener, dovecot.tls_port), daemon=True).start()
        elsewhere = account(dovecot, user, host="127.0.0.2", port=port)
        assert "certificate does not hold" in refused(SettingsError, elsewhere, context=dovecot.context())


def relay(listener: socket.socket, port: int) -> None:
    here, _ = listener.accept()
    with here, socket.create_connection(("127.0.0.1", port)) as there:
        back = threading.Thread(target=pump, args=(there, here), daemon=True)
        back.start()
        pump(here, there)
        back.join(5)


def pump(one: socket.socket, other: socket.socket) -> None:
    try:
        while data := one.recv(65536):
            other.sendall(data)
        other.shutdown(socket.SHUT_WR)
    except OSError:
        pass


@needs_dovecot
def test_a_folder_that_is_not_there(dovecot, user):
    missing = account(dovecot, user, folder="Nowhere")
    assert "there is no folder 'Nowhere'" in refused(SettingsError, missing, context=dovecot.context())


@needs_dovecot
def test_tls_where_none_is_spoken(dovecot, user):
    assert "cannot be reached" in refused(NewsletterError, account(dovecot, user, port=dovecot.port))


@needs_dovecot
def test_without_tls_on_this_machine_alone(dovecot, user):
    with Mailbox(account(dovecot, user, port=dovecot.port, security="none")) as mailbox:
        assert mailbox.after(0) == []
    assert "unprotected" in refused(SettingsError, account(dovecot, user, host="imap.example.org", security="none"))


@needs_dovecot
def test_a_server_that_goes_away_in_the_middle():
    with Dovecot() as server:
        server.put("box", some(2))
        with opened(server, "box") as mailbox:
            assert mailbox.after(0) == [1, 2]
            server.stop()
            with pytest.raises(NewsletterError, match=r"^localhost:\d+: the line broke") as caught:
                mailbox.fetch([1, 2])
        assert "run newsletter inbox again" in caught.value.hint
        assert "at mails 1 to 2" in str(caught.value)
        assert "cannot be reached" in refused(NewsletterError, account(server, "box"), context=server.context())


def at(script: Script) -> Account:
    usual = {"host": "127.0.0.1", "port": script.port, "security": "none", "username": "somebody"}
    return Account(**usual, password=PASSWORD, folder="INBOX", done="")  # type: ignore[arg-type]


REJECTED = b"TAG NO [%s] someone@example.com has no luck\r\n"


def test_a_server_that_says_nothing():
    with scripted() as silent:
        assert "no answer in time" in refused(NewsletterError, at(silent), patience_s=0.2)


def test_a_server_that_is_busy_or_knows_no_passwords():
    with scripted(HELLO, CAPABLE, b"+ \r\n", b"") as silent:
        assert "no answer in time" in refused(NewsletterError, at(silent), patience_s=0.2)
    with scripted(HELLO, b"* CAPABILITY IMAP4rev1\r\nTAG OK done\r\n") as unable:
        assert "no way to sign in" in refused(SettingsError, at(unable))


def test_a_server_that_cannot_let_us_in_just_now():
    with scripted(HELLO, CAPABLE, REJECTED % b"UNAVAILABLE") as busy:
        assert "just now (UNAVAILABLE)" in refused(NewsletterError, at(busy), patience_s=1)
    with scripted(b"* BYE gone\r\n") as closed:
        assert "cannot be reached" in refused(NewsletterError, at(closed), patience_s=1)


def test_answers_that_are_too_long_or_make_no_sense():
    with (
        scripted(*let_in(b"* 1 FETCH (UID 1 BODY[]<0> {999999999}\r\n")) as endless,
        Mailbox(at(endless), patience_s=1) as mailbox,
    ):
        assert mailbox.validity == 7
        with pytest.raises(NewsletterError, match="the line broke"):
            mailbox.fetch([1])
    with (
        scripted(*let_in(b"* 1 FETCH (FLAGS ())\r\n* 2 FETCH (UID 9\r\nTAG OK done\r\n")) as odd,
        Mailbox(at(odd), patience_s=1) as mailbox,
    ):
        assert mailbox.fetch([1]) == []


def test_a_server_that_says_no():
    refusals = let_in(REJECTED % b"NOPERM", REJECTED % b"OVERQUOTA", b"TAG BAD what?\r\n")
    with scripted(*refusals) as closed, Mailbox(at(closed), patience_s=1) as mailbox:
        with pytest.raises(NewsletterError, match=r"refuses FETCH \(NOPERM\)$"):
            mailbox.fetch([1])
        with pytest.raises(NewsletterError, match=r"refuses STORE \(OVERQUOTA\)$"):
            mailbox.put_away([1])
        with pytest.raises(NewsletterError, match="hung up, or speaks no IMAP"):
            mailbox.after(0)


def test_an_account_shows_no_secret():
    shown = repr(Account(host="h", port=1, security="tls", username="me", password=PASSWORD, folder="f", done="d"))
    assert PASSWORD not in shown
    assert "me'" not in shown
