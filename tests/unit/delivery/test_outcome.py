"""The table of moves: what may follow what, and what never may."""

from __future__ import annotations

import pytest

from newsletter.delivery.outcome import MOVES, Status, move
from newsletter.errors import IllegalMove

FORBIDDEN = [
    (Status.ACCEPTED, Status.PLANNED),  # never twice
    (Status.ACCEPTED, Status.CLAIMED),
    (Status.UNKNOWN, Status.CLAIMED),  # never again without proof
    (Status.REFUSED, Status.CLAIMED),
    (Status.DEFERRED, Status.CLAIMED),  # by way of planned, where claims look
    (Status.SUPPRESSED, Status.PLANNED),
    (Status.CANCELLED, Status.PLANNED),
]


@pytest.mark.parametrize(("old", "new"), FORBIDDEN)
def test_a_delivery_cannot_go(old: Status, new: Status) -> None:
    with pytest.raises(IllegalMove, match=f"from {old} to {new}"):
        move(old, new)


def test_every_move_of_the_table_is_allowed_and_no_other() -> None:
    for old in Status:
        for new in Status:
            if new in MOVES.get(old, ()):
                assert move(old, new) is new
            else:
                with pytest.raises(IllegalMove):
                    move(old, new)


@pytest.mark.parametrize("old", [Status.DEFERRED, Status.HELD, Status.UNKNOWN])
def test_what_has_not_left_has_a_way_back(old: Status) -> None:
    assert move(old, Status.PLANNED) is Status.PLANNED


def test_whatever_was_accepted_can_never_come_back_to_be_claimed() -> None:
    reached, todo = set(), {Status.ACCEPTED}
    while todo:
        status = todo.pop()
        reached.add(status)
        todo |= set(MOVES.get(status, ())) - reached
    assert reached == {Status.ACCEPTED, Status.DELIVERED, Status.BOUNCED, Status.COMPLAINED, Status.REFUSED}


def test_what_was_accepted_can_turn_out_to_be_refused() -> None:
    """Providers take a message and find out later that they will not send it: a quota, a broken template."""
    assert move(Status.ACCEPTED, Status.REFUSED) is Status.REFUSED
