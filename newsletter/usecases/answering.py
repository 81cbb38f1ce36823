"""Answer: what visitors asked comes true or to nothing, and mails to one person leave, once each.

A mail is claimed durably before the provider is called. Whoever is killed in between leaves it in doubt, and no mail
in doubt is sent again by itself: the person can ask again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

from newsletter.audience.asking import MailKind, MailState, OwnMail
from newsletter.audience.subscriber import Subscriber
from newsletter.delivery.message import Batch, Row
from newsletter.delivery.outcome import Receipt, Status
from newsletter.errors import NewsletterError, ProviderBusy, ProviderRefused, QuotaReached
from newsletter.usecases.fill import Filler
from newsletter.usecases.ports import Gate, Provider
from newsletter.usecases.send import QUOTA_WAIT

LATER = timedelta(minutes=15)  # until a mail is tried again that was put off, or that we could not make
GIVEN_UP = timedelta(days=2)  # after so long of being put off, nobody waits for it any more

Result = TypeVar("Result")


class Wishes(Protocol):
    """What visitors asked."""

    def waiting(self) -> int:
        """How many were not looked at yet."""

    def answer(self, *, now: datetime) -> int:
        """Let the oldest come true, or come to nothing, at once; how many it were."""


class Mails(Protocol):
    """Mails to one person."""

    def waiting(self, *, now: datetime) -> bool:
        """Whether there may be one to claim."""

    def claim(self, *, confirmations_an_hour: int, welcome: bool, now: datetime) -> OwnMail | None:
        """The next mail, durably ours before the provider is called; None if none may leave now."""

    def record(self, mail: OwnMail, state: MailState, *, reason: str, at: datetime) -> None:
        """Keep what became of one; QUEUED is for what certainly never left, from *at* on."""


class Unconfirmed(Protocol):
    """Those who asked to join and never confirmed."""

    def forget(self, *, now: datetime) -> int:
        """Forget those whose time is over; how many."""


class Durably(Protocol):
    """Lets work be known wherever the database lives before anything is done because of it."""

    def __call__(self, work: Callable[[], Result], /) -> Result:
        """What *work* gives."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What was done: wishes that were looked at, mails by what became of them, people who were forgotten."""

    wishes: int = 0
    sent: int = 0
    refused: int = 0
    doubt: int = 0
    forgotten: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answerer:
    """Answers. `fillers` makes a mail ready for a person; `ref` makes a name for each that leaves, never the same.

    `rate` is how many a second may leave (0: any). `wait` waits so many seconds and says whether to stop.
    """

    wishes: Wishes
    mails: Mails
    unconfirmed: Unconfirmed
    gate: Gate
    provider: Provider
    fillers: Callable[[OwnMail], Filler]
    ref: Callable[[], str]
    confirmations_an_hour: int
    welcome: bool
    rate: float
    clock: Callable[[], datetime]
    wait: Callable[[float], bool]
    durably: Durably

    def work(self) -> Answered:
        """Do all there is to do now. What goes wrong with one mail keeps no other, and is raised in the end."""
        wishes = 0
        while not self.wait(0) and self.wishes.waiting():
            wishes += self.durably(lambda: self.wishes.answer(now=self.clock()))
        forgotten = self.unconfirmed.forget(now=self.clock())
        became = [state for state in self._send()]
        return Answered(
            wishes=wishes,
            sent=became.count(MailState.SENT),
            refused=became.count(MailState.REFUSED),
            doubt=became.count(MailState.DOUBT),
            forgotten=forgotten,
        )
