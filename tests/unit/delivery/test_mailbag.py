"""What mails say about readers; and that none says anything without a name that only our own letters hold."""

from __future__ import annotations

import base64
import re
import time
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from newsletter.delivery.bounce_causes import CAUSES, cause_of
from newsletter.delivery.mailbag import Aside, read_mail
from newsletter.delivery.news import Kind, News
from tests import mails
from tests.mails import REF, TOKEN, dsn, plain, report

AT = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
OTHER = "7-" + "zyxwvuts" * 4


def read(mail: bytes) -> News | Aside:
    return read_mail(mail, at=AT)


def news(mail: bytes) -> News:
    found = read(mail)
    assert isinstance(found, News), found
    return found


def told(mail: bytes) -> tuple[Kind, str, str]:
    found = news(mail)
    return found.kind, found.ref, found.token


# Leaving


@pytest.mark.parametrize(
    "subject",
    [
        f"leave {TOKEN}",
        f"Re: leave {TOKEN}",
        f"AW: [EXTERN] Leave  {TOKEN} ",
        f"leave+{TOKEN}",
        f"leave%20{TOKEN}",
        f"leave\n {TOKEN}",
        f"=?utf-8?q?leave_{TOKEN.replace('_', '=5F')}?=",
        f"=?utf-8?b?{base64.b64encode(f'leave {TOKEN}'.encode()).decode()}?=",
    ],
)
def test_who_leaves_is_named_by_the_subject(subject):
    raw = b"From: a@example.com\r\nSubject: " + subject.replace("\n", "\r\n").encode() + b"\r\n\r\n\r\n"
    assert told(raw) == (Kind.LEFT, "", TOKEN)


def test_who_leaves_may_be_named_in_the_first_line_or_the_address():
    assert told(plain(f"\nleave {TOKEN}\n\nsent from a phone\n", subject="")) == (Kind.LEFT, "", TOKEN)
    assert told(plain("", subject="unsubscribe", to=f"leave+{TOKEN}@letters.example.org")) == (Kind.LEFT, "", TOKEN)
    page = f'<html><body dir="auto"><div>leave {TOKEN}</div><div>sent from a phone</div></body></html>'
    html = plain(page, subject="").replace(b"text/plain", b"text/html")
    assert told(html) == (Kind.LEFT, "", TOKEN)


def test_a_reply_that_quotes_the_link_for_leaving_is_a_reply():
    assert read(mails.reply()) is Aside.REPLY
    assert read(plain(f"> leave {TOKEN}\n", subject="Re: Renew your goals")) is Aside.REPLY
    assert read(plain("hm", subject=f"leave {TOKEN}? I think not")) is Aside.REPLY
    assert read(plain("hm", subject=f"leave {TOKEN}x")) is Aside.REPLY


def test_whoever_asks_to_leave_without_a_token_is_told_apart():
    assert read(plain("please", subject="Re: unsubscribe")) is Aside.UNSIGNED
    assert read(plain("", subject="leave")) is Aside.UNSIGNED


# Bounces


def test_a_report_names_the_delivery_by_the_address_it_was_sent_to():
    assert news(dsn(returned="Subject: nothing of ours\n\n")) == News(
        kind=Kind.HARD, at=AT, how="inbox", reason="5.1.1 no such address", ref=REF
    )


@pytest.mark.parametrize("field", ["Delivered-To", "X-Original-To", "Envelope-To"])
def test_the_address_may_stand_in_what_our_own_server_wrote(field):
    raw = f"{field}: <BOUNCE+{REF.upper()}@letters.example.org>\r\n".encode() + dsn(to="x@example.org", returned="\n")
    assert told(raw) == (Kind.HARD, REF, "")


def test_a_report_names_the_delivery_by_the_letter_that_came_back():
    to = "bounce@letters.example.org"
    assert told(dsn(to=to)) == (Kind.HARD, REF, "")
    assert told(dsn(to=to, returned=f"message-id:\n <{REF}@example.org>\n\n")) == (Kind.HARD, REF, "")
    only_link = f"List-Unsubscribe: <mailto:leave@example.org?subject=leave%20{TOKEN}>\n\n"
    assert told(dsn(to=to, returned=only_link)) == (Kind.HARD, "", TOKEN)
    heads = dsn(to=to).replace(b"message/rfc822", b"text/rfc822-headers")
    assert told(heads) == (Kind.HARD, REF, "")


