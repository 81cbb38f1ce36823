"""Mails such as come back to a newsletter, made up in the shapes that servers and people give them."""

from __future__ import annotations

from email.message import EmailMessage

REF = "3-" + "abcdefgh" * 4
TOKEN = "Zq3-x_8Kd0Lm4NpR7sTvWy"
LETTER = """Return-Path: <bounce+{ref}@letters.example.org>
Received: from mx.example.net by letters.example.org; Mon, 23 Nov 2026 08:00:00 +0000
From: Letters <letters@example.org>
To: reader@example.com
Subject: Renew your goals
Message-ID: <{ref}@example.org>
List-Unsubscribe: <https://letters.example.org/leave/{token}>,
 <mailto:leave@letters.example.org?subject=leave%20{token}>
MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8

Dear friend, read this.
""".replace("\n", "\r\n")


def letter(ref: str = REF, token: str = TOKEN) -> str:
    """The letter that comes back."""
    return LETTER.format(ref=ref, token=token)


def plain(text: str, *, subject: str = "Hello", to: str = "bounce@letters.example.org", **fields: str) -> bytes:
    """A mail of text alone; a field's name has _ for -."""
    mail = EmailMessage()
    mail["From"] = "someone@example.com"
    mail["To"] = to
    mail["Subject"] = subject
    for name, value in fields.items():
        if name == "From":
            del mail["From"]
        mail[name.replace("_", "-")] = value
    mail.set_content(text)
    return mail.as_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def report(kind: str, *parts: tuple[str, str], to: str, **fields: str) -> bytes:
    """A multipart/report of parts, each a type and what it holds."""
    head = {
        "From": "Mail Delivery System <MAILER-DAEMON@mx.example.net>",
        "To": to,
        "Subject": "About your mail",
        "MIME-Version": "1.0",
        "Content-Type": f'multipart/report; report-type={kind};\r\n boundary="=_edge"',
    }
    lines = [f"{name}: {value}" for name, value in (head | {n.replace("_", "-"): v for n, v in fields.items()}).items()]
    for type_, content in parts:
        text = content.replace("\r\n", "\n").replace("\n", "\r\n")
        lines += ["", "--=_edge", f"Content-Type: {type_}", "", text]
    return "\r\n".join([*lines, "", "--=_edge--", ""]).encode()


def dsn(
    *,
    ref: str = REF,
    status: str = "5.1.1",
    said: str = "smtp; 550 5.1.1 no such user here",
    action: str = "failed",
    to: str | None = None,
    returned: str | None = None,
) -> bytes:
    """A delivery status notification (RFC 3464) about the letter of *ref*."""
    fields = (
        "Reporting-MTA: dns; mx.example.net\n\n"
        f"Final-Recipient: rfc822; reader@example.com\nAction: {action}\nStatus: {status}\nDiagnostic-Code: {said}\n"
    )
    return report(
        "delivery-status",
        ("text/plain; charset=utf-8", "Your mail to one reader had trouble."),
        ("message/delivery-status", fields),
        ("message/rfc822", letter(ref) if returned is None else returned),
        to=to or f"bounce+{ref}@letters.example.org",
    )


def complaint(kind: str = "abuse", *, ref: str = REF, returned: str | None = None) -> bytes:
    """A feedback report (RFC 5965) about the letter of *ref*; its recipient is blacked out."""
    fields = (
        f"Feedback-Type: {kind}\nUser-Agent: SomeGenerator/1.0\nVersion: 1\n"
        f"Original-Rcpt-To: redacted@example.com\nSource-IP: 192.0.2.7\n"
    )
    return report(
        "feedback-report",
        ("text/plain", "This is an abuse report for a mail from your network."),
        ("message/feedback-report", fields),
        ("message/rfc822", letter(ref) if returned is None else returned),
        to="abuse@letters.example.org",
    )


def away(ref: str = REF) -> bytes:
    """An out-of-office reply, to the address that bounces go to."""
    text = "I am away until Monday. Your message will not be read.\n"
    to = f"bounce+{ref}@letters.example.org"
    return plain(text, subject="Automatic reply: Renew your goals", to=to, Auto_Submitted="auto-replied")


