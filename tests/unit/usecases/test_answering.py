"""Answering: what becomes of a mail, whatever the provider does, and what is left for the next time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from newsletter.audience.asking import FORGOTTEN_AFTER, MailKind, MailState, OwnMail
from newsletter.audience.subscriber import State, Subscriber
from newsletter.delivery.message import Batch
from newsletter.delivery.outcome import Receipt, Status
from newsletter.delivery.plan import Block
from newsletter.errors import IssueHasProblems, ProviderBusy, ProviderRefused, QuotaReached
from newsletter.usecases.answering import LATER, Answered, Answerer
from newsletter.usecases.fill import Filler
from tests.conftest import NOW
from tests.unit.mails import mail_filler

PERSON = Subscriber(
    id=7, address="ana@example.org", name="Mallory was here", first_name="Mallory", state=State.PENDING, leave_token="t"
)


@dataclass
class World:
    """Mails that wait, and what everybody was told."""

    mails: list[OwnMail] = field(default_factory=list)
    wishes: int = 0
    records: list[tuple[int, MailState, str, datetime]] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)
    reserved: list[float] = field(default_factory=list)
    turn: timedelta = timedelta(0)
    waited: list[float] = field(default_factory=list)
    stop_after: int = 999

    def waiting(self, *, now: datetime) -> bool:
        return bool(self.mails)

    def claim(self, *, confirmations_an_hour: int, welcome: bool, now: datetime) -> OwnMail | None:
        assert (confirmations_an_hour, welcome) == (5, True)
        return self.mails.pop(0) if self.mails else None

    def record(self, mail: OwnMail, state: MailState, *, reason: str, at: datetime) -> None:
        self.records.append((mail.no, state, reason, at))

    def reserve(self, provider: str, *, count: int, rate: float, now: datetime) -> timedelta:
        assert (provider, count) == ("fake", 1)
        self.reserved.append(rate)
        return self.turn

    def blocked(self, provider: str, *, now: datetime) -> Block | None:
        return self.blocks[-1] if self.blocks else None

    def block(self, provider: str, *, until: datetime, why: str, now: datetime) -> None:
        self.blocks.append(Block(until=until, why=why))

    def wait(self, seconds: float) -> bool:
        self.waited.append(seconds)
        return len(self.waited) > self.stop_after


@dataclass
class Wishes:
    """So many wishes, a few at a time."""

    left: int = 0

    def waiting(self) -> int:
        return self.left

    def answer(self, *, now: datetime) -> int:
        done = min(self.left, 20)
        self.left -= done
        return done


@dataclass
class Unconfirmed:
    """So many people whose time is over, one at a time."""

    left: int = 2

    def waiting(self, *, now: datetime) -> bool:
        return self.left > 0

    def forget(self, *, now: datetime) -> int:
        self.left -= 1
        return 1


@dataclass
class FakeProvider:
    """Says what it is told to, or raises it."""

    says: list[Any]
    sent: list[Batch] = field(default_factory=list)
    name: str = "fake"

    def send(self, batch: Batch) -> Iterator[Receipt | None]:
        self.sent.append(batch)
        yield None
        said = self.says.pop(0) if self.says else Status.ACCEPTED
        if isinstance(said, BaseException):
            raise said
        if said is not None:
            yield said if isinstance(said, Receipt) else Receipt(seq=1, status=said)


def mail(no: int = 1, kind: MailKind = MailKind.CONFIRM, *, queued_at: datetime = NOW) -> OwnMail:
    return OwnMail(no=no, kind=kind, person=PERSON, queued_at=queued_at, claimed_at=NOW)


def made(each: OwnMail) -> Filler:
    return mail_filler(each.kind)


def work(
    world: World,
    *says: Any,
    wishes: int = 0,
    rate: float = 0,
    fillers: Callable[[OwnMail], Filler] = made,
    provider: FakeProvider | None = None,
) -> Any:
    """What was answered, or what was raised, and the provider."""
    provider = provider or FakeProvider(list(says))
    answerer = Answerer(
        wishes=Wishes(wishes),
        mails=world,
        unconfirmed=Unconfirmed(),
        gate=world,
        provider=provider,  # type: ignore[arg-type]
        fillers=fillers,
        ref=lambda: "mail-0123456789",
        confirmations_an_hour=5,
        welcome=True,
        rate=rate,
        clock=lambda: NOW,
        wait=world.wait,
        durably=lambda work: work(),
    )
    try:
        return answerer.work(), provider
    except Exception as err:  # noqa: BLE001 - the test looks at it
        return err, provider


def test_all_wishes_are_answered_and_all_mails_leave() -> None:
    world = World(mails=[mail(1), mail(2, MailKind.LINK)])
    answered, provider = work(world, wishes=45)
    assert answered == Answered(wishes=45, sent=2, forgotten=2)
    assert world.records == [(1, MailState.SENT, "", NOW), (2, MailState.SENT, "", NOW)]
    assert [batch.letter.issue_id for batch in provider.sent] == ["confirm", "link"]


@pytest.mark.parametrize(
    ("said", "state"),
    [
        (Status.ACCEPTED, MailState.SENT),
        (Status.REFUSED, MailState.REFUSED),
        (Status.UNKNOWN, MailState.DOUBT),
        (None, MailState.DOUBT),
    ],
)
def test_what_the_provider_says_is_what_became_of_it(said: Status | None, state: MailState) -> None:
    world = World(mails=[mail()])
    work(world, said)
    assert [record[1] for record in world.records] == [state]


HOURS = timedelta(hours=1)


@pytest.mark.parametrize(
    ("said", "age", "wait"),
    [
        (Receipt(seq=1, status=Status.PLANNED), timedelta(0), LATER),
        (Receipt(seq=1, status=Status.PLANNED), 999 * HOURS, LATER),  # what we put off ourselves is never lost
        (Receipt(seq=1, status=Status.DEFERRED), timedelta(0), LATER),
        (Receipt(seq=1, status=Status.DEFERRED), 4 * HOURS, 2 * HOURS),
        (Receipt(seq=1, status=Status.DEFERRED, wait=3 * HOURS), 4 * HOURS, 3 * HOURS),
    ],
)
def test_what_did_not_leave_is_tried_again_later(said: Receipt, age: timedelta, wait: timedelta) -> None:
    world = World(mails=[mail(queued_at=NOW - age)])
    work(world, said)
    assert world.records == [(1, MailState.QUEUED, "", NOW + wait)]


def test_what_a_mailbox_does_not_take_for_two_weeks_is_given_up() -> None:
    world = World(mails=[mail(queued_at=NOW - FORGOTTEN_AFTER)])
    work(world, Status.DEFERRED)
    assert world.records == [(1, MailState.REFUSED, "", NOW)]


def test_after_one_in_doubt_no_more_leave_for_now() -> None:
    world = World(mails=[mail(1), mail(2)])
    answered, provider = work(world, Status.UNKNOWN)
    assert (answered.doubt, len(provider.sent)) == (1, 1)


@pytest.mark.parametrize("error", [ProviderBusy("come back later"), ProviderRefused("no such key")])
def test_a_provider_that_takes_nothing_is_asked_once_and_nothing_is_lost(error: Exception) -> None:
    world = World(mails=[mail(1), mail(2)])
    raised, provider = work(world, error)
    assert raised is error
    assert world.records == [(1, MailState.QUEUED, str(error), NOW + LATER)]
    assert len(provider.sent) == 1
    assert world.blocks == []


@pytest.mark.parametrize(
    ("error", "wait"),
    [
        (ProviderBusy("later", wait=timedelta(minutes=9)), timedelta(minutes=9)),
        (QuotaReached("enough"), timedelta(hours=1)),
    ],
)
def test_a_provider_that_wants_to_be_left_alone_is(error: ProviderBusy, wait: timedelta) -> None:
    world = World(mails=[mail(1), mail(2)])
    work(world, error)
    assert [block.until for block in world.blocks] == [NOW + wait]
    again, provider = work(world)
    assert (again.sent, provider.sent) == (0, [])
    assert len(world.mails) == 1


def test_what_was_said_before_the_provider_stopped_is_kept() -> None:
    class Hasty(FakeProvider):
        def send(self, batch: Batch) -> Iterator[Receipt | None]:
            yield Receipt(seq=1, status=Status.ACCEPTED)
            raise ProviderBusy("enough for now")

    world = World(mails=[mail()])
    raised, _ = work(world, provider=Hasty([]))
    assert isinstance(raised, ProviderBusy)
    assert [record[1] for record in world.records] == [MailState.SENT]


@pytest.mark.parametrize("error", [ValueError("our own mistake"), KeyboardInterrupt()])
def test_whatever_breaks_during_the_call_leaves_the_mail_in_doubt(error: BaseException) -> None:
    world = World(mails=[mail()])
    if isinstance(error, KeyboardInterrupt):
        with pytest.raises(KeyboardInterrupt):
            work(world, error)
    else:
        assert work(world, error)[0] is error
    assert [record[1] for record in world.records] == [MailState.DOUBT]


def test_a_mail_that_cannot_be_made_keeps_no_other_and_is_told() -> None:
    def fillers(each: OwnMail) -> Filler:
        if each.kind is MailKind.LINK:
            raise IssueHasProblems("no such block", at="templates/mails/link.en.md:9")
        return made(each)

    world = World(mails=[mail(1, MailKind.LINK), mail(2)])
    raised, provider = work(world, fillers=fillers)
    assert isinstance(raised, IssueHasProblems)
    assert [(no, state) for no, state, _, _ in world.records] == [(1, MailState.QUEUED), (2, MailState.SENT)]
    assert len(provider.sent) == 1


def test_the_pace_of_letters_is_the_pace_of_mails() -> None:
    world = World(mails=[mail(1), mail(2)], turn=timedelta(seconds=3))
    work(world, rate=0.5)
    assert world.reserved == [0.5, 0.5]
    assert world.waited.count(3.0) == 2


def test_asked_to_stop_it_claims_nothing_more() -> None:
    world = World(mails=[mail(1), mail(2)], stop_after=5)
    answered, _ = work(world)
    assert answered.sent == 1
    assert len(world.mails) == 1


def message(kind: MailKind) -> bytes:
    world = World(mails=[replace(mail(), kind=kind)])
    (batch,) = work(world)[1].sent
    whole: bytes = batch.message(batch.rows[0])
    return whole


def test_until_they_confirm_nothing_that_was_typed_about_somebody_is_mailed() -> None:
    assert b"Mallory" not in message(MailKind.CONFIRM)
    assert b"\r\nTo: ana@example.org\r\n" in message(MailKind.CONFIRM)
    assert b"\r\nTo: Mallory was here <ana@example.org>\r\n" in message(MailKind.WELCOME)


def test_the_same_mail_is_the_same_bytes() -> None:
    assert message(MailKind.CONFIRM) == message(MailKind.CONFIRM)
