"""SES's events: what became of each message, as a configuration set publishes it, raw or wrapped by SNS.

Source: docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html (read 2026-11-21).
"""

from __future__ import annotations

import json

from newsletter.delivery.news import Kind
from newsletter.delivery.outcome import Event, Status
from newsletter.providers.http import redacted
from newsletter.providers.records import Record, text_of, within
from newsletter.providers.walk import read_instant

# "Send" to an event destination, "SEND" in the API's model, "Rendering Failure" with a blank.
_STATUSES = {
    "send": Status.ACCEPTED,
    "delivery": Status.DELIVERED,
    "bounce": Status.BOUNCED,
    "complaint": Status.COMPLAINED,
    "reject": Status.REFUSED,
    "renderingfailure": Status.REFUSED,
}


def read_event(told: Record) -> Event | None:
    """The event that *told* is; None if it is about no delivery of ours.

    SES has given up on every bounce. One that is general and for now is mostly an out-of-office reply, says AWS
    (repost.aws/knowledge-center/ses-understand-soft-bounces, read 2026-11-21): that letter did arrive.
    """
    kind = (text_of(told, "eventType") or text_of(told, "notificationType")).lower().replace(" ", "").replace("_", "")
    status = _STATUSES.get(kind)
    bounce, complaint, mail = within(told, "bounce"), within(told, "complaint"), within(told, "mail")
    refs = within(mail, "tags").get("ref")
    ref = refs[0] if isinstance(refs, list) and refs and isinstance(refs[0], str) else ""
    of_what = text_of(bounce, "bounceType"), text_of(bounce, "bounceSubType")
    if status is None or not ref or of_what == ("Transient", "General"):
        return None
    if text_of(complaint, "complaintFeedbackType") == "not-spam":
        return None  # a reader's word that it was none
    at = text_of(bounce, "timestamp") or text_of(complaint, "timestamp") or text_of(mail, "timestamp")
    return Event(
        ref=ref,
        status=status,
        provider_id=text_of(mail, "messageId"),
        reason=_reason(told),
        kind=Kind.SOFT if status is Status.BOUNCED and of_what[0] != "Permanent" else None,
        at=read_instant(at),
    )


def unwrapped(record: Record) -> Record:
    """What SNS carries, or the record itself."""
    if text_of(record, "Type") != "Notification":
        return record
    try:
        inner = json.loads(text_of(record, "Message"))
    except (ValueError, RecursionError):
        return {}  # a topic may carry other notes, in plain words
    return inner if isinstance(inner, dict) else {}


def _reason(told: Record) -> str:
    bounce, complaint = within(told, "bounce"), within(told, "complaint")
    recipients = bounce.get("bouncedRecipients")
    first = recipients[0] if isinstance(recipients, list) and recipients and isinstance(recipients[0], dict) else {}
    said = (
        text_of(first, "diagnosticCode"),
        " ".join(filter(None, (text_of(bounce, "bounceType"), text_of(bounce, "bounceSubType")))),
        text_of(complaint, "complaintFeedbackType"),
        text_of(within(told, "reject"), "reason"),
        text_of(within(told, "failure"), "errorMessage"),
    )
    return redacted(next(filter(None, said), ""))