def reply(ref: str = REF, token: str = TOKEN) -> bytes:
    """A person's answer, which quotes the letter with its link for leaving."""
    quoted = f"> Dear friend,\n> leave {token}\n> https://letters.example.org/leave/{token}\n"
    text = f"Thank you, this was good to read!\n\nleave {token} is what it says below\n{quoted}"
    return plain(text, subject="Re: Renew your goals", to="letters@example.org", In_Reply_To=f"<{ref}@example.org>")


def leave(token: str = TOKEN) -> bytes:
    """The mail that the link for leaving makes."""
    return plain("\n", subject=f"leave {token}", to="leave@letters.example.org")


# Bounces of servers that write to people only, each with its own way to begin and to return the letter.
def qmail(why: str, *, ref: str = REF) -> bytes:
    """In the manner of qmail."""
    text = (
        "Hi. This is the mail program at mx.example.net.\n"
        "I'm afraid I wasn't able to deliver your message to the following addresses.\nIt is over now; I gave up.\n\n"
        f"<reader@example.com>:\n{why}\n\n--- Below this line is a copy of the message.\n\n{letter(ref)}"
    )
    return plain(text, subject="failure notice", to="bounce@letters.example.org", Return_Path="<>")


def exim(why: str, *, ref: str = REF) -> bytes:
    """In the manner of Exim, of old."""
    text = (
        "This mail was made by mail delivery software.\n\n"
        "A message that you sent could not be delivered to one or more of its\nrecipients. This is a permanent error.\n"
        f"\n  reader@example.com\n    {why}\n\n"
        f"------ This is a copy of the message, with all headers. ------\n\n{letter(ref)}"
    )
    fields = {"X_Failed_Recipients": "reader@example.com", "Auto_Submitted": "auto-replied"}
    return plain(text, subject="Mail delivery failed", to=f"bounce+{ref}@letters.example.org", **fields)


def exchange(why: str, *, ref: str = REF) -> bytes:
    """In the manner of Exchange, of old."""
    text = (
        "Your message did not reach some or all of the intended recipients.\n\n"
        "      Subject: Renew your goals\n      Sent: 23.11.2026 08:00\n\n"
        "The following recipient could not be reached:\n\n"
        f"      reader@example.com on 23.11.2026 08:01\n            {why}\n"
    )
    to = f"bounce+{ref}@letters.example.org"
    return plain(
        text, subject="Undeliverable: Renew your goals", to=to, From="System Administrator <postmaster@mx.example.net>"
    )


def postfix(why: str, *, ref: str = REF) -> bytes:
    """In the manner of Postfix, its report's parts lost on the way."""
    text = (
        "This is the mail program at host mx.example.net.\n\n"
        "It is a pity, but your message could not be delivered to one or more recipients. It stands below.\n\n"
        f"<reader@example.com>: host mx.example.com said: {why}\n\n{letter(ref)}"
    )
    return plain(text, subject="Undelivered Mail", to="bounce@letters.example.org", From="MAILER-DAEMON@mx.example.net")


def yahoo(why: str, *, ref: str = REF) -> bytes:
    """In the manner of Yahoo, of old."""
    text = (
        "Message from mail.example.net.\nUnable to deliver message to the following address(es).\n\n"
        f"<reader@example.com>:\n{why}\n\n--- Original message follows.\n\n{letter(ref)}"
    )
    return plain(text, subject="Failure Notice", From="MAILER-DAEMON@mail.example.net")


def google(why: str, *, ref: str = REF) -> bytes:
    """In the manner of Google, of old."""
    text = (
        "Delivery to the following recipient failed permanently:\n\n     reader@example.com\n\n"
        f"Technical details:\n{why}\n\n----- Original message -----\n\n{letter(ref)}"
    )
    return plain(text, subject="Delivery Status Notification (Failure)", From="postmaster@mail.example.net")


BY_WORDS = (qmail, exim, exchange, postfix, yahoo, google)
