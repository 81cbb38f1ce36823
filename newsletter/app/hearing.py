"""News of people, wired."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import lru_cache

from newsletter.app.newsletter import Newsletter
from newsletter.delivery.news import Heard, News
from newsletter.delivery.outcome import Event, Status
from newsletter.store.hearing import SqlHearing
from newsletter.store.ledger import SqlLedger
from newsletter.store.planner import SqlPlanner
from newsletter.usecases.hear import Listener


class Hearing:
    """Where news of a newsletter's people goes."""

    def __init__(self, newsletter: Newsletter) -> None:
        """Hear for *newsletter*."""
        database = newsletter.database
        self._listener = Listener(
            people=SqlHearing(database),
            ledger=SqlLedger(database),
            issues=lru_cache(maxsize=64)(SqlPlanner(database).by_no),
            clock=newsletter.clock,
        )

    def hear(self, news: Iterable[News]) -> Heard:
        """Take *news* in; what is known already changes nothing."""
        return self._listener.hear(news)

    def take_in(self, events: Iterable[Event]) -> tuple[Counter[Status], Heard]:
        """Take in what a provider reported of deliveries: how many moved, and what became of the people."""
        return self._listener.take_in(events)

    def hear_refusals(self, issue_no: int) -> Heard:
        """Hear of those whom an issue could not be handed over to."""
        return self._listener.hear_refusals(issue_no)