def test_a_report_about_a_mail_that_is_not_ours_is_nobodys():
    mail = dsn(to="editor@example.org", returned="Message-ID: <other@example.org>\nSubject: lunch\n\nleave it\n")
    assert read(mail) is Aside.NAMELESS


def test_what_stands_in_the_letter_itself_names_nothing():
    body = f"Subject: lunch\n\nMessage-ID: <{REF}@example.org>\nhttps://letters.example.org/leave/{TOKEN}\n"
    assert read(dsn(to="editor@example.org", returned=body)) is Aside.NAMELESS


@pytest.mark.parametrize("action", ["delayed", "delivered", "relayed", "expanded"])
def test_a_delay_or_a_success_changes_nothing(action):
    assert read(dsn(action=action, status="4.4.1")) is Aside.NOTE


def test_an_address_that_forwards_to_several_has_bounced_only_if_all_have():
    second = "Final-Recipient: rfc822; b@example.com\r\nAction: {}\r\nStatus: {}\r\n\r\n"
    second += "--=_edge\r\nContent-Type: message/rfc822"
    edge = b"--=_edge\r\nContent-Type: message/rfc822"
    assert read(dsn().replace(edge, second.format("delivered", "2.0.0").encode())) is Aside.NOTE
    assert news(dsn().replace(edge, second.format("failed", "5.2.2").encode())).kind is Kind.SOFT
    assert news(dsn().replace(edge, second.format("failed", "5.1.1").encode())).kind is Kind.HARD


def test_a_report_may_be_encoded_or_global():
    raw = dsn().decode()
    start = raw.index("Reporting-MTA")
    end = raw.index("\r\n--=_edge", start)
    packed = base64.encodebytes(raw[start:end].encode()).decode()
    head = raw[:start].replace("message/delivery-status", "message/global-delivery-status")
    raw = head.removesuffix("\r\n\r\n") + "\r\nContent-Transfer-Encoding: base64\r\n\r\n" + packed + raw[end:]
    assert told(raw.encode()) == (Kind.HARD, REF, "")


CAUSED = [
    ("5.1.1", "550 5.1.1 no such user", Kind.HARD),
    ("5.1.10", "550 5.1.10 RecipientNotFound", Kind.HARD),
    ("5.0.0", "550 no mailbox by that name", Kind.HARD),
    ("5.0.0", "550 5.7.1 refused", Kind.SOFT),  # the more telling code counts
    ("5.0.0", "", Kind.SOFT),  # says too little to give anybody up
    ("", "554 transaction failed", Kind.SOFT),
    ("5.2.1", "receiving mail at a rate that prevents more", Kind.SOFT),
    ("5.2.1", "account closed", Kind.HARD),
    ("5.2.2", "", Kind.SOFT),
    ("5.2.2", "552 user over quota", Kind.SOFT),
    ("5.5.0", "550 5.5.0 mailbox unavailable", Kind.HARD),
    ("5.4.1", "550 5.4.1 Recipient address rejected: access denied", Kind.HARD),
    ("5.4.4", "host not found", Kind.SOFT),
    ("5.4.7", "expired", Kind.SOFT),
    ("5.7.1", "550 5.7.1 looks like spam", Kind.SOFT),
    ("5.7.26", "unauthenticated", Kind.SOFT),
    ("5.1.1", "550 5.1.1 your IP is on a block list", Kind.SOFT),
    ("5.1.8", "", Kind.SOFT),
    ("5.1.0", "550 sender address does not exist", Kind.SOFT),
    ("5.6.0", "", Kind.SOFT),
    ("5.3.4", "message too big", Kind.SOFT),
    ("5.1.1", "450 greylisted, come again", Kind.SOFT),
    ("4.4.7", "user unknown", Kind.SOFT),
    ("", "550 user unknown", Kind.HARD),
    ("", "552 no room left", Kind.SOFT),
    ("", "451 try later", Kind.SOFT),
    ("", "something went wrong", Kind.SOFT),
    ("", "host 5.1.1.9 said nothing", Kind.SOFT),  # no code, an address of a machine
    ("5.1.1", "550 <spam.filter@example.com>: unknown", Kind.HARD),  # the reader's name says nothing
]


