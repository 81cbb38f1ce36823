"""SMTP: every nasty thing a server can do, and who got what in the end."""

from __future__ import annotations

import html
import itertools
import re
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from newsletter.delivery.message import Batch
from newsletter.delivery.outcome import Receipt, Status
from newsletter.errors import NewsletterError, ProviderBusy, ProviderRefused
from newsletter.pieces import one_line
from newsletter.providers.replies import Meaning, Reply, Step, meaning_of
from newsletter.providers.smtp import Smtp
from newsletter.providers.smtp_delivery import BREAKS, LATE_SUSPECTS
from tests.cloud.smtp import DROP, DROP_AFTER_DOT, DROP_BEFORE_DOT, EXTENSIONS, Script, Server, once
from tests.contract.providers.clouds import never
from tests.contract.providers.contract import kept
from tests.contract.providers.letters import NAMES, batch_of, crowd, reader

PLAIN = tuple(each for each in EXTENSIONS if each != "PIPELINING")
BOTH = pytest.mark.parametrize("extensions", [EXTENSIONS, PLAIN], ids=["pipelining", "one at a time"])


@contextmanager
def smtp(script: Script, *, stop: Callable[[], bool] = never, **settings: object) -> Iterator[tuple[Smtp, Server]]:
    """A provider and its server."""
    with Server(script) as server:
        options = {"host": "127.0.0.1", "port": server.port, "security": "none", "connections": 3, **settings}
        provider = Smtp(stop=stop, **options)  # type: ignore[arg-type]
        try:
            yield provider, server
        finally:
            provider.close()


def outcome(provider: Smtp, batch: Batch) -> tuple[dict[int, Receipt], NewsletterError | None]:
    """All receipts, and what was raised after them."""
    found: dict[int, Receipt] = {}
    try:
        for receipt in provider.send(batch):
            if receipt is not None:
                assert receipt.seq not in found
                found[receipt.seq] = receipt
    except NewsletterError as err:
        return found, err
    return found, None


def truthful(receipts: dict[int, Receipt], server: Server, batch: Batch) -> None:
    """Assert that receipts say what happened: nobody twice, and nobody has it who is said not to."""
    got = Counter(mail.to for mail in server.mails)
    assert not [to for to, count in got.items() if count > 1]
    for row in batch.rows:
        status = receipts[row.seq].status if row.seq in receipts else None
        if status is Status.ACCEPTED:
            assert got[row.address] == 1
        elif status is not Status.UNKNOWN:
            assert got[row.address] == 0, status


@BOTH
@pytest.mark.parametrize("form", [{}, {"split": True}, {"multiline": True}], ids=["plain", "in pieces", "many lines"])
def test_everyone_gets_one_and_a_receipt(extensions: tuple[str, ...], form: dict[str, bool]) -> None:
    batch = crowd(60)
    with smtp(Script(extensions=extensions, **form)) as (provider, server):  # type: ignore[arg-type]
        receipts, raised = outcome(provider, batch)
        assert raised is None
        assert {each.status for each in receipts.values()} == {Status.ACCEPTED}
        assert {each.provider_id for each in receipts.values()} >= {"250 2.0.0 queued as 4ABC"} or form
        assert len(receipts) == len(server.mails) == 60
        truthful(receipts, server, batch)
        assert server.connections == 3


@BOTH
def test_what_arrives_is_the_message_to_the_byte(extensions: tuple[str, ...]) -> None:
    batch = batch_of(*(reader(number, name=name) for number, name in enumerate([*NAMES, ".", "..dots"], start=1)))
    with smtp(Script(extensions=extensions)) as (provider, server):
        kept(provider.send(batch))
        got = {mail.to: mail for mail in server.mails}
        for row in batch.rows:
            assert got[row.address].data == batch.message(row)
            body = got[row.address].parsed.get_body(("html",))
            assert body is not None
            page = " ".join(html.unescape(body.get_content()).split())
            assert f"Dear {' '.join((one_line(row.name) or 'friend').split())} of City {row.seq} <&>," in page


