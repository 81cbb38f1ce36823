"""Consent: the moves a person can make, and the evidence kept of each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from newsletter.audience.subscriber import State
from newsletter.errors import IllegalMove

# Somebody who left comes back only by asking again and confirming (pending → active), never by an
# import or by a colleague's hand. Erasure is final: whoever returns is a new person.
MOVES: dict[State, frozenset[State]] = {
    State.PENDING: frozenset({State.ACTIVE, State.UNSUBSCRIBED, State.BOUNCED, State.COMPLAINED, State.ERASED}),
    State.ACTIVE: frozenset({State.UNSUBSCRIBED, State.BOUNCED, State.COMPLAINED, State.ERASED}),
    State.UNSUBSCRIBED: frozenset({State.PENDING, State.COMPLAINED, State.ERASED}),
    State.BOUNCED: frozenset({State.PENDING, State.UNSUBSCRIBED, State.COMPLAINED, State.ERASED}),
    State.COMPLAINED: frozenset({State.PENDING, State.ERASED}),
    State.ERASED: frozenset(),
}

# Who left a moment ago, by their own hand or a slip of it, may take that back: the one way past asking anew.
UNDO_WITHIN = timedelta(hours=1)
OWN_DOORS = frozenset({"page", "one-click"})  # the doors by which people leave themselves, and see that they have

DEPARTED = frozenset({State.UNSUBSCRIBED, State.BOUNCED, State.COMPLAINED, State.ERASED})

# An address may be suppressed because its owner departed; whoever then asks anew and confirms lifts that, and nothing
# that others had a reason for.
LIFTED = frozenset(state.value for state in DEPARTED)


def move(old: State, new: State) -> State:
    """*new*, if consent may go there from *old*. Raises IllegalMove if it may not."""
    if new not in MOVES[old]:
        msg = f"consent cannot go from {old} to {new}"
        raise IllegalMove(msg)
    return new


def version_of(text: str) -> str:
    """What stands in the evidence for a text that people agree to."""
    return sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Why we believe a person's consent stands where it does. `at` is aware, in UTC.

    `how` is the door it came through (import, add, web, one-click, …), `source` what was said about
    where it comes from, `text` the version of the wording the person agreed to.
    """

    at: datetime
    how: str
    source: str
    state: State | None = None  # the state it led to; None while it is yet to be decided row by row
    text: str = ""