@pytest.mark.parametrize(("code", "said", "kind"), CAUSED)
def test_causes(code, said, kind):
    assert cause_of(code, said)[0] is kind
    assert news(dsn(status=code or "nonsense", said=f"smtp; {said}")).kind is kind


def test_every_line_of_the_table_is_of_use():
    said = [*CAUSED, ("5.1.4", "", Kind.SOFT), ("5.7.0", "", Kind.SOFT)]
    met = {re.sub(r"^[\d.]+ ", "", cause_of(code, words)[1]) for code, words, _ in said}
    assert met == {each.why for each in CAUSES}


@pytest.mark.parametrize("shape", mails.BY_WORDS)
def test_bounces_in_words_for_people(shape):
    assert told(shape("550 5.1.1 no such user here")) == (Kind.HARD, REF, "")
    assert told(shape("Sorry, there is no mailbox here by that name. (#5.1.1)")) == (Kind.HARD, REF, "")
    assert told(shape("552 5.2.2 the mailbox is full")) == (Kind.SOFT, REF, "")
    assert told(shape("a riddle")) == (Kind.SOFT, REF, "")


def test_words_of_a_bounce_count_only_from_a_machine_and_not_where_they_are_quoted():
    said = mails.qmail("#5.1.1").decode()
    assert read(said.replace("Return-Path: <>", "X-Nothing: 1").encode()) is Aside.REPLY
    body = said.index("\r\n\r\n") + 4
    quoted = "\r\n".join(f"> {line}" for line in said[body:].split("\r\n"))
    assert read((said[:body] + "Is this about me?\r\n" + quoted).encode()) is Aside.REPLY
    text = "It was not delivered yet. Your message could not be delivered, and will be retried.\n"
    assert read(plain(text, From="MAILER-DAEMON@mx.example.net", to=f"bounce+{REF}@example.org")) is Aside.NOTE


# Complaints


def test_complaints():
    assert news(mails.complaint()) == News(
        kind=Kind.COMPLAINED, at=AT, how="inbox", reason="feedback report: abuse", ref=REF
    )
    assert told(mails.complaint("opt-out")) == (Kind.LEFT, REF, "")
    assert told(mails.complaint(returned=f"List-Unsubscribe: <https://x.example.org/leave/{TOKEN}>\n\n")) == (
        Kind.COMPLAINED,
        "",
        TOKEN,
    )
    for kind in ("not-spam", "virus", "auth-failure", ""):
        assert read(mails.complaint(kind)) is Aside.NOTE
    assert read(mails.complaint(returned="Subject: x\n\n")) is Aside.NAMELESS


def test_a_complaint_in_the_form_of_outlook():
    returned = "X-HmXmrOriginalRecipient: reader@example.com\n" + mails.letter()
    raw = report("", ("message/rfc822", returned), to="abuse@example.org").replace(
        b"multipart/report; report-type=;", b"multipart/mixed;"
    )
    assert told(raw) == (Kind.COMPLAINED, REF, "")
    assert read(raw.replace(b"X-HmXmr", b"X-Other")) is Aside.REPLY


# What is nobody's business


@pytest.mark.parametrize(
    "mail",
    [
        mails.away(),
        plain("away", subject="Abwesenheit: Ihr Brief"),
        plain("away", subject="Réponse automatique : Renew"),
        plain("away", subject="Respuesta automática: Renew"),
        plain("away", X_Autoreply="yes"),
        plain("away", Precedence="auto_reply"),
    ],
)
def test_out_of_office(mail):
    assert read(mail) is Aside.AWAY


def test_a_mail_without_anything():
    for raw in (b"", b"\0", b"\r\n", b"Subject", b"\r\n\r\nhi", b":" * 5000):
        assert read(raw) is Aside.REPLY


def test_a_report_of_which_only_the_beginning_came():
    raw = dsn(to="bounce@letters.example.org")
    assert told(raw[: raw.index(b"Dear friend")]) == (Kind.HARD, REF, "")