def test_a_message_costs_one_round_trip() -> None:
    with smtp(Script(delay_s=0.02), connections=1) as (provider, _):
        kept(provider.send(crowd(5)))  # connected
        started = time.monotonic()
        kept(provider.send(crowd(25)))
        assert time.monotonic() - started < 25 * 0.02 * 1.6 + 0.2


def test_connections_are_kept_and_renewed_when_they_are_worn_out() -> None:
    with smtp(Script(), connections=1, messages_per_connection=10) as (provider, server):
        for _ in range(2):
            assert len(kept(provider.send(crowd(25)))) == 25
        assert server.connections == 5  # 10, 10, 5 + 5, 10, 10


def test_a_connection_that_the_server_closed_meanwhile_loses_nobody() -> None:
    script = Script()
    with smtp(script, connections=1) as (provider, server):
        kept(provider.send(crowd(1)))
        for line in provider._lines.lines:
            line.sock.shutdown(2)
        batch = batch_of(reader(11), reader(12))
        assert {each.status for each in kept(provider.send(batch)).values()} == {Status.ACCEPTED}
        assert len(server.mails) == 3


def test_a_server_that_closed_all_idle_connections_is_not_taken_for_one_that_breaks_them() -> None:
    with smtp(Script(), connections=BREAKS) as (provider, _):
        assert len(kept(provider.send(crowd(60)))) == 60
        for line in provider._lines.lines:
            line.sock.shutdown(2)
        assert {each.status for each in kept(provider.send(crowd(60))).values()} == {Status.ACCEPTED}


@pytest.mark.parametrize("most", [1, 3])
def test_a_server_that_lets_us_have_fewer_connections_gets_everything_over_those(most: int) -> None:
    script = Script(most=most, delay_s=0.002)
    with smtp(script, connections=4) as (provider, server):
        receipts, raised = outcome(provider, crowd(60))
        assert raised is None
        assert Counter(each.status for each in receipts.values()) == {Status.ACCEPTED: 60}
        assert server.connections == 4  # and it was not asked for the others over and over


