"""Answer: what visitors asked comes true or to nothing, and mails to one person leave, once each.

A mail is claimed durably before the provider is called. Whoever is killed in between leaves it in doubt, and no mail
in doubt is sent again by itself: the person can ask again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

from newsletter.audience.asking import FORGOTTEN_AFTER, MailKind, MailState, OwnMail
from newsletter.audience.subscriber import Subscriber
from newsletter.delivery.message import Batch, Row
from newsletter.delivery.outcome import Receipt, Status
from newsletter.errors import NewsletterError, ProviderBusy, ProviderRefused, QuotaReached
from newsletter.usecases.fill import Filler
from newsletter.usecases.ports import Gate, Provider
from newsletter.usecases.send import QUOTA_WAIT

LATER = timedelta(minutes=5)  # until a mail is tried again that was put off, or that could not be made

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

    def waiting(self, *, now: datetime) -> bool:
        """Whether there may be somebody to forget."""

    def forget(self, *, now: datetime) -> int:
        """Forget some of those whose time is over; how many."""


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
        wishes = forgotten = 0
        while not self.wait(0) and self.wishes.waiting():
            wishes += self.durably(lambda: self.wishes.answer(now=self.clock()))
        while not self.wait(0) and self.unconfirmed.waiting(now=self.clock()):
            forgotten += self.durably(lambda: self.unconfirmed.forget(now=self.clock()))
        became = Counter(self._send())
        return Answered(
            wishes=wishes,
            sent=became[MailState.SENT],
            refused=became[MailState.REFUSED],
            doubt=became[MailState.DOUBT],
            forgotten=forgotten,
        )

    def _send(self) -> Iterator[MailState]:
        """What became of each mail whose turn it is; none more after one in doubt."""
        wrong: NewsletterError | None = None
        state = MailState.SENT
        while state is not MailState.DOUBT and not self.wait(0) and self._is_our_turn():
            mail = self.durably(self._claim)
            if mail is None:
                break
            try:
                yield (state := self._hand_over(mail))
            except (ProviderRefused, ProviderBusy):
                raise
            except NewsletterError as err:  # one of this kind and language could not be made; others can
                wrong = wrong or err
        if wrong:
            raise wrong

    def _is_our_turn(self) -> bool:
        """Whether there may be a mail, and the provider may be handed one: then we have waited until it may."""
        now = self.clock()
        if not self.mails.waiting(now=now) or self.gate.blocked(self.provider.name, now=now):
            return False
        if not self.rate:
            return True
        turn = self.gate.reserve(self.provider.name, count=1, rate=self.rate, now=now)
        return not self.wait(turn.total_seconds())

    def _claim(self) -> OwnMail | None:
        return self.mails.claim(
            confirmations_an_hour=self.confirmations_an_hour, welcome=self.welcome, now=self.clock()
        )

    def _batch(self, mail: OwnMail) -> Batch:
        """The one message, filled."""
        filler, person = self.fillers(mail), reader_of(mail)
        row = Row(
            seq=1,
            ref=self.ref(),
            address=person.address,
            name=person.name,
            variant=0,
            values=filler.values(person, at=mail.claimed_at),
        )
        return Batch(letter=filler.letter, claimed_at=mail.claimed_at, rows=(row,))

    def _hand_over(self, mail: OwnMail) -> MailState:
        """What became of a mail, and recorded. Raises ProviderRefused or ProviderBusy, and then it has not left."""
        said = Receipt(seq=1, status=Status.PLANNED, reason="it could not be made")
        try:
            batch = self._batch(mail)
            said = _SILENCE
            for each in self.provider.send(batch):
                said = each or said
        except (ProviderRefused, ProviderBusy) as err:
            if said is _SILENCE:  # by the port's word nothing has left
                said = Receipt(seq=1, status=Status.PLANNED, reason=err.message)
            self._leave_alone(err)
            raise
        finally:
            state = self._record(mail, said)
        return state

    def _leave_alone(self, err: ProviderRefused | ProviderBusy) -> None:
        """Have everybody wait for as long as the provider asks to be left alone."""
        wait = err.wait if isinstance(err, ProviderBusy) else None
        wait = wait or (QUOTA_WAIT if isinstance(err, QuotaReached) else None)
        if wait:
            now = self.clock()
            self.gate.block(self.provider.name, until=now + wait, why=err.message, now=now)

    def _record(self, mail: OwnMail, said: Receipt) -> MailState:
        at = self.clock()
        state, age = _BECOMES.get(said.status, MailState.DOUBT), at - mail.queued_at
        if said.status is Status.DEFERRED and age >= FORGOTTEN_AFTER:
            state = MailState.REFUSED
        elif said.status is Status.DEFERRED:
            at += max(LATER, age / 2, said.wait or LATER)
        elif state is MailState.QUEUED:  # by us or by the provider, and not because of whom it is for
            at += LATER
        self.durably(lambda: self.mails.record(mail, state, reason=said.reason, at=at))
        return state


_SILENCE = Receipt(seq=1, status=Status.UNKNOWN, reason="the provider did not say")
_BECOMES = {
    Status.ACCEPTED: MailState.SENT,
    Status.REFUSED: MailState.REFUSED,
    Status.PLANNED: MailState.QUEUED,
    Status.DEFERRED: MailState.QUEUED,
}


def reader_of(mail: OwnMail) -> Subscriber:
    """The person as their mail may show them: until they confirm, nothing that somebody typed about them."""
    if mail.kind is not MailKind.CONFIRM:
        return mail.person
    return Subscriber(id=mail.person.id, address=mail.person.address, leave_token=mail.person.leave_token)