@pytest.mark.parametrize(
    "field",
    [
        b"Subject: =?utf-8?q?" + "ä".encode() + b"?= =?x\xff?q?a?=",
        b"Content-Type: text/plain; a*0*=x; a*=y; a*1=z; a=b; charset*0=1; charset*=2; charset*1*=3",
        b"Content-Type: text/plain; charset=idna",
        b"Content-Type: multipart/mixed; boundary*=utf-8''%ff%00",
        b"Content-Transfer-Encoding: base64",
    ],
)
def test_fields_that_are_none_of_the_standards(field):
    """Each broke something while this was made."""
    assert read(field + b"\r\n\r\n" + b"\xff\0A" * 50) is Aside.REPLY


HOSTILE = {
    "nested": b"Content-Type: multipart/mixed; boundary=a\r\n\r\n"
    + b"".join(
        b"--%s\r\nContent-Type: multipart/mixed; boundary=%s\r\n\r\n" % (b"a" * n, b"a" * (n + 1))
        for n in range(1, 400)
    ),
    "many parts": b"Content-Type: multipart/mixed; boundary=a\r\n\r\n" + b"--a\r\n\r\n" * 20_000,
    "a long field": b"Subject: " + b"leave " * 170_000 + b"\r\n\r\n",
    "a long boundary": b"Content-Type: multipart/mixed; boundary=" + b"(" * 60_000 + b"\r\n\r\n--(\r\n",
    "many fields": b"To: <+>\r\n" * 15_000 + b"\r\n",
    "many words": b"Subject: " + b"=?utf-8?b?=?=" * 10_000 + b"\r\n\r\n",
    "nulls": dsn().replace(b"a", b"\0"),
    "bad base64": dsn().replace(b"message/rfc822", b"message/rfc822\r\nContent-Transfer-Encoding: base64"),
    "no such charset": plain("x").replace(b"utf-8", b"x-\xff\xfe"),
    "tags": b"Content-Type: text/html\r\n\r\n" + b"<" * 130_000,
    "dashes": b"From: MAILER-DAEMON@x\r\n\r\n" + b"--" * 60_000,
    "spaces": b"From: MAILER-DAEMON@x\r\nSubject: " + b" " * 60_000 + b"\r\n\r\n" + b" \n" * 60_000,
    "groups": dsn().replace(b"Reporting-MTA", b"\r\n" * 30_000 + b" " * 30_000),
    "at signs": dsn(said="@" * 60_000),
    "digits": dsn(status="nonsense", said="5.1." * 20_000),
    "ids": dsn(to="x@example.org", returned="Message-ID:\n" * 10_000),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_mails_take_no_time(what):
    began = time.process_time()
    read(HOSTILE[what])
    assert time.process_time() - began < 0.5


NAMES = (REF, TOKEN)
WHOLE = [make() for make in (dsn, mails.complaint, mails.away, mails.reply, mails.leave)]
WHOLE += [shape("550 5.1.1 x") for shape in mails.BY_WORDS]
SHARDS = [*{line + b"\r\n": 1 for mail in WHOLE for line in mail.split(b"\r\n")}, b"\0", b"\xff", b"=?utf-8?b?4?="]


@settings(max_examples=400, deadline=None)
@given(st.lists(st.one_of(st.sampled_from(SHARDS), st.binary(max_size=40)), max_size=30).map(b"".join))
def test_no_bytes_break_it_and_none_claim_anything_without_a_name(raw):
    holds_a_name(raw, read(raw))


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from(WHOLE),
    st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 60), st.binary(max_size=8)), max_size=6),
)
def test_no_wounds_to_a_mail_break_it(mail, wounds):
    for start, length, instead in wounds:
        mail = mail[:start] + instead + mail[start + length :]
    holds_a_name(mail, read(mail))


def holds_a_name(raw: bytes, found: News | Aside) -> None:
    if isinstance(found, News):
        assert found.ref or found.token
        assert "@" not in found.reason
        assert found.reason.isprintable()
        assert (found.ref or found.token).encode().lower() in raw.lower()
