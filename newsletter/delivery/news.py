"""News of a person: they left, their address does not work, they complained. From wherever it comes, it is this."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from newsletter.audience.subscriber import State


class Kind(StrEnum):
    """What was heard of somebody."""

    LEFT = "left"
    HARD = "hard bounce"  # the address does not exist
    SOFT = "soft bounce"  # it did not work this time
    COMPLAINED = "complaint"


LEADS_TO = {Kind.LEFT: State.UNSUBSCRIBED, Kind.HARD: State.BOUNCED, Kind.COMPLAINED: State.COMPLAINED}

# So many of the last letters came back for now, and the address is given up.
SOFT_LIMIT, SOFT_AMONG = 3, 5


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What was heard, when it happened (aware, in UTC), where we heard it, and of whom.

    Whom it is about is said by one of `ref` (of a delivery), `token` (with which people leave) and `address`. An
    address counts only from somebody who had to prove who they are, such as a provider's API: anybody can write a
    mail in which one stands. `reason` is one line for people and holds no address.
    """

    kind: Kind
    at: datetime
    how: str
    reason: str
    ref: str = ""
    token: str = ""
    address: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """News of somebody whom we know, by their number; and the issue, by its number, where it is about a delivery."""

    subscriber_id: int
    news: News
    issue_no: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What news led to, in pieces of news: nobody of ours, nothing new, or somebody's state."""

    left: int = 0
    bounced: int = 0
    complained: int = 0
    soft: int = 0
    known: int = 0
    unknown: int = 0
