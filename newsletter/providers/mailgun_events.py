"""Mailgun's events: what became of each message, as its events list and its webhooks tell it.

Source: documentation.mailgun.com, "Events" and "Webhooks" (read 2026-11-21).
"""

from __future__ import annotations

from newsletter.delivery.news import Kind
from newsletter.delivery.outcome import Event, Status
from newsletter.providers.http import redacted
from newsletter.providers.records import Record, text_of, within
from newsletter.providers.walk import read_instant

_STATUSES = {
    "accepted": Status.ACCEPTED,
    "delivered": Status.DELIVERED,
    "rejected": Status.REFUSED,
    "complained": Status.COMPLAINED,
}

# Why Mailgun gave up. That we are blocked says nothing of an address; any other reason, as a full mailbox, says little.
_FAILURES: dict[str, Kind | None] = {
    "bounce": Kind.HARD,
    "delayed-bounce": Kind.HARD,
    "suppress-bounce": Kind.HARD,
    "suppress-unsubscribe": Kind.LEFT,
    "suppress-complaint": Kind.COMPLAINED,
    "espblock": None,
}


def read_event(record: Record) -> Event | None:
    """The event in an item of the list or the payload of a webhook; None if it is about no delivery of ours."""
    told = within(record, "event-data") or record
    kind = failure(told)
    status = Status.BOUNCED if kind else _STATUSES.get(text_of(told, "event"))
    ref = ref_of(told)
    if status is None or not ref:
        return None
    return Event(
        ref=ref,
        status=status,
        provider_id=text_of(within(within(told, "message"), "headers"), "message-id"),
        reason=reason_of(told),
        kind=kind,
        at=read_instant(told.get("timestamp")),
    )


def failure(told: Record) -> Kind | None:
    """What a failure says of the person; None if it is none, or one for now: Mailgun tries again and tells the end."""
    if text_of(told, "event") != "failed" or text_of(told, "severity") != "permanent":
        return None
    return _FAILURES.get(text_of(told, "reason"), Kind.SOFT)


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
