"""What a mail that came in says about one of our readers, if anything.

No mail is believed for whom it says it is from: it counts by what only our own mails hold. A bounce or a complaint
names a delivery of ours, in the address that the bounce was sent to or within the mail that came back; whoever
leaves gives the token that was made for them. Whether such a name is a real one is found out where news are heard.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

from newsletter.delivery.bounces import bounce_in, parted
from newsletter.delivery.mail_parts import Part, leaves, read_part
from newsletter.delivery.news import Kind, News

HOW = "inbox"


class Aside(StrEnum):
    """A mail that is not for us to act on."""

    REPLY = "reply"  # whatever a person may have written
    AWAY = "out of office"
    NOTE = "note"  # a report that changes nothing: of a delay, of no spam
    NAMELESS = "names no delivery of ours"
    UNSIGNED = "asks to leave, and does not say who"


def read_mail(raw: bytes, *, at: datetime) -> News | Aside:
    """What the mail *raw*, or its beginning, is news of; it came in *at*. Never an error, whatever the bytes are."""
    root = read_part(raw)
    parts = leaves(root)
    found = _complaint(parts) or _bounce(root, parts)
    if isinstance(found, Aside):
        return found
    if found:
        ref, token = _names(root, parts)
        kind, reason = found
        return News(kind=kind, at=at, how=HOW, reason=reason, ref=ref, token=token) if ref or token else Aside.NAMELESS
    if token := _leave_token(root, parts):
        return News(kind=Kind.LEFT, at=at, how=HOW, reason="asked by mail", token=token)
    if _UNSIGNED.fullmatch(root.value("Subject")):
        return Aside.UNSIGNED
    return Aside.AWAY if _is_automatic(root) else Aside.REPLY


# Feedback types of RFC 5965 and of the drafts before it. Others, such as not-spam, virus or auth-failure, say nothing
# about what a reader wants.
_FEEDBACK = {"abuse": Kind.COMPLAINED, "fraud": Kind.COMPLAINED, "opt-out": Kind.LEFT, "opt-out-list": Kind.LEFT}


def _complaint(parts: Sequence[Part]) -> tuple[Kind, str] | Aside | None:
    for part in parts:
        if part.type == "message/feedback-report":
            type_ = read_part(part.content.lstrip() + b"\r\n\r\n").value("Feedback-Type").lower()
            return (_FEEDBACK[type_], f"feedback report: {type_}") if type_ in _FEEDBACK else Aside.NOTE
        # Outlook.com's own form: the letter as it was, under a field that only they write.
        if part.type == "message/rfc822" and read_part(part.content).value("X-HmXmrOriginalRecipient"):
            return Kind.COMPLAINED, "junk mail report"
    return None


def _bounce(root: Part, parts: Sequence[Part]) -> tuple[Kind, str] | Aside | None:
    bounce = bounce_in(root, parts)
    if bounce is None:
        return None
    return (bounce.kind, bounce.reason) if bounce.kind else Aside.NOTE


_REF = r"([1-9][0-9]{0,18}-[a-z2-7]{32})"
_TOKEN = r"([A-Za-z0-9_-]{22})(?![A-Za-z0-9_-])"  # noqa: S105 - what one looks like
_TO_REF = re.compile(rf"\+{_REF}@", re.IGNORECASE)
_MESSAGE_ID = re.compile(rf"^Message-ID:\s*<{_REF}@", re.IGNORECASE | re.MULTILINE)
_LEAVE_LINK = re.compile(rf"leave(?:/|%20){_TOKEN}")
_RECIPIENTS = ("Delivered-To", "X-Original-To", "Envelope-To", "X-Envelope-To", "To")
_HEADS = ("rfc822", "rfc822-headers", "global", "global-headers")
_RETURNED = {f"{major}/{minor}" for major in ("message", "text") for minor in _HEADS}
_HEAD = 64 * 1024


def _names(root: Part, parts: Sequence[Part]) -> tuple[str, str]:
    """The delivery a report is about, and the token of its reader: what is found of them, the surest first."""
    returned = "\n".join(_returned(parts))
    # Who passes a mail on may write its addresses in capitals.
    refs = [
        each
        for pattern, text in ((_TO_REF, _sent_to(root)), (_MESSAGE_ID, returned), (_TO_REF, returned))
        for each in pattern.findall(text)
    ]
    return (refs[0].lower(), "") if refs else ("", next(iter(_LEAVE_LINK.findall(returned)), ""))


def _sent_to(root: Part) -> str:
    """The addresses a mail was sent to, as its sender and our own server wrote them."""
    return "\n".join(value for name in _RECIPIENTS for value in root.values(name))


def _returned(parts: Sequence[Part]) -> list[str]:
    """The heads of the mails that came back."""
    heads = []
    for part in parts:
        if part.type in _RETURNED:
            head = re.split(rb"\r?\n\r?\n", part.content[:_HEAD], maxsplit=1)[0]
            heads.append(head.decode("ascii", "replace"))
        elif part.type == "message/feedback-report":
            heads.append(part.content[:_HEAD].decode("ascii", "replace"))  # Original-Mail-From
        elif part.type == "text/plain":
            heads.append(parted(part.text)[1])
    return heads


_LEAVE = re.compile(rf"(?:^|[\s:\]])leave(?:\s|%20|\+)+{_TOKEN}\s*$", re.IGNORECASE)
_LEAVE_LINE = re.compile(rf"\s*leave\s+{_TOKEN}\s*", re.IGNORECASE)
_LEAVE_ADDRESS = re.compile(rf"leave\+{_TOKEN}@", re.IGNORECASE)
_UNSIGNED = re.compile(r"(?:\w{2,3}:\s*)*(?:leave|unsubscribe)\W*", re.IGNORECASE)


def _leave_token(root: Part, parts: Sequence[Part]) -> str:
    """The token of a mail that asks to leave: in its subject, in its first line, or in the address it was sent to.

    Nowhere else: whoever answers a letter quotes the link for leaving at its end.
    """
    if found := _LEAVE.search(root.value("Subject")):
        return found[1]
    text = next((part.text for part in parts if part.type in ("text/plain", "text/html")), "")
    if found := _LEAVE_LINE.fullmatch(next((line for line in text.split("\n") if line.strip()), "")):
        return found[1]
    found = _LEAVE_ADDRESS.search(_sent_to(root))
    return found[1] if found else ""


_AWAY = re.compile(
    r"(?:re: ?)?(?:out of (?:the )?office|auto(?:matic)?[- ]?(?:reply|response)|"
    r"abwesenheit|automatische antwort|nicht im büro|réponse automatique|absence du bureau|"
    r"respuesta automática|fuera de la oficina)",
    re.IGNORECASE,
)


def _is_automatic(root: Part) -> bool:
    """Whether nobody wrote it just now (RFC 3834, and what was usual before)."""
    return (
        root.value("Auto-Submitted").lower().partition(";")[0].strip() not in ("", "no")
        or any(root.value(name) for name in ("X-Autoreply", "X-Autorespond", "X-Autoresponder"))
        or root.value("Precedence").lower() in ("auto_reply", "bulk", "junk", "list")
        or _AWAY.match(root.value("Subject")) is not None
    )
