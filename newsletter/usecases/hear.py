"""Hear: news of people, wherever it comes from, and what it does to them and to their deliveries."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from newsletter.delivery.bounce_causes import cause_of
from newsletter.delivery.message import read_delivery_ref
from newsletter.delivery.news import Heard, Kind, News, Told
from newsletter.delivery.outcome import Event, Status
from newsletter.delivery.plan import PlannedIssue
from newsletter.delivery.report import Refusal
from newsletter.usecases.ports import Events

# What it does to the delivery. A letter that came back for now came back for good: only the person gets another try.
_BECOMES = {Kind.HARD: Status.BOUNCED, Kind.SOFT: Status.BOUNCED, Kind.COMPLAINED: Status.COMPLAINED}
_COUNTED = {Kind.LEFT: "left", Kind.HARD: "bounced", Kind.COMPLAINED: "complained", Kind.SOFT: "soft"}
_SAYS = {Status.BOUNCED: Kind.HARD, Status.COMPLAINED: Kind.COMPLAINED}  # of the person, unless told otherwise
_LATER = (Status.DELIVERED, Status.BOUNCED, Status.COMPLAINED)
_AT_ONCE = 100  # so that nobody waits for long who wants to write as well
_REPLY = re.compile(r"5\d\d\b")  # how what a recipient's server said begins


class Listed(Protocol):
    """The list, as far as news is about people on it."""

    def of_delivery(self, issue_no: int, seq: int) -> int | None:
        """To whom a delivery went."""

    def of_token(self, token: str) -> int | None:
        """Whose link for leaving it is."""

    def of_addresses(self, addresses: Collection[str]) -> Mapping[str, int]:
        """Who has each of these addresses, of those that somebody has."""

    def refusals(self, issue_no: int) -> Sequence[Refusal]:
        """The refused deliveries of an issue to people who are mailed still, but for those that were taken already."""

    def arrived(self, issue_no: int) -> int:
        """How many deliveries of an issue came as far as the recipient's server, for all that we know."""

    def take(self, told: Sequence[Told]) -> Sequence[Kind | None]:
        """What each piece of news came to be for its person; None if it is nothing new. All of it or nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """Takes news in. The same news twice changes nothing the second time."""

    people: Listed
    ledger: Events
    issues: Callable[[int], PlannedIssue | None]
    clock: Callable[[], datetime]

    def hear(self, news: Iterable[News]) -> Heard:
        """What became of all *news*, in numbers."""
        heard_of = list(news)
        # Looked up together: a provider's whole list, one by one, would take longer than a tick has.
        theirs = self.people.of_addresses({each.address for each in heard_of if each.address})
        told = [self._told(each, theirs) for each in heard_of]
        heard = self._take([each for each in told if each])
        return replace(heard, unknown=told.count(None))

    def take_in(self, events: Iterable[Event]) -> tuple[Counter[Status], Heard]:
        """How many deliveries moved by what a provider reported, and what became of the people.

        What is not about one of our deliveries is left out.
        """
        moved, told = Counter[Status](), list[Told]()
        for event in events:
            delivery = self._named_by(event.ref)
            who = self.people.of_delivery(*delivery) if delivery else None
            if delivery is None or who is None:
                continue
            moved[event.status] += self._settle(event, *delivery)
            if news := _news_in(event, now=self.clock()):
                told.append(Told(subscriber_id=who, news=news, issue_no=delivery[0]))
        return +moved, self._take(told)

    def hear_refusals(self, issue_no: int) -> Heard:
        """What became of those whom an issue could not be handed over to.

        Nothing, where fewer got it than did not: that is rather a mistake of ours, whatever the servers say.
        """
        refusals = self.people.refusals(issue_no)
        if refusals and len(refusals) > self.people.arrived(issue_no):
            return Heard()
        judged = ((each.subscriber_id, _judged(each.reason, at=each.at, how="refused")) for each in refusals)
        return self._take([Told(subscriber_id=who, news=news, issue_no=issue_no) for who, news in judged if news])

    def _told(self, news: News, theirs: Mapping[str, int]) -> Told | None:
        """Of whom it is, if we know them; their delivery is moved."""
        delivery = self._named_by(news.ref) if news.ref else None
        who = self._who(news, delivery, theirs)
        if who is None:
            return None
        if delivery and news.kind in _BECOMES:
            self._settle(Event(ref=news.ref, status=_BECOMES[news.kind], reason=news.reason), *delivery)
        return Told(subscriber_id=who, news=news, issue_no=delivery[0] if delivery else None)

    def _take(self, told: Sequence[Told]) -> Heard:
        # Were it of tomorrow, by a clock that is wrong, it would be newer than all that they ask until then.
        now = self.clock()
        sane = [replace(each, news=replace(each.news, at=min(each.news.at, now))) for each in told]
        some = (sane[start : start + _AT_ONCE] for start in range(0, len(sane), _AT_ONCE))
        kinds = (kind for each in some for kind in self.people.take(each))
        return Heard(**Counter(_COUNTED[kind] if kind else "known" for kind in kinds))

    def _who(self, news: News, delivery: tuple[int, int] | None, theirs: Mapping[str, int]) -> int | None:
        if delivery:
            return self.people.of_delivery(*delivery)
        if news.token:
            return self.people.of_token(news.token)
        return theirs.get(news.address)

    def _named_by(self, ref: str) -> tuple[int, int] | None:
        """The delivery of ours that *ref* stands for: its issue's number, and its own; None if there is none."""
        number = ref.partition("-")[0]
        issue = self.issues(int(number)) if number.isdecimal() and len(number) < 10 else None
        seq = read_delivery_ref(ref, secret=issue.secret) if issue else None
        return (issue.no, seq) if issue and seq else None

    def _settle(self, event: Event, issue_no: int, seq: int) -> bool:
        """Move a delivery; what was delivered or came back had been accepted, though nobody told us so then."""

        def settled(status: Status) -> bool:
            return self.ledger.settle_event(
                issue_no, seq, status, provider_id=event.provider_id, reason=event.reason, now=self.clock()
            )

        return settled(event.status) or (event.status in _LATER and settled(Status.ACCEPTED) and settled(event.status))


def _news_in(event: Event, *, now: datetime) -> News | None:
    """What *event* says of the person, if it does."""
    how, at = "the provider's events", event.at or now
    if event.status is Status.REFUSED:
        news = _judged(event.reason, at=at, how=how)
        return replace(news, ref=event.ref) if news else None
    kind = event.kind or _SAYS.get(event.status)
    return News(kind=kind, at=at, how=how, reason=event.reason, ref=event.ref) if kind else None


def _judged(reason: str, *, at: datetime, how: str) -> News | None:
    """What a refusal says of the person: nothing, where their server did not say it and it names no bad address."""
    kind, why = cause_of("", reason)
    if kind is Kind.SOFT and not _REPLY.match(reason):
        return None
    return News(kind=kind, at=at, how=how, reason=why)
