"""Who may be mailed: the only rule that decides it, as data.

Asked at the plan and again, in the same transaction, when a batch is claimed: an unsubscribe at T
holds for every claim after T.
"""

from __future__ import annotations

from datetime import datetime

from newsletter.audience.predicate import Is, Paused, Predicate, Suppressed, holds
from newsletter.audience.subscriber import State, Subscriber

# The first reason that holds is the one recorded, so the gravest stand first.
REASONS: tuple[tuple[str, Predicate], ...] = (
    ("erased", Is("state", (State.ERASED,))),
    ("complained", Is("state", (State.COMPLAINED,))),
    ("unsubscribed", Is("state", (State.UNSUBSCRIBED,))),
    ("bounced", Is("state", (State.BOUNCED,))),
    ("suppressed", Suppressed()),
    ("not confirmed", Is("state", (State.PENDING,))),
    ("paused", Paused()),
)


def why_not(person: Subscriber, *, now: datetime) -> str | None:
    """The reason *person* may not be mailed at *now*, or None if they may."""
    return next((reason for reason, condition in REASONS if holds(condition, person, now=now)), None)
