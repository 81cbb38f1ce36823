"""Resend's events: what became of each message, as its webhooks tell it.

Source: resend.com/docs/webhooks/emails and dashboard/webhooks/body-parameters (read 2026-11-21).
"""

from __future__ import annotations

from newsletter.delivery.news import Kind
from newsletter.delivery.outcome import Event, Status
from newsletter.providers.http import redacted
from newsletter.providers.records import Record, text_of, within
from newsletter.providers.walk import read_instant

_STATUSES = {
    "email.sent": Status.ACCEPTED,
    "email.delivered": Status.DELIVERED,
    "email.bounced": Status.BOUNCED,
    "email.complained": Status.COMPLAINED,
    "email.failed": Status.REFUSED,
    "email.suppressed": Status.REFUSED,
}


def read_event(record: Record) -> Event | None:
    """The event that *record* is; None if it is about no delivery of ours.

    Resend sends by SES, whose general bounces for now are out-of-office replies, mostly (see `ses_events`).
    """
    told = within(record, "data")
    status, ref = _STATUSES.get(text_of(record, "type")), _ref(told)
    bounce = within(told, "bounce")
    lasting = text_of(bounce, "type") in ("Permanent", "")
    if status is None or not ref or (not lasting and text_of(bounce, "subType") == "General"):
        return None
    reason = text_of(bounce, "message") or text_of(within(told, "failed"), "reason")
    return Event(
        ref=ref,
        status=status,
        provider_id=text_of(told, "email_id"),
        reason=redacted(reason),
        kind=None if lasting else Kind.SOFT,
        at=read_instant(record.get("created_at")),
    )


def _ref(told: Record) -> str:
    """Our tag; its documentation has tags as an object in the examples, and as a list of them in the table."""
    tags = told.get("tags")
    if isinstance(tags, list):
        return next((text_of(tag, "value") for tag in tags if isinstance(tag, dict) and tag.get("name") == "ref"), "")
    return text_of(within(told, "tags"), "ref")