@contextmanager
def no_greeting() -> Iterator[dict[str, object]]:
    """A server that lets everybody in and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        yield {"host": "127.0.0.1", "port": silent.getsockname()[1], "security": "none"}


def test_asked_to_stop_it_does_not_wait_for_a_server_that_never_greets() -> None:
    with no_greeting() as silent:
        started = time.monotonic()
        provider = Smtp(stop=lambda: time.monotonic() > started + 0.5, **silent)  # type: ignore[arg-type]
        receipts, raised = outcome(provider, crowd(5))
        provider.close()
        assert raised is None
        assert {each.status for each in receipts.values()} == {Status.PLANNED}
        assert time.monotonic() - started < 2


def test_while_a_connection_is_opened_there_are_signs_of_life(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("newsletter.providers.smtp_delivery.LIFE_EVERY_S", 0.3)
    with no_greeting() as silent:
        started = time.monotonic()
        provider = Smtp(stop=lambda: time.monotonic() > started + 1.5, **silent)  # type: ignore[arg-type]
        assert list(provider.send(crowd(2))).count(None) >= 3
        provider.close()


def test_taking_leave_of_a_server_that_fell_silent_takes_no_time() -> None:
    with smtp(Script(), connections=4) as (provider, server):
        assert len(kept(provider.send(crowd(80)))) == 80
        server.script.delay_s = 5
        started = time.monotonic()
        provider.close()
        assert time.monotonic() - started < 1


@pytest.mark.parametrize("step", ["RCPT", "DATA", "DOT"])
def test_one_recipient_at_whom_the_server_always_hangs_up_stands_in_nobodys_way(step: str) -> None:
    script = Script(replies=lambda at, to: "421 4.3.2 closing" if (at, to) == (step, "reader3@example.org") else "")
    batch = crowd(12)
    with smtp(script, connections=1) as (provider, server):
        receipts, raised = outcome(provider, batch)
        assert raised is None
        assert receipts[3].status is Status.DEFERRED
        assert Counter(each.status for each in receipts.values())[Status.ACCEPTED] == 11
        truthful(receipts, server, batch)


def test_a_machine_that_slept_hands_over_nothing_more_of_a_batch_it_may_have_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slept = [0.0]
    monkeypatch.setattr("newsletter.providers.smtp_delivery.elapsed", lambda: time.monotonic() + slept[0])

    def sleepy(step: str, to: str) -> str:
        if (step, to) == ("DOT", "reader3@example.org"):
            slept[0] = 3600
        return ""

    batch = crowd(12)
    with smtp(Script(replies=sleepy), connections=1) as (provider, server):
        receipts, raised = outcome(provider, batch)
        assert raised is None
        assert len(server.mails) == 3
        assert {seq for seq, each in receipts.items() if each.status is Status.PLANNED} == set(range(4, 13))
        truthful(receipts, server, batch)


def test_a_letter_that_is_refused_from_somewhere_on_is_not_taken_for_readers_who_do_not_want_it() -> None:
    taken = itertools.count()
    script = Script(replies=lambda step, _to: "554 5.7.1 blocked" if step == "DOT" and next(taken) >= 5 else "")
    batch = crowd(40)
    with smtp(script, connections=1) as (provider, server):
        receipts, raised = outcome(provider, batch)
        assert isinstance(raised, ProviderRefused)
        count = Counter(each.status for each in receipts.values())
        assert count == {Status.ACCEPTED: 5, Status.PLANNED: 35}
        assert len([each for each in receipts.values() if "blocked" in each.reason]) >= LATE_SUSPECTS
        truthful(receipts, server, batch)


@BOTH
@pytest.mark.parametrize(
    ("step", "reply", "status"),
    [
        ("RCPT", "550 5.1.1 no such user reader3@example.org", Status.REFUSED),
        ("RCPT", "450 4.2.1 busy", Status.DEFERRED),
        ("RCPT", "552 5.2.2 full", Status.DEFERRED),
        ("DOT", "550 5.1.1 no such user", Status.REFUSED),
        ("DOT", "451 4.3.0 try later", Status.DEFERRED),
        ("DOT", "554 5.7.1 looks like spam", Status.REFUSED),
        ("DOT", DROP_AFTER_DOT, Status.UNKNOWN),
    ],
)
def test_what_happens_to_one_happens_to_nobody_else(
    extensions: tuple[str, ...], step: str, reply: str, status: Status
) -> None:
    script = Script(extensions=extensions, replies=once({(step, "reader3@example.org"): reply}))
    batch = crowd(12)
    with smtp(script, connections=2) as (provider, server):
        receipts, raised = outcome(provider, batch)
        assert raised is None
        assert receipts[3].status is status
        assert {seq for seq, each in receipts.items() if each.status is Status.ACCEPTED} == set(range(1, 13)) - {3}
        truthful(receipts, server, batch)
        assert "@" not in receipts[3].reason


@BOTH
@pytest.mark.parametrize(
    ("step", "reply"), [("MAIL", "354 go on"), ("RCPT", "354 go on"), ("DATA", "250 2.0.0 ok"), ("DOT", "354 go on")]
)
def test_an_answer_to_another_question_is_never_taken_for_a_yes(
    extensions: tuple[str, ...], step: str, reply: str
) -> None:
    """As when a server, or something between, says a line too much: from there on nobody knows what is about what."""
    key = (step, "" if step == "MAIL" else "reader3@example.org")
    script = Script(extensions=extensions, replies=once({key: reply}))
    batch = crowd(6)
    with smtp(script, connections=1) as (provider, server):
        receipts, raised = outcome(provider, batch)
        assert raised is None
        truthful(receipts, server, batch)
        assert receipts[3].status is (Status.UNKNOWN if step == "DOT" else Status.ACCEPTED)


@BOTH
@pytest.mark.parametrize("step", ["MAIL", "RCPT", "DATA", "BODY"])
def test_a_line_that_breaks_before_the_dot_loses_nobody(extensions: tuple[str, ...], step: str) -> None:
    drop = DROP_BEFORE_DOT if step == "BODY" else DROP
    key = (step, "" if step == "MAIL" else "reader3@example.org")
    script = Script(extensions=extensions, replies=once({key: drop}))
    batch = crowd(12)
    with smtp(script, connections=1) as (provider, server):
        receipts, raised = outcome(provider, batch)
        assert raised is None
        truthful(receipts, server, batch)
        # Nobody can tell how much of a message arrived, nor whether the line took the answer to the one before along.
        before = {2} if extensions is EXTENSIONS and step in ("RCPT", "DATA") else set()
        doubtful = {3} if step == "BODY" else before
        assert {seq for seq, each in receipts.items() if each.status is not Status.ACCEPTED} <= doubtful


@BOTH
def test_a_refused_recipient_and_a_354_all_the_same(extensions: tuple[str, ...]) -> None:
    """A server that takes DATA for nobody gets an empty message, and the next one is whole."""
    answers = {("RCPT", "reader2@example.org"): "550 5.1.1 no", ("DATA", "reader2@example.org"): "354 go on"}
    script = Script(extensions=extensions, replies=once(answers))
    batch = crowd(5)
    with smtp(script, connections=1) as (provider, server):
        receipts, raised = outcome(provider, batch)
        assert raised is None
        assert receipts[2].status is Status.REFUSED
        assert [mail.to for mail in server.mails] == [f"reader{n}@example.org" for n in (1, 3, 4, 5)]
        assert all(len(mail.data) > 5000 for mail in server.mails)


@BOTH
@pytest.mark.parametrize("step", ["MAIL", "RCPT", "DATA"])
def test_a_server_that_closes_says_so_and_the_rest_goes_on_elsewhere(extensions: tuple[str, ...], step: str) -> None:
    key = (step, "" if step == "MAIL" else "reader3@example.org")
    script = Script(extensions=extensions, replies=once({key: "421 4.3.2 closing"}))
    batch = crowd(9)
    with smtp(script, connections=1) as (provider, server):
        receipts, raised = outcome(provider, batch)
        assert raised is None
        assert {each.status for each in receipts.values()} == {Status.ACCEPTED}
        truthful(receipts, server, batch)
        assert server.connections == 2


def test_a_server_that_closes_after_every_message_is_left_alone() -> None:
    script = Script(replies=lambda step, _to: DROP_AFTER_DOT if step == "DOT" else "")
    batch = crowd(30)
    with smtp(script, connections=1) as (provider, server):
        receipts, raised = outcome(provider, batch)
        assert isinstance(raised, ProviderBusy)
        assert Counter(each.status for each in receipts.values()) == {
            Status.UNKNOWN: BREAKS,
            Status.PLANNED: 30 - BREAKS,
        }
        truthful(receipts, server, batch)


@pytest.mark.parametrize(
    ("step", "reply", "raised"),
    [
        ("MAIL", "550 5.7.1 sender not allowed", ProviderRefused),
        ("MAIL", "530 5.7.0 authentication required", ProviderRefused),
        ("MAIL", "451 4.7.0 wait", ProviderBusy),
        ("RCPT", "454 Throttling failure: Maximum sending rate exceeded.", ProviderBusy),
        ("DOT", "452 4.3.1 no space", ProviderBusy),
        ("DOT", "554 5.7.1 policy", ProviderRefused),
        ("DOT", "552 5.3.4 too large", ProviderRefused),
    ],
)
@BOTH
def test_what_concerns_everybody_ends_the_batch_and_nothing_more_leaves(
    extensions: tuple[str, ...], step: str, reply: str, raised: type[NewsletterError]
) -> None:
    script = Script(extensions=extensions, replies=lambda at, _to: reply if at == step else "")
    batch = crowd(40)
    with smtp(script) as (provider, server):
        receipts, error = outcome(provider, batch)
        assert type(error) is raised
        assert error.hint
        assert {each.status for each in receipts.values()} <= {Status.PLANNED}
        assert server.mails == []


@pytest.mark.parametrize(
    ("greeting", "raised"), [("421 4.3.2 too busy", ProviderBusy), ("554 5.7.1 not you", ProviderBusy)]
)
def test_a_server_that_does_not_greet_us_is_busy(greeting: str, raised: type[NewsletterError]) -> None:
    with smtp(Script(greeting=greeting)) as (provider, _):
        receipts, error = outcome(provider, crowd(5))
        assert type(error) is raised
        assert {each.status for each in receipts.values()} == {Status.PLANNED}


def test_a_server_that_is_not_there_is_busy() -> None:
    with smtp(Script()) as (provider, server):
        server.__exit__()
        _, error = outcome(provider, crowd(5))
        assert isinstance(error, ProviderBusy)


def test_asked_to_stop_it_ends_soon_and_tells_what_is_in_doubt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("newsletter.providers.smtp_delivery.STOP_S", 0.5)
    taken: list[str] = []

    def silent(step: str, to: str) -> str:
        if step == "DOT":
            taken.append(to)
            if len(taken) > 10:
                time.sleep(3)
        return ""

    batch = crowd(40)
    with smtp(Script(replies=silent), stop=lambda: len(taken) > 10) as (provider, server):
        started = time.monotonic()
        receipts, error = outcome(provider, batch)
        assert time.monotonic() - started < 2.5
        assert error is None
        assert set(receipts) == set(range(1, 41))
        count = Counter(each.status for each in receipts.values())
        assert count[Status.ACCEPTED] >= 8
        assert 1 <= count[Status.UNKNOWN] <= 3
        assert count[Status.PLANNED] >= 25
        time.sleep(3)  # what was in doubt arrives now
        truthful(receipts, server, batch)


def test_a_silent_server_gets_signs_of_life_made_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("newsletter.providers.smtp_delivery.LIFE_EVERY_S", 0.3)
    script = Script(replies=lambda step, _to: time.sleep(1.2) or "" if step == "DOT" else "")
    with smtp(script) as (provider, _):
        assert list(provider.send(crowd(1))).count(None) >= 3


def test_a_server_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("newsletter.providers.pipeline", fromlist=["x"]).TIMEOUTS_S, Step.DOT, 0.5)
    script = Script(replies=lambda step, _to: time.sleep(2) or "" if step == "DOT" else "")
    with smtp(script, connections=1) as (provider, _):
        receipts, _ = outcome(provider, crowd(1))
        assert receipts[1].status is Status.UNKNOWN
        assert "no answer to the message in time" in receipts[1].reason


def test_what_the_server_offers_is_used_and_what_it_does_not_is_not() -> None:
    script, bare = Script(), Script(extensions=("PIPELINING",))
    people = [reader(1), reader(2, address="zoe+tea=milk@example.org")]
    with smtp(script, bounces="bounces@letters.example.org", connections=1) as (provider, server):
        batch = batch_of(*people)
        assert {each.status for each in kept(provider.send(batch)).values()} == {Status.ACCEPTED}
        first, second = server.mails
        assert f"MAIL FROM:<bounces+{batch.rows[0].ref}@letters.example.org>" in first.mail
        assert f"RET=HDRS ENVID={batch.rows[0].ref}" in first.mail
        assert re.search(r" SIZE=\d{4,}", first.mail)
        assert first.rcpt == "RCPT TO:<reader1@example.org> NOTIFY=FAILURE,DELAY ORCPT=rfc822;reader1@example.org"
        assert second.rcpt.endswith("rfc822;zoe+2Btea+3Dmilk@example.org")
    with smtp(bare, connections=1) as (provider, server):
        kept(provider.send(batch_of(*people)))
        assert [mail.mail for mail in server.mails] == ["MAIL FROM:<letter@letters.example.org>"] * 2
        assert server.mails[0].rcpt == "RCPT TO:<reader1@example.org>"


def test_a_message_that_is_too_long_for_the_server_is_not_begun() -> None:
    with smtp(Script(extensions=("PIPELINING", "SIZE 100"))) as (provider, server):
        receipts = kept(provider.send(crowd(2)))
        assert {each.status for each in receipts.values()} == {Status.REFUSED}
        assert "100 octets" in receipts[1].reason
        assert not [command for command in server.script.commands if command.startswith("MAIL")]


@pytest.mark.parametrize("address", ["x@example.org>\r\nRCPT TO:<y@example.org", "zoë@example.org", "a b@example.org"])
def test_an_address_that_cannot_stand_in_a_command_goes_nowhere(address: str) -> None:
    batch = crowd(2)
    evil = replace(batch.rows[0], address=address)
    with smtp(Script()) as (provider, server):
        receipts = kept(provider.send(replace(batch, rows=(evil, batch.rows[1]))))
        assert [receipts[seq].status for seq in (1, 2)] == [Status.REFUSED, Status.ACCEPTED]
        assert [mail.to for mail in server.mails] == ["reader2@example.org"]


def test_mail_never_travels_unprotected_beyond_this_machine() -> None:
    with pytest.raises(ProviderRefused, match="unprotected"):
        Smtp(host="mail.example.org", port=25, security="none", stop=never)


def test_it_can_be_examined() -> None:
    with smtp(Script()) as (provider, _):
        looks = list(provider.examine())
        assert all(look.ok for look in looks)
        assert "offers pipelining, size, dsn" in looks[0].detail


@pytest.mark.parametrize(
    ("step", "reply", "meaning"),
    [
        (Step.RCPT, "550 5.1.1 unknown", Meaning.REFUSED),
        (Step.RCPT, "551 5.1.6 moved", Meaning.REFUSED),
        (Step.RCPT, "553 5.1.3 bad address", Meaning.REFUSED),
        (Step.RCPT, "550 5.2.1 disabled", Meaning.REFUSED),
        (Step.RCPT, "552 5.2.2 over quota", Meaning.DEFERRED),
        (Step.RCPT, "550 no such user here", Meaning.REFUSED),
        (Step.RCPT, "554 5.7.1 relaying denied", Meaning.REFUSED),
        (Step.RCPT, "450 4.1.1 greylisted", Meaning.DEFERRED),
        (Step.RCPT, "451 local error", Meaning.DEFERRED),
        (Step.RCPT, "452 4.5.3 too many recipients", Meaning.DEFERRED),
        (Step.RCPT, "452 4.3.1 mail system full", Meaning.BUSY),
        (Step.RCPT, "452 insufficient system storage", Meaning.BUSY),
        (Step.RCPT, "454 4.7.0 rate limit", Meaning.BUSY),
        (Step.RCPT, "454 Throttling failure: Daily message quota exceeded.", Meaning.BUSY),
        (Step.RCPT, "421 4.7.0 closing", Meaning.CLOSING),
        (Step.MAIL, "550 5.1.8 bad sender domain", Meaning.SETUP),
        (Step.MAIL, "530 5.7.0 sign in first", Meaning.SETUP),
        (Step.MAIL, "535 5.7.8 bad credentials", Meaning.SETUP),
        (Step.MAIL, "555 parameters not recognised", Meaning.SETUP),
        (Step.RCPT, "550 5.1.8 sender's domain", Meaning.SETUP),
        (Step.DATA, "451 4.3.0 try later", Meaning.BUSY),
        (Step.DATA, "554 5.5.1 no valid recipients", Meaning.CONTENT),
        (Step.DOT, "550 5.1.1 unknown", Meaning.REFUSED),
        (Step.DOT, "552 5.3.4 too big", Meaning.CONTENT),
        (Step.DOT, "554 5.6.0 malformed", Meaning.CONTENT),
        (Step.DOT, "550 5.7.26 unauthenticated", Meaning.CONTENT),
        (Step.DOT, "554 transaction failed", Meaning.CONTENT),
        (Step.DOT, "451 4.7.1 greylisted", Meaning.DEFERRED),
    ],
)
def test_replies_mean_what_the_standards_say(step: Step, reply: str, meaning: Meaning) -> None:
    assert meaning_of(step, Reply(int(reply[:3]), reply[4:])) is meaning
