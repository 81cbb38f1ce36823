"""What people ask of us by themselves, and what they are answered: how often at most, and who is never answered.

Anybody can type anybody's address. So nothing here tells a stranger anything, nobody is mailed often, and what was
typed about somebody we know already is not believed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from newsletter.audience.consent import LIFTED, MOVES
from newsletter.audience.subscriber import State, Subscriber

FORGOTTEN_AFTER = timedelta(days=14)  # of silence; a link to confirm works for as long
PAGE_LIFE = timedelta(hours=1)  # of a link to one's own page: it opens everything


class WishKind(StrEnum):
    """What a visitor asked for."""

    JOIN = "join"
    LINK = "link"  # a fresh link to their own page


class MailKind(StrEnum):
    """What a mail to one person is."""

    CONFIRM = "confirm"  # is it really you who wants the letter?
    WELCOME = "welcome"
    LINK = "link"  # a fresh link to their own page


class MailState(StrEnum):
    """Where a mail to one person stands."""

    QUEUED = "queued"
    CLAIMED = "claimed"  # the provider may have been called
    SENT = "sent"
    REFUSED = "refused"
    DOUBT = "doubt"  # may have left; never sent again by itself, the person can ask again


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnMail:
    """A mail to one person, in the hands of whoever sends it."""

    no: int
    kind: MailKind
    person: Subscriber
    queued_at: datetime
    claimed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Who is asked for: nobody we know (no state), or somebody; `mailed` are the instants of their latest mails."""

    state: State | None
    barred: str = ""  # why their address is suppressed
    mailed: Mapping[MailKind, Sequence[datetime]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What becomes of a wish: whether somebody is on their way to the list from now on, and which mail they get."""

    joins: bool = False
    mail: MailKind | None = None


# Who gets which mail; asked when it is queued, and again when it leaves.
MAY_GET: Mapping[MailKind, frozenset[State]] = {
    MailKind.CONFIRM: frozenset({State.PENDING}),
    MailKind.WELCOME: frozenset({State.ACTIVE}),
    # What we know of them is theirs to see after they left, too.
    MailKind.LINK: frozenset({State.ACTIVE, State.UNSUBSCRIBED}),
}


# How far two mails of one kind to one person are apart at least. A stranger may have asked for the last link: once it
# has ended, there is another.
APART: Mapping[MailKind, timedelta] = {MailKind.CONFIRM: timedelta(days=1), MailKind.LINK: PAGE_LIFE}
MOST = 3  # of one kind in a day to whoever is on the list; to others, to whom all of it may be unwelcome, in two weeks


def answer_to(kind: WishKind, asker: Asker, *, now: datetime) -> Answer:
    """What a wish leads to; often nothing, which nobody outside can see."""
    if is_barred(asker.barred):
        return Answer()
    joins = kind is WishKind.JOIN and (asker.state is None or State.PENDING in MOVES[asker.state])
    mail = MailKind.LINK
    if kind is WishKind.JOIN and (joins or asker.state is State.PENDING):
        mail = MailKind.CONFIRM
    may = joins or asker.state in MAY_GET[mail]
    return Answer(joins=joins, mail=mail) if may and not _too_often(mail, asker, now=now) else Answer()


def is_barred(reason: str) -> bool:
    """Whether an address that is suppressed for *reason* must not be mailed, whoever asks.

    What became of an earlier consent does not bar who asks anew; what others had a reason for does.
    """
    return reason not in ("", *LIFTED)


def _too_often(mail: MailKind, asker: Asker, *, now: datetime) -> bool:
    times = asker.mailed.get(mail, ())
    within = timedelta(days=1) if asker.state is State.ACTIVE else FORGOTTEN_AFTER
    return any(now - at < APART[mail] for at in times) or sum(now - at < within for at in times) >= MOST
