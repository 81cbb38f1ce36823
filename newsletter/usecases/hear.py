"""Hear: news of people, from a mailbox, a provider or a page, and what it does to them and to their deliveries."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from newsletter.audience.news import Heard, Kind, News
from newsletter.delivery.outcome import Event, Status
from newsletter.delivery.plan import PlannedIssue
from newsletter.usecases.ports import Events
from newsletter.usecases.reconcile import named_by, settle

_BECOMES = {Kind.HARD: Status.BOUNCED, Kind.COMPLAINED: Status.COMPLAINED}
_COUNTED = {Kind.LEFT: "left", Kind.HARD: "bounced", Kind.COMPLAINED: "complained", Kind.SOFT: "soft"}


class Listed(Protocol):
    """The list, as far as news is about people on it."""

    def of_delivery(self, issue_no: int, seq: int) -> int | None:
        """To whom a delivery went."""

    def of_token(self, token: str) -> int | None:
        """Whose link for leaving it is."""

    def of_address(self, address: str) -> int | None:
        """Who has this address."""

    def take(self, subscriber_id: int, news: News, *, issue_no: int | None) -> Kind | None:
        """What *news* came to be for a person; None if it is nothing new."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """Takes news in. The same news twice changes nothing the second time."""

    people: Listed
    ledger: Events
    issues: Callable[[int], PlannedIssue | None]
    clock: Callable[[], datetime]

    def hear(self, news: Iterable[News]) -> Heard:
        """What became of all *news*, in numbers."""
        return Heard(**Counter(map(self._hear, news)))

    def _hear(self, news: News) -> str:
        delivery = named_by(news.ref, issues=self.issues) if news.ref else None
        who = self._who(news, delivery)
        if who is None:
            return "unknown"
        if delivery and news.kind in _BECOMES:
            event = Event(ref=news.ref, status=_BECOMES[news.kind], reason=news.reason)
            settle(event, *delivery, self.ledger, self.clock())
        kind = self.people.take(who, news, issue_no=delivery[0] if delivery else None)
        return _COUNTED[kind] if kind else "known"

    def _who(self, news: News, delivery: tuple[int, int] | None) -> int | None:
        if delivery:
            return self.people.of_delivery(*delivery)
        if news.token:
            return self.people.of_token(news.token)
        return self.people.of_address(news.address) if news.address else None
