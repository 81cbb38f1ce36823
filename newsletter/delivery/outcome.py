"""What became of a delivery: the states, the moves allowed between them, and a provider's receipt."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from newsletter.delivery.news import Kind
from newsletter.errors import IllegalMove


class Status(StrEnum):
    """Where one delivery (this issue to this subscriber) stands."""

    PLANNED = "planned"  # will be sent when it is due
    CLAIMED = "claimed"  # a sender holds it; the provider may have been called
    ACCEPTED = "accepted"  # the provider took it
    REFUSED = "refused"  # the provider will never take it for this recipient
    DEFERRED = "deferred"  # the provider wants it later
    UNKNOWN = "unknown"  # may have left, may not have; never sent again by itself
    HELD = "held"  # its time passed, or it cannot be filled; a person decides
    CANCELLED = "cancelled"  # called off before it left
    SUPPRESSED = "suppressed"  # the recipient left between plan and claim
    DELIVERED = "delivered"  # the recipient's server took it
    BOUNCED = "bounced"
    COMPLAINED = "complained"


MOVES: dict[Status, frozenset[Status]] = {
    Status.PLANNED: frozenset({Status.CLAIMED, Status.HELD, Status.CANCELLED, Status.SUPPRESSED}),
    # Back to planned only before the call, or with proof that nothing left (see `Receipt`).
    Status.CLAIMED: frozenset(
        {
            Status.ACCEPTED,
            Status.REFUSED,
            Status.DEFERRED,
            Status.UNKNOWN,
            Status.HELD,
            Status.SUPPRESSED,
            Status.PLANNED,
        }
    ),
    # The way back is by planned, so that the next claim gets it along with all that is due.
    Status.DEFERRED: frozenset({Status.PLANNED, Status.HELD, Status.CANCELLED}),
    Status.UNKNOWN: frozenset({Status.ACCEPTED, Status.REFUSED, Status.PLANNED}),
    # Once the window has passed, planned is only another word for held: nothing claims it then.
    Status.HELD: frozenset({Status.PLANNED, Status.CANCELLED}),
    # Refused: a provider can take a message and find out later that it will not send it.
    Status.ACCEPTED: frozenset({Status.DELIVERED, Status.BOUNCED, Status.COMPLAINED, Status.REFUSED}),
    Status.DELIVERED: frozenset({Status.BOUNCED, Status.COMPLAINED}),
}


def move(old: Status, new: Status) -> Status:
    """*new*, if a delivery may go there from *old*. Raises IllegalMove if it may not."""
    if new not in MOVES.get(old, frozenset()):
        msg = f"a delivery cannot go from {old} to {new}"
        raise IllegalMove(msg)
    return new


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What the provider said about one delivery.

    `status` PLANNED means: proof that nothing left. `reason` is for people and holds no address.
    `wait` goes with DEFERRED: how long until it may be tried again.
    """

    seq: int
    status: Status
    provider_id: str = ""
    reason: str = ""
    wait: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What a provider reported later about the delivery that *ref* names, and when it happened (aware, in UTC).

    `kind` is what it says of the person, where that is not what the status alone would say.
    """

    ref: str
    status: Status  # accepted, refused, delivered, bounced or complained
    provider_id: str = ""
    reason: str = ""
    kind: Kind | None = None
    at: datetime | None = None  # None where it does not say


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One thing about a provider that was looked at. `fix` says what to do where it is not ok."""

    what: str
    ok: bool
    detail: str
    fix: str = ""
