"""Mails that came back: the reports of RFC 3464, and those of servers that write to people only."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from newsletter.delivery.bounce_causes import cause_of
from newsletter.delivery.mail_parts import Part, field_groups
from newsletter.delivery.news import Kind

_REPORTS = ("message/delivery-status", "message/global-delivery-status")  # RFC 3464, RFC 6533


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounce:
    """What a server said about a mail of ours; `kind` is None while it goes on trying, or where it got through."""

    kind: Kind | None
    reason: str = ""


def bounce_in(root: Part, parts: Sequence[Part]) -> Bounce | None:
    """The bounce that a mail is, or None if it is none."""
    for part in parts:
        if part.type in _REPORTS:
            return _reported(part.content)
    return _told(parts) if _from_a_machine(root) else None


def _reported(content: bytes) -> Bounce:
    """By a report's fields. Each of our mails has one recipient: more are where theirs are forwarded to."""
    recipients = [group for group in field_groups(content) if group.value("Action") or group.value("Status")]
    if not recipients or not all(map(_failed, recipients)):
        return Bounce(kind=None)
    causes = [cause_of(each.value("Status"), each.value("Diagnostic-Code")) for each in recipients]
    kind, reason = next((cause for cause in causes if cause[0] is Kind.SOFT), causes[0])
    return Bounce(kind=kind, reason=reason)


def _failed(recipient: Part) -> bool:
    action = recipient.value("Action").lower()
    return action.startswith("failed") or (not action and recipient.value("Status").startswith("5"))


# Words that mails of returned mail begin with: qmail, Exim, Exchange, Postfix, Yahoo, Google, Sendmail, and the like.
_FAILED = re.compile(
    r"able to deliver your message"
    r"|message (?:that you sent )?(?:could not|couldn't|wasn't|was not|cannot) be(?:en)? delivered|wasn't delivered to"
    r"|(?:unable to|could not|cannot) deliver (?:the |your |this )?(?:message|mail)"
    r"|delivery to the following recipients? (?:has )?(?:failed|was aborted)|delivery has failed to"
    r"|did(?: not|n't) reach (?:some or all of )?(?:the|its|their) (?:intended )?recipient"
    r"|had permanent fatal errors"
    r"|konnte (?:leider )?nicht zugestellt werden|n'a pas pu être (?:remis|distribué)|no (?:se )?ha podido entregar",
    re.IGNORECASE,
)
_STILL_TRYING = re.compile(
    r"has not yet been|not been delivered yet|delayed|still trying|will (?:be retried|keep trying|try again|retry)"
    r"|not need to (?:re)?send|warning (?:message )?only|noch nicht zugestellt",
    re.IGNORECASE,
)
# Where the mail that came back begins: below a line that says so, or with the first of its own fields.
_RETURNED = re.compile(
    r"^--[^\n]{0,80}(?:original|copy|returned|below this line|included|undelivered)"
    r"|^(?:Return-Path|Received|Message-ID|Delivered-To|DKIM-Signature):",
    re.IGNORECASE | re.MULTILINE,
)
_BEGINNING = 2500  # characters of such a mail in which it says what it is


def parted(text: str) -> tuple[str, str]:
    """What is said about a mail that came back, and the mail, where both stand in one text."""
    found = _RETURNED.search(text)
    return (text[: found.start()], text[found.start() :]) if found else (text, "")


def _told(parts: Sequence[Part]) -> Bounce | None:
    """By words for people. Only at the beginning, and not where somebody quotes them."""
    text = next((part.text for part in parts if part.type in ("text/plain", "text/html")), "")
    lines = parted(text)[0][:_BEGINNING].splitlines()
    said = " ".join(line.strip() for line in lines if not line.startswith(">")).replace(
        "\N{RIGHT SINGLE QUOTATION MARK}", "'"
    )
    if not _FAILED.search(said):
        return Bounce(kind=None) if _STILL_TRYING.search(said) else None
    if _STILL_TRYING.search(said):
        return Bounce(kind=None)
    kind, reason = cause_of("", said)
    return Bounce(kind=kind, reason=reason)


def _from_a_machine(root: Part) -> bool:
    """Whether a mail looks as if no person wrote it; nothing is believed on the strength of this alone."""
    return (
        root.value("Return-Path") == "<>"
        or bool(root.value("X-Failed-Recipients"))
        or root.value("Auto-Submitted").lower().startswith("auto-")
        or re.search(r"mailer-?daemon|postmaster|mail delivery", root.value("From"), re.IGNORECASE) is not None
    )
