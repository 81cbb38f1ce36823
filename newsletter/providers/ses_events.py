"""SES's events: what became of each message, as a configuration set publishes it, raw or wrapped by SNS.

Source: docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html (read 2026-11-21).
"""

from __future__ import annotations

import json

from newsletter.delivery.outcome import Event, Status
from newsletter.providers.http import redacted
from newsletter.providers.records import Record, text_of, within

# "Send" to an event destination, "SEND" in the API's model, "Rendering Failure" with a blank.
_STATUSES = {
    "send": Status.ACCEPTED,
    "delivery": Status.DELIVERED,
    "complaint": Status.COMPLAINED,
    "reject": Status.REFUSED,
    "renderingfailure": Status.REFUSED,
}


def read_event(told: Record) -> Event | None:
    """The event that *told* is; None if it is about no delivery of ours.

    Of the bounces only the permanent ones: SES has given up on the others too, but a full mailbox today says
    nothing about next week.
    """
    kind = (text_of(told, "eventType") or text_of(told, "notificationType")).lower().replace(" ", "").replace("_", "")
    if kind == "bounce" and text_of(within(told, "bounce"), "bounceType") == "Permanent":
        status: Status | None = Status.BOUNCED
    else:
        status = _STATUSES.get(kind)
    mail = within(told, "mail")
    refs = within(mail, "tags").get("ref")
    ref = refs[0] if isinstance(refs, list) and refs and isinstance(refs[0], str) else ""
    if status is None or not ref or text_of(within(told, "complaint"), "complaintFeedbackType") == "not-spam":
        return None  # "not-spam" is a reader's word that it was none
    return Event(ref=ref, status=status, provider_id=text_of(mail, "messageId"), reason=_reason(told))


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
