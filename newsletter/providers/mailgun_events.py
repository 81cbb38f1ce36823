"""Mailgun's events: what became of each message, as its events list and its webhooks tell it.

Source: documentation.mailgun.com, "Events" and "Webhooks" (read 2026-11-21).
"""

from __future__ import annotations

from newsletter.delivery.outcome import Event, Status
from newsletter.providers.http import redacted
from newsletter.providers.records import Record, text_of, within

_STATUSES = {
    "accepted": Status.ACCEPTED,
    "delivered": Status.DELIVERED,
    "rejected": Status.REFUSED,
    "complained": Status.COMPLAINED,
}


def read_event(record: Record) -> Event | None:
    """The event in an item of the list or the payload of a webhook; None if it is about no delivery of ours.

    A failure for now is none: Mailgun tries again and tells how that ended.
    """
    told = within(record, "event-data") or record
    kind = text_of(told, "event")
    status = Status.BOUNCED if kind == "failed" and text_of(told, "severity") == "permanent" else _STATUSES.get(kind)
    ref = ref_of(told)
    if status is None or not ref:
        return None
    return Event(
        ref=ref,
        status=status,
        provider_id=text_of(within(within(told, "message"), "headers"), "message-id"),
        reason=reason_of(told),
    )


def ref_of(told: Record) -> str:
    """The reference of the delivery that it is about."""
    return text_of(within(told, "user-variables"), "ref")


def reason_of(told: Record) -> str:
    """What the recipient's server or Mailgun said; without addresses."""
    state = within(told, "delivery-status")
    code = str(state.get("code") or "")
    said = text_of(state, "description") or text_of(state, "message") or text_of(told, "reason")
    said = said or text_of(within(told, "reject"), "reason")
    return redacted(f"{code} {said}".strip()) if said else ""
