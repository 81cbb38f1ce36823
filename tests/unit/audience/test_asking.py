"""What becomes of a wish: a table, and how often at most."""

from __future__ import annotations

from datetime import timedelta

import pytest

from newsletter.audience.asking import Answer, Asker, MailKind, WishKind, answer_to
from newsletter.audience.consent import MOVES
from newsletter.audience.subscriber import State
from tests.conftest import NOW

JOINS = Answer(joins=True, mail=MailKind.CONFIRM)
CONFIRM, LINK, NOTHING = Answer(mail=MailKind.CONFIRM), Answer(mail=MailKind.LINK), Answer()
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("state", "join", "link"),
    [
        (None, JOINS, NOTHING),
        (State.PENDING, CONFIRM, NOTHING),
        (State.ACTIVE, LINK, LINK),
        (State.UNSUBSCRIBED, JOINS, LINK),
        (State.BOUNCED, JOINS, NOTHING),
        (State.COMPLAINED, JOINS, NOTHING),
        (State.ERASED, NOTHING, NOTHING),
    ],
)
def test_what_is_answered_depends_on_whom_we_know(state: State | None, join: Answer, link: Answer) -> None:
    asker = Asker(state=state)
    assert (answer_to(WishKind.JOIN, asker, now=NOW), answer_to(WishKind.LINK, asker, now=NOW)) == (join, link)


@pytest.mark.parametrize("state", [None, *State])
@pytest.mark.parametrize("kind", WishKind)
def test_nobody_comes_by_a_way_that_consent_has_not(kind: WishKind, state: State | None) -> None:
    if answer_to(kind, Asker(state=state), now=NOW).joins:
        assert state is None or State.PENDING in MOVES[state]


@pytest.mark.parametrize("state", [None, *State])
@pytest.mark.parametrize("kind", WishKind)
def test_an_address_that_somebody_barred_gets_nothing(kind: WishKind, state: State | None) -> None:
    assert answer_to(kind, Asker(state=state, barred="asked by phone"), now=NOW) == NOTHING


def test_who_was_forgotten_may_ask_anew() -> None:
    assert answer_to(WishKind.JOIN, Asker(state=None, barred="erased"), now=NOW) == JOINS


def mailed(kind: MailKind, *ago: timedelta) -> Asker:
    """Somebody who may get a mail of a kind, and got some so long ago."""
    state = State.PENDING if kind is MailKind.CONFIRM else State.ACTIVE
    return Asker(state=state, mailed={kind: [NOW - each for each in ago]})


@pytest.mark.parametrize(("kind", "apart"), [(MailKind.CONFIRM, DAY), (MailKind.LINK, HOUR)])
def test_two_mails_of_a_kind_are_apart(kind: MailKind, apart: timedelta) -> None:
    assert answer_to(WishKind.JOIN, mailed(kind, apart - timedelta(seconds=1)), now=NOW) == NOTHING
    assert answer_to(WishKind.JOIN, mailed(kind, apart), now=NOW) == Answer(mail=kind)


def test_a_mail_that_is_still_to_leave_counts() -> None:
    assert answer_to(WishKind.JOIN, mailed(MailKind.CONFIRM, -timedelta(minutes=5)), now=NOW) == NOTHING


def test_who_does_not_confirm_is_asked_three_times() -> None:
    assert answer_to(WishKind.JOIN, mailed(MailKind.CONFIRM, 2 * DAY, 4 * DAY), now=NOW) == CONFIRM
    assert answer_to(WishKind.JOIN, mailed(MailKind.CONFIRM, 2 * DAY, 4 * DAY, 6 * DAY), now=NOW) == NOTHING


def test_who_was_asked_three_times_does_not_even_begin_to_join() -> None:
    left = Asker(state=State.UNSUBSCRIBED, mailed={MailKind.CONFIRM: [NOW - n * DAY for n in (2, 4, 6)]})
    assert answer_to(WishKind.JOIN, left, now=NOW) == NOTHING


def test_a_link_may_be_asked_for_three_times_a_day() -> None:
    asker = mailed(MailKind.LINK, 2 * HOUR, 4 * HOUR, *(n * DAY for n in range(1, 10)))
    assert answer_to(WishKind.LINK, asker, now=NOW) == LINK
    assert answer_to(WishKind.LINK, mailed(MailKind.LINK, 2 * HOUR, 4 * HOUR, 6 * HOUR), now=NOW) == NOTHING


def test_who_left_is_not_sent_a_link_every_day_that_somebody_else_asks() -> None:
    times = [n * DAY for n in (2, 4, 6)]
    for ago, answer in ((times[:2], LINK), (times, NOTHING)):
        left = Asker(state=State.UNSUBSCRIBED, mailed={MailKind.LINK: [NOW - each for each in ago]})
        assert answer_to(WishKind.LINK, left, now=NOW) == answer
